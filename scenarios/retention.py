"""What is kept no longer: the data of old runs, then the runs, the senders' numbers, the slots that have fired.

A workspace says for how many days. `tidy` works in short transactions and goes on where it was interrupted; a run that
has not ended, or awaits a decision, keeps all that it needs. What is about to go is announced first, so that nobody
repeats a run that has lost half of its data.
"""

import time
import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import psycopg

from lib.errors import UserError
from lib.failpoints import failpoint
from scenarios import partitions
from scenarios.models import KeptLonger, Run, Tidied
from scenarios.partitions import key_at, moment_of

AT_ONCE_S = 1.0  # a portion, then the caller's other duties
BATCH = 500  # runs in one transaction
ROWS = 5_000  # and their steps: a loop has thousands
TURN_EVERY = timedelta(hours=1)  # of a workspace that has no arrears
TIDYING = 7_203_612  # the advisory lock under which one process tidies
BEGINNING = datetime.fromtimestamp(0, UTC)

TURN = """
SELECT workspace.id, tidied.until, tidied.announced, clock_timestamp(),
    workspace.keep_runs_days, workspace.keep_data_days
FROM accounts_workspace workspace LEFT JOIN scenarios_tidied tidied ON tidied.workspace_id = workspace.id
WHERE tidied.until IS NULL OR tidied.announced > tidied.until
    OR tidied.until < clock_timestamp() - make_interval(days => workspace.keep_data_days) - %s::interval
ORDER BY tidied.until NULLS FIRST, workspace.id LIMIT 1
"""
WINDOW = "SELECT id FROM scenarios_run WHERE workspace_id = %s AND id >= %s AND id < %s ORDER BY id LIMIT %s"
# A run that somebody repeats at this moment is locked, and kept longer.
FINISHED = """
SELECT id FROM scenarios_run
WHERE id = ANY(%s) AND status IN ('succeeded', 'failed', 'cancelled') AND finished_at < %s
ORDER BY id FOR UPDATE SKIP LOCKED
"""
KEEP = """
INSERT INTO scenarios_keptlonger (run_id, workspace_id) SELECT unnest(%s::uuid[]), %s ON CONFLICT DO NOTHING
"""
ANNOUNCE = """
INSERT INTO scenarios_tidied (workspace_id, until, announced) VALUES (%s, %s, %s)
ON CONFLICT (workspace_id) DO UPDATE SET announced = EXCLUDED.announced
"""
ADVANCE = "UPDATE scenarios_tidied SET until = announced WHERE workspace_id = %s"
GOING = """
SELECT id FROM scenarios_run WHERE workspace_id = %s AND id >= %s AND id < %s
    AND NOT EXISTS (SELECT FROM scenarios_keptlonger kept WHERE kept.run_id = scenarios_run.id)
"""
LATE = "SELECT run_id FROM scenarios_keptlonger WHERE workspace_id = %s AND is_ending"
LATE_DONE = """
SELECT kept.run_id, run.id IS NULL FROM scenarios_keptlonger kept LEFT JOIN scenarios_run run ON run.id = kept.run_id
WHERE kept.workspace_id = %s AND NOT kept.is_ending AND (run.id IS NULL
    OR run.status IN ('succeeded', 'failed', 'cancelled') AND run.finished_at < %s)
ORDER BY kept.run_id LIMIT %s
"""
END_LATE = "UPDATE scenarios_keptlonger SET is_ending = true WHERE run_id = ANY(%s)"
FORGET_LATE = "DELETE FROM scenarios_keptlonger WHERE run_id = ANY(%s)"

STRIP_STEPS = """
UPDATE scenarios_steprun SET inputs = NULL, exchange = NULL, result = NULL WHERE (run_id, path) IN (
    SELECT run_id, path FROM scenarios_steprun
    WHERE run_id = ANY(%s) AND num_nulls(inputs, exchange, result) < 3 LIMIT %s)
"""
DROP_PAYLOADS = "DELETE FROM scenarios_payload WHERE run_id = ANY(%s)"
STRIP_RUNS = "UPDATE scenarios_run SET input = NULL, reply = NULL WHERE id = ANY(%s) AND num_nulls(input, reply) < 2"
DELIVERIES = "SELECT delivery_id FROM scenarios_run WHERE id = ANY(%s) AND delivery_id IS NOT NULL"
# Runs that have the same delivery and still need it: the first one where it is kept longer, and younger retries.
SHARING = """
SELECT run.id, run.delivery_id FROM (
    SELECT run.id, run.delivery_id FROM scenarios_delivery delivery JOIN scenarios_run run ON run.id = delivery.run_id
    WHERE delivery.id = ANY(%(deliveries)s)
    UNION
    SELECT id, delivery_id FROM scenarios_run WHERE replay_of IS NOT NULL AND delivery_id = ANY(%(deliveries)s)
) AS run
WHERE NOT run.id = ANY(%(going)s)
    AND (run.id >= %(until)s OR run.id IN (SELECT run_id FROM scenarios_keptlonger WHERE NOT is_ending))
"""
STRIP_DELIVERIES = "UPDATE scenarios_delivery SET body = NULL, headers = '{}', query = '' WHERE id = ANY(%s)"
# Deliveries that started no run: refused ones go, repeated ones lose what was in them.
DROP_REFUSED = """
DELETE FROM scenarios_delivery WHERE id IN (
    SELECT id FROM scenarios_delivery
    WHERE scenario_id IN (SELECT id FROM scenarios_scenario WHERE workspace_id = %s)
        AND id >= %s AND id < %s AND run_id IS NULL LIMIT %s)
"""
STRIP_REPEATED = """
UPDATE scenarios_delivery SET body = NULL, headers = '{}', query = '' WHERE id IN (
    SELECT id FROM scenarios_delivery
    WHERE scenario_id IN (SELECT id FROM scenarios_scenario WHERE workspace_id = %s)
        AND id >= %s AND id < %s AND verdict = 'duplicate' AND headers <> '{}' LIMIT %s)
"""

