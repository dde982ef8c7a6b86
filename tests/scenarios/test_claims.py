"""Who is served when many wait: workspaces by turns, scenarios with a limit in order, suspects one at a time."""

import contextlib
import threading
from collections.abc import Iterator

import psycopg
import pytest
from django.db.models.functions import Now

from accounts.models import User
from connections.models import Connection
from lib.errors import UserError
from lib.ids import uuid7
from scenarios import leases, running
from scenarios.calling import RunCalls, wake_caller
from scenarios.engine_terms import Cancelled, Ended, Waits
from scenarios.hot_sql import connect
from scenarios.journal import LeaseLost, RunJournal, Writer
from scenarios.leases import Claimed, Limits
from scenarios.models import Run, Scenario
from scenarios.scheduler import PAUSE, break_loops
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


def runs_of(user: User, scenario: Scenario, count: int) -> list[Run]:
    return [running.start_by_hand(actor_of(user), scenario, number) for number in range(count)]


def limited(user: User, most: int) -> Scenario:
    scenario = made(user, document() | {"settings": {"max_concurrent_runs": most}})
    scenario.refresh_from_db()
    return scenario


def end(claimed: Claimed, writer: Writer) -> None:
    RunJournal(claimed.id, claimed.fence, writer, {}).end(Ended("succeeded"))


def test_one_workspace_does_not_push_in_front_of_another(
    alice: User, charlie: User, connection: psycopg.Connection
) -> None:
    runs_of(alice, made(alice), 30)
    (late,) = runs_of(charlie, made(charlie), 1)
    claimed = leases.claim(connection, "w", 10)
    assert late.id in {one.id for one in claimed}
    assert len(claimed) == 6  # half of the room for each, and one workspace has no more


def test_with_room_for_one_the_workspaces_take_turns(
    alice: User, charlie: User, connection: psycopg.Connection
) -> None:
    runs_of(alice, made(alice), 5)
    runs_of(charlie, made(charlie), 5)
    served, after = [], 0
    for _ in range(6):
        (one,) = leases.claim(connection, "w", 1, after=after)
        after = one.workspace_id
        served.append(after)
    assert served[0::2] == [served[0]] * 3
    assert served[1::2] == [served[1]] * 3
    assert served[0] != served[1]


def test_a_workspace_has_at_most_so_many_runs_under_way(alice: User, connection: psycopg.Connection) -> None:
    runs_of(alice, made(alice), 5)
    limits = Limits(most_running=3)
    assert len(leases.claim(connection, "w", 10, limits=limits)) == 3
    assert leases.claim(connection, "w", 10, limits=limits) == []


def test_a_scenario_with_a_limit_keeps_it_and_the_order(
    alice: User, connection: psycopg.Connection, writer: Writer
) -> None:
    runs = runs_of(alice, limited(alice, 2), 4)
    assert leases.claim(connection, "w", 10) == []
    assert leases.let_in(connection) == 2
    first, second = leases.claim(connection, "w", 10)
    assert [first.id, second.id] == [runs[0].id, runs[1].id]
    assert leases.let_in(connection) == 0
    # A run that waits keeps its place; one that has ended gives it up.
    RunJournal(first.id, first.fence, writer, {}).end(Waits(3600))
    assert leases.let_in(connection) == 0
    end(second, writer)
    assert leases.let_in(connection) == 1
    (third,) = leases.claim(connection, "w", 10)
    assert third.id == runs[2].id


