"""How many threads of a process may wait for somebody else's server at once, so that pages always find some."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from lib.errors import UserError

SEATS = 8  # of the process's 16 threads or more
SEAT_WITHIN_S = 5
BUSY_S = 5  # after which a refused request is worth another try

seats = threading.BoundedSemaphore(SEATS)


@contextmanager
def seat() -> Iterator[None]:
    """A place among those who may wait. Raises UserError `too_many_requests` where none gets free in time."""
    if not seats.acquire(timeout=SEAT_WITHIN_S):
        raise UserError("too_many_requests", params={"seconds": BUSY_S}, retry_after_s=BUSY_S)
    try:
        yield
    finally:
        seats.release()
