"""What several hands of one run must not do to each other, and what a second walk must decide as the first one did."""

import contextlib
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.utils import timezone

from accounts.models import User
from lib.errors import Json, UserError
from lib.ids import uuid7
from scenarios import calling, leases, running
from scenarios.document import Branch, Document, Step
from scenarios.engine_flow import MIXED_LOOK_S, Loop, weight
from scenarios.engine_terms import Attempt, Cancelled, Ended, Entry, Expired, Failed, HandedOver, Stopped, Waits
from scenarios.hot_sql import connect
from scenarios.journal import End, LeaseLost, RunJournal, Write, Writer
from scenarios.models import Run, Scenario, StepRun
from scenarios.runtime import Runtime
from scenarios.takeover import Fact, take_over
from tests.people import actor_of
from tests.processes import Worker, wait_until
from tests.scenarios.making import document as written
from tests.scenarios.making import made
from tests.scenarios.test_engine import Control, MemoryJournal, World, document, run

pytestmark = pytest.mark.django_db(transaction=True)


class HeldUp(Writer):
    """A writer whose commits wait until they may."""

    def __init__(self) -> None:
        self.may_go_on = threading.Event()
        self.has_begun = threading.Event()
        super().__init__()

    def commit(self, batch: list[Write]) -> None:
        self.has_begun.set()
        assert self.may_go_on.wait(10)
        super().commit(batch)


@pytest.fixture
def connection() -> Iterator[psycopg.Connection]:
    with contextlib.closing(connect()) as opened:
        yield opened


@pytest.fixture
def writer() -> Iterator[HeldUp]:
    one = HeldUp()
    yield one
    one.may_go_on.set()
    one.stop()


def claimed_run(user: User, connection: psycopg.Connection) -> leases.Claimed:
    running.start_by_hand(actor_of(user), made(user), {"n": 1})
    (claimed,) = leases.claim(connection, "w", 1)
    return claimed


def first_scenario(claimed: leases.Claimed) -> Scenario:
    return Run.objects.select_related("scenario__published").get(pk=claimed.id).scenario


def entry(path: str, status: str = "running", **fields: object) -> Entry:
    return Entry(path, 1, status, "once", started_at=1_800_000_000.0, **fields)  # type: ignore[arg-type]


def test_a_step_is_durably_begun_also_where_another_hand_took_it_to_the_writer(
    alice: User, connection: psycopg.Connection, writer: HeldUp
) -> None:
    claimed = claimed_run(alice, connection)
    journal = RunJournal(claimed.id, claimed.fence, writer, {})
    with ThreadPoolExecutor(2) as hands:
        journal.note(entry("s2[0]/s3"))
        other: Future[None] = hands.submit(journal.save)  # what a hand of another pass does
        assert writer.has_begun.wait(10)
        mine: Future[None] = hands.submit(journal.commit, entry("s2[0]/s3"))
        also: Future[None] = hands.submit(journal.save)  # nothing is left for it to save
        assert not mine.done()
        writer.may_go_on.set()
        for one in (other, mine, also):
            one.result(timeout=10)
    assert StepRun.objects.get(run_id=claimed.id, path="s2[0]/s3").status == "running"


def test_nothing_left_to_save_is_not_a_lost_lease(alice: User, connection: psycopg.Connection, writer: HeldUp) -> None:
    claimed = claimed_run(alice, connection)
    journal = RunJournal(claimed.id, claimed.fence, writer, {})
    journal.note(entry("s2[0]/s3"))
    with ThreadPoolExecutor(2) as hands:
        other: Future[None] = hands.submit(journal.save)
        assert writer.has_begun.wait(10)
        mine: Future[None] = hands.submit(journal.save)
        writer.may_go_on.set()
        other.result(timeout=10)
        mine.result(timeout=10)


def test_values_are_read_after_another_hand_has_written_them(
    alice: User, connection: psycopg.Connection, writer: HeldUp
) -> None:
    claimed = claimed_run(alice, connection)
    journal = RunJournal(claimed.id, claimed.fence, writer, {})
    journal.note(entry("s2", "succeeded", result={"count": 1}))
    with ThreadPoolExecutor(1) as hands:
        other: Future[None] = hands.submit(journal.save)
        assert writer.has_begun.wait(10)
        threading.Timer(0.2, writer.may_go_on.set).start()
        assert journal.values(["s2"]) == {"s2": {"count": 1}}
        other.result(timeout=10)


