"""Pieces of history: made ahead by any number of processes, dropped whole, and never in anybody's way."""

import contextlib
import threading
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import chain, pairwise

import psycopg
import pytest
from django.db import connection as django_connection

from accounts.models import User
from scenarios import partitions
from scenarios.hot_sql import connect
from scenarios.models import DedupeKey, Delivery, Payload, Run, StepRun
from scenarios.partitions import DELIVERY, RUN, STEP, TABLES, key_at, moment_of, period_of
from tests.scenarios.run_kit import run_of, scenario_of, step_of

pytestmark = pytest.mark.django_db(transaction=True)

LONG_AGO = datetime(2021, 6, 9, 12, tzinfo=UTC)
FAR_AHEAD = datetime(2199, 12, 28, 12, tzinfo=UTC)


@pytest.fixture
def hot() -> Iterator[psycopg.Connection]:
    """What a test has made is gone after it."""
    with contextlib.closing(connect()) as connection:
        before = names(connection)
        yield connection
        connection.execute("TRUNCATE scenarios_run, scenarios_steprun, scenarios_payload, scenarios_delivery")
        for name in names(connection) - before:
            connection.execute(f"DROP TABLE {name}")
        partitions.ensure(connection)


def names(connection: psycopg.Connection) -> set[str]:
    return {piece.name for table in TABLES for piece in partitions.pieces(connection, table)}


def place_of(connection: psycopg.Connection, run: Run) -> str:
    row = connection.execute("SELECT tableoid::regclass::text FROM scenarios_run WHERE id = %s", (run.pk,)).fetchone()
    return str(row[0]) if row else ""


def make_old(connection: psycopg.Connection, table: partitions.Table, moment: datetime = LONG_AGO) -> str:
    return partitions.make(connection, table, period_of(table, moment))


def test_a_key_tells_its_moment() -> None:
    moment = datetime(2026, 11, 24, 16, 37, 14, 123000, tzinfo=UTC)
    assert moment_of(key_at(moment)) == moment
    assert key_at(moment) <= uuid.UUID(int=key_at(moment).int | 7 << 76) < key_at(moment + timedelta(milliseconds=1))


def test_weeks_begin_on_monday_and_months_on_the_first_across_the_year() -> None:
    week = period_of(STEP, datetime(2027, 1, 2, 23, 59, tzinfo=UTC))
    assert (week.begin.date().isoformat(), week.end.date().isoformat(), week.suffix) == (
        "2026-12-28",
        "2027-01-04",
        "2026_w53",
    )
    month = period_of(RUN, datetime(2026, 12, 31, 23, 59, tzinfo=UTC))
    assert (month.begin.date().isoformat(), month.end.date().isoformat()) == ("2026-12-01", "2027-01-01")
    periods = list(partitions.periods(STEP, LONG_AGO, LONG_AGO + timedelta(days=400)))
    assert all(one.end == following.begin for one, following in pairwise(periods))


def test_there_is_a_piece_for_now_and_for_the_next_two_periods(hot: psycopg.Connection) -> None:
    for table in TABLES:
        there = partitions.pieces(hot, table)
        assert there[0].begin <= datetime.now(UTC) < there[0].end
        assert [one.end for one in there[:-1]] == [one.begin for one in there[1:]]
        assert len(there) == 1 + partitions.AHEAD
    assert partitions.ensure(hot) == [], "and nothing is made twice"


def test_a_new_run_goes_to_the_piece_of_its_time(hot: psycopg.Connection, alice: User) -> None:
    run = run_of(scenario_of(alice))
    assert place_of(hot, run) == f"scenarios_run_p{run.created_at.astimezone(UTC):%Y_%m}"


