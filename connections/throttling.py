"""Holds back all requests of a connection while its service asks to wait: one governor for every process.

The state is in the connection's row, and the only clock is the database's. When the time is over, one request goes
ahead as a probe, by compare-and-set and with a lease; what becomes of it decides for the others.
"""

import random
import threading
import time
from datetime import datetime

from django.db import connection as database
from django.db import transaction
from django.utils import timezone

from actions.answers import body_of, retry_after_s
from connections import events
from connections.models import Connection
from lib import egress
from lib.errors import Json, UserError

FIRST_WINDOW_S = 2.0  # where the service names no time; doubling
LONGEST_WINDOW_S = 300.0
PROBE_LOOK_S = 2.0  # until those who wait for a probe look again: its end wakes them earlier
LARGEST_JUDGED = 65536  # bytes of a 403 that are looked at

# 403 may mean "slow down": https://developers.google.com/workspace/calendar/api/guides/errors
SLOW_DOWN = frozenset({"rateLimitExceeded", "userRateLimitExceeded", "quotaExceeded"})

LOOK = """
SELECT EXTRACT(EPOCH FROM blocked_until - clock_timestamp())::float8 FROM connections_connection WHERE id = %(id)s
"""
CLAIM = """
UPDATE connections_connection
SET probe_owner = %(owner)s, probe_until = clock_timestamp() + make_interval(secs => %(lease)s)
WHERE id = %(id)s AND blocked_until <= clock_timestamp()
  AND (probe_until IS NULL OR probe_until < clock_timestamp())
"""
EXTEND = """
UPDATE connections_connection SET probe_until = clock_timestamp() + make_interval(secs => %(lease)s)
WHERE id = %(id)s AND probe_owner = %(owner)s
"""
FREE = """
UPDATE connections_connection SET probe_owner = '', probe_until = NULL WHERE id = %(id)s AND probe_owner = %(owner)s
"""
# A window that somebody's 429 has opened in the meantime stays.
RELEASE = """
UPDATE connections_connection
SET blocked_until = CASE WHEN blocked_until > clock_timestamp() THEN blocked_until END,
    throttle_count = CASE WHEN blocked_until > clock_timestamp() THEN throttle_count ELSE 0 END,
    probe_owner = '', probe_until = NULL
WHERE id = %(id)s AND probe_owner = %(owner)s
RETURNING blocked_until IS NULL
"""
# Of many requests that were under way together each may be refused: the window doubles once, not once for each.
BLOCK = """
UPDATE connections_connection
SET blocked_until = GREATEST(
        blocked_until,
        CASE WHEN %(wait)s::float8 IS NOT NULL THEN clock_timestamp() + make_interval(secs => %(wait)s::float8)
             WHEN {opens} THEN clock_timestamp() + make_interval(secs =>
                 LEAST(%(longest)s::float8, %(first)s * 2.0::float8 ^ LEAST(throttle_count, 20)) * %(jitter)s)
        END
    ),
    throttle_count = throttle_count + CASE WHEN {opens} THEN 1 ELSE 0 END,
    probe_owner = CASE WHEN probe_owner = %(owner)s THEN '' ELSE probe_owner END,
    probe_until = CASE WHEN probe_owner = %(owner)s THEN NULL ELSE probe_until END
WHERE id = %(id)s
""".replace(
    "{opens}",
    """(blocked_until IS NULL OR probe_owner = %(owner)s
        OR (blocked_until < clock_timestamp() AND (probe_until IS NULL OR probe_until < clock_timestamp())))""",
)
NOBODY = "-"  # the owner of no probe


class Latest:
    """When this process last heard of a connection that it must wait: older rows of it are read again."""

    def __init__(self) -> None:
        self.heard: dict[int, float] = {}
        self.lock = threading.Lock()

    def note(self, connection_id: int) -> None:
        with self.lock:
            self.heard[connection_id] = time.monotonic()

    def is_later(self, connection_id: int, than: float) -> bool:
        return self.heard.get(connection_id, 0.0) > than