def test_inputs_are_kept_where_begin_and_end_of_a_step_are_in_one_commit(
    alice: User, connection: psycopg.Connection, writer: HeldUp
) -> None:
    claimed = claimed_run(alice, connection)
    writer.may_go_on.set()
    begun = Write(claimed.id, claimed.fence, [entry("s2", inputs={"branch": 0})])
    ended = Write(claimed.id, claimed.fence, [entry("s2", "succeeded", result={"branch": 0})])
    writer.transaction([begun, ended])
    row = StepRun.objects.get(run_id=claimed.id, path="s2")
    assert (row.status, row.inputs) == ("succeeded", {"branch": 0})


def test_a_save_after_the_writer_has_stopped_does_not_hang(alice: User, connection: psycopg.Connection) -> None:
    claimed = claimed_run(alice, connection)
    writer = Writer()
    writer.stop()
    journal = RunJournal(claimed.id, claimed.fence, writer, {})
    with ThreadPoolExecutor(1) as hands:
        late: Future[None] = hands.submit(journal.end, Ended("succeeded"))
        with pytest.raises(psycopg.OperationalError):
            late.result(timeout=5)


def test_an_attempt_that_was_put_back_stands_in_no_history(
    alice: User, connection: psycopg.Connection, writer: HeldUp
) -> None:
    claimed = claimed_run(alice, connection)
    writer.may_go_on.set()
    journal = RunJournal(claimed.id, claimed.fence, writer, {})
    for attempt, status in [(1, "running"), (0, "waiting"), (1, "running"), (1, "waiting"), (2, "running")]:
        journal.commit(entry("s2", status, attempt=attempt))
    for attempt, status in [(1, "waiting"), (2, "running"), (2, "succeeded")]:  # the second one was put back
        journal.commit(entry("s2", status, attempt=attempt))
    row = StepRun.objects.get(run_id=claimed.id, path="s2")
    assert [one["attempt"] for one in row.attempts] == [1]
    assert row.attempt == 2


def test_a_batch_with_bare_ends_is_written(alice: User, connection: psycopg.Connection, writer: HeldUp) -> None:
    first = claimed_run(alice, connection)
    running.start_by_hand(actor_of(alice), first_scenario(first), 2)
    (second,) = leases.claim(connection, "w", 1)
    steps = Write(first.id, first.fence, [entry("s2")])
    end = Write(second.id, second.fence, [], End("succeeded"))
    stale = Write(second.id, second.fence - 1, [], End("failed"))
    assert writer.transaction([steps, end, stale]) == {steps.owned, end.owned}


# The second walk, over a journal in memory.


def flow(key: str, action: str, **fields: Any) -> Step:
    return Step(key, f"flow.{action}", **fields)


def filtered_pass() -> Document:
    """Each pass: a branch with a filter in it, then a step, then a delay."""
    branch = flow("s3", "branch", branches=(Branch("a", None, (flow("s4", "filter", inputs={"when": False}),)),))
    loop = flow("s2", "for_each", inputs=LOOP, steps=(branch, Step("s5", "a")))
    return document(loop, flow("s6", "delay", inputs={"seconds": 5}), Step("s7", "a"))


LOOP: dict[str, Json] = {"items": [1], "parallel": 1, "on_item_error": "stop"}


def test_what_a_filter_in_a_branch_kept_out_stays_out_after_a_wait() -> None:
    journal, world = MemoryJournal(), World({"s5": lambda attempt: "sent", "s7": lambda attempt: "end"})
    assert isinstance(run(filtered_pass(), world, journal), Waits)
    assert run(filtered_pass(), world, journal) == Ended("succeeded")
    assert [key for key, number, _ in world.calls if number] == ["s7"]


@pytest.mark.parametrize("status", ["succeeded", "failed"])
def test_a_stop_in_a_branch_stops_a_second_walk_too(status: str) -> None:
    stop = flow("s4", "stop", inputs={"status": status, "message": "enough"})
    branch = flow("s3", "branch", branches=(Branch("a", None, (stop,)),), on_error="continue")
    doc = document(branch, Step("s5", "a"))
    journal, world = MemoryJournal(), World({"s5": lambda attempt: "sent"})
    first = run(doc, world, journal)  # and the worker dies before the run's end is durable
    assert run(doc, world, journal) == first
    assert isinstance(first, Ended)
    assert (first.status, (first.error or {})["code"]) == (status, "stopped")
    assert not [key for key, number, _ in world.calls if number]


