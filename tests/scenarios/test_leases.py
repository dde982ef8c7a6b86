"""Claims, leases and fences on real rows: who may write, and who may not any more."""

import contextlib
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import replace

import psycopg
import pytest
from django.db import OperationalError

from accounts.models import User
from connections import access
from lib.errors import Json
from scenarios import editing, leases, running, scheduler
from scenarios.engine import Ended, Entry, Waits
from scenarios.hot_sql import connect
from scenarios.journal import End, LeaseLost, RunJournal, Write, Writer
from scenarios.models import Run, Scenario, Schedule, StepRun
from scenarios.runtime import Held, RunControl, Runtime
from tests.people import actor_of
from tests.scenarios.making import document, made

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def connection() -> Iterator[psycopg.Connection]:
    with contextlib.closing(connect()) as opened:
        yield opened


@pytest.fixture
def writer() -> Iterator[Writer]:
    one = Writer()
    yield one
    one.stop()


@pytest.fixture
def run(alice: User) -> Run:
    return running.start_by_hand(actor_of(alice), made(alice), {"n": 1})


def journal_of(run: leases.Claimed, writer: Writer) -> RunJournal:
    return RunJournal(run.id, run.fence, writer, dict(run.steps), lambda run_id: None)


def expire(run_id: uuid.UUID) -> None:
    with contextlib.closing(connect()) as connection:
        connection.execute(
            "UPDATE scenarios_run SET lease_until = clock_timestamp() - interval '1 second' WHERE id = %s", (run_id,)
        )


def step(path: str = "s2", status: str = "succeeded", result: object = "x") -> Entry:
    return Entry(path, 1, status, "once", result=result, started_at=1_800_000_000.0, took_ms=5)


def test_a_run_is_claimed_by_exactly_one(run: Run) -> None:
    claimed: list[leases.Claimed] = []

    def take() -> None:
        with contextlib.closing(connect()) as connection:
            claimed.extend(leases.claim(connection, "w", 5))

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [(one.id, one.fence) for one in claimed] == [(run.id, 1)]


def test_the_second_owner_is_heard_and_the_first_is_not(
    run: Run, connection: psycopg.Connection, writer: Writer
) -> None:
    (first,) = leases.claim(connection, "first", 1)
    journal_of(first, writer).commit(step(status="running", result=None))
    expire(run.id)
    assert leases.sweep(connection) == (1, [])
    (second,) = leases.claim(connection, "second", 1)
    assert (second.fence, second.steps["s2"].status) == (2, "running")

    with pytest.raises(LeaseLost):
        journal_of(first, writer).end(Ended("succeeded"))
    with pytest.raises(LeaseLost):
        journal_of(first, writer).commit(step(result="from the first"))
    assert leases.renew(connection, [(run.id, first.fence)]) == {}
    assert StepRun.objects.get(run=run).result is None

    journal_of(second, writer).end(Ended("succeeded"))
    run.refresh_from_db()
    assert (run.status, run.stalls) == ("succeeded", 1)


def test_a_lease_that_ran_out_writes_nothing_even_before_anybody_else_came(
    run: Run, connection: psycopg.Connection, writer: Writer
) -> None:
    (claimed,) = leases.claim(connection, "w", 1)
    expire(run.id)
    with pytest.raises(LeaseLost):
        journal_of(claimed, writer).commit(step())
    assert StepRun.objects.count() == 0


def test_a_run_that_takes_down_its_worker_again_and_again_is_stopped(run: Run, connection: psycopg.Connection) -> None:
    for _ in range(4):
        assert len(leases.claim(connection, "w", 1)) == 1
        expire(run.id)
        leases.sweep(connection)
    run.refresh_from_db()
    assert (run.status, run.error["code"]) == ("failed", "poison")
    assert leases.claim(connection, "w", 1) == []


def test_a_waiting_run_comes_back_when_it_is_due(run: Run, connection: psycopg.Connection, writer: Writer) -> None:
    (claimed,) = leases.claim(connection, "w", 1)
    journal_of(claimed, writer).end(Waits(3600, "connection:1"))
    assert leases.claim(connection, "w", 1) == []
    Run.objects.filter(pk=run.pk).update(wake_at=run.created_at)
    assert leases.rise(connection) == 1
    assert [one.fence for one in leases.claim(connection, "w", 1)] == [2]


