"""No more requests of a connection are under way at once than its settings allow, whoever sends them."""

import threading
import time
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection as database
from django.utils import timezone

from accounts.models import Workspace
from actions.base import Request
from connections import admission, slots, throttling
from connections.access import client_for
from connections.models import Connection, RequestSlot
from lib.errors import UserError, describe
from tests.connections import kit
from tests.connections.odd import Came, Reply, Rotating, Server

pytestmark = pytest.mark.django_db(transaction=True)


class Counting:
    """Knows how many requests it had at once, at most."""

    def __init__(self, takes_s: float = 0.05) -> None:
        self.takes_s = takes_s
        self.lock = threading.Lock()
        self.now = self.most = self.total = 0

    def __call__(self, came: Came) -> Reply:
        with self.lock:
            self.now += 1
            self.total += 1
            self.most = max(self.most, self.now)
        time.sleep(self.takes_s)
        with self.lock:
            self.now -= 1
        return Reply(200, {})


def call(workspace: Workspace, **options: Any) -> int:
    return client_for(workspace.pk, "calendar", **options).send(Request("GET", "thing")).status


def busy(workspace: Workspace) -> UserError:
    with pytest.raises(UserError) as caught:
        call(workspace)
    assert caught.value.code == "connection_busy"
    assert not caught.value.unknown
    return caught.value


def in_use() -> int:
    return RequestSlot.objects.exclude(lease_until=None).count()


def test_a_crowd_never_exceeds_the_limit_and_all_are_served(workspace: Workspace) -> None:
    service = Counting()
    held: list[tuple[str, float]] = []
    with Server(service) as server:
        kit.connected(workspace, server.url, max_concurrent=3)
        start = threading.Barrier(24)

        def work() -> None:
            try:
                start.wait()
                while True:
                    try:
                        assert call(workspace) == 200
                        return
                    except UserError as error:
                        held.append((error.code, error.retry_after_s or 0))
                        database.close()
                        time.sleep(0.01)
            finally:
                database.close()

        threads = [threading.Thread(target=work) for _ in range(24)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    assert service.total == 24
    assert service.most == 3
    assert held
    assert all(code == "connection_busy" and 0.5 < seconds < 1.5 for code, seconds in held)
    assert in_use() == 0
    assert RequestSlot.objects.count() == 3


def test_nothing_leaves_without_a_place(workspace: Workspace) -> None:
    service = Rotating()
    with Server(service) as server:
        past = timezone.now() - timedelta(hours=1)
        connection = kit.connected(workspace, server.url, max_concurrent=1, expires_at=past)
        slots.take(connection, "another", limit=1, lease_s=60)
        words = describe(busy(workspace).as_json())
        assert "“Calendar”" in words["text"]
        assert not server.requests
        slots.leave(connection, "another")
        assert call(workspace) == 200


def test_a_dead_holders_place_gets_free_when_its_lease_ends(workspace: Workspace) -> None:
    with Server(Counting(0)) as server:
        connection = kit.connected(workspace, server.url, max_concurrent=1)
        slots.take(connection, "the dead one", limit=1, lease_s=60)
        busy(workspace)
        RequestSlot.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
        assert call(workspace) == 200
        slots.leave(connection, "the dead one")
        assert in_use() == 0


def test_a_lease_outlives_its_request(workspace: Workspace) -> None:
    leases: list[float] = []

    def look(came: Came) -> Reply:
        until = RequestSlot.objects.get().lease_until
        assert until is not None
        leases.append((until - timezone.now()).total_seconds())
        database.close()
        return Reply(200, {})

    with Server(look) as server:
        kit.connected(workspace, server.url, max_concurrent=1)
        client_for(workspace.pk, "calendar").send(Request("GET", "thing"), timeout_s=100)
    assert leases[0] > 110


def test_the_place_is_given_back_on_every_way_out(workspace: Workspace) -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    kit.connected(workspace, "http://127.0.0.1:9", max_concurrent=1)
    with pytest.raises(UserError, match="upstream_unreachable"):
        call(workspace)
    assert in_use() == 0
    Connection.objects.all().delete()
    with Server(Counting(0)) as server:
        kit.connected(workspace, server.url, max_concurrent=1)
        with pytest.raises(KeyboardInterrupt):
            call(workspace, before_send=stop)
        assert in_use() == 0
        assert call(workspace) == 200


def test_who_was_stopped_beyond_its_lease_sends_nothing(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    with Server(Counting(0)) as server:
        kit.connected(workspace, server.url, max_concurrent=1)
        monkeypatch.setattr(admission, "MARGIN_S", -31.0)  # the lease of a request of 30 s is over at once
        busy(workspace)
        assert not server.requests


def test_a_renewed_token_does_not_cost_a_second_place(workspace: Workspace) -> None:
    service = Rotating()
    service.is_expired = True
    with Server(service) as server:
        kit.connected(workspace, server.url, max_concurrent=1)
        assert call(workspace) == 200
        assert [came.path for came in server.requests] == ["/thing", "/token", "/thing"]
    assert in_use() == 0


def test_a_smaller_limit_counts_at_once_and_a_larger_too(workspace: Workspace) -> None:
    with Server(Counting(0)) as server:
        connection = kit.connected(workspace, server.url, max_concurrent=2)
        slots.take(connection, "one", limit=2, lease_s=60)
        assert call(workspace) == 200
        limit(connection, 1)
        busy(workspace)
        limit(connection, 5)
        assert call(workspace) == 200
        limit(connection, 0)
        assert call(workspace) == 200


def limit(connection: Connection, number: int) -> None:
    connection.config["max_concurrent"] = number
    Connection.objects.filter(pk=connection.pk).update(config=connection.config)


def test_without_a_place_the_probe_goes_to_the_next(workspace: Workspace) -> None:
    with Server(Counting(0)) as server:
        connection = kit.connected(workspace, server.url, max_concurrent=1)
        throttling.block(connection, 60)
        Connection.objects.update(blocked_until=timezone.now() - timedelta(seconds=1))
        slots.take(connection, "another", limit=1, lease_s=60)
        busy(workspace)
        assert kit.again(connection).probe_owner == ""


def test_no_limit_costs_nothing(workspace: Workspace, django_assert_num_queries: Any) -> None:
    with Server(Counting(0)) as server:
        kit.connected(workspace, server.url)
        call(workspace)
        with django_assert_num_queries(1):
            call(workspace)
    assert not RequestSlot.objects.exists()
