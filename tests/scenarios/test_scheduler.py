"""Schedulers on real rows and as real processes: each slot once, whatever becomes of who fires it."""

import contextlib
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from copy import copy
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from accounts.models import User
from lib import schedules
from scenarios import editing, scheduler
from scenarios.hot_sql import connect
from scenarios.models import Run, Scenario, Schedule, Slot, public_id
from tests.people import actor_of
from tests.processes import ROOT, Kept, environment, wait_until
from tests.scenarios.making import document, made

pytestmark = pytest.mark.django_db(transaction=True)
SECOND = timedelta(seconds=1)


@pytest.fixture
def connection() -> Iterator[psycopg.Connection]:
    with contextlib.closing(connect()) as opened:
        yield opened


def now_of(connection: psycopg.Connection) -> datetime:
    row = connection.execute("SELECT clock_timestamp()").fetchone()
    assert row is not None
    moment: datetime = row[0]
    return moment.astimezone(UTC)


def behind(scenario: Scenario, by: timedelta, *, anchor: datetime | None = None) -> datetime:
    """Puts its schedule back; answers the slot that it waits for now."""
    at = datetime.now(UTC) - by
    Schedule.objects.filter(scenario=scenario).update(next_at=at, anchor_at=anchor or at)
    return at


def slots_of(scenario: Scenario) -> list[datetime]:
    return list(Slot.objects.filter(schedule__scenario=scenario).order_by("slot_at").values_list("slot_at", flat=True))


def copies_of(scenario: Scenario, count: int, *, next_at: datetime) -> list[int]:
    """More scenarios of the same version with a schedule each, made quickly; answers the schedules' numbers."""
    twins = []
    for _number in range(count):
        twin = copy(scenario)
        twin.pk, twin.public_id = None, public_id()
        twin._state = copy(scenario._state)
        twin._state.adding = True
        twins.append(twin)
    twins = Scenario.objects.bulk_create(twins, batch_size=1_000)
    rule = Schedule.objects.get(scenario=scenario)
    rows = [Schedule(scenario=twin, rule=rule.rule, anchor_at=next_at, next_at=next_at) for twin in twins]
    return [row.pk for row in Schedule.objects.bulk_create(rows, batch_size=1_000)]


def assert_each_slot_has_its_run() -> None:
    slots = dict(Slot.objects.values_list("run_id", "slot_at"))
    runs = dict(Run.objects.values_list("id", "input"))
    assert set(slots) == set(runs)
    for run_id, given in runs.items():
        assert datetime.fromisoformat(given["scheduled_for"]) == slots[run_id]


# Several at once


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Kept]]:
    """Starts a scheduler process."""
    started: list[Kept] = []

    def launch(failpoints: str = "") -> Kept:
        command = [sys.executable, "-m", "tests.scenarios.scheduler_process"]
        kept = Kept(command, tmp_path / f"scheduler-{len(started)}.log")
        kept.start(environment() | {"APINITA_FAILPOINTS": failpoints, "PYTHONPATH": str(ROOT)})
        started.append(kept)
        return kept

    yield launch
    for kept in started:
        if kept.is_running():
            with contextlib.suppress(ProcessLookupError):
                os.kill(kept.pid, signal.SIGCONT)
            kept.stop()


def in_transaction(connection: psycopg.Connection, kept: Kept) -> bool:
    query = "SELECT state FROM pg_stat_activity WHERE application_name = %s"
    row = connection.execute(query, (f"scheduler-{kept.pid}",)).fetchone()
    return row is not None and row[0] == "idle in transaction"


