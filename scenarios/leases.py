"""Who may execute a run: claim, heartbeat, sweep, and who has to wait. All clocks are the database's."""

import uuid
from collections.abc import Collection
from dataclasses import dataclass, fields
from operator import itemgetter

import psycopg

from lib.errors import Json
from scenarios import recall
from scenarios.engine import ENGINE
from scenarios.engine_terms import Entry
from scenarios.journal import LEASE_S, Owned

MOST_STALLS = 3  # a run that took down its worker this often and once more is stopped
DELIVERY_COLUMNS = 6  # the last ones of a claimed row
SUSPECT_STALLS = 2  # of runs that stalled so often, a process takes one at a time: it may die with what is beside it
MOST_WORKSPACES = 64  # that one claim looks at

# Workspace after workspace, going on behind the one that was served last: a loose scan of the index run_due, one probe
# for each workspace that has something queued. Each gets the same share of the room.
CLAIM = """
WITH RECURSIVE turn(workspace_id, wrapped, number) AS (
    SELECT %(after)s::int8, false, 0
    UNION ALL
    SELECT following.workspace_id, following.wrapped, turn.number + 1
    FROM turn CROSS JOIN LATERAL (
        (SELECT workspace_id, turn.wrapped AS wrapped FROM scenarios_run
            WHERE status = 'queued' AND wake_at IS NOT NULL AND workspace_id > turn.workspace_id
            ORDER BY workspace_id LIMIT 1)
        UNION ALL
        (SELECT workspace_id, true FROM scenarios_run
            WHERE status = 'queued' AND wake_at IS NOT NULL AND NOT turn.wrapped
            ORDER BY workspace_id LIMIT 1)
        ORDER BY wrapped LIMIT 1
    ) following
    WHERE turn.number < %(workspaces)s AND (turn.number = 0 OR NOT following.wrapped
        OR following.workspace_id <= %(after)s)
), due AS (
    SELECT id FROM (
        SELECT run.*, turn.number,
            row_number() OVER (PARTITION BY run.stalls >= %(suspect)s ORDER BY turn.number) AS nth
        FROM turn CROSS JOIN LATERAL (
            SELECT id, stalls FROM scenarios_run
            WHERE workspace_id = turn.workspace_id AND status = 'queued' AND wake_at <= statement_timestamp()
                AND engine <= %(engine)s AND (stalls < %(suspect)s OR %(may_suspect)s)
            ORDER BY wake_at LIMIT LEAST(
                (SELECT ceil(%(room)s::float8 / greatest(count(*), 1))::int8 FROM turn WHERE number > 0),
                CASE WHEN %(most_running)s > 0 THEN greatest(0, %(most_running)s - (
                    SELECT count(*) FROM scenarios_run busy
                    WHERE busy.workspace_id = turn.workspace_id AND busy.status = 'running'
                )) END
            ) FOR UPDATE SKIP LOCKED
        ) run WHERE turn.number > 0
    ) found WHERE stalls < %(suspect)s OR nth = 1 ORDER BY number LIMIT %(room)s
), claimed AS (
    UPDATE scenarios_run run SET
        status = 'running', owner = %(owner)s, fence = run.fence + 1,
        lease_until = clock_timestamp() + %(lease_s)s * interval '1 second',
        started_at = COALESCE(run.started_at, clock_timestamp()), wake_at = NULL, waits_for = '',
        deadline_at = COALESCE(run.deadline_at, clock_timestamp() + %(deadline_s)s * interval '1 second')
    FROM due WHERE run.id = due.id
    RETURNING run.*
)
SELECT claimed.id, claimed.fence, claimed.workspace_id, claimed.scenario_id, claimed.version_id, claimed.trigger,
    claimed.input, claimed.key, claimed.started_at, claimed.cancel_requested_at IS NOT NULL,
    claimed.stalls, claimed.parent_id, claimed.depth, claimed.is_limited,
    extract(epoch FROM claimed.deadline_at)::float8, extract(epoch FROM clock_timestamp())::float8,
    scenario.public_id, workspace.timezone, COALESCE(creator.language, ''),
    delivery.method, delivery.query, delivery.headers, delivery.content_type, delivery.body, delivery.received_at
FROM claimed
JOIN scenarios_scenario scenario ON scenario.id = claimed.scenario_id
JOIN accounts_workspace workspace ON workspace.id = claimed.workspace_id
LEFT JOIN accounts_user creator ON creator.id = scenario.created_by_id
LEFT JOIN scenarios_delivery delivery ON delivery.id = claimed.delivery_id
"""
# Locked in order of id, like every other statement over many runs. Answers which are still ours, and which of those
# somebody wants cancelled.
RENEW = """
UPDATE scenarios_run run SET lease_until = clock_timestamp() + %s * interval '1 second'
FROM (
    SELECT ours.id FROM scenarios_run ours JOIN unnest(%s::uuid[], %s::int8[]) AS given(id, fence)
        ON ours.id = given.id AND ours.fence = given.fence
    WHERE ours.status = 'running' ORDER BY ours.id FOR UPDATE OF ours
) locked WHERE run.id = locked.id
RETURNING run.id, run.fence, run.cancel_requested_at IS NOT NULL
"""
SWEEP = """
WITH dead AS (
    SELECT id FROM scenarios_run WHERE status = 'running' AND lease_until < clock_timestamp()
    ORDER BY id LIMIT 500 FOR UPDATE SKIP LOCKED
), progress AS (
    SELECT dead.id, count(step.path)::int AS steps FROM dead
    LEFT JOIN scenarios_steprun step ON step.run_id = dead.id AND step.status <> 'running' GROUP BY dead.id
), stalled AS (
    -- A worker's death counts against a run only while it gets no further.
    SELECT run.id, progress.steps, CASE WHEN progress.steps > run.stalled_steps THEN 1 ELSE run.stalls + 1 END AS stalls
    FROM scenarios_run run JOIN progress ON progress.id = run.id
)
UPDATE scenarios_run run SET
    stalls = stalled.stalls, stalled_steps = stalled.steps, owner = '', lease_until = NULL,
    status = CASE WHEN stalled.stalls > %(most)s THEN 'failed' ELSE 'queued' END,
    wake_at = CASE WHEN stalled.stalls > %(most)s THEN NULL ELSE clock_timestamp() END,
    finished_at = CASE WHEN stalled.stalls > %(most)s THEN clock_timestamp() END,
    error = CASE WHEN stalled.stalls > %(most)s
        THEN jsonb_build_object('code', 'poison', 'path', '', 'params', jsonb_build_object('attempts', stalled.stalls))
        ELSE run.error END
FROM stalled WHERE run.id = stalled.id
RETURNING run.scenario_id, run.status
"""
# What has slept enough, a bounded number at a time. A run that has not begun yet still needs a place, where its
# scenario has a limit.
RISE = """
WITH due AS (
    SELECT id FROM scenarios_run WHERE status = 'waiting' AND wake_at <= statement_timestamp()
    ORDER BY wake_at LIMIT 2000 FOR UPDATE SKIP LOCKED
)
UPDATE scenarios_run run SET status = 'queued', waits_for = '',
    wake_at = CASE WHEN run.is_limited AND run.started_at IS NULL THEN NULL ELSE run.wake_at END
FROM due WHERE run.id = due.id
"""
# Two statements, so that the second one sees what others have let in before we had the lock.
LOCK_LIMITED = """
WITH RECURSIVE gated(workspace_id, scenario_id) AS (
    (SELECT workspace_id, scenario_id FROM scenarios_run WHERE status = 'queued' AND wake_at IS NULL
        ORDER BY workspace_id, scenario_id LIMIT 1)
    UNION ALL
    SELECT following.* FROM gated CROSS JOIN LATERAL (
        SELECT workspace_id, scenario_id FROM scenarios_run WHERE status = 'queued' AND wake_at IS NULL
            AND (workspace_id, scenario_id) > (gated.workspace_id, gated.scenario_id)
        ORDER BY workspace_id, scenario_id LIMIT 1
    ) following
)
SELECT id FROM scenarios_scenario WHERE id IN (SELECT scenario_id FROM gated)
ORDER BY id FOR NO KEY UPDATE SKIP LOCKED
"""
LET_IN = """
WITH entering AS (
    SELECT run.id FROM scenarios_scenario scenario CROSS JOIN LATERAL (
        SELECT id FROM scenarios_run
        WHERE workspace_id = scenario.workspace_id AND scenario_id = scenario.id AND status = 'queued'
            AND wake_at IS NULL
        ORDER BY id LIMIT CASE WHEN scenario.max_concurrent = 0 THEN 1000 ELSE greatest(0, scenario.max_concurrent - (
            SELECT count(*) FROM scenarios_run placed
            WHERE placed.scenario_id = scenario.id AND placed.is_limited
                AND placed.status IN ('queued', 'running', 'waiting')
                -- One that waits and has not begun (a random delay of its schedule) has no place yet.
                AND (placed.started_at IS NOT NULL OR (placed.status = 'queued' AND placed.wake_at IS NOT NULL))
        )) END FOR UPDATE SKIP LOCKED
    ) run WHERE scenario.id = ANY(%s)
)
UPDATE scenarios_run run SET wake_at = clock_timestamp() FROM entering WHERE run.id = entering.id
"""
ANY_GATED = "SELECT EXISTS (SELECT FROM scenarios_run WHERE status = 'queued' AND wake_at IS NULL)"


