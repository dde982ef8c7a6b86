"""A thread of every worker process: fires due schedules, puts back the runs of dead workers, wakes what is due.

Any number of them may run at once: due rows are taken with SKIP LOCKED, and a slot that exists cannot fire again.
"""

import contextlib
import logging
import threading
import time
from datetime import UTC, datetime, timedelta

import psycopg
from django.db import connections

from lib import safe_json, schedules
from lib.errors import Json
from lib.failpoints import failpoint
from lib.ids import uuid7
from scenarios import calling, leases, partitions, retention
from scenarios.hot_sql import as_columns, connect
from scenarios.runtime import Runtime
from scenarios.triggers import stamp

log = logging.getLogger(__name__)

TICK_S = 0.5
SWEEP_EVERY_S = 2.0
LOOK_EVERY_S = 5.0
MAKE_EVERY_S = 3600.0
TIDY_EVERY_S = 300.0
TIDY_AGAIN_S = 1.0
LARGEST_BATCH = 500  # schedules in one transaction
MOST_SLOTS = 5_000  # and their slots, where some have many to catch up
THINK_S = 2.0  # what takes longer to reckon is left for the next transaction
# A scheduler that is stopped in the middle of a transaction (a paused machine) must not keep its schedules from the
# others: the database ends the transaction, and this one begins anew when it wakes.
GIVE_UP_AFTER = "SET LOCAL idle_in_transaction_session_timeout = '5s'"

DUE = """
SELECT schedule.id, schedule.rule, schedule.anchor_at, schedule.next_at, clock_timestamp(),
    scenario.id, scenario.workspace_id, scenario.published_id
FROM scenarios_schedule schedule JOIN scenarios_scenario scenario ON scenario.id = schedule.scenario_id
WHERE schedule.next_at <= statement_timestamp() AND scenario.status = 'active' AND scenario.deleted_at IS NULL
ORDER BY schedule.next_at DESC LIMIT %s FOR UPDATE OF schedule SKIP LOCKED
"""  # the latest first: what has just become due need not wait for what has much to catch up
FIRE = """
WITH given AS (
    SELECT * FROM unnest(
        %s::int8[], %s::timestamptz[], %s::uuid[], %s::int8[], %s::int8[], %s::int8[], %s::text[],
        %s::timestamptz[]
    ) AS slots(schedule_id, slot_at, run_id, workspace_id, scenario_id, version_id, input, starts_at)
), fired AS (
    INSERT INTO scenarios_slot (schedule_id, slot_at, run_id)
    SELECT schedule_id, slot_at, run_id FROM given ON CONFLICT DO NOTHING RETURNING run_id
)
INSERT INTO scenarios_run (id, workspace_id, scenario_id, version_id, trigger, input, key, status, fence, owner,
    waits_for, stalls, wake_at, is_limited, engine)
SELECT given.run_id, given.workspace_id, scenario_id, version_id, 'schedule', input::jsonb, given.run_id,
    CASE WHEN starts_at > clock_timestamp() THEN 'waiting' ELSE 'queued' END, 0, '', '', 0,
    CASE WHEN starts_at > clock_timestamp() OR scenario.max_concurrent = 0 THEN greatest(starts_at, now()) END,
    scenario.max_concurrent > 0, scenario.engine
FROM given JOIN fired ON fired.run_id = given.run_id
JOIN scenarios_scenario scenario ON scenario.id = given.scenario_id ORDER BY given.slot_at
"""
ADVANCE = """
UPDATE scenarios_schedule schedule SET next_at = given.next_at
FROM unnest(%s::int8[], %s::timestamptz[]) AS given(id, next_at) WHERE schedule.id = given.id
"""
ANY_DUE = """
SELECT EXISTS (SELECT FROM scenarios_run WHERE status = 'queued' AND wake_at <= statement_timestamp())
"""
BEAT = """
INSERT INTO scenarios_workerbeat (name, seen_at) VALUES (%s, clock_timestamp())
ON CONFLICT (name) DO UPDATE SET seen_at = clock_timestamp()
"""
FORGET_BEATS = "DELETE FROM scenarios_workerbeat WHERE name = %s OR seen_at < clock_timestamp() - interval '1 hour'"
PAUSE = """
WITH paused AS (
    UPDATE scenarios_scenario SET status = 'paused', paused_reason =
        jsonb_build_object('code', %s::text, 'params', '{}'::jsonb, 'at', to_jsonb(clock_timestamp()))
    WHERE id = ANY(%s) AND status = 'active' RETURNING id
)
UPDATE scenarios_schedule schedule SET next_at = NULL FROM paused WHERE schedule.scenario_id = paused.id
"""
# Scenarios that start themselves over their own webhooks, again and again.
LOOPING = """
SELECT scenario_id FROM scenarios_run WHERE depth >= %s AND trigger = 'webhook' AND id > %s
GROUP BY scenario_id HAVING count(*) > %s
"""
LOOP_DEPTH = 3
MOST_IN_A_LOOP = 60  # a minute