def test_what_cannot_be_stored_keeps_its_status(run: Run, connection: psycopg.Connection, writer: Writer) -> None:
    (claimed,) = leases.claim(connection, "w", 1)
    journal = journal_of(claimed, writer)
    journal.note(step("s2", result={"a": "\0", "b": "\ud800", "c": float("nan"), "d": 10**400}))
    journal.end(Ended("succeeded"))
    run.refresh_from_db()
    assert run.status == "succeeded"
    assert StepRun.objects.get(run=run, path="s2").status == "succeeded"


def test_many_runs_end_in_one_batch_and_a_lost_one_spoils_none(
    alice: User, connection: psycopg.Connection, writer: Writer
) -> None:
    scenario: Scenario = made(alice)
    for number in range(20):
        running.start_by_hand(actor_of(alice), scenario, number)
    claimed = leases.claim(connection, "w", 20)
    expire(claimed[3].id)
    lost: list[uuid.UUID] = []

    def end(one: leases.Claimed) -> None:
        try:
            journal_of(one, writer).end(Ended("succeeded"))
        except LeaseLost:
            lost.append(one.id)

    threads = [threading.Thread(target=end, args=(one,)) for one in claimed]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert lost == [claimed[3].id]
    assert Run.objects.filter(status="succeeded").count() == 19


def test_cancelling_a_running_run_is_seen_with_the_next_renewal(
    run: Run, alice: User, connection: psycopg.Connection
) -> None:
    leases.claim(connection, "w", 1)
    assert leases.renew(connection, [(run.id, 1)]) == {(run.id, 1): False}
    running.cancel(actor_of(alice), run)
    assert leases.renew(connection, [(run.id, 1)]) == {(run.id, 1): True}


def test_in_one_batch_the_old_owner_is_told_from_the_new_one(
    run: Run, connection: psycopg.Connection, writer: Writer
) -> None:
    (first,) = leases.claim(connection, "first", 1)
    expire(run.id)
    leases.sweep(connection)
    (second,) = leases.claim(connection, "second", 1)
    old = Write(run.id, first.fence, [step(result="old")], End("failed"))
    new = Write(run.id, second.fence, [step(result="new")], End("succeeded"))
    writer.commit([old, new])
    assert isinstance(old.failure, LeaseLost)
    assert new.failure is None
    run.refresh_from_db()
    assert (run.status, StepRun.objects.get(run=run).result) == ("succeeded", "new")


def test_the_same_process_may_hold_a_run_twice_and_only_the_new_hold_counts(
    run: Run, connection: psycopg.Connection
) -> None:
    runtime = Runtime()
    try:
        (first,) = runtime.claim(connection)
        expire(run.id)
        leases.sweep(connection)
        (second,) = runtime.claim(connection)
        runtime.renew_once(connection)
        assert runtime.held[run.id, first.fence].lost
        assert not runtime.held[run.id, second.fence].lost
        runtime.execute(first)
        assert (run.id, second.fence) in runtime.held
        runtime.execute(second)
        run.refresh_from_db()
        assert run.status == "succeeded"
    finally:
        runtime.stop(1)


def test_a_database_that_goes_away_under_a_step_puts_the_run_back(
    run: Run, connection: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*args: object, **named: object) -> None:
        raise OperationalError("the pool is empty")

    runtime = Runtime()
    try:
        (claimed,) = runtime.claim(connection)
        with monkeypatch.context() as patched:
            patched.setattr(access, "client_for", away)
            runtime.execute(claimed)
        run.refresh_from_db()
        assert (run.status, run.stalls, run.error) == ("queued", 0, None)
        Run.objects.filter(pk=run.pk).update(wake_at=run.created_at)
        (again,) = runtime.claim(connection)
        runtime.execute(again)
        run.refresh_from_db()
        assert run.status == "succeeded"
    finally:
        runtime.stop(1)


