"""Limits how many requests of a connection are under way at once, in all processes: numbered places with a lease.

A place is one row, taken by locking that row alone: whoever finds none is told so at once. The place of a process
that died gets free when its lease ends.
"""

import random

from django.db import connection as database
from django.db import transaction

from connections.models import Connection
from lib.errors import Json, UserError

LOOK_S = 1.0  # until whoever found no place looks again

TAKE = """
UPDATE connections_requestslot
SET holder = %(holder)s, lease_until = clock_timestamp() + make_interval(secs => %(lease)s)
WHERE id = (
    SELECT id FROM connections_requestslot
    WHERE connection_id = %(id)s AND number <= %(limit)s
      AND (lease_until IS NULL OR lease_until < clock_timestamp())
    ORDER BY number LIMIT 1 FOR UPDATE SKIP LOCKED
)
"""
MAKE = """
INSERT INTO connections_requestslot (connection_id, number, holder)
SELECT %(id)s, number, '' FROM generate_series(1, %(limit)s) AS number
WHERE NOT EXISTS (
    SELECT FROM connections_requestslot AS there WHERE there.connection_id = %(id)s AND there.number = number.number
)
ON CONFLICT DO NOTHING
"""
EXTEND = """
UPDATE connections_requestslot SET lease_until = clock_timestamp() + make_interval(secs => %(lease)s)
WHERE connection_id = %(id)s AND holder = %(holder)s AND lease_until > clock_timestamp()
"""
LEAVE = """
UPDATE connections_requestslot SET holder = '', lease_until = NULL WHERE connection_id = %(id)s AND holder = %(holder)s
"""


def take(connection: Connection, holder: str, *, limit: int, lease_s: float) -> None:
    """A place for `holder`. Raises UserError connection_busy."""
    values = {"id": connection.pk, "holder": holder, "limit": limit, "lease": lease_s}
    if execute(TAKE, values) or (execute(MAKE, values) and execute(TAKE, values)):
        return
    raise busy(connection)


def extend(connection: Connection, holder: str, *, lease_s: float) -> None:
    """Raises UserError connection_busy where the place was lost in the meantime."""
    if not execute(EXTEND, {"id": connection.pk, "holder": holder, "lease": lease_s}):
        raise busy(connection)


def leave(connection: Connection, holder: str) -> None:
    execute(LEAVE, {"id": connection.pk, "holder": holder})


def execute(statement: str, values: dict[str, Json]) -> int:
    """How many rows it was about."""
    with transaction.atomic(), database.cursor() as cursor:
        cursor.execute(statement, values)
        return int(cursor.rowcount)


def busy(connection: Connection) -> UserError:
    return UserError(
        "connection_busy",
        params={"connection": connection.slug, "name": connection.name},
        retry=True,
        retry_after_s=LOOK_S * random.uniform(0.75, 1.25),  # noqa: S311
    )