def test_an_expired_run_stays_expired_while_its_failure_is_handled() -> None:
    class Over(Control):
        def check(self, *, is_handling: bool = False) -> None:
            if not is_handling:
                if self.raises:
                    self.raises.pop(0)
                else:
                    raise Expired

    branch = flow("s3", "branch", branches=(Branch("a", None, (Step("s4", "a"),)),), on_error="continue")
    doc = replace(document(branch), on_error=(flow("s8", "delay", inputs={"seconds": 5}),))
    journal, world = MemoryJournal(), World({"s4": lambda attempt: "sent"})
    assert isinstance(run(doc, world, journal, Over(None, now=10)), Waits)
    last = run(doc, world, journal, Over(now=100))
    assert isinstance(last, Ended)
    assert (last.status, (last.error or {}).get("code")) == ("failed", "deadline")


def test_a_step_in_doubt_is_not_sent_again_where_another_hand_gave_the_run_away() -> None:
    loop = flow("s2", "for_each", inputs={**LOOP, "items": [1, 2], "parallel": 2}, steps=(Step("s3", "a"),))

    def act(attempt: Attempt) -> Json:
        raise UserError("upstream_timeout", unknown=True) if "[0]" in attempt.path else HandedOver

    journal, world = MemoryJournal(), World({"s3": act}, effects={"s3": "once"})
    with ThreadPoolExecutor(2) as hands:
        together = threading.Barrier(2, timeout=5)

        def meet(attempt: Attempt) -> Json:
            together.wait()
            return act(attempt)

        world.actions = {"s3": meet}
        with pytest.raises(HandedOver):
            run(document(loop), world, journal, spawn=hands.submit)
    journal.commit()
    again = World({"s3": lambda attempt: "sent"}, effects={"s3": "once"})
    outcome = run(document(loop), again, journal)
    assert isinstance(outcome, Ended)
    assert outcome.status == "needs_review"
    assert [call for call in again.calls if call[0] == "s3"] == []


def test_what_a_person_has_to_decide_outweighs_that_the_run_is_cancelled() -> None:
    doubt, cancelled = Stopped(Ended("needs_review")), Cancelled()
    assert min([cancelled, Expired(), doubt], key=weight) is doubt
    assert isinstance(min([doubt, HandedOver()], key=weight), HandedOver)
    assert min([Failed({}), cancelled], key=weight) is cancelled


def test_a_repeat_from_behind_a_filter_in_a_branch_is_not_filtered_again() -> None:
    branch = flow("s3", "branch", branches=(Branch("a", None, (flow("s4", "filter", inputs={"when": False}),)),))
    doc = document(branch, Step("s5", "a"))
    journal, world = MemoryJournal(), World({"s5": lambda attempt: "sent"})
    run(doc, world, journal)
    facts = {path: Fact(one.status) for path, one in journal.durable.items()}
    taken = take_over(doc, doc, facts, "s5", inputs_of=lambda path: None, ended_at="s3/s4", failed_at="s3/s4")
    journal.durable = {path: journal.durable[path] for path in taken.kept}
    assert run(doc, world, journal) == Ended("succeeded")
    assert [key for key, number, _ in world.calls if number] == ["s5"]


def test_a_repeat_of_an_expired_run_goes_on_inside() -> None:
    branch = flow(
        "s3", "branch", branches=(Branch("a", None, (Step("s4", "a"), Step("s5", "a"))),), on_error="continue"
    )
    journal, world = MemoryJournal(), World({"s4": lambda attempt: 1, "s5": lambda attempt: 2})
    assert run(document(branch), world, journal, Control(None, None, Expired())).status == "failed"  # type: ignore[union-attr]
    assert journal.durable["s3"].status == "cancelled"
    assert run(document(branch), world, journal) == Ended("succeeded")
    assert [key for key, number, _ in world.calls if number] == ["s4", "s5"]


def test_passes_that_wait_for_different_runs_look_soon() -> None:
    one, other = Stopped(Waits(60, "run:a", is_wanted=True)), Stopped(Waits(60, "run:b", is_wanted=True))
    loop = Loop(None, flow("s2", "for_each"), "s2", {}, [1, 2], 2)  # type: ignore[arg-type]
    loop.troubles = [one, other]
    decided = loop.decisive()
    assert isinstance(decided, Stopped)
    assert decided.outcome == Waits(MIXED_LOOK_S, "run:a", is_wanted=True)
    loop.troubles = [one]
    assert loop.decisive() is one


# On rows.