OVER = """
SELECT id FROM scenarios_run
WHERE workspace_id = %s AND id < %s AND status IN ('succeeded', 'failed', 'cancelled', 'needs_review')
    AND finished_at < %s
ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED
"""
DROP_STEPS = """
DELETE FROM scenarios_steprun WHERE (run_id, path) IN (
    SELECT run_id, path FROM scenarios_steprun WHERE run_id = ANY(%s) LIMIT %s)
"""
DROP_RUNS = "DELETE FROM scenarios_run WHERE id = ANY(%s)"
DROP_DELIVERIES = """
DELETE FROM scenarios_delivery WHERE id IN (
    SELECT id FROM scenarios_delivery delivery
    WHERE scenario_id IN (SELECT id FROM scenarios_scenario WHERE workspace_id = %s) AND id < %s
        AND NOT EXISTS (SELECT FROM scenarios_run run WHERE run.id = delivery.run_id)
        AND NOT EXISTS (SELECT FROM scenarios_run run
            WHERE run.replay_of IS NOT NULL AND run.delivery_id = delivery.id) LIMIT %s)
"""
# Looked at in the order in which they came: the old ones stand in front.
DROP_KEYS = """
DELETE FROM scenarios_dedupekey WHERE id IN (
    SELECT id FROM (SELECT id, created_at FROM scenarios_dedupekey ORDER BY id LIMIT %s) AS oldest
    WHERE created_at < clock_timestamp() - interval '7 days')
"""
DROP_SLOTS = """
DELETE FROM scenarios_slot WHERE id IN (
    SELECT id FROM (SELECT id, slot_at FROM scenarios_slot ORDER BY id LIMIT %s) AS oldest
    WHERE slot_at < clock_timestamp() - interval '30 days')
"""
LONGEST = "SELECT max(keep_runs_days) FROM accounts_workspace"


@dataclass(frozen=True)
class Turn:
    """A workspace whose runs are gone through: up to `until` that is done, up to `announced` under way."""

    workspace: int
    until: datetime
    announced: datetime
    data_before: datetime
    runs_before: datetime


def tidy(connection: psycopg.Connection) -> bool:
    """Work for about a second; whether there is more to do. Of many processes one does it at a time."""
    began = time.monotonic()
    while time.monotonic() - began < AT_ONCE_S:
        with connection.transaction():
            if not _alone(connection):
                return False
            did_something = _portion(connection)
            failpoint("before_tidy_commit")
        failpoint("after_tidy_commit")
        if not did_something:
            _drop_partitions(connection)
            return False
    return True


def has_data(run: Run) -> bool:
    """Whether what the run took and gave is still there, whole."""
    tidied = Tidied.objects.filter(workspace_id=run.workspace_id).first()
    if tidied is None or run.pk >= key_at(tidied.announced):
        return True
    return KeptLonger.objects.filter(run_id=run.pk, is_ending=False).exists()


def require_data(run: Run) -> None:
    """For what repeats a run, which it must have locked. Raises UserError `data_not_kept`."""
    if not has_data(run):
        raise UserError("data_not_kept")


def _alone(connection: psycopg.Connection) -> bool:
    row = connection.execute("SELECT pg_try_advisory_xact_lock(%s)", (TIDYING,)).fetchone()
    return row is not None and bool(row[0])


def _portion(connection: psycopg.Connection) -> bool:
    """One transaction's work; whether there was any."""
    if _changed(connection, DROP_KEYS, BATCH) or _changed(connection, DROP_SLOTS, BATCH):
        return True
    turn = _next_turn(connection)
    if turn is None:
        return False
    if turn.announced > turn.until:
        _strip_announced(connection, turn)
    elif not (_strip_late(connection, turn) or _drop_runs(connection, turn) or _drop_deliveries(connection, turn)):
        _announce(connection, turn)
    return True


