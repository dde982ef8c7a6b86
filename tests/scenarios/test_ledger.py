"""The intake's books: one run for each number, and no answer that the database did not give."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from django.db import connections

from accounts.models import User
from scenarios import ledger, refusals
from scenarios.hot_sql import connect
from scenarios.models import DedupeKey, Delivery, Run, Scenario
from tests.processes import wait_until
from tests.scenarios.making import document, made
from tests.scenarios.test_intake import built, hook, send

pytestmark = pytest.mark.django_db(transaction=True)


def incoming(scenario: Scenario, key: str | None = None, **fields: Any) -> ledger.Incoming:
    facts: dict[str, Any] = {"method": "POST", "query": "", "headers": {}, "content_type": "", "body": b"", "size": 0}
    return ledger.Incoming(
        scenario_id=scenario.pk,
        version_id=scenario.published_id,
        verdict="accepted",
        source=None,
        dedupe_key=key,
        **facts | fields,
    )


class Breaking:
    """A connection to the real database, which breaks after a statement, or before it."""

    closed = False

    def __init__(self, at: str, *, after: bool = False) -> None:
        self.real = connect()
        self.at = at
        self.after = after

    def execute(self, query: str, parameters: Any = None) -> Any:
        if query == self.at and not self.after:
            raise psycopg.OperationalError("the server closed the connection")
        cursor = self.real.execute(query, parameters)
        if query == self.at:
            raise psycopg.OperationalError("the server closed the connection")
        return cursor

    def close(self) -> None:
        self.real.close()


@pytest.fixture
def books() -> Iterator[ledger.Ledger]:
    """Books apart from the process's; `flush` is called by the test itself."""
    found = ledger.Ledger()
    yield found
    found.let_go()


def broken(books: ledger.Ledger, at: str, *, after: bool = False) -> None:
    books.connection = Breaking(at, after=after)  # type: ignore[assignment]


def test_two_with_one_number_in_one_batch_make_one_run(alice: User, books: ledger.Ledger) -> None:
    scenario = made(alice, document("webhook"))
    batch = [incoming(scenario, "a"), incoming(scenario, "b"), incoming(scenario, "a"), incoming(scenario)]
    books.flush(batch)
    assert sorted([batch[0].verdict, batch[2].verdict]) == ["accepted", "duplicate"]
    assert [batch[1].verdict, batch[3].verdict] == ["accepted", "accepted"]
    assert batch[2].run_id == batch[0].run_id
    assert Run.objects.count() == 3
    assert dict(DedupeKey.objects.values_list("key", "run_id")) == {"a": batch[0].run_id, "b": batch[1].run_id}
    repeated = Delivery.objects.get(verdict="duplicate")
    assert (repeated.run_id, repeated.dedupe_key) == (batch[0].run_id, "a")


def test_a_number_counts_within_its_scenario_only(alice: User, books: ledger.Ledger) -> None:
    one, other = made(alice, document("webhook")), made(alice, document("webhook"))
    batch = [incoming(one, "a"), incoming(other, "a")]
    books.flush(batch)
    assert [one.verdict for one in batch] == ["accepted", "accepted"]


def test_a_delivery_that_starts_nothing_takes_no_number(alice: User, books: ledger.Ledger) -> None:
    scenario = made(alice, document("webhook"))
    Scenario.objects.filter(pk=scenario.pk).update(status="paused")
    books.flush([incoming(scenario, "a")])
    assert (Delivery.objects.get().verdict, DedupeKey.objects.count()) == ("disabled", 0)


def test_a_connection_that_breaks_at_a_duplicate_harms_no_other_delivery(alice: User, books: ledger.Ledger) -> None:
    scenario = made(alice, document("webhook"))
    books.flush([incoming(scenario, "a")])
    broken(books, ledger.REPEATED)
    batch = [incoming(scenario, "a"), incoming(scenario, "a"), incoming(scenario)]
    books.flush(batch)
    assert [one.stored.is_set() for one in batch] == [True] * 3
    assert [one.failed for one in batch] == [True, True, False]
    books.flush([incoming(scenario, "a")])
    assert Run.objects.count() == 2