def test_a_run_with_a_step_in_doubt_is_asked_about_whatever_else_failed(
    alice: User, connection: psycopg.Connection
) -> None:
    steps: list[Json] = [{"key": "s3", "action": "data.set", "inputs": {"values": {"n": 1}}}]
    loop: dict[str, Json] = {
        "key": "s2",
        "action": "flow.for_each",
        "inputs": {"items": [1, 2], "parallel": 2},
        "steps": steps,
    }
    stored = running.start_by_hand(actor_of(alice), made(alice, written("manual", loop)), None)
    (first,) = leases.claim(connection, "w", 1)
    writer = Writer()
    journal = RunJournal(first.id, first.fence, writer, {})
    journal.note(replace(entry("s2", inputs={"items": [1, 2], "parallel": 2, "on_item_error": "stop"}), effect="pure"))
    journal.note(entry("s2[0]/s3", "failed", error={"code": "internal", "params": {}, "path": "s2[0]/s3"}))
    journal.commit(entry("s2[1]/s3"))
    journal.hand_over()
    writer.stop()
    runtime = Runtime()
    (again,) = runtime.claim(connection)
    runtime.execute(again)
    runtime.stop(1)
    stored.refresh_from_db()
    assert (stored.status, stored.error["path"]) == ("needs_review", "s2[1]/s3")
    assert StepRun.objects.get(run_id=stored.id, path="s2[1]/s3").status == "needs_review"


def test_a_scenario_with_a_limit_may_call_itself(alice: User, connection: psycopg.Connection) -> None:
    scenario = made(alice, written("manual") | {"settings": {"max_concurrent_runs": 1}})
    running.start_by_hand(actor_of(alice), scenario, 1)
    leases.let_in(connection)
    (caller,) = leases.claim(connection, "w", 1)
    child = uuid7()
    calling.RunCalls(caller).start(child, "s2", scenario=scenario.public_id, payload=None)
    leases.let_in(connection)
    (called,) = leases.claim(connection, "w", 1)
    assert (called.id, called.is_limited, called.depth) == (child, False, 1)


def test_a_run_that_is_being_cancelled_or_not_ours_any_more_calls_nothing(
    alice: User, connection: psycopg.Connection
) -> None:
    scenario = made(alice)
    stored = running.start_by_hand(actor_of(alice), scenario, 1)
    (caller,) = leases.claim(connection, "w", 1)
    running.cancel(actor_of(alice), stored)
    with pytest.raises(Cancelled):
        calling.RunCalls(caller).start(uuid7(), "s2", scenario=scenario.public_id, payload=None)
    connection.execute("UPDATE scenarios_run SET cancel_requested_at = NULL, lease_until = now() - interval '1 second'")
    with pytest.raises(LeaseLost):
        calling.RunCalls(caller).start(uuid7(), "s2", scenario=scenario.public_id, payload=None)
    assert Run.objects.count() == 1


def test_a_run_that_waits_out_its_random_delay_takes_nobodys_place(alice: User, connection: psycopg.Connection) -> None:
    scenario = made(alice, written("manual") | {"settings": {"max_concurrent_runs": 1}})
    delayed, free = [running.start_by_hand(actor_of(alice), scenario, number) for number in range(2)]
    Run.objects.filter(pk=delayed.pk).update(status="waiting", wake_at=timezone.now() + timedelta(hours=1))
    assert leases.let_in(connection) == 1
    (claimed,) = leases.claim(connection, "w", 5)
    assert claimed.id == free.id


def test_the_workspace_served_last_is_the_last_in_turn(
    alice: User, charlie: User, connection: psycopg.Connection
) -> None:
    first, second = sorted([made(alice), made(charlie)], key=lambda one: one.workspace_id)
    users = {alice.pk: alice, charlie.pk: charlie}
    for scenario in (second, first):  # the workspace whose turn comes first has the younger run
        running.start_by_hand(actor_of(users[scenario.created_by_id]), scenario, 1)
    runtime = Runtime()
    assert len(runtime.claim(connection)) == 2
    runtime.held.clear()
    runtime.stop(1)
    assert runtime.served == second.workspace_id


def test_a_delay_until_the_end_of_time_leaves_moments_that_can_be_shown(alice: User, worker: Worker) -> None:
    wait: dict[str, Json] = {"key": "s2", "action": "flow.delay", "inputs": {"until": "9999-12-31T23:59:59Z"}}
    stored = running.start_by_hand(actor_of(alice), made(alice, written("manual", wait)), None)

    def run_waits() -> bool:
        return bool(Run.objects.filter(pk=stored.pk, status__in=["waiting", "failed"]).exists())

    wait_until(run_waits)
    stored.refresh_from_db()
    assert stored.status == "waiting"
    assert stored.wake_at.year < 2100
    assert stored.deadline_at.year < 2100