def test_five_schedulers_fire_each_slot_once_though_one_is_paused_in_its_transaction(
    alice: User, connection: psycopg.Connection, start: Callable[..., Kept]
) -> None:
    """T23. The paused one holds the rows of all schedules, until the database takes them from it."""
    scenario = made(alice, document("schedule", every_s=1, misfire="all"))
    Schedule.objects.filter(scenario=scenario).update(next_at=None)
    began = now_of(connection).replace(microsecond=0)
    numbers = copies_of(scenario, 200, next_at=began)

    paused = start("before_fire_commit=sleep@1:4")
    wait_until(lambda: in_transaction(connection, paused))
    os.killpg(paused.pid, signal.SIGSTOP)
    others = [start() for _number in range(4)]
    wait_until(lambda: all("ready" in other.text() for other in others))

    def fired_up_to(moment: datetime) -> bool:
        waits_for = Schedule.objects.filter(pk__in=numbers).order_by("next_at").values_list("next_at", flat=True)
        return all(next_at is not None and next_at > moment for next_at in waits_for)

    held_since = time.monotonic()
    paused_until = now_of(connection)
    wait_until(lambda: fired_up_to(paused_until), timeout_s=30)
    assert time.monotonic() - held_since < 15, "the others got its schedules after about five seconds"

    os.killpg(paused.pid, signal.SIGCONT)
    wait_until(lambda: paused.text().count("ready") == 2)  # its transaction is gone, it begins anew
    resumed_at = now_of(connection)
    wait_until(lambda: fired_up_to(resumed_at + 2 * SECOND))
    for kept in (paused, *others):
        kept.stop()

    fired: dict[int, list[datetime]] = {number: [] for number in numbers}
    for number, slot_at in Slot.objects.order_by("slot_at").values_list("schedule_id", "slot_at"):
        fired[number].append(slot_at)
    for slots in fired.values():
        assert slots == [began + n * SECOND for n in range(len(slots))], "none is missing, none is there twice"
        assert slots[-1] >= resumed_at
    assert_each_slot_has_its_run()


def test_a_scheduler_that_wakes_with_an_old_list_of_what_is_due_fires_nothing_again(
    alice: User, connection: psycopg.Connection
) -> None:
    """The slot's uniqueness stands behind the locks: here somebody has fired what we are about to."""
    scenario = made(alice, document("schedule", every_s=1, misfire="all"))
    at = behind(scenario, 3 * SECOND)
    scheduler.fire(connection)
    before = slots_of(scenario)
    Schedule.objects.filter(scenario=scenario).update(next_at=at)  # as after a restored or jumped clock
    scheduler.fire(connection)
    after = slots_of(scenario)
    assert after[: len(before)] == before
    assert Counter(after).most_common(1)[0][1] == 1
    assert_each_slot_has_its_run()


# After an outage


@pytest.mark.parametrize(("misfire", "count"), [("latest", 1), ("all", 60), ("skip", 1)])
def test_a_scheduler_that_was_away_for_an_hour_keeps_to_the_policy(
    alice: User, connection: psycopg.Connection, misfire: str, count: int
) -> None:
    """T24. The last of the missed minutes is not late enough to be skipped."""
    scenario = made(alice, document("schedule", every_s=60, misfire=misfire, misfire_window_s=3600))
    anchor = now_of(connection) - timedelta(hours=1, seconds=5)
    behind(scenario, timedelta(minutes=59, seconds=5), anchor=anchor)
    Schedule.objects.filter(scenario=scenario).update(next_at=anchor + timedelta(minutes=1))
    scheduler.fire(connection)
    assert slots_of(scenario) == [anchor + n * timedelta(minutes=1) for n in range(61 - count, 61)]
    assert_each_slot_has_its_run()
    assert scheduler.fire(connection) == 0


def test_an_hour_of_outage_of_a_rule_of_hours_is_skipped_where_it_says_so(
    alice: User, connection: psycopg.Connection
) -> None:
    scenario = made(alice, document("schedule", every_s=3600, misfire="skip"))
    at = behind(scenario, timedelta(minutes=10))
    scheduler.fire(connection)
    assert slots_of(scenario) == []
    assert Schedule.objects.get(scenario=scenario).next_at == at + timedelta(hours=1)


