"""Values too large for a step's row: the row keeps how large and how they start, the whole stands in a table apart.

The engine opens them where a later step needs them, pages and the API where somebody asks for the whole.
"""

import uuid
from collections.abc import Collection, Iterable
from typing import Any

import psycopg
from django.db import connection

from lib import safe_json
from lib.errors import Json

MOST_BYTES = 256 * 1024  # of JSON text in a row
SHOWN = 2_000  # characters of the start that the row keeps
NAMES = ("inputs", "exchange", "result")

Place = tuple[str, str]  # a step's path, and which of its values

OPEN = """
SELECT path, name, value FROM scenarios_payload
WHERE run_id = %s AND (path, name) IN (SELECT * FROM unnest(%s::text[], %s::text[]))
"""
IN_ROWS = """
SELECT path, inputs::text, exchange::text, result::text FROM scenarios_steprun WHERE run_id = %s AND path = ANY(%s)
"""
COPY = """
INSERT INTO scenarios_payload (run_id, path, name, value)
SELECT %s, path, name, value FROM scenarios_payload WHERE run_id = %s AND path = ANY(%s)
"""


def cut(whole: str) -> str:
    """What the row holds in place of the JSON text `whole`, as JSON text."""
    return safe_json.dumps({"_cut": {"bytes": len(whole.encode()), "start": whole[:SHOWN]}}).decode()


def is_cut(value: Json) -> bool:
    if not isinstance(value, dict) or len(value) != 1:
        return False
    told = value.get("_cut")
    return isinstance(told, dict) and told.keys() == {"bytes", "start"}


def open_many(hot: psycopg.Connection, run_id: uuid.UUID, places: Collection[Place]) -> dict[Place, Json]:
    """The whole values of one run, by path and name; what does not stand apart is as its row has it."""
    paths, names = zip(*places, strict=True) if places else ((), ())
    found = _parsed(hot.execute(OPEN, (run_id, list(paths), list(names))))
    if missing := [place for place in places if place not in found]:
        rows = hot.execute(IN_ROWS, (run_id, [path for path, _name in missing])).fetchall()
        found |= _of_rows(rows, missing)
    return found


def open_value(run_id: uuid.UUID, path: str, name: str) -> Json:
    """The whole value of a step; None once retention has taken it. Uses Django's connection of this thread."""
    with connection.cursor() as cursor:
        cursor.execute(OPEN, [run_id, [path], [name]])
        found = _parsed(cursor.fetchall())
        if not found:
            # A service may answer what looks like our mark: then the mark is the value.
            cursor.execute(IN_ROWS, [run_id, [path]])
            found = _of_rows(cursor.fetchall(), [(path, name)])
    return found[path, name]


def copy(source: uuid.UUID, target: uuid.UUID, paths: Collection[str]) -> None:
    """Give a run the large values of another one's steps. Within the caller's transaction."""
    with connection.cursor() as cursor:
        cursor.execute(COPY, [target, source, list(paths)])


def _parsed(rows: Iterable[tuple[Any, ...]]) -> dict[Place, Json]:
    return {(path, name): safe_json.loads(value, lenient=True) for path, name, value in rows}


def _of_rows(rows: Iterable[tuple[Any, ...]], places: Collection[Place]) -> dict[Place, Json]:
    texts = {(path, name): text for path, *values in rows for name, text in zip(NAMES, values, strict=True)}
    kept = {place: texts.get(place) for place in places}
    return {place: None if text is None else safe_json.loads(text, lenient=True) for place, text in kept.items()}
