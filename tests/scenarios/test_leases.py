"""Claims, leases and fences on real rows: who may write, and who may not any more."""

import contextlib
import threading
import uuid
from collections.abc import Iterator

import psycopg
import pytest

from accounts.models import User
from scenarios import leases, running
from scenarios.engine import Ended, Entry, Waits
from scenarios.hot_sql import connect
from scenarios.journal import LeaseLost, RunJournal, Writer
from scenarios.models import Run, Scenario, StepRun
from tests.people import actor_of
from tests.scenarios.making import made

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
    assert leases.renew(connection, {run.id: first.fence}) == {}
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
    (claimed,) = leases.claim(connection, "w", 1)
    assert leases.renew(connection, {run.id: claimed.fence}) == {run.id: False}
    running.cancel(actor_of(alice), run)
    assert leases.renew(connection, {run.id: claimed.fence}) == {run.id: True}
