"""A run that calls this installation says how deep the chain is; nobody else hears of it, and nobody can forge it."""

from typing import Any

import pytest

from accounts.models import Workspace
from actions.base import Request
from connections.access import client_for
from tests.connections import kit
from tests.connections.odd import Came, Reply, Server

pytestmark = pytest.mark.django_db(transaction=True)


def fine(came: Came) -> Reply:
    return Reply(200, {})


def depths(server: Server) -> list[str | None]:
    return [came.headers.get("x-apinita-depth") for came in server.requests]


@pytest.mark.parametrize("signed_in", [False, True])
def test_only_our_own_address_hears_how_deep_it_is(workspace: Workspace, settings: Any, signed_in: bool) -> None:
    with Server(fine) as ours, Server(fine) as elsewhere:
        settings.PUBLIC_URL = ours.url
        kit.connected(workspace, ours.url, allowed_hosts=["127.0.0.1"])
        slug = "calendar" if signed_in else None
        for depth in (0, 4):
            client = client_for(workspace.pk, slug, depth=depth)
            client.send(Request("POST", f"{ours.url}/hooks/x/", headers={"x-aPInita-depth": "0", "X-Other": "1"}))
            client.send(Request("GET", f"{elsewhere.url}/x", headers={"X-Apinita-Depth": "9"}))
    assert depths(ours) == ["1", "5"]
    assert depths(elsewhere) == [None, None]
    assert ours.requests[0].headers["x-other"] == "1"


def test_a_connections_own_header_cannot_pass_for_it(workspace: Workspace, settings: Any) -> None:
    with Server(fine) as ours:
        settings.PUBLIC_URL = ours.url
        kit.connected(workspace, ours.url, request_headers={"X-Apinita-Depth": "0"})
        client_for(workspace.pk, "calendar", depth=2).send(Request("GET", "x"))
    assert depths(ours) == ["3"]


def test_a_way_around_through_another_host_is_counted_too(workspace: Workspace, settings: Any) -> None:
    with Server(fine) as ours, Server(lambda came: Reply(302, {}, {"Location": f"{ours.url}/hooks/x/"})) as around:
        settings.PUBLIC_URL = ours.url
        client_for(workspace.pk, None, depth=2).send(Request("GET", around.url), redirects=3)
    assert depths(around) == [None]
    assert depths(ours) == ["3"]