def test_a_day_of_seconds_is_caught_up_bit_by_bit_and_others_do_not_wait(
    alice: User, connection: psycopg.Connection
) -> None:
    scenario = made(alice, document("schedule", every_s=1, misfire="all"))
    other = made(alice, document("schedule", every_s=3600, name="Other"))
    at = behind(scenario, timedelta(hours=23))
    behind(other, SECOND)
    assert scheduler.fire(connection) == 2
    assert slots_of(scenario) == [at + n * SECOND for n in range(schedules.AT_ONCE)]
    assert len(slots_of(other)) == 1
    for _round in range(3):
        assert scheduler.fire(connection) == 1
    assert slots_of(scenario) == [at + n * SECOND for n in range(4 * schedules.AT_ONCE)]
    assert_each_slot_has_its_run()


def test_many_backlogs_share_one_transaction_within_its_bound(alice: User, connection: psycopg.Connection) -> None:
    scenario = made(alice, document("schedule", every_s=1, misfire="all"))
    Schedule.objects.filter(scenario=scenario).update(next_at=None)
    copies_of(scenario, 30, next_at=datetime.now(UTC) - timedelta(hours=1))
    assert scheduler.fire(connection) == 30
    counts = Counter(Slot.objects.values_list("schedule_id", flat=True))
    assert sum(counts.values()) == scheduler.MOST_SLOTS
    assert len(counts) == 30, "each moves on"


def test_a_rule_that_cannot_be_read_stops_alone(alice: User, connection: psycopg.Connection) -> None:
    broken, sound = (made(alice, document("schedule", every_s=60, name=name)) for name in ("Broken", "Sound"))
    for scenario in (broken, sound):
        behind(scenario, SECOND)
    Schedule.objects.filter(scenario=broken).update(rule={"cron": "at noon"})
    scheduler.fire(connection)
    assert Schedule.objects.get(scenario=broken).next_at is None
    assert len(slots_of(sound)) == 1


# Delay, days, edits


def test_a_jittered_run_waits_for_its_moment_and_tells_its_slot(alice: User, connection: psycopg.Connection) -> None:
    scenario = made(alice, document("schedule", every_s=3600, jitter_s=3600))
    slot = behind(scenario, SECOND)
    scheduler.fire(connection)
    assert slots_of(scenario) == [slot]
    run = Run.objects.get(scenario=scenario)
    row = Schedule.objects.get(scenario=scenario)
    assert run.wake_at == schedules.starts_at(schedules.parse(row.rule, "UTC"), row.pk, slot)
    assert run.status == "waiting"
    assert_each_slot_has_its_run()


def test_a_jittered_slot_that_was_missed_starts_at_once(alice: User, connection: psycopg.Connection) -> None:
    scenario = made(alice, document("schedule", every_s=7200, jitter_s=600))
    behind(scenario, timedelta(minutes=30))
    scheduler.fire(connection)
    run = Run.objects.get(scenario=scenario)
    assert run.status == "queued"
    assert run.wake_at is not None
    assert run.wake_at <= now_of(connection)


def test_an_edit_takes_effect_from_now(alice: User, connection: psycopg.Connection) -> None:
    scenario = made(alice, document("schedule", every_s=60))
    behind(scenario, timedelta(hours=3))
    editing.save(actor_of(alice), scenario, document("schedule", every_s=600), revision=None)
    before = now_of(connection)
    editing.publish(actor_of(alice), scenario)
    row = Schedule.objects.get(scenario=scenario)
    assert row.next_at is not None
    assert before - SECOND < row.anchor_at <= now_of(connection) + SECOND
    assert row.next_at - row.anchor_at == timedelta(minutes=10)
    assert scheduler.fire(connection) == 0, "what the old rule missed is not made up for"


@pytest.mark.parametrize("change", [{"days": "working"}, {"jitter_s": 60}])
def test_the_new_options_are_edits_too(alice: User, change: dict[str, Any]) -> None:
    scenario = made(alice, document("schedule", every_s=60))
    old = Schedule.objects.get(scenario=scenario)
    editing.save(actor_of(alice), scenario, document("schedule", every_s=60, **change), revision=None)
    editing.publish(actor_of(alice), scenario)
    row = Schedule.objects.get(scenario=scenario)
    assert row.rule.items() >= change.items()
    assert row.anchor_at > old.anchor_at
