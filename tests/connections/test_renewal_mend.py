"""A renewal holds no connection of the database, a note never costs a request, and codes are the catalogue's."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError
from django.db import connection as database
from django.db import connections as databases
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import User, Workspace
from actions.base import Request
from connections import conversation, refresh, tokens
from connections.access import client_for
from connections.models import TokenAnswer
from lib.errors import UserError
from tests.connections import kit
from tests.connections.odd import Came, Reply, Rotating, Server

pytestmark = pytest.mark.django_db(transaction=True)

Api = Callable[..., APIClient]
ADDRESS = "/api/v1/connections/calendar/"


@contextmanager
def failing(*words: str) -> Iterator[list[str]]:
    """Statements with all of these words meet a database in trouble."""
    failed: list[str] = []

    def look(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if all(word in sql for word in words):
            failed.append(sql)
            raise OperationalError("the server closed the connection unexpectedly")
        return execute(sql, params, many, context)

    with database.execute_wrapper(look):
        yield failed


def test_no_connection_of_the_database_is_held_while_a_service_answers(workspace: Workspace) -> None:
    service, held = Rotating(), []
    service.is_expired = True
    ours = databases["default"]  # of this thread; the server answers in another

    def answer(came: Came) -> Reply:
        held.append((came.path, ours.connection is not None))
        return service(came)

    with Server(answer) as server:
        kit.connected(workspace, server.url)
        client_for(workspace.pk, "calendar").send(Request("GET", "thing"))
    assert held == [("/thing", False), ("/token", False), ("/thing", False)]


def test_a_use_that_cannot_be_noted_fails_no_request(workspace: Workspace) -> None:
    with Server(Rotating()) as server:
        connection = kit.connected(workspace, server.url)
        client = client_for(workspace.pk, "calendar")
        with failing("UPDATE", "last_used_at") as failed:
            assert client.send(Request("GET", "thing")).status == 200
    assert failed
    assert kit.again(connection).last_used_at is None


@pytest.mark.parametrize("expires_in", [timedelta(hours=1), timedelta(seconds=-1)], ids=["after a 401", "ahead"])
def test_a_database_in_trouble_during_a_renewal_is_a_definite_answer(
    workspace: Workspace, expires_in: timedelta
) -> None:
    service = Rotating()
    service.is_expired = True
    with Server(service) as server:
        kit.connected(workspace, server.url, expires_at=timezone.now() + expires_in)
        client = client_for(workspace.pk, "calendar")
        with failing("UPDATE", "refresh_owner"), pytest.raises(UserError) as caught:
            client.send(Request("POST", "thing"))
    assert (caught.value.code, caught.value.retry, caught.value.unknown) == ("token_refresh_busy", True, False)


def test_an_answer_that_could_not_be_kept_is_used_all_the_same(workspace: Workspace) -> None:
    service = Rotating()
    service.is_expired = True
    with Server(service) as server:
        connection = kit.connected(workspace, server.url)
        with failing("INSERT", TokenAnswer._meta.db_table) as failed:
            assert client_for(workspace.pk, "calendar").send(Request("GET", "thing")).status == 200
    assert failed
    assert tokens.tokens_of(kit.again(connection)).refresh_token == "refresh-1-secret"


def test_a_renewal_that_was_killed_holds_up_a_run_for_half_a_minute_at_most(workspace: Workspace) -> None:
    """With the lease of a run, which ends at the same time, and the first wait: within the 40 s of the contract."""
    connection = kit.connected(workspace, "https://a.example")
    assert refresh.claim(connection, 0, "killed", by_hand=False)
    until = kit.again(connection).refresh_lease_until
    assert until is not None
    left_s = (until - timezone.now()).total_seconds()
    assert conversation.TIMEOUT_S + 5 < left_s <= 30


def test_a_run_goes_on_as_soon_as_the_lease_of_a_killed_renewal_ends(workspace: Workspace) -> None:
    service = Rotating()
    service.is_expired = True
    with Server(service) as server:
        connection = kit.connected(workspace, server.url)
        refresh.claim(connection, 0, "killed", by_hand=False)
        type(connection).objects.update(refresh_lease_until=timezone.now() + timedelta(seconds=1))
        assert client_for(workspace.pk, "calendar").send(Request("GET", "thing")).status == 200
    assert service.refreshes == 1


def test_a_renewal_by_hand_of_a_withdrawn_grant_says_what_runs_get(api: Api, alice: User, workspace: Workspace) -> None:
    service = Rotating()
    service.is_revoked = True
    with Server(service) as server:
        kit.connected(workspace, server.url)
        for _ in range(2):
            refused = api(alice).post(f"{ADDRESS}refresh/")
            assert (refused.status_code, refused.json()["code"]) == (409, "reauthorization_needed")
            assert refused.json()["params"]["connection"] == "calendar"
            assert refused.json()["params"]["cause"]["code"] == "token_refused"


def test_a_renewal_by_hand_with_wrong_settings_says_what_the_service_said(
    api: Api, alice: User, workspace: Workspace
) -> None:
    with Server(lambda came: Reply(401, {"error": "invalid_client"})) as server:
        kit.connected(workspace, server.url)
        refused = api(alice).post(f"{ADDRESS}refresh/")
    assert (refused.status_code, refused.json()["code"]) == (502, "token_refused")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"request_headers": {"Bad Name": "x"}}, "request_headers.Bad Name"),
        ({"token_headers": {"Имя": "x"}}, "token_headers.Имя"),
        ({"refresh_headers": {"a:b": "x"}}, "refresh_headers.a:b"),
        ({"type": "api_key", "key": "k", "header": "X Key"}, "header"),
    ],
)
def test_a_name_that_no_header_can_have_is_refused_at_save(
    api: Api, alice: User, body: dict[str, Any], field: str
) -> None:
    answer = api(alice).post("/api/v1/connections/", {"name": "x", **body})
    assert (answer.status_code, list(answer.json()["errors"])) == (400, [field])
