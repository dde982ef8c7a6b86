"""Sending again and waiting for others: a refusal after a redirect does not mean that nothing was done."""

import threading

import pytest

from accounts import seats
from accounts.models import Workspace
from actions.base import Request
from connections import trial
from connections.access import client_for
from tests.connections import kit
from tests.connections.odd import Came, Reply, Server

pytestmark = pytest.mark.django_db(transaction=True)


def led_on(came: Came) -> Reply:
    if came.path == "/token":
        return Reply(200, {"access_token": "access-1-secret", "expires_in": 3600})
    if came.path == "/orders":
        return Reply(303, {}, {"Location": "/orders/1"})
    return Reply(401, {})


@pytest.mark.parametrize(("method", "times"), [("POST", 1), ("GET", 2)])
def test_only_reading_begins_again(workspace: Workspace, method: str, times: int) -> None:
    with Server(led_on) as server:
        kit.connected(workspace, server.url)
        response = client_for(workspace.pk, "calendar").send(Request(method, "orders"), redirects=5)
    assert response.status == 401
    assert [came.path for came in server.requests].count("/orders") == times


def test_a_check_waits_for_a_seat_and_says_so_where_none_gets_free(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seats, "seats", threading.BoundedSemaphore(1))
    monkeypatch.setattr(seats, "SEAT_WITHIN_S", 0.1)
    with Server(lambda came: Reply(200, {})) as server:
        connection = kit.connected(workspace, server.url)
        with seats.seat():
            refused = trial.check(connection)
        assert refused.error is not None
        assert refused.error.code == "too_many_requests"
        assert trial.check(connection).ok is not False
