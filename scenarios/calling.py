"""Runs that another run's step has started: exactly one for each such step, and who is told of its end."""

import uuid
from dataclasses import dataclass
from typing import Any

from django.db import connection

from lib import safe_json
from lib.errors import Json, UserError
from scenarios import hints, recall
from scenarios.leases import Claimed

MOST_DEPTH = 5

# Only while the calling run is ours: whoever has lost it starts nothing.
START = """
WITH caller AS (
    SELECT id, workspace_id, depth FROM scenarios_run
    WHERE id = %(caller)s AND fence = %(fence)s AND status = 'running' AND lease_until > clock_timestamp()
)
INSERT INTO scenarios_run (id, workspace_id, scenario_id, version_id, trigger, input, key, status, fence, owner,
    waits_for, stalls, wake_at, is_limited, engine, depth, parent_id, parent_path)
SELECT %(id)s, caller.workspace_id, scenario.id, scenario.published_id, 'scenario', %(input)s::jsonb, %(key)s, 'queued',
    0, '', '', 0, CASE WHEN scenario.max_concurrent = 0 THEN clock_timestamp() END, scenario.max_concurrent > 0,
    scenario.engine, caller.depth + 1, caller.id, %(path)s
FROM caller JOIN scenarios_scenario scenario ON scenario.workspace_id = caller.workspace_id
WHERE scenario.public_id = %(scenario)s AND scenario.published_id IS NOT NULL AND scenario.deleted_at IS NULL
    AND scenario.paused_reason IS NULL
ON CONFLICT DO NOTHING
"""
IS_OURS = """
SELECT EXISTS (SELECT FROM scenarios_run WHERE id = %s AND fence = %s AND status = 'running')
"""
LOOK = "SELECT status FROM scenarios_run WHERE id = %s AND parent_id = %s"
LAST_STEP = """
SELECT path FROM scenarios_steprun
WHERE run_id = %s AND path NOT LIKE '%%/%%' AND path NOT LIKE '%%!%%' AND status IN ('succeeded', 'failed', 'skipped')
ORDER BY position DESC LIMIT 1
"""
# A caller that sleeps until the other run's end is queued; nothing happens where it does not sleep, or not any more.
WAKE = """
UPDATE scenarios_run caller SET status = 'queued', wake_at = clock_timestamp(), waits_for = ''
FROM scenarios_run called
WHERE caller.status = 'waiting' AND caller.waits_for <> '' AND called.status IN ('succeeded', 'failed', 'cancelled')
    AND called.id = CASE WHEN caller.waits_for LIKE 'run:%%' THEN substr(caller.waits_for, 5)::uuid END
"""
WAKE_ONE = WAKE + " AND caller.id = %s"


@dataclass(frozen=True)
class RunCalls:
    """The calls of one claimed run (scenarios.engine_terms.Calls). Uses Django's connection of the thread."""

    run: Claimed

    def start(self, run_id: uuid.UUID, path: str, *, scenario: str, payload: Json) -> None:
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
                cursor.execute(IS_OURS, [self.run.id, self.run.fence])
                if cursor.fetchone()[0]:
                    raise UserError("scenario_not_callable", params={"name": scenario})
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
