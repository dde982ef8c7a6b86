"""A service that asks to wait is left alone by its whole connection, and one request looks when that is over."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from django.db import connection as database
from django.utils import timezone
from psycopg.conninfo import make_conninfo

from accounts.access import Actor
from accounts.models import User, Workspace
from accounts.roles import Role
from actions.base import Request
from connections import editing, events, throttling
from connections.access import client_for
from connections.models import Connection
from lib import egress
from lib.errors import UserError, describe
from tests.connections import kit
from tests.connections.odd import Came, Reply, Rotating, Server

pytestmark = pytest.mark.django_db(transaction=True)
ROOT = Path(__file__).resolve().parent.parent.parent


class Service:
    """Answers 200, or what it was told to; knows when each request came."""

    def __init__(self, *replies: Reply) -> None:
        self.replies = list(replies)
        self.came: list[float] = []
        self.lock = threading.Lock()
        self.gate = threading.Event()
        self.gate.set()

    def __call__(self, came: Came) -> Reply:
        with self.lock:
            self.came.append(time.monotonic())
            reply = self.replies.pop(0) if self.replies else Reply(200, {})
        self.gate.wait(20)
        return reply


@pytest.fixture
def told() -> Iterator[list[Connection]]:
    """Whom `released` was called for."""
    heard: list[Connection] = []
    events.released.append(heard.append)
    yield heard
    events.released.remove(heard.append)


def refused(**headers: str) -> Reply:
    return Reply(429, {"error": "slow down"}, {name.replace("_", "-"): value for name, value in headers.items()})


def call(workspace: Workspace, slug: str = "calendar", **options: Any) -> int:
    return client_for(workspace.pk, slug).send(Request("GET", "thing"), **options).status


def held(workspace: Workspace, slug: str = "calendar") -> UserError:
    with pytest.raises(UserError) as caught:
        call(workspace, slug)
    assert caught.value.code == "connection_throttled"
    assert not caught.value.unknown
    return caught.value


def left(connection: Connection) -> float:
    """Seconds until the end of the window."""
    until = kit.again(connection).blocked_until
    assert until is not None
    return (until - timezone.now()).total_seconds()


def end_window(connection: Connection) -> None:
    Connection.objects.filter(pk=connection.pk).update(blocked_until=timezone.now() - timedelta(seconds=1))


def in_threads(number: int, work: Callable[[], Any]) -> list[Any]:
    """What each thread gave; each closes its database connection."""
    given: list[Any] = []
    start = threading.Barrier(number)

    def run() -> None:
        try:
            start.wait()
            given.append(work())
        finally:
            database.close()

    threads = [threading.Thread(target=run) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return given


def outcome(workspace: Workspace, slug: str = "calendar") -> str:
    try:
        return str(call(workspace, slug))
    except UserError as error:
        return error.code


def http_date(seconds: float) -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)


@pytest.mark.parametrize(
    ("value", "least", "most"),
    [
        ("30", 28, 30),
        (600, 590, 601),  # as a date
        (-600, 0, 1),
        ("0", 0, 1),
        ("1000000000", 86_390, 86_400),
        ("-30", 1, 2.3),
        ("1e9", 1, 2.3),
        ("soon", 1, 2.3),
        ("", 1, 2.3),
    ],
)
def test_retry_after_decides_how_long(workspace: Workspace, value: str | int, least: float, most: float) -> None:
    text = value if isinstance(value, str) else http_date(value)
    with Server(Service(refused(Retry_After=text))) as server:
        connection = kit.connected(workspace, server.url)
        assert call(workspace) == 429
        assert least <= left(connection) <= most
        error = held(workspace)
        assert error.retry_after_s is not None
        assert error.retry_after_s > left(connection)
        assert error.retry_after_s <= most + 5.5
        assert error.params["waits_for"] == f"rate:{connection.pk}"
        words = describe(error.as_json())
        assert "“Calendar”" in words["text"]
        assert words["hint"]
        assert len(server.requests) == 1


GOOGLE = {"error": {"code": 403, "errors": [{"domain": "usageLimits", "reason": "userRateLimitExceeded"}]}}


@pytest.mark.parametrize(
    ("reply", "blocks"),
    [
        (Reply(503, {}, {"Retry-After": "20"}), True),
        (Reply(503, {}), False),
        (Reply(503, {}, {"Retry-After": "soon"}), False),
        (Reply(403, GOOGLE), True),
        (Reply(403, {"error": {"errors": [{"reason": "rateLimitExceeded"}]}}), True),
        (Reply(403, {"error": {"errors": [{"reason": "quotaExceeded"}]}}), True),
        (Reply(403, {"error": {"errors": [{"reason": "forbidden"}]}}), False),
        (Reply(403, {"error": "rateLimitExceeded"}), False),
        (Reply(403, {"error": {"errors": [7, {"reason": ["x"]}]}}), False),
        (Reply(403, b"<html>"), False),
        (Reply(500, {}, {"Retry-After": "20"}), False),
        (Reply(200, GOOGLE, {"Retry-After": "20"}), False),
    ],
)
def test_only_what_asks_to_slow_down_holds_back(workspace: Workspace, reply: Reply, blocks: bool) -> None:
    with Server(Service(reply)) as server:
        connection = kit.connected(workspace, server.url)
        assert call(workspace) == reply.status
        assert (kit.again(connection).blocked_until is not None) == blocks


def test_a_403_that_asks_to_slow_down_renews_no_token(workspace: Workspace) -> None:
    with Server(Service(Reply(403, GOOGLE))) as server:
        kit.connected(workspace, server.url, expired_statuses=[401, 403])
        assert call(workspace) == 403
        assert [came.path for came in server.requests] == ["/thing"]


def test_a_429_of_where_a_redirect_led_is_not_the_services(workspace: Workspace) -> None:
    service = Service()
    with Server(Service(refused(Retry_After="60"))) as elsewhere, Server(service) as server:
        service.replies.append(Reply(302, {}, {"Location": f"{elsewhere.url}/x"}))
        connection = kit.connected(workspace, server.url)
        assert call(workspace, redirects=2) == 429
        assert kit.again(connection).blocked_until is None


def test_while_held_not_even_the_token_is_renewed(workspace: Workspace) -> None:
    service = Rotating()
    with Server(service) as server:
        past = timezone.now() - timedelta(hours=1)
        connection = kit.connected(workspace, server.url, expires_at=past)
        throttling.block(connection, 60)
        held(workspace)
        assert not server.requests
        assert service.refreshes == 0


def test_without_a_time_windows_double_up_to_five_minutes(workspace: Workspace) -> None:
    with Server(Service(*[refused() for _ in range(10)])) as server:
        connection = kit.connected(workspace, server.url)
        windows = []
        for _ in range(10):
            assert call(workspace) == 429
            windows.append(left(connection))
            end_window(connection)
    for window, expected in zip(windows, [2, 4, 8, 16, 32, 64, 128, 256, 300, 300], strict=True):
        assert expected * 0.85 <= window <= expected * 1.1


def test_refusals_that_were_under_way_together_open_one_window(workspace: Workspace) -> None:
    service = Service(*[refused() for _ in range(20)])
    service.gate.clear()
    with Server(service) as server:
        connection = kit.connected(workspace, server.url)
        open_when_all_came = threading.Thread(
            target=lambda: (until(lambda: len(service.came) == 20), service.gate.set())
        )
        open_when_all_came.start()
        assert in_threads(20, lambda: call(workspace)) == [429] * 20
    stored = kit.again(connection)
    assert stored.throttle_count == 1
    assert left(connection) < 2.3


def until(fact: Callable[[], object]) -> None:
    end = time.monotonic() + 20
    while not fact():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_after_a_window_one_request_goes_ahead_and_frees_the_others(
    workspace: Workspace, told: list[Connection]
) -> None:
    service = Service(refused(Retry_After="30"))
    with Server(service) as server:
        connection = kit.connected(workspace, server.url)
        assert call(workspace) == 429
        end_window(connection)
        service.gate.clear()
        opener = threading.Thread(
            target=lambda: (until(lambda: len(service.came) == 2), time.sleep(0.3), service.gate.set())
        )
        opener.start()
        assert sorted(in_threads(30, lambda: outcome(workspace))) == ["200"] + ["connection_throttled"] * 29
        opener.join()
        assert len(service.came) == 2
        assert [one.pk for one in told] == [connection.pk]
        stored = kit.again(connection)
        assert (stored.blocked_until, stored.throttle_count, stored.probe_owner, stored.probe_until) == (
            None,
            0,
            "",
            None,
        )
        assert in_threads(5, lambda: outcome(workspace)) == ["200"] * 5


def test_those_who_wait_for_a_probe_look_again_soon(workspace: Workspace) -> None:
    with Server(Service()) as server:
        connection = kit.connected(workspace, server.url)
        throttling.block(connection, 60)
        end_window(connection)
        assert throttling.ask(kit.again(connection), "somebody", lease_s=60)
        assert 1 < (held(workspace).retry_after_s or 0) < 3


def test_a_probe_that_is_refused_opens_the_next_window(workspace: Workspace, told: list[Connection]) -> None:
    with Server(Service(refused(Retry_After="30"), refused(Retry_After="50"))) as server:
        connection = kit.connected(workspace, server.url)
        call(workspace)
        end_window(connection)
        assert call(workspace) == 429
        assert 45 < left(connection) <= 50
        assert kit.again(connection).probe_owner == ""
        assert not told
        held(workspace)


def test_a_dead_probers_lease_ends(workspace: Workspace) -> None:
    with Server(Service()) as server:
        connection = kit.connected(workspace, server.url)
        throttling.block(connection, 60)
        end_window(connection)
        assert throttling.ask(kit.again(connection), "the dead one", lease_s=60)
        held(workspace)
        Connection.objects.filter(pk=connection.pk).update(probe_until=timezone.now() - timedelta(seconds=1))
        assert call(workspace) == 200
        throttling.let_through(connection, "the dead one")  # it wakes: what it says counts no more
        assert kit.again(connection).blocked_until is None


def test_a_late_probe_changes_nothing(workspace: Workspace, told: list[Connection]) -> None:
    connection = kit.connected(workspace, "http://127.0.0.1:9")
    throttling.block(connection, 60)
    throttling.let_through(connection, "somebody who was the probe an hour ago")
    throttling.free(connection, "somebody who was the probe an hour ago")
    assert left(connection) > 50
    assert not told


def test_a_429_during_a_probe_outlives_its_success(workspace: Workspace, told: list[Connection]) -> None:
    connection = kit.connected(workspace, "http://127.0.0.1:9")
    throttling.block(connection, 60)
    end_window(connection)
    assert throttling.ask(connection, "probe", lease_s=60)
    throttling.block(connection, 40)  # of a request that had been under way for long
    throttling.let_through(connection, "probe")
    assert left(connection) > 30
    assert not told


def test_a_probe_that_sends_nothing_leaves_its_place_to_the_next(workspace: Workspace) -> None:
    def stop() -> None:
        raise RuntimeError("fenced off")

    with Server(Service()) as server:
        connection = kit.connected(workspace, server.url)
        throttling.block(connection, 60)
        end_window(connection)
        with pytest.raises(RuntimeError, match="fenced off"):
            client_for(workspace.pk, "calendar", before_send=stop).send(Request("GET", "thing"))
        assert kit.again(connection).probe_owner == ""
        assert call(workspace) == 200


def test_a_probe_that_gets_no_answer_opens_a_window(workspace: Workspace) -> None:
    connection = kit.connected(workspace, "http://127.0.0.1:9")
    throttling.block(connection, 60)
    end_window(connection)
    with pytest.raises(UserError, match="upstream_unreachable"):
        call(workspace)
    stored = kit.again(connection)
    assert left(connection) > 0
    assert (stored.probe_owner, stored.throttle_count) == ("", 2)


def test_an_aborted_probe_leaves_its_place_to_the_next(workspace: Workspace) -> None:
    service = Service()
    service.gate.clear()
    with Server(service) as server:
        connection = kit.connected(workspace, server.url)
        throttling.block(connection, 60)
        end_window(connection)
        abort = egress.Abort()
        breaker = threading.Thread(target=lambda: (until(lambda: service.came), abort.abort()))
        breaker.start()
        with pytest.raises(UserError) as caught:
            client_for(workspace.pk, "calendar", abort=abort).send(Request("POST", "thing"))
        breaker.join()
        service.gate.set()
        assert (caught.value.code, caught.value.unknown) == ("cancelled", True)
        assert call(workspace) == 200
        client = client_for(workspace.pk, "calendar", abort=abort)
        with pytest.raises(UserError) as caught:
            client.send(Request("POST", "thing"))
        assert (caught.value.code, caught.value.unknown, client.exchanges) == ("cancelled", False, [])


def test_a_client_that_was_made_before_hears_of_it(workspace: Workspace) -> None:
    with Server(Service(Reply(200, {}), refused(Retry_After="60"))) as server:
        kit.connected(workspace, server.url)
        old = client_for(workspace.pk, "calendar")
        assert old.send(Request("GET", "thing")).status == 200
        assert call(workspace) == 429
        with pytest.raises(UserError, match="connection_throttled"):
            old.send(Request("GET", "thing"))


def test_another_process_hears_of_it_before_its_next_request(workspace: Workspace) -> None:
    with Server(Service()) as server:
        connection = kit.connected(workspace, server.url)
        old = client_for(workspace.pk, "calendar")
        old.send(Request("GET", "thing"))
        throttling.block(connection, 60)
        throttling.LATEST.heard.clear()  # as if it had been said to another process
        time.sleep(0.55)
        with pytest.raises(UserError, match="connection_throttled"):
            old.send(Request("GET", "thing"))


def test_a_connection_that_is_not_held_back_costs_no_query_more(
    workspace: Workspace, django_assert_num_queries: Any
) -> None:
    with Server(Service()) as server:
        kit.connected(workspace, server.url)
        call(workspace)
        with django_assert_num_queries(1):
            call(workspace)


def test_other_settings_are_another_account_which_was_not_asked_to_wait(
    workspace: Workspace, alice: User, told: list[Connection]
) -> None:
    connection = kit.connected(workspace, "http://127.0.0.1:9")
    throttling.block(connection, 60)
    who = Actor(workspace, Role.OWNER, alice)
    editing.change(who, kit.again(connection), name="Other")
    assert kit.again(connection).blocked_until is not None
    editing.change(
        who, kit.again(connection), settings={"client_id": "another"}, secrets={"client_secret": "a-new-secret"}
    )
    assert kit.again(connection).blocked_until is None
    assert [one.pk for one in told] == [connection.pk]


SCRIPT = """
import sys, threading, time, json
import django
django.setup()
from actions.base import Request
from connections import throttling
from connections.access import client_for
from django.db import connection as database
from lib.errors import UserError

