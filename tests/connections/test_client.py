"""Signed requests: what they carry, where they may go, and what of them is kept."""

import base64
from typing import Any
from urllib.parse import quote

import pytest

from accounts.models import Workspace
from actions.base import Request
from connections.access import client_for
from connections.tokens import Tokens
from lib.errors import UserError
from tests.connections import kit
from tests.connections.odd import Came, Reply, Server

pytestmark = pytest.mark.django_db(transaction=True)


def echo(came: Came) -> Reply:
    """Says back everything it got, in several disguises."""
    sent = came.headers.get("authorization", "") + str(came.query)
    body = {
        "headers": came.headers,
        "query": came.query,
        "quoted": quote(sent, safe=""),
        "base64": base64.b64encode(f"..{sent}".encode()).decode(),
    }
    return Reply(200, body, {"Set-Cookie": "session=1", "X-Api-Key": "abc"})


def test_a_template_signs_headers_and_query(workspace: Workspace) -> None:
    with Server(echo) as server:
        kit.connected(
            workspace,
            server.url,
            request_headers={"Authorization": "OAuth << access_token >>", "X-Version": "2"},
            request_query={"auth": "{{ access_token }}", "domain": "{{ token.domain }}"},
            tokens=Tokens(access_token="access-0-secret", answer={"domain": "d.example"}),
        )
        client = client_for(workspace.pk, "calendar")
        client.send(Request("GET", "a/b?x=1", query={"y": "2"}, headers={"authorization": "mine"}))
    came = server.requests[0]
    assert came.path == "/a/b"
    assert came.query == {"x": "1", "y": "2", "auth": "access-0-secret", "domain": "d.example"}
    assert (came.headers["authorization"], came.headers["x-version"]) == ("OAuth access-0-secret", "2")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"type": "api_key", "header": "X-Key", "secrets": {"key": "key-value"}}, ("x-key", "key-value")),
        (
            {"type": "api_key", "header": "Authorization", "prefix": "Token", "secrets": {"key": "key-value"}},
            ("authorization", "Token key-value"),
        ),
        ({"type": "bearer", "secrets": {"token": "bearer-value"}}, ("authorization", "Bearer bearer-value")),
        (
            {"type": "basic", "username": "юля", "secrets": {"password": "p:w-value"}},
            ("authorization", "Basic " + base64.b64encode("юля:p:w-value".encode()).decode()),
        ),
    ],
)
def test_keys_passwords_and_tokens_sign_too(
    workspace: Workspace, fields: dict[str, Any], expected: tuple[str, str]
) -> None:
    with Server(echo) as server:
        kit.make(workspace, status="connected", preset="", api_base_url=server.url, **fields)
        client = client_for(workspace.pk, "calendar")
        client.send(Request("GET", "x"))
    assert server.requests[0].headers[expected[0]] == expected[1]
    secret = next(iter(fields["secrets"].values()))
    assert secret not in str(client.exchanges)
    assert expected[1].split()[-1] not in str(client.exchanges)


def test_a_key_in_the_address_is_masked_there(workspace: Workspace) -> None:
    with Server(echo) as server:
        kit.make(
            workspace, type="api_key", status="connected", preset="", api_base_url=server.url, query="api_key",
            secrets={"key": "key/with+signs=="},
        )  # fmt: skip
        client = client_for(workspace.pk, "calendar")
        client.send(Request("GET", "x"))
    assert server.requests[0].query == {"api_key": "key/with+signs=="}
    assert "with" not in str(client.exchanges)


def test_no_secret_survives_in_an_exchange_whatever_its_disguise(workspace: Workspace) -> None:
    with Server(echo) as server:
        kit.connected(workspace, server.url, request_query={"auth": "{{ access_token }}", "s": "{{ client_secret }}"})
        client = client_for(workspace.pk, "calendar")
        client.send(Request("GET", "x"))
    kept = str(client.exchanges)
    for secret in ("access-0-secret", "client-secret-value"):
        assert secret not in kept
        assert base64.b64encode(secret.encode()).decode()[4:-4] not in kept
    exchange = client.exchanges[0]
    assert exchange["request"]["headers"]["Authorization"] == "••••••"
    assert exchange["response"]["headers"]["set-cookie"] == "••••••"
    assert exchange["response"]["status"] == 200
    assert client.secrets >= {"access-0-secret", "client-secret-value"}


def test_secrets_go_to_the_hosts_of_the_connection_only(workspace: Workspace) -> None:
    with Server(echo) as server, Server(echo) as elsewhere:
        connection = kit.connected(workspace, server.url)
        for url in (
            f"{elsewhere.url}/x",
            "https://evil.example/x",
            f"http://localhost:{server.url.rpartition(':')[2]}/",
        ):
            with pytest.raises(UserError) as caught:
                client_for(workspace.pk, "calendar").send(Request("GET", url))
            assert caught.value.code == "destination_not_allowed"
        assert not elsewhere.requests
        connection.config["allowed_hosts"] = ["127.0.0.1"]
        connection.save()
        assert client_for(workspace.pk, "calendar").send(Request("GET", f"{elsewhere.url}/x")).status == 200


def test_a_redirect_elsewhere_carries_no_secret_and_renews_nothing(workspace: Workspace) -> None:
    with Server(lambda came: Reply(401, {})) as elsewhere:
        there = Reply(302, {}, {"Location": f"{elsewhere.url}/there"})
        with Server(lambda came: there) as server:
            kit.connected(workspace, server.url)
            response = client_for(workspace.pk, "calendar").send(Request("GET", "x"), redirects=3)
    assert response.status == 401
    assert "authorization" not in elsewhere.requests[0].headers
    assert not server.to("/token")


def test_another_workspaces_connection_is_not_found(workspace: Workspace, other_workspace: Workspace) -> None:
    kit.connected(other_workspace, "http://127.0.0.1:9")
    with pytest.raises(UserError) as caught:
        client_for(workspace.pk, "calendar")
    assert caught.value.code == "no_connection"


def test_a_call_costs_one_query(workspace: Workspace, django_assert_num_queries: Any) -> None:
    with Server(echo) as server:
        kit.connected(workspace, server.url)
        client_for(workspace.pk, "calendar").send(Request("GET", "x"))  # notes its use
        with django_assert_num_queries(1):
            client_for(workspace.pk, "calendar").send(Request("GET", "x"))


def test_before_send_may_stop_a_request(workspace: Workspace) -> None:
    def stop() -> None:
        raise RuntimeError("fenced off")

    with Server(echo) as server:
        kit.connected(workspace, server.url)
        with pytest.raises(RuntimeError, match="fenced off"):
            client_for(workspace.pk, "calendar", before_send=stop).send(Request("GET", "x"))
    assert not server.requests


def test_a_plain_client_masks_what_looks_secret(workspace: Workspace) -> None:
    with Server(echo) as server:
        client = client_for(workspace.pk, None, base_url=server.url)
        client.send(Request("POST", "x", headers={"X-Api-Key": "abc"}, json={"a": 1}))
    assert client.exchanges[0]["request"]["headers"]["X-Api-Key"] == "••••••"
    assert client.exchanges[0]["request"]["body"] == '{"a":1}'