@dataclass(frozen=True)
class Claimed:
    """A run that is ours until its lease ends, with all that executing it needs."""

    id: uuid.UUID
    fence: int
    workspace_id: int
    scenario_id: int
    version_id: int
    trigger: str
    input: Json
    key: uuid.UUID
    started_at: str
    cancelled: bool
    stalls: int
    parent_id: uuid.UUID | None
    depth: int
    is_limited: bool
    deadline_at: float  # seconds since the epoch, as `now`: the database's clock
    now: float
    scenario: str
    timezone: str
    language: str  # of who made the scenario: what goes wrong with an input is said in it
    delivery: tuple[Json, ...] | None
    steps: dict[str, Entry]


@dataclass(frozen=True)
class Limits:
    """What a claim goes by. `most_running`: runs of one workspace at a time, 0 for no limit."""

    deadline_s: int = 86_400
    most_running: int = 0
    engine: int = ENGINE


USUAL = Limits()


def claim(
    connection: psycopg.Connection,
    owner: str,
    room: int,
    *,
    limits: Limits = USUAL,
    after: int = 0,
    has_suspect: bool = False,
) -> list[Claimed]:
    """Up to `room` runs that are due, now ours for LEASE_S seconds.

    The workspaces take turns, beginning behind `after`; within one, the oldest come first. `has_suspect`: this process
    holds a run already that may be what kills workers.
    """
    wanted = {
        "after": after,
        "room": room,
        "owner": owner,
        "lease_s": LEASE_S,
        "engine": limits.engine,
        "deadline_s": limits.deadline_s,
        "most_running": limits.most_running,
        "workspaces": MOST_WORKSPACES,
        "suspect": SUSPECT_STALLS,
        "may_suspect": not has_suspect,
    }
    rows = sorted(connection.execute(CLAIM, wanted).fetchall(), key=itemgetter(0))  # those that came first begin first
    # A run that was never claimed before has no steps: most runs need no second question.
    begun = [row[0] for row in rows if row[1] > 1]
    steps = recall.entries(connection, begun) if begun else {}
    return [claimed(row, steps.get(row[0], {})) for row in rows]


