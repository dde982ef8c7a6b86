"""The token request as the fields say: method, format, parameters, headers; odd answers; PKCE; the callback."""

import base64
import hashlib
import threading
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.db import connection as database
from django.test import Client

from accounts.models import User, Workspace
from connections import account, oauth, refresh, tokens
from connections.access import client_for
from connections.events import authorized
from connections.models import Connection
from connections.redirect import redirect_uri
from lib.errors import InvalidInput, UserError
from tests.connections import kit
from tests.connections.odd import Came, Reply, Server

pytestmark = pytest.mark.django_db(transaction=True)

GIVEN = {"access_token": "given-access-token", "refresh_token": "given-refresh-token", "expires_in": 60}


def fresh(workspace: Workspace, base: str, **fields: Any) -> Connection:
    return kit.connected(workspace, base, **{"status": "new", "tokens": None, **fields})


def authorize(connection: Connection, **callback: str) -> dict[str, list[str]]:
    """Begin as a token does, answer as the service's browser; gives the authorization URL's parameters."""
    begun = oauth.begin(connection, user=None, in_browser=False)
    assert begun.url is not None
    asked = parse_qs(urlsplit(begun.url).query)
    answer = Client().get(
        urlsplit(redirect_uri(connection)).path, {"state": asked["state"][0], "code": "4/0A+b=", **callback}
    )
    assert answer.status_code == 303
    return asked


def test_a_bare_address_gets_the_standard_parameters_and_both_requests_one_redirect(workspace: Workspace) -> None:
    with Server(lambda came: Reply(200, GIVEN)) as server:
        connection = fresh(workspace, server.url, scope="a b")
        asked = authorize(connection)
    assert set(asked) == {"response_type", "client_id", "redirect_uri", "scope", "state"}
    assert asked["scope"] == ["a b"]
    assert len(asked["state"][0]) >= 22  # 128 bits
    sent = server.to("/token")[0].form
    assert sent == {
        "grant_type": "authorization_code",
        "client_id": "client",
        "client_secret": "client-secret-value",
        "redirect_uri": asked["redirect_uri"][0],
        "code": "4/0A+b=",
    }
    assert kit.again(connection).status == "connected"


def test_json_with_basic_and_constant_headers(workspace: Workspace) -> None:
    with Server(lambda came: Reply(200, GIVEN, {"Content-Type": "text/html"})) as server:
        connection = fresh(
            workspace,
            server.url,
            token_format="json",
            token_params={"grant_type": "authorization_code", "code": "<< code >>", "n": "{{ 5 }}", "blank": ""},
            token_headers={"Authorization": "Basic {{ base64_encode(client_id ~ ':' ~ client_secret) }}", "X-V": "1"},
        )
        authorize(connection)
    came = server.to("/token")[0]
    assert came.json == {"grant_type": "authorization_code", "code": "4/0A+b=", "n": 5}
    assert came.headers["content-type"] == "application/json"
    assert came.headers["authorization"] == "Basic " + base64.b64encode(b"client:client-secret-value").decode()
    assert came.headers["x-v"] == "1"
    assert kit.again(connection).status == "connected"


def test_a_get_request_and_a_form_encoded_answer(workspace: Workspace) -> None:
    with Server(
        lambda came: Reply(200, b"access_token=got-by-get&expires=3600", {"Content-Type": "text/plain"})
    ) as server:
        connection = fresh(workspace, server.url, token_url=f"{server.url}/token?v=2", token_method="GET")
        authorize(connection)
    came = server.to("/token")[0]
    assert came.method == "GET"
    assert (came.query["v"], came.query["code"]) == ("2", "4/0A+b=")
    stored = kit.again(connection)
    assert tokens.tokens_of(stored).access_token == "got-by-get"
    assert stored.expires_at is not None


