"""What several hands of one run must not do to each other, and what a second walk must decide as the first one did."""

import contextlib
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from accounts.models import User
from lib.errors import Json, UserError
from scenarios import leases, running
from scenarios.document import Branch, Document, Step
from scenarios.engine_flow import weight
from scenarios.engine_terms import Attempt, Cancelled, Ended, Entry, Expired, Failed, HandedOver, Stopped, Waits
from scenarios.hot_sql import connect
from scenarios.journal import End, RunJournal, Write, Writer
from scenarios.models import Run, Scenario, StepRun
from tests.people import actor_of
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