def claimed(row: tuple[Json, ...], steps: dict[str, Entry]) -> Claimed:
    names = [one.name for one in fields(Claimed)][: len(row) - DELIVERY_COLUMNS]
    facts = dict(zip(names, row, strict=False))
    delivery = row[-DELIVERY_COLUMNS:]
    return Claimed(
        **facts | {"started_at": facts["started_at"].isoformat().replace("+00:00", "Z")},
        delivery=delivery if delivery[0] is not None else None,
        steps=steps,
    )


def rise(connection: psycopg.Connection) -> int:
    """Queue what has waited enough; answers how many."""
    return connection.execute(RISE).rowcount


def let_in(connection: psycopg.Connection) -> int:
    """Give the places that are free to those who wait for one, in order; answers how many entered."""
    row = connection.execute(ANY_GATED).fetchone()
    if row is None or not row[0]:
        return 0
    with connection.transaction():
        limited = [scenario_id for (scenario_id,) in connection.execute(LOCK_LIMITED)]
        return connection.execute(LET_IN, (limited,)).rowcount if limited else 0


def renew(connection: psycopg.Connection, held: Collection[Owned]) -> dict[Owned, bool]:
    """Renew the leases of all runs of this process at once. Answers those still ours → whether to cancel."""
    if not held:
        return {}
    ids, fences = (list(column) for column in zip(*held, strict=True))
    rows = connection.execute(RENEW, (LEASE_S, ids, fences)).fetchall()
    return {(run_id, fence): cancelled for run_id, fence, cancelled in rows}


def sweep(connection: psycopg.Connection) -> tuple[int, list[int]]:
    """Put back the runs of dead workers. Answers how many may be claimed again, and the scenarios of poison runs."""
    rows = connection.execute(SWEEP, {"most": MOST_STALLS}).fetchall()
    poisoned = [scenario_id for scenario_id, status in rows if status == "failed"]
    return len(rows) - len(poisoned), poisoned