LATEST = Latest()


def ask(connection: Connection, owner: str, *, lease_s: float) -> bool:
    """Whether the request goes ahead as the probe of `owner`; False where nothing holds it back.

    Raises UserError connection_throttled, with the seconds until another try is worth it.
    """
    with database.cursor() as cursor:
        cursor.execute(LOOK, {"id": connection.pk})
        row = cursor.fetchone()
        if row is None or row[0] is None:
            return False
        if row[0] > 0:
            raise held(connection, spread(row[0]))
        cursor.execute(CLAIM, {"id": connection.pk, "owner": owner, "lease": lease_s})
        if cursor.rowcount == 1:
            return True
    raise held(connection, PROBE_LOOK_S * random.uniform(0.75, 1.25))  # noqa: S311


def extend(connection: Connection, owner: str, *, lease_s: float) -> None:
    execute(EXTEND, {"id": connection.pk, "owner": owner, "lease": lease_s})


def block(connection: Connection, wait_s: float | None, owner: str = NOBODY) -> None:
    """The service wants to be left alone, for `wait_s` seconds where it names a time. Ends the probe of `owner`."""
    jitter = random.uniform(0.9, 1.1)  # noqa: S311
    execute(
        BLOCK,
        {
            "id": connection.pk,
            "owner": owner,
            "wait": wait_s,
            "first": FIRST_WINDOW_S,
            "longest": LONGEST_WINDOW_S,
            "jitter": jitter,
        },
    )
    LATEST.note(connection.pk)


def let_through(connection: Connection, owner: str) -> None:
    """The probe of `owner` was answered: nobody is held back any more, and those who wait are told."""
    with transaction.atomic(), database.cursor() as cursor:
        cursor.execute(RELEASE, {"id": connection.pk, "owner": owner})
        row = cursor.fetchone()
    if row and row[0]:
        events.tell_released(connection)


def free(connection: Connection, owner: str) -> None:
    """The probe of `owner` was not sent: the next who asks may be it."""
    execute(FREE, {"id": connection.pk, "owner": owner})


def execute(statement: str, values: dict[str, Json]) -> None:
    with transaction.atomic(), database.cursor() as cursor:  # a failure must not end a transaction of the caller's
        cursor.execute(statement, values)


def wish_of(response: egress.Response) -> tuple[bool, float | None]:
    """Whether an answer asks to wait, and for how many seconds where it says so."""
    wait_s = retry_after_s(response)
    if response.status == 503:
        return wait_s is not None, wait_s
    return response.status == 429 or (response.status == 403 and asks_to_slow_down(response)), wait_s


def asks_to_slow_down(response: egress.Response) -> bool:
    """Google's errors: {"error": {"errors": [{"reason": …}]}}."""
    if len(response.body) > LARGEST_JUDGED:
        return False
    body = body_of(response)
    error = body.get("error") if isinstance(body, dict) else None
    entries = error.get("errors") if isinstance(error, dict) else None
    reasons = [entry.get("reason") for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
    return any(isinstance(reason, str) and reason in SLOW_DOWN for reason in reasons)


def throttled_until(connection: Connection) -> datetime | None:
    """For people to read: until when the service has asked to wait, None once that is over."""
    until = connection.blocked_until
    return until if until is not None and until > timezone.now() else None


def spread(seconds: float) -> float:
    """Never before the window's end, and not all at once after it."""
    return seconds + random.uniform(0, min(5.0, 0.25 + 0.05 * seconds))  # noqa: S311


def held(connection: Connection, seconds: float) -> UserError:
    return UserError(
        "connection_throttled",
        params={"connection": connection.slug, "name": connection.name, "waits_for": waits_for(connection)},
        retry=True,
        retry_after_s=seconds,
    )


def waits_for(connection: Connection) -> str:
    """What a run waits for that the governor holds back."""
    return f"rate:{connection.pk}"