class Scheduler:
    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.stopped = threading.Event()
        self.swept_at = 0.0
        self.looked_at = 0.0
        self.thread = threading.Thread(target=self.work, name="scheduler", daemon=True)
        self.upkeep = threading.Thread(target=self.keep_up, name="upkeep", daemon=True)

    def start(self) -> None:
        self.thread.start()
        self.upkeep.start()

    def stop(self) -> None:
        self.stopped.set()
        self.thread.join(timeout=5)
        self.upkeep.join(timeout=5)

    def work(self) -> None:
        while not self.stopped.is_set():
            try:
                with contextlib.closing(connect()) as connection:
                    while not self.stopped.is_set():
                        self.tick(connection)
                        self.stopped.wait(TICK_S)
                    connection.execute(FORGET_BEATS, (self.runtime.name,))
            except psycopg.Error as error:
                log.warning("the database is away: %s", type(error).__name__)
                self.stopped.wait(TICK_S)
            except Exception:
                log.exception("the scheduler goes on after")
                self.stopped.wait(TICK_S)
        connections.close_all()

    def keep_up(self) -> None:
        """Make the next pieces of history, and take away what is too old: apart, since it may take long."""
        more, made_at = False, -MAKE_EVERY_S
        while not self.stopped.wait(TIDY_AGAIN_S if more else 0 if made_at < 0 else TIDY_EVERY_S):
            try:
                with contextlib.closing(connect()) as connection:
                    if time.monotonic() - made_at > MAKE_EVERY_S:
                        partitions.ensure(connection)
                        made_at = time.monotonic()
                    more = retention.tidy(connection)
            except psycopg.Error as error:
                log.warning("history could not be kept in order: %s", type(error).__name__)
                made_at = max(made_at, 0.0)
            except Exception:
                log.exception("history could not be kept in order")
                made_at = max(made_at, 0.0)
        connections.close_all()

    def tick(self, connection: psycopg.Connection) -> None:
        began = time.monotonic()
        while fire(connection) == LARGEST_BATCH and time.monotonic() - began < SWEEP_EVERY_S:
            pass  # a large backlog must not hold up the sweep
        if time.monotonic() - self.swept_at > SWEEP_EVERY_S:
            self.swept_at = time.monotonic()
            connection.execute(BEAT, (self.runtime.name,))
            sweep(connection)
        if time.monotonic() - self.looked_at > LOOK_EVERY_S:
            self.looked_at = time.monotonic()
            connection.execute(calling.WAKE)
            break_loops(connection)
        leases.rise(connection)
        leases.let_in(connection)
        row = connection.execute(ANY_DUE).fetchone()
        if row and row[0] and not self.runtime.draining.locked():
            # Redis may be away, or its message lost: this process goes to work without one.
            threading.Thread(target=self.runtime.drain, name="drain", daemon=True).start()


def sweep(connection: psycopg.Connection) -> None:
    """Runs of dead workers go back; a scenario whose runs kill workers is paused."""
    put_back, poisoned = leases.sweep(connection)
    if poisoned:
        connection.execute(PAUSE, ("poison", poisoned))
        log.error("scenarios %s were paused: their runs take down workers", poisoned)
    if put_back:
        log.warning("%d runs of dead workers go on", put_back)


def break_loops(connection: psycopg.Connection) -> None:
    """A scenario that keeps starting itself is paused."""
    since = partitions.key_at(datetime.now(UTC) - timedelta(minutes=1))
    looping = [one for (one,) in connection.execute(LOOPING, (LOOP_DEPTH, since, MOST_IN_A_LOOP))]
    if looping:
        connection.execute(PAUSE, ("loop_detected", looping))
        log.warning("scenarios %s were paused: they start themselves", looping)


def fire(connection: psycopg.Connection) -> int:
    """Start a run for each due slot and move the schedules on, in one transaction; answers how many were due.

    A schedule that has more to catch up than fits stays due, and goes on in the next transaction.
    """
    with connection.transaction():
        connection.execute(GIVE_UP_AFTER)
        rows = connection.execute(DUE, (LARGEST_BATCH,)).fetchall()
        if not rows:
            return 0
        slots: list[tuple[object, ...]] = []
        advanced: list[tuple[int, datetime | None]] = []
        began, room = time.monotonic(), MOST_SLOTS - len(rows)
        for schedule_id, stored, anchor_at, next_at, now, scenario_id, workspace_id, version_id in rows:
            due, following = slots_of(stored, schedule_id, anchor_at, next_at, now, at_once=1 + max(0, room))
            room -= max(0, len(due) - 1)
            advanced.append((schedule_id, following))
            for slot_at, starts_at in due:
                given = safe_json.dumps({"scheduled_for": stamp(slot_at), "body": {}}).decode()
                slots.append((schedule_id, slot_at, uuid7(), workspace_id, scenario_id, version_id, given, starts_at))
            if time.monotonic() - began > THINK_S:
                break
        if slots:
            connection.execute(FIRE, as_columns(slots))
        connection.execute(ADVANCE, as_columns(advanced))
        failpoint("before_fire_commit")
    failpoint("after_fire_commit")
    return len(rows)


def slots_of(
    stored: Json, schedule_id: int, anchor_at: datetime, next_at: datetime, now: datetime, *, at_once: int
) -> tuple[list[tuple[datetime, datetime]], datetime | None]:
    """The slots to run now, each with the moment its run starts, and the slot to wait for then.

    A rule that cannot be read any more stops, and says so in the log.
    """
    try:
        rule = schedules.stored(stored)
        at_once = min(at_once, schedules.AT_ONCE)
        due, following = schedules.due(rule, next_at, now, anchor_at, at_once=at_once)
        return [(slot, schedules.starts_at(rule, schedule_id, slot)) for slot in due], following
    except Exception as error:  # one rule that cannot be read must not hold up all others
        log.error("schedule %s was stopped: %s", schedule_id, getattr(error, "errors", error))
        return [], None
