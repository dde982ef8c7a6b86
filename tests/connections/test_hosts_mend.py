"""Secrets go to the host that is written, with the encryption that is written."""

from typing import Any

import pytest

from accounts.models import Workspace
from connections import hosts, tokens
from connections.models import Connection
from connections.rendering import host_of, render_address
from lib.errors import UserError
from tests.connections import kit

UNENCRYPTED = "destination_not_allowed.unencrypted"

pytestmark = pytest.mark.django_db


def keyed(workspace: Workspace, **fields: Any) -> Connection:
    return kit.make(workspace, type="api_key", header="X-Key", secrets={"key": "key-value"}, **fields)


def refusal(connection: Connection, url: str) -> str:
    try:
        hosts.require_allowed(connection, tokens.config(connection), url)
    except UserError as error:
        return f"{error.code}.{error.reason}".rstrip(".")
    return ""


@pytest.mark.parametrize(
    ("base", "allowed", "url", "expected"),
    [
        ("https://api.example.com/v1", [], "https://api.example.com/x", ""),
        ("https://api.example.com/v1", [], "http://api.example.com:443/x", UNENCRYPTED),
        ("https://api.example.com/v1", [], "http://api.example.com/x", "destination_not_allowed"),
        ("http://api.example.com/v1", [], "http://api.example.com/x", ""),
        ("https://api.example.com", ["api.example.com"], "http://api.example.com/", UNENCRYPTED),
        ("", ["api.example.com"], "http://api.example.com/", UNENCRYPTED),
        ("", ["*.example.com"], "http://a.example.com/", UNENCRYPTED),
        ("http://a.example", ["api.example.com"], "http://api.example.com/", ""),
        ("", ["10.0.0.5:8080"], "http://10.0.0.5:8080/", ""),
        ("https://10.0.0.5:8443", [], "http://10.0.0.5:8443/", UNENCRYPTED),
        ("", ["10.0.0.5:8080"], "http://10.0.0.6:8080/", "destination_not_allowed"),
    ],
)  # fmt: skip
def test_keys_go_unencrypted_only_where_the_connection_says_so(
    workspace: Workspace, base: str, allowed: list[str], url: str, expected: str
) -> None:
    assert refusal(keyed(workspace, api_base_url=base, allowed_hosts=allowed), url) == expected


@pytest.mark.parametrize(
    "template",
    [
        "https://good.example{# x #}.evil.example/token",
        "https://good.example{x}.evil.example/token",
        "https://good.example{{ '' }}.evil.example/token",
        "https://good.example<<'.evil'>>.example/token",
        "https://{# #}good.example/token",
    ],
)
def test_a_host_that_is_not_as_it_is_written_must_be_named(workspace: Workspace, template: str) -> None:
    connection = kit.connected(workspace, "https://good.example", token_url=template)
    config = tokens.config(connection)
    with pytest.raises(UserError):
        hosts.require_own(connection, config, template, render_address(template, {}))


def test_a_host_with_a_comment_in_it_is_none() -> None:
    assert host_of("https://good.example{# x #}.evil.example/token") == ""
    assert host_of("https://good.example/{# x #}token") == "good.example:443"


def test_a_host_of_another_alphabet_is_its_own(workspace: Workspace) -> None:
    template = "https://ключ.example/token?x={{ client_id }}"
    connection = kit.connected(workspace, "https://a.example", token_url=template)
    url = render_address(template, {"client_id": "я"})
    assert url == "https://ключ.example/token?x=%D1%8F"
    hosts.require_own(connection, tokens.config(connection), template, url)
