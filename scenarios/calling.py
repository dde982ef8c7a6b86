"""Runs that another run's step has started: exactly one for each such step, and who is told of its end."""

import uuid
from dataclasses import dataclass
from typing import Any

from django.db import connection

from lib import safe_json
from lib.errors import Json, UserError
from scenarios import hints, recall
from scenarios.engine_terms import Cancelled
from scenarios.journal import LeaseLost
from scenarios.leases import Claimed

MOST_DEPTH = 5

# Only while the calling run is ours and nobody wants it cancelled: whoever cancels it looks for its runs afterwards,
# with its row locked. A run of a scenario that stands above it needs no place: the one above keeps its own, and waits.
START = """
WITH RECURSIVE caller AS (
    SELECT id, workspace_id, scenario_id, parent_id, depth FROM scenarios_run
    WHERE id = %(caller)s AND fence = %(fence)s AND status = 'running' AND lease_until > clock_timestamp()
        AND cancel_requested_at IS NULL
    FOR SHARE
), above AS (
    SELECT scenario_id, parent_id FROM caller
    UNION ALL
    SELECT run.scenario_id, run.parent_id FROM scenarios_run run JOIN above ON run.id = above.parent_id
), called AS (
    SELECT scenario.*, max_concurrent > 0 AND id NOT IN (SELECT scenario_id FROM above) AS needs_place
    FROM scenarios_scenario scenario WHERE public_id = %(scenario)s
)
INSERT INTO scenarios_run (id, workspace_id, scenario_id, version_id, trigger, input, key, status, fence, owner,
    waits_for, stalls, wake_at, is_limited, engine, depth, parent_id, parent_path)
SELECT %(id)s, caller.workspace_id, scenario.id, scenario.published_id, 'scenario', %(input)s::jsonb, %(key)s, 'queued',
    0, '', '', 0, CASE WHEN NOT scenario.needs_place THEN clock_timestamp() END, scenario.needs_place,
    scenario.engine, caller.depth + 1, caller.id, %(path)s
FROM caller JOIN called scenario ON scenario.workspace_id = caller.workspace_id
WHERE scenario.published_id IS NOT NULL AND scenario.deleted_at IS NULL
    AND scenario.paused_reason IS NULL
ON CONFLICT DO NOTHING
"""
IS_CANCELLED = """
SELECT cancel_requested_at IS NOT NULL FROM scenarios_run
WHERE id = %s AND fence = %s AND status = 'running' AND lease_until > clock_timestamp()
"""
LOOK = "SELECT status FROM scenarios_run WHERE id = %s AND parent_id = %s"
LAST_STEP = """
SELECT path FROM scenarios_steprun
WHERE run_id = %s AND path NOT LIKE '%%/%%' AND path NOT LIKE '%%!%%' AND status IN ('succeeded', 'failed', 'skipped')
ORDER BY position DESC LIMIT 1
"""
# A caller that sleeps until the other run's end is queued; nothing happens where it does not sleep, or not any more.
WAKE = """
UPDATE scenarios_run caller SET status = 'queued', wake_at = clock_timestamp(), waits_for = '',
    deadline_at = caller.deadline_at - greatest(caller.wake_at - clock_timestamp(), interval '0')
FROM scenarios_run called
WHERE caller.status = 'waiting' AND caller.waits_for <> '' AND caller.waits_for LIKE 'run:%%'
    AND called.status IN ('succeeded', 'failed', 'cancelled')
    AND called.id = CASE WHEN caller.waits_for LIKE 'run:%%' THEN substr(caller.waits_for, 5)::uuid END
"""
WAKE_ONE = WAKE + " AND caller.id = %s"


@dataclass(frozen=True)
class RunCalls:
    """The calls of one claimed run (scenarios.engine_terms.Calls). Uses Django's connection of the thread."""

    run: Claimed

    def start(self, run_id: uuid.UUID, path: str, *, scenario: str, payload: Json) -> None:
        """Raises also Cancelled and LeaseLost: then nothing was started."""
        if self.run.depth >= MOST_DEPTH:
            raise UserError("too_deep", params={"most": MOST_DEPTH})
        given: dict[str, Any] = {
            "id": run_id,
            "caller": self.run.id,
            "fence": self.run.fence,
            "path": path,
            "scenario": scenario,
            "input": safe_json.dumps(safe_json.storable({"body": payload})).decode(),
            # The same in a repetition of the whole calling run, so that keyed steps of the called one stay keyed.
            "key": uuid.uuid5(self.run.key, path),
        }
        with connection.cursor() as cursor:
            cursor.execute(START, given)
            started = cursor.rowcount
            if not started:
                cursor.execute(IS_CANCELLED, [self.run.id, self.run.fence])
                found = cursor.fetchone()
                if found is None:
                    raise LeaseLost(self.run.id.hex)
                raise Cancelled if found[0] else UserError("scenario_not_callable", params={"name": scenario})
        hints.shared().wake()

    def outcome(self, run_id: uuid.UUID) -> tuple[str, Json] | None:
        with connection.cursor() as cursor:
            cursor.execute(LOOK, [run_id, self.run.id])
            row = cursor.fetchone()
            if row is None:
                raise LookupError(run_id.hex)
            status = row[0]
            if status not in {"succeeded", "failed", "cancelled"}:
                return None
            cursor.execute(LAST_STEP, [run_id])
            last = cursor.fetchone()
        return status, recall.results(run_id, [last[0]])[last[0]] if last else None


def wake_caller(caller_id: uuid.UUID) -> None:
    """Queue a run that sleeps until the end of one that has ended."""
    with connection.cursor() as cursor:
        cursor.execute(WAKE_ONE, [caller_id])
        woken = cursor.rowcount
    if woken:
        hints.shared().wake()