def _next_turn(connection: psycopg.Connection) -> Turn | None:
    row = connection.execute(TURN, (TURN_EVERY,)).fetchone()
    if row is None:
        return None
    workspace, until, announced, now, runs_days, data_days = row
    data_before, runs_before = (_whole_ms(now - timedelta(days=days)) for days in (data_days, runs_days))
    return Turn(workspace, until or BEGINNING, announced or BEGINNING, data_before, runs_before)


def _announce(connection: psycopg.Connection, turn: Turn) -> None:
    """Say which runs are next to lose their data. Those that need it, or may still, are noted for later."""
    window = (turn.workspace, key_at(turn.until), key_at(turn.data_before), BATCH)
    ids = _ids(connection, WINDOW, window)
    until = turn.data_before
    if len(ids) == BATCH:
        until = max(moment_of(ids[-1]), turn.until + timedelta(milliseconds=1))
        ids = [run_id for run_id in ids if run_id < key_at(until)]
    finished = set(_ids(connection, FINISHED, (ids, turn.data_before)))
    connection.execute(KEEP, ([run_id for run_id in ids if run_id not in finished], turn.workspace))
    connection.execute(ANNOUNCE, (turn.workspace, turn.until, until))


def _strip_announced(connection: psycopg.Connection, turn: Turn) -> None:
    window = (turn.workspace, key_at(turn.until), key_at(turn.announced))
    if _changed(connection, DROP_REFUSED, *window, ROWS) or _changed(connection, STRIP_REPEATED, *window, ROWS):
        return
    if _strip(connection, turn, _ids(connection, GOING, window)):
        connection.execute(ADVANCE, (turn.workspace,))


def _strip_late(connection: psycopg.Connection, turn: Turn) -> bool:
    """Runs that were kept longer, once their time has come; whether there were any."""
    going = _ids(connection, LATE, (turn.workspace,))
    if going:
        if _strip(connection, turn, going):
            connection.execute(FORGET_LATE, (going,))
        return True
    rows = connection.execute(LATE_DONE, (turn.workspace, turn.data_before, BATCH)).fetchall()
    done = _ids(connection, FINISHED, ([run_id for run_id, is_gone in rows if not is_gone], turn.data_before))
    gone = [run_id for run_id, is_gone in rows if is_gone]
    connection.execute(END_LATE, (done,))
    connection.execute(FORGET_LATE, (gone,))
    return bool(done or gone)


def _strip(connection: psycopg.Connection, turn: Turn, going: list[uuid.UUID]) -> bool:
    """Take the data of runs; whether all of it is gone. Their deliveries stay where another run needs them."""
    if connection.execute(STRIP_STEPS, (going, ROWS)).rowcount == ROWS:
        return False
    connection.execute(DROP_PAYLOADS, (going,))
    connection.execute(STRIP_RUNS, (going,))
    deliveries = _ids(connection, DELIVERIES, (going,))
    where = {"deliveries": deliveries, "going": going, "until": key_at(turn.data_before)}
    sharing: dict[uuid.UUID, uuid.UUID] = dict(connection.execute(SHARING, where).fetchall())
    connection.execute(KEEP, (list(sharing), turn.workspace))
    connection.execute(STRIP_DELIVERIES, (list(set(deliveries) - set(sharing.values())),))
    return True


def _drop_runs(connection: psycopg.Connection, turn: Turn) -> bool:
    """Whole runs, their steps first; whether there were any."""
    ids = _ids(connection, OVER, (turn.workspace, key_at(turn.runs_before), turn.runs_before, BATCH))
    if ids and connection.execute(DROP_STEPS, (ids, ROWS)).rowcount < ROWS:
        for statement in (DROP_PAYLOADS, FORGET_LATE, DROP_RUNS):
            connection.execute(statement, (ids,))
    return bool(ids)


def _drop_deliveries(connection: psycopg.Connection, turn: Turn) -> bool:
    return _changed(connection, DROP_DELIVERIES, turn.workspace, key_at(turn.runs_before), ROWS)


def _drop_partitions(connection: psycopg.Connection) -> None:
    row = connection.execute(LONGEST).fetchone()
    if row and row[0] is not None:
        partitions.drop_before(connection, datetime.now(UTC) - timedelta(days=row[0]))


def _ids(connection: psycopg.Connection, statement: str, given: Collection[object]) -> list[uuid.UUID]:
    return [row[0] for row in connection.execute(statement, tuple(given))]


def _changed(connection: psycopg.Connection, statement: str, *given: object) -> bool:
    return connection.execute(statement, given).rowcount > 0


def _whole_ms(moment: datetime) -> datetime:
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)