def test_a_piece_is_made_once_whoever_makes_it(hot: psycopg.Connection) -> None:
    made: list[list[str]] = []
    failed: list[BaseException] = []

    def go() -> None:
        try:
            with contextlib.closing(connect()) as own:
                made.append(partitions.ensure(own, now=FAR_AHEAD))
        except BaseException as error:  # told by the test
            failed.append(error)

    threads = [threading.Thread(target=go) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    made.append(partitions.ensure(hot, now=FAR_AHEAD))  # what one of them left to another
    assert not failed
    there = list(chain.from_iterable(made))
    assert len(there) == len(set(there)) == len(TABLES) * (1 + partitions.AHEAD)
    assert set(there) <= names(hot)


def test_what_came_before_its_piece_moves_there(hot: psycopg.Connection, alice: User) -> None:
    run = run_of(scenario_of(alice), at=FAR_AHEAD)
    step_of(run, "s2", result={"n": 1})
    assert place_of(hot, run) == "scenarios_run_default"
    partitions.ensure(hot, now=FAR_AHEAD)
    assert place_of(hot, run) == "scenarios_run_p2199_12"
    assert run.steps.get().result == {"n": 1}
    assert hot.execute("SELECT count(*) FROM scenarios_steprun_default").fetchone() == (0,)


def test_too_much_to_move_stays_where_it_is(
    hot: psycopg.Connection, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partitions, "MOST_MOVED", 1)
    scenario = scenario_of(alice)
    run = run_of(scenario, at=FAR_AHEAD)
    run_of(scenario, at=FAR_AHEAD)
    made = partitions.ensure(hot, now=FAR_AHEAD)
    assert "scenarios_run_p2199_12" not in made
    assert "scenarios_run_p2200_01" in made, "the next ones are made all the same"
    assert place_of(hot, run) == "scenarios_run_default"


def test_a_busy_table_is_left_for_the_next_time(hot: psycopg.Connection) -> None:
    with contextlib.closing(connect()) as reader, reader.transaction():
        reader.execute("SELECT count(*) FROM scenarios_run")
        began = time.monotonic()
        made = partitions.ensure(hot, now=FAR_AHEAD)
        assert time.monotonic() - began < 3
        assert not [name for name in made if name.startswith("scenarios_run")]
    assert "scenarios_run_p2199_12" in partitions.ensure(hot, now=FAR_AHEAD)


def test_old_pieces_are_dropped_when_all_in_them_has_ended(hot: psycopg.Connection, alice: User) -> None:
    old = {make_old(hot, table) for table in TABLES}
    run = run_of(scenario_of(alice), at=LONG_AGO)
    step_of(run, "s2")
    assert partitions.drop_before(hot, LONG_AGO + timedelta(days=3)) == [], "their time is not over"
    assert set(partitions.drop_before(hot, LONG_AGO + timedelta(days=60))) == old
    assert (Run.objects.count(), StepRun.objects.count()) == (0, 0)


@pytest.mark.parametrize("status", ["queued", "running", "waiting"])
def test_a_run_that_has_not_ended_keeps_its_pieces(hot: psycopg.Connection, alice: User, status: str) -> None:
    for table in TABLES:
        make_old(hot, table)
    run = run_of(scenario_of(alice), status, at=LONG_AGO)
    assert partitions.drop_before(hot, datetime.now(UTC)) == []
    Run.objects.filter(pk=run.pk).update(status="failed")
    assert len(partitions.drop_before(hot, datetime.now(UTC))) == len(TABLES)


def test_a_delivery_that_a_retry_uses_keeps_its_piece(hot: psycopg.Connection, alice: User) -> None:
    piece = make_old(hot, DELIVERY)
    scenario = scenario_of(alice)
    row = Delivery.objects.create(
        id=key_at(LONG_AGO),
        workspace_id=scenario.workspace_id,
        scenario=scenario,
        verdict="accepted",
        method="POST",
        headers={},
        size=0,
    )
    run_of(scenario, delivery=row, replay_of=uuid.uuid4())
    assert partitions.drop_before(hot, datetime.now(UTC)) == []
    Run.objects.all().delete()
    assert partitions.drop_before(hot, datetime.now(UTC)) == [piece]


def test_nobody_waits_for_a_piece_to_be_dropped(hot: psycopg.Connection, alice: User) -> None:
    piece = make_old(hot, RUN)
    with contextlib.closing(connect()) as reader, reader.transaction():
        reader.execute(f"SELECT count(*) FROM {piece}")
        began = time.monotonic()
        assert partitions.drop_before(hot, datetime.now(UTC)) == []
        assert time.monotonic() - began < 1
    assert partitions.drop_before(hot, datetime.now(UTC)) == [piece]


def test_dropping_does_not_stop_those_who_change_scenarios(hot: psycopg.Connection, alice: User) -> None:
    """The foreign keys of a piece must not lock what they point to."""
    piece = make_old(hot, RUN)
    with contextlib.closing(connect()) as editor, editor.transaction():
        editor.execute("UPDATE accounts_workspace SET name = name")
        editor.execute("UPDATE scenarios_scenario SET name = name")
        assert partitions.drop_before(hot, datetime.now(UTC)) == [piece]


def test_each_index_and_key_of_the_models_is_in_the_database() -> None:
    """The partitioned tables are written out in SQL: they must be what Django would have made."""
    for model in (Run, StepRun, Payload, Delivery, DedupeKey):
        with django_connection.cursor() as cursor:
            there = django_connection.introspection.get_constraints(cursor, model._meta.db_table)
            columns = {
                one.name: one.null_ok
                for one in django_connection.introspection.get_table_description(cursor, model._meta.db_table)
            }
        assert {index.name for index in model._meta.indexes} <= there.keys()
        assert {one.name for one in model._meta.constraints} <= there.keys()
        assert columns == {field.column: field.null for field in model._meta.local_concrete_fields if field.column}
        keys = [one["columns"] for one in there.values() if one["primary_key"]]
        assert keys == [[field.column for field in model._meta.pk_fields]]
