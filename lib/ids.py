"""Names for rows: time-ordered keys for tables that grow, and opaque public ids that tell nothing."""

import os
import secrets
import threading
import time
import uuid

BUFFERED = 4_000  # bytes: asking the system for ten at a time would cost more than all the rest
NEEDED = 10


class Random(threading.local):
    """Random bytes from the system, fetched in larger pieces; each thread has its own, and a fork starts anew."""

    def __init__(self) -> None:
        self.left = b""
        self.process = os.getpid()

    def take(self) -> int:
        if len(self.left) < NEEDED or self.process != os.getpid():
            self.left, self.process = os.urandom(BUFFERED), os.getpid()
        taken, self.left = self.left[:NEEDED], self.left[NEEDED:]
        return int.from_bytes(taken)


_random = Random()


def uuid7() -> uuid.UUID:
    """A time-ordered UUID (RFC 9562, version 7): inserts stay at the end of the index."""
    value = (time.time_ns() // 1_000_000 & (1 << 48) - 1) << 80 | _random.take()
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return uuid.UUID(int=value)


def public_id() -> str:
    """An opaque id of 128 random bits for addresses and the API: 22 letters, digits, `-`, `_`."""
    return secrets.token_urlsafe(16)
