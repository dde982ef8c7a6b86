"""An authorization is finished only by who may still change the connection, with the settings that it began with."""

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client
from rest_framework.test import APIClient

from accounts import members
from accounts import tokens as api_tokens
from accounts.models import Membership, User, Workspace
from accounts.roles import Role
from connections import flows, oauth, rotation, tokens
from connections.models import AuthorizationFlow, Connection, TokenAnswer
from lib.crypto import Keyring
from lib.errors import InvalidInput
from tests.connections import kit
from tests.connections.odd import Came, Reply, Server
from tests.people import actor_of, signed_in

pytestmark = pytest.mark.django_db(transaction=True)

Api = Callable[..., APIClient]


def generous(came: Came) -> Reply:
    return Reply(200, {"access_token": "given-access", "refresh_token": "given-refresh", "email": "else@evil.example"})


def fresh(workspace: Workspace, server: Server, **fields: Any) -> Connection:
    return kit.connected(workspace, server.url, **{"status": "new", "tokens": None, **fields})


def state_of(url: str | None) -> str:
    return parse_qs(urlsplit(url or "").query)["state"][0]


def begun_in(browser: Client, connection: Connection) -> str:
    answer = browser.post(f"/connections/{connection.public_id}/authorize/", HTTP_HX_REQUEST="true")
    return state_of(answer["HX-Redirect"])


def finish(browser: Client, connection: Connection, state: str, **more: str) -> int:
    back = f"/connections/{connection.public_id}/callback/"
    return browser.get(back, {"state": state, "code": "a-code", **more}).status_code


def test_an_editor_finishes_what_they_began(workspace: Workspace, bob: User) -> None:
    with Server(generous) as server:
        connection, browser = fresh(workspace, server), signed_in(bob)
        assert finish(browser, connection, begun_in(browser, connection)) == 303
    assert kit.again(connection).status == "connected"
    assert AuthorizationFlow.objects.get().verifier is None


@pytest.mark.parametrize("what", ["viewer", "removed", "inactive"])
def test_who_lost_the_right_meanwhile_finishes_nothing(workspace: Workspace, bob: User, what: str) -> None:
    with Server(generous) as server:
        connection, browser = fresh(workspace, server), signed_in(bob)
        state = begun_in(browser, connection)
        lose(bob, what)
        assert finish(browser, connection, state) == 400
        assert not server.requests
    assert kit.again(connection).status == "new"


@pytest.mark.parametrize("what", ["viewer", "removed", "token", "expired"])
def test_what_a_token_began_needs_the_token_and_its_person(
    workspace: Workspace, bob: User, alice: User, what: str
) -> None:
    with Server(generous) as server:
        connection = fresh(workspace, server)
        token, secret = api_tokens.make(actor_of(bob), "program", role=Role.EDITOR)
        program = APIClient()
        program.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
        state = state_of(program.post("/api/v1/connections/calendar/authorize/").json()["authorization_url"])
        assert AuthorizationFlow.objects.get().token == token
        if what == "token":
            api_tokens.revoke(actor_of(alice), token)
        elif what == "expired":
            type(token).objects.filter(pk=token.pk).update(expires_at="2020-01-01T00:00:00Z")
        else:
            lose(bob, what)
        assert finish(Client(), connection, state) == 400
        assert not server.requests


def lose(user: User, what: str) -> None:
    if what == "viewer":
        Membership.objects.filter(user=user).update(role="viewer")
    elif what == "removed":
        Membership.objects.filter(user=user).delete()
    else:
        User.objects.filter(pk=user.pk).update(is_active=False)


def test_what_is_changed_during_the_exchange_gets_no_tokens(workspace: Workspace, bob: User) -> None:
    """The new settings may name another's hosts: the tokens of the old ones must not go there."""

    def meanwhile(came: Came) -> Reply:
        Connection.objects.update(config={**Connection.objects.get().config, "api_base_url": "https://evil.example"})
        return generous(came)

    with Server(meanwhile) as server:
        connection, browser = fresh(workspace, server), signed_in(bob)
        assert finish(browser, connection, begun_in(browser, connection)) == 400
    stored = kit.again(connection)
    assert (stored.tokens, stored.status, stored.error) == (None, "new", None)
    assert not TokenAnswer.objects.exists()


def test_an_answer_of_another_server_uses_up_the_state(workspace: Workspace, bob: User) -> None:
    with Server(generous) as server:
        connection, browser = fresh(workspace, server, issuer=server.url), signed_in(bob)
        state = begun_in(browser, connection)
        assert finish(browser, connection, state, iss="https://evil.example") == 400
        assert finish(browser, connection, state, iss=server.url) == 400
        assert not server.requests


