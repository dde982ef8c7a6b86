"""Who may execute a run: claim, heartbeat, sweep. All clocks are the database's."""

import uuid
from collections.abc import Collection
from dataclasses import dataclass

import psycopg

from lib.errors import Json
from scenarios.engine import Entry
from scenarios.journal import LEASE_S, Owned

MOST_STALLS = 3  # a run that took down its worker this often and once more is stopped

CLAIM = """
WITH due AS (
    SELECT id FROM scenarios_run
    WHERE status IN ('queued', 'waiting') AND wake_at <= clock_timestamp()
    ORDER BY wake_at LIMIT %s FOR UPDATE SKIP LOCKED
), claimed AS (
    UPDATE scenarios_run run SET
        status = 'running', owner = %s, fence = run.fence + 1,
        lease_until = clock_timestamp() + %s * interval '1 second',
        started_at = COALESCE(run.started_at, clock_timestamp()), wake_at = NULL, waits_for = ''
    FROM due WHERE run.id = due.id
    RETURNING run.*
)
SELECT claimed.id, claimed.fence, claimed.workspace_id, claimed.scenario_id, claimed.version_id, claimed.trigger,
    claimed.input, claimed.key, claimed.started_at, claimed.stalls, claimed.cancel_requested_at IS NOT NULL,
    scenario.public_id, workspace.timezone, COALESCE(creator.language, ''),
    delivery.method, delivery.query, delivery.headers, delivery.content_type, delivery.body, delivery.received_at
FROM claimed
JOIN scenarios_scenario scenario ON scenario.id = claimed.scenario_id
JOIN accounts_workspace workspace ON workspace.id = claimed.workspace_id
LEFT JOIN accounts_user creator ON creator.id = scenario.created_by_id
LEFT JOIN scenarios_delivery delivery ON delivery.id = claimed.delivery_id
"""
STEPS = """
SELECT run_id, path, position, status, effect, attempt, inputs, exchange, result, error,
    extract(epoch FROM started_at)::float8, took_ms
FROM scenarios_steprun WHERE run_id = ANY(%s)
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
    SELECT dead.id, count(step.id)::int AS steps FROM dead
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
    scenario: str
    timezone: str
    language: str  # of who made the scenario: what goes wrong with an input is said in it
    delivery: tuple[Json, ...] | None
    steps: dict[str, Entry]


def claim(connection: psycopg.Connection, owner: str, most: int) -> list[Claimed]:
    """Up to `most` runs that are due, now ours for LEASE_S seconds, oldest first."""
    rows = connection.execute(CLAIM, (most, owner, LEASE_S)).fetchall()
    if not rows:
        return []
    steps: dict[uuid.UUID, dict[str, Entry]] = {row[0]: {} for row in rows}
    # A run that was never claimed before has no steps: most runs need no second question.
    begun = [row[0] for row in rows if row[1] > 1]
    if begun:
        for run_id, path, position, status, effect, attempt, *rest in connection.execute(STEPS, (begun,)):
            steps[run_id][path] = Entry(path, position, status, effect, attempt, *rest)
    return [claimed(row, steps[row[0]]) for row in rows]


def claimed(row: tuple[Json, ...], steps: dict[str, Entry]) -> Claimed:
    run_id, fence, workspace, scenario_id, version, trigger, given, key, started_at, _stalls, cancelled = row[:11]
    public, zone, language, *delivery = row[11:]
    return Claimed(
        id=run_id,
        fence=fence,
        workspace_id=workspace,
        scenario_id=scenario_id,
        version_id=version,
        trigger=trigger,
        input=given,
        key=key,
        started_at=started_at.isoformat().replace("+00:00", "Z"),
        cancelled=cancelled,
        scenario=public,
        timezone=zone,
        language=language,
        delivery=tuple(delivery) if delivery[0] is not None else None,
        steps=steps,
    )


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