def test_publishing_and_firing_at_once_do_not_lock_each_other_out(alice: User) -> None:
    scenario = made(alice, document("schedule", every_s=1))
    done = threading.Event()
    errors: list[BaseException] = []

    def fire_again_and_again() -> None:
        with contextlib.closing(connect()) as own:
            while not done.is_set():
                try:
                    own.execute("UPDATE scenarios_schedule SET next_at = clock_timestamp()")
                    scheduler.fire(own)
                except psycopg.Error as error:
                    errors.append(error)

    thread = threading.Thread(target=fire_again_and_again)
    thread.start()
    for number in range(40):
        editing.save(actor_of(alice), scenario, document("schedule", name=f"n{number}", every_s=1), revision=None)
        editing.publish(actor_of(alice), scenario)
    done.set()
    thread.join()
    assert errors == []


def test_a_poisoned_schedule_does_not_make_up_for_its_pause(alice: User, connection: psycopg.Connection) -> None:
    scenario = made(alice, document("schedule", every_s=1, misfire="all"))
    run = running.start_by_hand(actor_of(alice), scenario, {})
    Run.objects.filter(pk=run.pk).update(stalls=3)
    leases.claim(connection, "w", 1)
    expire(run.id)
    scheduler.sweep(connection)
    scenario.refresh_from_db()
    assert scenario.status == "paused"
    assert Schedule.objects.get(scenario=scenario).next_at is None


def test_a_worker_that_could_not_renew_sends_nothing_more() -> None:
    held = Held(good_until=time.monotonic() - 1)
    with pytest.raises(LeaseLost):
        RunControl(
            held, threading.Event(), deadline_at=2.0, now_at_claim=1.0, claimed_at=time.monotonic()
        ).before_send()


def test_deaths_count_against_a_run_only_while_it_gets_no_further(
    run: Run, connection: psycopg.Connection, writer: Writer
) -> None:
    for number in range(6):
        (claimed,) = leases.claim(connection, "w", 1)
        journal_of(claimed, writer).commit(step(f"s{number}"))
        expire(run.id)
        leases.sweep(connection)
    run.refresh_from_db()
    assert (run.status, run.stalls) == ("queued", 1)


def test_a_value_that_no_column_takes_stops_neither_the_run_nor_the_journal(
    run: Run, connection: psycopg.Connection, writer: Writer
) -> None:
    (claimed,) = leases.claim(connection, "w", 1)
    journal = journal_of(claimed, writer)
    journal.commit(replace(step(status="running", result=None), took_ms=2**40))
    journal.end(Ended("succeeded"))
    run.refresh_from_db()
    assert run.status == "succeeded"


def test_the_journal_outlives_a_bug(run: Run, connection: psycopg.Connection, writer: Writer) -> None:
    (claimed,) = leases.claim(connection, "w", 1)
    broken = Write(run.id, claimed.fence, [replace(step(), path=object())])  # type: ignore[arg-type]
    writer.queue.put(broken)
    with pytest.raises(Exception, match="object"):
        broken.wait()
    journal_of(claimed, writer).end(Ended("succeeded"))
    run.refresh_from_db()
    assert run.status == "succeeded"


def test_later_steps_get_what_looks_like_a_token_whole_and_headers_are_not_kept(
    alice: User, connection: psycopg.Connection
) -> None:
    token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N"
    steps: list[dict[str, Json]] = [
        {"key": "s2", "action": "data.set", "inputs": {"values": {"token": token}}},
        {"key": "s3", "action": "data.set", "inputs": {"values": {"again": "{{ s2.token }}"}}},
        {
            "key": "s4",
            "action": "http.request",
            "inputs": {"url": "http://127.0.0.1:9/", "method": "GET", "headers": {"Authorization": "Bearer abc-def"}},
            "retry": {"attempts": 1},
        },
    ]
    run = running.start_by_hand(actor_of(alice), made(alice, document("manual", *steps)), {})
    runtime = Runtime()
    try:
        (claimed,) = runtime.claim(connection)
        runtime.execute(claimed)
    finally:
        runtime.stop(1)
    results = dict(StepRun.objects.filter(run=run).values_list("path", "result"))
    assert results["s3"] == {"again": token}
    kept = StepRun.objects.get(run=run, path="s4")
    assert kept.error["code"] == "upstream_unreachable"
    assert "abc-def" not in str(kept.inputs) + str(kept.exchange)
