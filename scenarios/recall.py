"""What the journal knows of a run that goes on: its steps, lean at first, and the results that are needed after all."""

import uuid
from collections.abc import Collection, Iterable
from typing import Any

import psycopg
from django.db import connection
from django.utils.translation import gettext

from lib import safe_json
from lib.errors import Json, describe
from scenarios import payloads
from scenarios.engine_terms import UNREAD, Entry

# Of ended steps only small results come along: a loop of thousands would not fit otherwise.
STEPS = """
SELECT run_id, path, position, status, effect, attempt,
    CASE WHEN status IN ('succeeded', 'failed', 'skipped') THEN NULL ELSE inputs END,
    CASE WHEN result IS NULL OR pg_column_size(result) <= 200 THEN result END,
    result IS NULL OR pg_column_size(result) <= 200,
    error, extract(epoch FROM started_at)::float8, extract(epoch FROM resume_at)::float8
FROM scenarios_steprun WHERE run_id = ANY(%s)
"""
RESULTS = "SELECT path, result::text, status, error::text FROM scenarios_steprun WHERE run_id = %s AND path = ANY(%s)"
# The last step of each pass of a loop; a path of it reads s4[17]/s5.
PASSES = """
SELECT DISTINCT ON (number) path, result::text, status, error::text,
    split_part(substr(path, %(start)s), ']', 1)::int AS number
FROM (
    SELECT * FROM scenarios_steprun
    WHERE run_id = %(run)s AND path >= %(from)s AND path < %(to)s
        AND substr(path, %(start)s) ~ '^[0-9]+\\]/[a-z0-9_]+$'
) AS steps ORDER BY number, position DESC
"""
Row = tuple[str, str | None, str, str | None]


def entries(hot: psycopg.Connection, run_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, dict[str, Entry]]:
    """The steps of runs that were begun before, by path."""
    found: dict[uuid.UUID, dict[str, Entry]] = {run_id: {} for run_id in run_ids}
    for (
        run_id,
        path,
        position,
        status,
        effect,
        attempt,
        inputs,
        result,
        is_read,
        error,
        started_at,
        resume_at,
    ) in hot.execute(STEPS, (list(run_ids),)):
        if payloads.is_cut(inputs):
            inputs = payloads.open_many(hot, run_id, [(path, "inputs")])[path, "inputs"]
        found[run_id][path] = Entry(
            path,
            position,
            status,
            effect,
            attempt,
            inputs,
            None,
            result if is_read and not payloads.is_cut(result) else UNREAD,
            error,
            started_at,
            resume_at=resume_at,
        )
    return found


def results(run_id: uuid.UUID, paths: Collection[str]) -> dict[str, Json]:
    """The values that ended steps give to those after them, by path. Uses Django's connection of this thread."""
    with connection.cursor() as cursor:
        cursor.execute(RESULTS, [run_id, list(paths)])
        found = dict(values(run_id, cursor.fetchall()))
        for path, value in found.items():
            if in_journal(value):
                found[path] = {**value, "results": passes(run_id, path)}
    return found


def passes(run_id: uuid.UUID, path: str) -> list[Json]:
    """The result of each pass of a loop, in order."""
    start = f"{path}["
    where: dict[str, Any] = {"run": run_id, "from": start, "to": f"{path}\\", "start": len(start) + 1}
    with connection.cursor() as cursor:
        cursor.execute(PASSES, where)
        rows = [row[:4] for row in cursor.fetchall()]
    return [value for _path, value in values(run_id, rows)]


def values(run_id: uuid.UUID, rows: Iterable[Row]) -> Iterable[tuple[str, Json]]:
    for path, result, status, error in rows:
        if status == "failed":
            told = describe(parsed(error), gettext)
            yield path, {"error": {name: told[name] for name in ("code", "text", "params", "path")}}
            continue
        value = parsed(result)
        yield path, payloads.open_value(run_id, path, "result") if payloads.is_cut(value) else value


def parsed(text: str | None) -> Json:
    """Django leaves jsonb as text."""
    return None if text is None else safe_json.loads(text, lenient=True)


def in_journal(value: Json) -> bool:
    """Whether this is the result of a loop whose passes' results stay in the journal."""
    return isinstance(value, dict) and isinstance(value.get("results"), dict) and "_passes" in value["results"]