@pytest.mark.parametrize("by_template", [True, False])
def test_pkce_is_in_both_requests(workspace: Workspace, by_template: bool) -> None:
    with Server(lambda came: Reply(200, GIVEN)) as server:
        extra: dict[str, Any] = {"use_pkce": True}
        if by_template:
            extra = {
                "authorization_url": server.url + "/a?code_challenge={{ code_challenge }}",
                "token_params": {"code": "{{ code }}", "code_verifier": "{{ code_verifier }}"},
            }
        asked = authorize(fresh(workspace, server.url, **extra))
    verifier = server.to("/token")[0].form["code_verifier"]
    digest = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    assert asked["code_challenge"] == [digest]
    assert asked["code_challenge_method"] == ["S256"]


def test_a_state_of_the_templates_own_is_replaced(workspace: Workspace) -> None:
    connection = fresh(workspace, "https://a.example", authorization_url="https://a.example/a?state=fixed&x=1")
    begun = oauth.begin(connection, user=None, in_browser=False)
    assert begun.url is not None
    asked = parse_qs(urlsplit(begun.url).query)
    assert len(asked["state"]) == 1
    assert asked["state"] != ["fixed"]


def test_what_the_callback_brings_is_known_from_then_on(workspace: Workspace) -> None:
    """As amoCRM: the account's host comes with the consent, and a stranger's host gets no secret."""
    with Server(lambda came: Reply(200, {**GIVEN, "base": "x"} if came.path == "/token" else {"ok": True})) as server:
        host = server.url.removeprefix("http://")
        connection = fresh(
            workspace,
            server.url,
            token_url="http://{{ callback.referer }}/token",
            refresh_url="http://{{ callback.referer }}/token",
            api_base_url="http://{{ callback.referer }}/api",
            allowed_hosts=[host],
        )
        authorize(connection, referer=host)
        assert client_for(workspace.pk, "calendar").base_url == f"{server.url}/api"
        refresh.renewed(kit.again(connection), seen=kit.again(connection).token_version)
        count = len(server.requests)
        authorize(kit.again(connection), referer="evil.example")
    assert len(server.requests) == count
    assert kit.again(connection).error["code"] == "destination_not_allowed"


def test_authorizing_again_without_a_refresh_token_keeps_the_old_one_of_the_same_person(workspace: Workspace) -> None:
    answers = [
        {**GIVEN, "email": "a@x"},
        {"access_token": "second", "email": "a@x"},
        {"access_token": "3", "email": "b@x"},
    ]
    with Server(lambda came: Reply(200, answers.pop(0))) as server:
        connection = fresh(workspace, server.url)
        authorize(connection)
        authorize(kit.again(connection))
        assert tokens.tokens_of(kit.again(connection)).refresh_token == "given-refresh-token"
        authorize(kit.again(connection))
        assert tokens.tokens_of(kit.again(connection)).refresh_token == ""
    assert kit.again(connection).account == "b@x"


