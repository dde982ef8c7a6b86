"""Requests that wait for a run: the first second is free, and beyond it only so many threads of a process may wait."""

import logging
import time
import uuid
from collections.abc import Callable
from typing import TypeVar

import psycopg
from django.db import Error as DatabaseError
from django.db import connection

from accounts import seats
from scenarios import hints

log = logging.getLogger(__name__)

Found = TypeVar("Found")

FREE_S = 1.0


def until(look: Callable[[], Found | None], run_id: uuid.UUID, seconds: float) -> Found | None:
    """What `look` finds in the database about a run, at the latest after `seconds`.

    None where it came to nothing in time, where all seats are taken, and where the database is away: the run is
    stored, and whoever asked can come back for it. Holds no connection while waiting.
    """
    begun = time.monotonic()
    try:
        found = watch(look, run_id, deadline=begun + min(seconds, FREE_S))
        if found is not None or seconds <= FREE_S or not seats.seats.acquire(blocking=False):
            return found
        try:
            return watch(look, run_id, deadline=begun + seconds)
        finally:
            seats.seats.release()
    except (DatabaseError, psycopg.Error) as error:
        log.warning("a run cannot be waited for: %s", type(error).__name__)
        return None
    finally:
        let_go()


def watch(look: Callable[[], Found | None], run_id: uuid.UUID, *, deadline: float) -> Found | None:
    while True:
        left = deadline - time.monotonic()
        if left > 0:
            let_go()
            hints.shared().await_reply(run_id, left)
        found = look()
        if found is not None or left <= 0:
            return found


def let_go() -> None:
    """Give the connection back to the pool; a transaction (a test's) keeps its own."""
    if not connection.in_atomic_block:
        connection.close()
