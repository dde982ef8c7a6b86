"""What people see and set of a connection that is held back: on its pages and through the API."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import User, Workspace
from connections import throttling, usage
from connections.models import Connection
from tests.connections import kit
from tests.connections.test_api import api_of
from tests.connections.test_pages import form_of
from tests.people import signed_in

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def connection(workspace: Workspace) -> Connection:
    return kit.connected(workspace, "https://api.example.com")


@pytest.fixture
def api(alice: User, workspace: Workspace) -> APIClient:
    return api_of(alice, workspace)


def page(user: User, connection: Connection) -> str:
    return signed_in(user).get(f"/connections/{connection.public_id}/").content.decode()


def test_the_page_says_until_when_and_who_waits(
    connection: Connection, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "asks to wait" not in page(alice, connection)
    throttling.block(connection, 3600)
    until = timezone.localtime(kit.again(connection).blocked_until, timezone.get_fixed_timezone(180))  # Moscow
    shown = page(alice, connection)
    assert f"The service asks to wait until {until:%H:%M}" in shown
    assert "Nothing has to be done" in shown
    monkeypatch.setattr(usage, "held", [lambda one: 3 if one.pk == connection.pk else 0])
    assert "3 runs wait and go on by themselves." in page(alice, connection)
    Connection.objects.update(blocked_until=timezone.now() - timedelta(seconds=1))
    assert "asks to wait" not in page(alice, connection)


def test_the_api_says_until_when_to_viewers_too(
    connection: Connection, workspace: Workspace, vera: User, api: APIClient
) -> None:
    address = f"/api/v1/connections/{connection.slug}/"
    assert api.get(address).json()["throttled_until"] is None
    throttling.block(connection, 3600)
    until = api.get(address).json()["throttled_until"]
    assert until.endswith("Z")
    assert signed_in(vera).get(address).json()["throttled_until"] == until
    Connection.objects.update(blocked_until=timezone.now() - timedelta(seconds=1))
    assert api.get(address).json()["throttled_until"] is None
    answer = api.patch(address, {"throttled_until": None}, format="json")
    assert answer.status_code == 400


def test_the_api_sets_the_limit(connection: Connection, api: APIClient) -> None:
    address = f"/api/v1/connections/{connection.slug}/"
    assert api.get(address).json()["max_concurrent"] == 0
    answer = api.patch(address, {"max_concurrent": 5}, format="json")
    assert (answer.status_code, answer.json()["max_concurrent"]) == (200, 5)
    assert kit.again(connection).token_version == connection.token_version  # no secret is asked, no token dropped
    for wrong in (-1, 1001, "many", None):
        answer = api.patch(address, {"max_concurrent": wrong}, format="json")
        assert answer.status_code == 400
        assert "max_concurrent" in str(answer.json())
    made = api.post("/api/v1/connections/", {"type": "bearer", "name": "B", "max_concurrent": 2}, format="json")
    assert made.json()["max_concurrent"] == 2


@pytest.mark.parametrize("type_", ["oauth2", "bearer"])
def test_the_form_sets_the_limit_also_of_a_connection_from_before(
    workspace: Workspace, alice: User, type_: str
) -> None:
    connection = kit.make(workspace, type=type_, name="Old", slug="old", preset="", status="connected")
    connection.config.pop("max_concurrent")
    connection.save()
    browser = signed_in(alice)
    address = f"/connections/{connection.public_id}/edit/"
    assert "Requests at once" in browser.get(address).content.decode()

    def sent(**changes: Any) -> int:
        return browser.post(address, form_of(kit.again(connection), **changes)).status_code

    assert sent(max_concurrent="7") == 302
    assert kit.again(connection).config["max_concurrent"] == 7
    assert sent(max_concurrent="-1") == 422
    assert sent(max_concurrent="") == 302
    assert kit.again(connection).config["max_concurrent"] == 0