@pytest.mark.parametrize(("after", "failed", "runs"), [(True, False, 1), (False, True, 0)])
def test_a_broken_connection_leaves_the_answer_to_the_rows(
    alice: User, books: ledger.Ledger, after: bool, failed: bool, runs: int
) -> None:
    scenario = made(alice, document("webhook"))
    broken(books, ledger.STORE, after=after)
    one = incoming(scenario)
    books.flush([one])
    assert (one.failed, one.is_unknown, Run.objects.count()) == (failed, False, runs)


def test_what_was_sent_is_looked_for_until_the_database_is_back(
    alice: User, books: ledger.Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A false 503 would bring the delivery a second time."""
    scenario = made(alice, document("webhook"))
    refused = threading.Event()
    tries: list[int] = []

    def away(**options: Any) -> psycopg.Connection:
        tries.append(1)
        if len(tries) <= 3:
            refused.set()
            raise psycopg.OperationalError("the server is starting up")
        return connect(**options)

    broken(books, ledger.STORE, after=True)
    monkeypatch.setattr(ledger, "connect", away)
    one = incoming(scenario)
    books.flush([one])
    assert refused.is_set()
    assert (one.verdict, one.failed) == ("accepted", False)


def test_what_nobody_knows_is_said_to_be_unknown(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    _, url = hook(alice)
    assert send(url).status == 202
    monkeypatch.setattr(ledger, "IN_DOUBT_S", 0.6)
    monkeypatch.setattr(ledger, "WAIT_S", 0.1)
    books = ledger.shared()

    def away(**options: Any) -> psycopg.Connection:
        raise psycopg.OperationalError("the server is starting up")

    books.let_go()
    broken(books, ledger.STORE, after=True)
    with monkeypatch.context() as patched:
        patched.setattr(ledger, "connect", away)
        answer = send(url, accept_language="en")
    assert (answer.status, answer.headers["Retry-After"], answer.json["code"]) == (503, "5", "unavailable")
    assert answer.json["text"] == refusals.PERHAPS_STORED.text
    wait_until(lambda: send(url).status == 202)


def test_only_so_many_threads_wait_in_doubt(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    _, url = built(alice, document("webhook"))
    assert send(url).status == 202
    monkeypatch.setattr(ledger, "WAIT_S", 0.1)
    books = ledger.shared()
    monkeypatch.setattr(books, "in_doubt", threading.BoundedSemaphore(2))
    go_on = threading.Event()
    flush = books.flush

    def slow_flush(batch: Any) -> None:
        go_on.wait(10)
        flush(batch)

    monkeypatch.setattr(books, "flush", slow_flush)
    take, begun = books.take, threading.Event()

    def one_batch() -> list[ledger.Incoming]:
        begun.wait(10)
        return take()

    monkeypatch.setattr(books, "take", one_batch)
    with ThreadPoolExecutor(6) as pool:
        first = pool.submit(send, url)  # the flusher is in the old take: from here on it waits in ours
        go_on.set()
        first.result(10)
        go_on.clear()
        asked = [pool.submit(send, url) for _ in range(5)]
        wait_until(lambda: books.queue.qsize() == 5)
        begun.set()
        wait_until(lambda: sum(one.done() for one in asked) == 3)
        assert {one.result().status for one in asked if one.done()} == {503}
        go_on.set()
        assert sorted(one.result(10).status for one in asked) == [202, 202, 503, 503, 503]
    connections.close_all()


def test_a_session_that_was_left_behind_is_ended_before_the_rows_are_asked(alice: User, books: ledger.Ledger) -> None:
    """Cut off from us, the server may still be at work on it: it would commit after we had looked."""
    left = connect(application_name=books.name)
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(left.execute, "SELECT pg_sleep(60)")
        wait_until(lambda: sessions(books.name) == ["active"])
        assert books.look_for([], [incoming(made(alice, document("webhook")))]) == {}
        assert sessions(books.name) == []
        assert isinstance(asked.exception(5), psycopg.OperationalError)


def sessions(name: str) -> list[str]:
    with connect() as asking:
        query = "SELECT state FROM pg_stat_activity WHERE application_name = %s AND query LIKE %s"
        return [row[0] for row in asking.execute(query, (name, "%pg_sleep%")).fetchall()]
