"""What was typed in or given by a service is read by nobody: not as a scope, in an error, or by a viewer."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client
from rest_framework.test import APIClient

from accounts.models import User, Workspace
from actions.base import Request
from connections import answers, tokens
from connections.access import client_for
from connections.masking import MASK
from connections.models import Connection
from lib.errors import UserError
from tests.connections import kit
from tests.connections.odd import Came, Reply, Rotating, Server

pytestmark = pytest.mark.django_db(transaction=True)

Api = Callable[..., APIClient]
ADDRESS = "/api/v1/connections/calendar/"
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_where_an_answer_is_read_from_is_changed_only_with_the_secret(
    api: Api, alice: User, workspace: Workspace
) -> None:
    connection = kit.connected(workspace, "https://a.example")
    change = {"token_response": {"scope": "refresh_token"}}
    refused = api(alice).patch(ADDRESS, change)
    assert (refused.status_code, refused.json()["code"]) == (400, "secret_needed")
    assert kit.again(connection).config["token_response"] == {}


@pytest.mark.parametrize("path", ["access_token", "refresh_token", "id_token", "all", "data", "old"])
def test_a_token_is_taken_neither_for_a_scope_nor_for_an_account(
    api: Api, alice: User, workspace: Workspace, path: str
) -> None:
    service = Rotating()

    def answer(came: Came) -> Reply:
        reply = service(came)
        if came.path == "/token":
            body = reply.body
            body |= {"id_token": "id-token-secret", "all": f"read,{body['refresh_token']}", "old": "refresh-0-secret"}
            body["data"] = [{"access_token": body["access_token"]}, body["access_token"]]
        return reply

    with Server(answer) as server:
        connection = kit.connected(workspace, server.url, token_response={"scope": path, "account": path})
        read = api(alice).post(f"{ADDRESS}refresh/").json()
    assert "secret" not in str([read["scopes"], read["account"], kit.again(connection).account])


def test_a_long_text_is_no_account_and_a_real_one_is_kept() -> None:
    body = b'{"access_token": "access-1-secret", "scope": "a b", "who": {"mail": "a@b.example"}}'
    answer = answers.parse(200, body, paths={"account": "who.mail"}, now=NOW, host="")
    assert (answer.account, answer.scopes) == ("a@b.example", ["a", "b"])
    long = b'{"access_token": "access-1-secret", "name": "%s"}' % (b"x" * 300)
    assert answers.parse(200, long, paths={}, now=NOW, host="").account == ""


@pytest.mark.parametrize("path", ["data.auth[0].key", "data.auth.0.key"])
def test_a_path_may_be_written_as_in_expressions(path: str) -> None:
    body = b'{"data": {"auth": [{"key": "nested-token"}]}}'
    assert answers.parse(200, body, paths={"access_token": path}, now=NOW, host="").access_token == "nested-token"


def indiscreet(came: Came) -> Reply:
    """Repeats in its words whatever it was sent, and a token that it made."""
    sent = " ".join(came.form.values())
    words = f"{sent} {came.headers.get('authorization', '')} {'x' * 280}{came.form.get('client_secret', '')}"
    return Reply(400, {"error": "invalid_client", "error_description": words, "refresh_token": "refresh-new-secret"})


def seen_by(client: APIClient) -> str:
    return str(client.get(ADDRESS).content.decode())


def test_a_refused_refresh_shows_no_secret(api: Api, alice: User, vera: User, workspace: Workspace) -> None:
    with Server(indiscreet) as server:
        connection = kit.connected(
            workspace, server.url, refresh_headers={"Authorization": "Basic bGl0ZXJhbDpzZWNyZXQ="}
        )
        answer = api(alice).post(f"{ADDRESS}refresh/")
    shown = answer.content.decode() + seen_by(api(alice)) + seen_by(api(vera)) + str(kit.again(connection).error)
    assert MASK in shown
    for secret in ("client-secret-value", "client-secr", "refresh-0-secret", "bGl0ZXJhbDpzZWNyZXQ"):
        assert secret not in shown


def test_a_paused_refresh_shows_no_secret(workspace: Workspace) -> None:
    def answer(came: Came) -> Reply:
        if came.path != "/token":
            return Reply(401, {})
        return Reply(503, {"error": f"down {came.form['client_secret']}", "message": came.form["refresh_token"]})

    with Server(answer) as server:
        connection = kit.connected(workspace, server.url)
        for _ in range(2):
            with pytest.raises(UserError) as caught:
                client_for(workspace.pk, "calendar").send(Request("GET", "thing"))
            assert caught.value.code == "token_refresh_paused"
            assert MASK in str(caught.value.params["cause"])
            assert "secret" not in str(caught.value.params["cause"])
    assert "secret" not in str(kit.again(connection).error)


def test_a_failed_exchange_shows_neither_code_nor_verifier(api: Api, alice: User, workspace: Workspace) -> None:
    with Server(indiscreet) as server:
        connection = kit.connected(workspace, server.url, status="new", tokens=None, use_pkce=True)
        state = begun(api(alice))
        back = f"/connections/{connection.public_id}/callback/"
        assert Client().get(back, {"state": state, "code": "code-of-the-person"}).status_code == 303
    verifier = server.to("/token")[0].form["code_verifier"]
    shown = str(kit.again(connection).error)
    assert MASK in shown
    for secret in ("client-secret-value", "client-secr", "code-of-the-person", verifier):
        assert secret not in shown


def test_a_refusal_in_the_callback_shows_no_secret(api: Api, alice: User, workspace: Workspace) -> None:
    connection = kit.connected(workspace, "https://a.example")
    state = begun(api(alice))
    words = {"error": "server_error", "error_description": "wrong: client-secret-value, refresh-0-secret"}
    Client().get(f"/connections/{connection.public_id}/callback/", {"state": state, **words})
    error = kit.again(connection).error
    assert error is not None
    assert error["params"]["description"] == f"wrong: {MASK}, {MASK}"


def begun(client: APIClient) -> str:
    url = client.post(f"{ADDRESS}authorize/").json()["authorization_url"]
    return parse_qs(urlsplit(url).query)["state"][0]


def test_tokens_that_lie_deep_in_an_answer_are_secrets_too(workspace: Workspace) -> None:
    connection = kit.make(
        workspace, tokens=tokens.Tokens("a-token", answer={"authed_user": {"access_token": "deep-token", "id": "U1"}})
    )
    assert tokens.hidden_of(kit.again(connection)) == {"a-token", "deep-token"}


TEMPLATES: dict[str, Any] = {
    "request_headers": {
        "Authorization": "Bearer {{ access_token }}",
        "X-Api-Key": "typed-in-key",
        "X-Token-Version": "2",
    },
    "request_query": {"api_key": "typed-in-key", "v": "2"},
    "token_params": {"client_secret": "{{ 'typed-in-secret' }}", "code": "{{ code }}"},
}


def test_a_viewer_sees_no_template_and_nobody_a_key_that_was_typed_into_one(
    api: Api, alice: User, vera: User, workspace: Workspace
) -> None:
    kit.connected(workspace, "https://a.example/x", **TEMPLATES)
    viewer = api(vera)
    for read in (viewer.get(ADDRESS).json(), viewer.get("/api/v1/connections/").json()["results"][0]):
        assert {"name", "slug", "status", "account", "scopes", "grant", "allowed_hosts"} <= set(read)
        assert not {
            *("request_headers", "request_query", "token_params", "token_headers", "refresh_params"),
            *("refresh_headers", "token_url", "authorization_url", "api_base_url", "token_response", "client_id"),
        } & set(read)
    read = api(alice).get(ADDRESS).json()
    assert read["request_headers"] == {**TEMPLATES["request_headers"], "X-Api-Key": MASK}
    assert read["request_query"] == {"api_key": MASK, "v": "2"}
    assert read["token_params"] == {"client_secret": MASK, "code": "{{ code }}"}


def test_rows_that_are_written_back_as_they_were_read_keep_their_keys(
    api: Api, alice: User, workspace: Workspace
) -> None:
    connection = kit.connected(workspace, "https://a.example", **TEMPLATES)
    client = api(alice)
    read = client.get(ADDRESS).json()
    written = client.patch(ADDRESS, {name: read[name] for name in TEMPLATES})
    assert (written.status_code, written.json()["status"]) == (200, "connected")
    assert {name: kit.again(connection).config[name] for name in TEMPLATES} == TEMPLATES
    dots = client.patch(ADDRESS, {"request_headers": {"X-Other-Key": MASK}})
    assert (dots.status_code, list(dots.json()["errors"])) == (400, ["request_headers.X-Other-Key"])
    assert Connection.objects.get(pk=connection.pk).tokens is not None
