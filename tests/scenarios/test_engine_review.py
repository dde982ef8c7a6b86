"""What several hands of one run must not do to each other, and what a second walk must decide as the first one did."""

import contextlib
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import psycopg
import pytest

from accounts.models import User
from scenarios import leases, running
from scenarios.engine_terms import Ended, Entry
from scenarios.hot_sql import connect
from scenarios.journal import End, RunJournal, Write, Writer
from scenarios.models import Run, Scenario, StepRun
from tests.people import actor_of
from tests.scenarios.making import made

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