throttling.PROBE_LOOK_S = 0.2
workspace, slug, number = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
done = []

def run():
    attempts = 0
    try:
        while True:
            try:
                response = client_for(workspace, slug).send(Request("GET", "thing"), timeout_s=10)
            except UserError as error:
                if error.code != "connection_throttled":
                    done.append(error.code)
                    return
                wait_s = error.retry_after_s
            else:
                attempts += 1
                if response.status == 200:
                    done.append(attempts)
                    return
                wait_s = 3
            database.close()
            time.sleep(min(wait_s, 4))
    finally:
        database.close()

threads = [threading.Thread(target=run) for _ in range(number)]
print("ready", flush=True)
sys.stdin.readline()
for thread in threads: thread.start()
for thread in threads: thread.join()
print(json.dumps(done))
"""


class Limited:
    """Refuses everything for some time, then once more, then takes everything."""

    def __init__(self, retry_after: Callable[[], str], window_s: float, windows: int) -> None:
        self.retry_after, self.window_s, self.windows = retry_after, window_s, windows
        self.lock = threading.Lock()
        self.refused_at: list[float] = []
        self.ends = 0.0

    def __call__(self, came: Came) -> Reply:
        with self.lock:
            now = time.monotonic()
            if self.windows and now >= self.ends:
                self.windows -= 1
                self.ends = now + self.window_s
            if now < self.ends:
                self.refused_at.append(now)
                return refused(Retry_After=self.retry_after())
        return Reply(200, {})


def test_a_hundred_runs_in_three_processes_send_one_probe_a_window_and_all_finish(workspace: Workspace) -> None:
    """RELIABILITY T26. The service opens three windows of 3 s, one after the other, and refuses whatever comes."""
    limited, other = Limited(lambda: "3", 3, 3), Service()
    with Server(limited) as server, Server(other) as neighbour:
        kit.connected(workspace, server.url)
        kit.connected(workspace, neighbour.url, slug="other", name="Other")
        assert call(workspace) == 429  # the first window is known before the crowd comes
        crowd = [start(workspace, "calendar", number) for number in (34, 33, 33)]
        calm = start(workspace, "other", 10)
        began = time.monotonic()
        for process in (*crowd, calm):
            assert process.stdin is not None
            process.stdin.write(b"go\n")
            process.stdin.flush()
        calm_done = json.loads(calm.communicate(timeout=60)[0])
        calm_s = time.monotonic() - began
        done = [attempts for process in crowd for attempts in json.loads(process.communicate(timeout=60)[0])]
    assert calm_done == [1] * 10
    assert calm_s < 3
    assert len(done) == 100
    assert set(done) <= {1, 2, 3}
    assert sum(done) == 100 + 2  # two probes were refused, nobody else was
    assert len(limited.refused_at) == 3
    gaps = [later - earlier for earlier, later in zip(limited.refused_at, limited.refused_at[1:], strict=False)]
    assert all(gap >= 3 for gap in gaps)


def start(workspace: Workspace, slug: str, number: int) -> subprocess.Popen[bytes]:
    name = database.settings_dict["NAME"]
    env = os.environ | {"DATABASE_URL": make_conninfo(os.environ["DATABASE_URL"], dbname=name)}
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(workspace.pk), slug, str(number)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
        env=env,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    return process