def test_a_limit_holds_when_many_processes_let_in_at_once(alice: User) -> None:
    runs_of(alice, limited(alice, 3), 40)
    start = threading.Barrier(8)

    def let_in() -> None:
        with contextlib.closing(connect()) as opened:
            start.wait()
            for _ in range(10):
                leases.let_in(opened)

    threads = [threading.Thread(target=let_in) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Run.objects.filter(wake_at__isnull=False).count() == 3


def test_a_limit_that_is_taken_away_lets_all_in(alice: User, connection: psycopg.Connection) -> None:
    scenario = limited(alice, 1)
    runs_of(alice, scenario, 3)
    Scenario.objects.filter(pk=scenario.pk).update(max_concurrent=0)
    assert leases.let_in(connection) == 3


def test_of_runs_that_may_kill_workers_a_process_takes_one_at_a_time(
    alice: User, connection: psycopg.Connection
) -> None:
    runs = runs_of(alice, made(alice), 4)
    Run.objects.filter(pk__in=[run.pk for run in runs[:3]]).update(stalls=2)
    claimed = leases.claim(connection, "w", 10)
    assert sorted(one.stalls for one in claimed) == [0, 2]
    assert leases.claim(connection, "w", 10, has_suspect=True) == []
    assert [one.stalls for one in leases.claim(connection, "other", 10)] == [2]


def test_a_run_of_a_newer_release_is_left_to_its_workers(alice: User, connection: psycopg.Connection) -> None:
    runs_of(alice, made(alice), 1)
    Run.objects.update(engine=99)
    assert leases.claim(connection, "w", 10) == []
    assert len(leases.claim(connection, "w", 10, limits=Limits(engine=99))) == 1


def test_a_wished_for_wait_moves_the_deadline_and_a_retry_does_not(
    alice: User, connection: psycopg.Connection, writer: Writer
) -> None:
    wished, retried = runs_of(alice, made(alice), 2)
    for claimed in leases.claim(connection, "w", 10, limits=Limits(deadline_s=100)):
        journal = RunJournal(claimed.id, claimed.fence, writer, {})
        journal.end(Waits(5000, is_wanted=claimed.id == wished.id))
    for run, at_most, at_least in ((wished, 5101, 5000), (retried, 101, 50)):
        run.refresh_from_db()
        assert at_least < (run.deadline_at - run.started_at).total_seconds() < at_most


def test_a_wait_that_ends_early_moves_the_deadline_by_what_it_took(
    alice: User, connection: psycopg.Connection, writer: Writer
) -> None:
    person, caller, called = runs_of(alice, made(alice), 3)
    waits = {person.id: "connection:7", caller.id: f"run:{called.id.hex}"}
    for claimed in leases.claim(connection, "w", 10, limits=Limits(deadline_s=100)):
        outcome = Waits(5000, waits[claimed.id], is_wanted=True) if claimed.id in waits else Ended("succeeded")
        RunJournal(claimed.id, claimed.fence, writer, {}).end(outcome)
    running.wake_waiting(Connection(pk=7))
    wake_caller(caller.id)
    for run in (person, caller):
        run.refresh_from_db()
        assert run.status == "queued"
        assert 99 < (run.deadline_at - run.started_at).total_seconds() < 130


def test_a_scenario_that_keeps_starting_itself_is_paused(alice: User, connection: psycopg.Connection) -> None:
    looping, other = made(alice), made(alice)
    runs_of(alice, looping, 61)
    runs_of(alice, other, 61)
    Run.objects.filter(scenario=looping).update(depth=3, trigger="webhook")
    break_loops(connection)
    looping.refresh_from_db()
    other.refresh_from_db()
    assert (looping.status, looping.paused_reason["code"]) == ("paused", "loop_detected")
    assert (other.status, other.paused_reason) == ("active", None)


def test_a_pause_of_ours_is_not_laid_over_a_pause_of_theirs(alice: User, connection: psycopg.Connection) -> None:
    scenario = made(alice)
    Scenario.objects.filter(pk=scenario.pk).update(status="paused")
    connection.execute(PAUSE, ("poison", [scenario.pk]))
    scenario.refresh_from_db()
    assert scenario.paused_reason is None


def test_a_cancelled_run_calls_no_other_scenario(alice: User, connection: psycopg.Connection) -> None:
    called = made(alice)
    runs_of(alice, made(alice), 1)
    (caller,) = leases.claim(connection, "w", 1)
    Run.objects.filter(pk=caller.id).update(cancel_requested_at=Now())
    with pytest.raises(Cancelled):
        RunCalls(caller).start(uuid7(), "s2", scenario=called.public_id, payload=None)
    assert not Run.objects.filter(parent_id=caller.id).exists()


def test_who_has_lost_a_run_calls_nothing_for_it(alice: User, connection: psycopg.Connection) -> None:
    called = made(alice)
    runs_of(alice, made(alice), 1)
    (caller,) = leases.claim(connection, "w", 1)
    Run.objects.filter(pk=caller.id).update(fence=caller.fence + 1)
    with pytest.raises(LeaseLost):
        RunCalls(caller).start(uuid7(), "s2", scenario=called.public_id, payload=None)
    assert not Run.objects.filter(parent_id=caller.id).exists()


def test_somebody_elses_scenario_cannot_be_called(alice: User, charlie: User, connection: psycopg.Connection) -> None:
    theirs = made(charlie)
    runs_of(alice, made(alice), 1)
    (caller,) = leases.claim(connection, "w", 1)
    with pytest.raises(UserError, match="scenario_not_callable"):
        RunCalls(caller).start(uuid7(), "s2", scenario=theirs.public_id, payload=None)