def test_what_a_person_began_is_dropped_in_that_workspace_only(
    workspace: Workspace, other_workspace: Workspace, alice: User, bob: User
) -> None:
    ours, theirs = (kit.connected(where, "https://a.example") for where in (workspace, other_workspace))
    for connection, user in ((ours, bob), (ours, alice), (theirs, bob)):
        oauth.begin(connection, user=user, in_browser=False)
    flows.drop_flows(workspace, bob)
    left = AuthorizationFlow.objects.order_by("id").values_list("connection", "user")
    assert list(left) == [(ours.pk, alice.pk), (theirs.pk, bob.pk)]


@pytest.mark.parametrize(
    "template",
    [
        "{{ 'javascript:alert(1)//' }}",
        "{{ 'data:text/html,x' }}",
        "{{ 'https:///x' }}",
        "{{ 'https://' }}",
        "{{ 'https://a.example@evil.example/' }}",
        "https://good.example{x}.evil.example/authorize",
    ],
)
def test_a_person_is_sent_to_web_addresses_only(api: Api, alice: User, workspace: Workspace, template: str) -> None:
    connection = kit.connected(workspace, "https://a.example", authorization_url=template)
    with pytest.raises(InvalidInput):
        oauth.begin(connection, user=None, in_browser=False)
    refused = api(alice).post("/api/v1/connections/calendar/authorize/")
    assert (refused.status_code, list(refused.json()["errors"])) == (400, ["authorization_url"])
    page = signed_in(alice).post(f"/connections/{connection.public_id}/authorize/", HTTP_HX_REQUEST="true")
    assert "javascript" not in page.headers.get("HX-Redirect", "")
    assert not AuthorizationFlow.objects.exists()


def test_a_host_of_another_alphabet_is_sent_in_its_ascii_form(workspace: Workspace) -> None:
    connection = kit.connected(workspace, "https://a.example", authorization_url="https://вход.example/x?a={{ scope }}")
    url = oauth.begin(connection, user=None, in_browser=False).url
    assert url is not None
    assert url.startswith(f"https://{'вход'.encode('idna').decode()}.example/x?")


def test_a_verifier_is_sealed_anew_with_the_new_key(workspace: Workspace, settings: Any) -> None:
    old, new = Keyring.generate("old"), Keyring.generate("new")
    settings.KEYRING = Keyring.parse(old)
    with Server(generous) as server:
        connection = kit.connected(workspace, server.url)
        state = state_of(oauth.begin(connection, user=None, in_browser=False).url)
        settings.KEYRING = Keyring.parse(f"{new},{old}")
        column = next(one for one in rotation.COLUMNS if one.model is AuthorizationFlow)
        assert rotation.rotate(column).resealed == 1
        settings.KEYRING = Keyring.parse(new)
        connection.secrets = tokens.sealed(connection, "secrets", {"client_secret": "client-secret-value"})
        connection.tokens = None
        connection.save()
        oauth.finish(kit.again(connection), {"state": state, "code": "c"}, user=None, browser=None)
    assert kit.again(connection).status == "connected"


def test_all_that_is_sealed_is_known_to_the_check_of_keys() -> None:
    from accounts.keys import SEALED

    known = {(one.model, one.column) for one in SEALED}
    assert {(AuthorizationFlow, "verifier"), (TokenAnswer, "answer"), (Connection, "tokens")} <= known
    assert known >= {(one.model, one.column) for one in rotation.COLUMNS if one.model._meta.app_label == "connections"}


@pytest.mark.parametrize("what", ["role", "removed", "token"])
def test_losing_access_drops_what_was_begun(workspace: Workspace, alice: User, bob: User, what: str) -> None:
    connection = kit.connected(workspace, "https://a.example")
    oauth.begin(connection, user=bob, in_browser=False)
    oauth.begin(connection, user=alice, in_browser=False)
    token = api_tokens.make(actor_of(bob), "program", role=Role.EDITOR)[0]
    membership = Membership.objects.get(user=bob)
    if what == "role":
        members.change_role(actor_of(alice), membership, Role.VIEWER)
    elif what == "removed":
        members.remove(actor_of(alice), membership)
    else:
        api_tokens.revoke(actor_of(alice), token)
    assert [flow.user for flow in AuthorizationFlow.objects.all()] == [alice]