def test_a_hundred_callbacks_with_one_state_make_one_exchange(workspace: Workspace) -> None:
    with Server(lambda came: Reply(200, GIVEN)) as server:
        connection = fresh(workspace, server.url)
        begun = oauth.begin(connection, user=None, in_browser=False)
        assert begun.url is not None
        state = parse_qs(urlsplit(begun.url).query)["state"][0]
        path, statuses = urlsplit(redirect_uri(connection)).path, []

        def call() -> None:
            try:
                statuses.append(Client().get(path, {"state": state, "code": "c"}).status_code)
            finally:
                database.close()

        for _ in range(10):
            threads = [threading.Thread(target=call) for _ in range(10)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
    assert sorted(statuses) == [303] + [400] * 99
    assert len(server.to("/token")) == 1


def test_changed_settings_end_what_was_begun(workspace: Workspace) -> None:
    connection = fresh(workspace, "https://a.example")
    begun = oauth.begin(connection, user=None, in_browser=False)
    assert begun.url is not None
    state = parse_qs(urlsplit(begun.url).query)["state"][0]
    Connection.objects.filter(pk=connection.pk).update(config={**connection.config, "token_url": "https://b.example"})
    with pytest.raises(oauth.BadState):
        oauth.finish(kit.again(connection), {"state": state, "code": "c"}, user=None, browser=None)


def test_a_working_connection_survives_a_failed_attempt_at_a_service_that_is_away(workspace: Workspace) -> None:
    with Server(lambda came: Reply(503, {})) as server:
        connection = kit.connected(workspace, server.url)
        authorize(connection)
    stored = kit.again(connection)
    assert stored.status == "connected"
    assert stored.error["code"] == "token_refused"
    assert tokens.tokens_of(stored).access_token == "access-0-secret"


def test_an_error_from_the_service_is_noted_and_a_no_is_not(workspace: Workspace) -> None:
    connection = fresh(workspace, "https://a.example")
    authorize(connection, error="access_denied")
    assert (kit.again(connection).status, kit.again(connection).error) == ("new", None)
    authorize(connection, error="invalid_scope", error_description="no such scope")
    stored = kit.again(connection)
    assert stored.status == "misconfigured"
    assert stored.error["params"] == {"error": "invalid_scope", "description": "no such scope"}


def test_listeners_hear_of_an_authorization_after_it_is_stored(workspace: Workspace) -> None:
    heard: list[str] = []

    def listen(connection: Connection) -> None:
        heard.append(Connection.objects.get(pk=connection.pk).status)

    authorized.append(listen)
    try:
        with Server(lambda came: Reply(200, GIVEN)) as server:
            authorize(fresh(workspace, server.url))
    finally:
        authorized.remove(listen)
    assert heard == ["connected"]


def test_the_accounts_name_is_asked_where_the_scope_allows_it(workspace: Workspace) -> None:
    def answer(came: Came) -> Reply:
        if came.path == "/token":
            return Reply(200, {**GIVEN, "scope": "https://www.googleapis.com/auth/calendar"})
        return Reply(200, {"id": "office@slovo.school"}) if came.path.endswith("/calendars/primary") else Reply(404, {})

    with Server(answer) as server:
        connection = fresh(workspace, server.url, preset="google_calendar", api_base_url=f"{server.url}/calendar/v3")
        authorize(connection)
    assert kit.again(connection).account == "office@slovo.school"


def test_a_name_that_cannot_be_learnt_breaks_nothing(workspace: Workspace) -> None:
    with Server(lambda came: Reply(200, GIVEN) if came.path == "/token" else Reply(500, b"<html>")) as server:
        connection = fresh(workspace, server.url, preset="github", api_base_url=server.url)
        authorize(connection)
    assert kit.again(connection).status == "connected"
    assert account.learn(kit.again(connection)) == ""


def test_an_authorization_needs_its_fields(workspace: Workspace, alice: User) -> None:
    connection = fresh(workspace, "https://a.example", client_id="", token_url="")
    with pytest.raises(InvalidInput) as caught:
        oauth.begin(connection, user=alice, in_browser=True)
    assert set(caught.value.errors) == {"client_id", "token_url"}


def test_a_redirect_of_the_token_endpoint_is_not_followed(workspace: Workspace) -> None:
    with Server(lambda came: Reply(200, GIVEN)) as elsewhere:
        there = Reply(307, {}, {"Location": f"{elsewhere.url}/token"})
        with Server(lambda came: there) as server:
            connection = fresh(workspace, server.url)
            authorize(connection)
    assert not elsewhere.requests
    assert kit.again(connection).status == "misconfigured"


def test_a_service_out_of_reach_is_an_error_of_its_own(workspace: Workspace) -> None:
    connection = fresh(workspace, "http://10.1.2.3")
    authorize(connection)
    assert kit.again(connection).error["code"] == "destination_blocked"


def test_errors_name_no_secret(workspace: Workspace) -> None:
    with Server(lambda came: Reply(400, {"error": "invalid_request"})) as server:
        connection = fresh(workspace, server.url)
        authorize(connection)
    assert "client-secret-value" not in str(kit.again(connection).error)


def test_a_refusal_of_another_issuer_is_not_ours(workspace: Workspace) -> None:
    connection = fresh(workspace, "https://a.example", issuer="https://a.example")
    begun = oauth.begin(connection, user=None, in_browser=False)
    assert begun.url is not None
    state = parse_qs(urlsplit(begun.url).query)["state"][0]
    with pytest.raises(UserError, match="bad_state"):
        oauth.finish(connection, {"state": state, "code": "c", "iss": "https://evil.example"}, user=None, browser=None)
