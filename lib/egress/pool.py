"""Open connections that wait for the next request, the latest used first.

They belong to one workspace, one origin and one policy, so nobody sends over a connection that another's rules allowed.
"""

import os
import threading
import time
from collections import deque

from lib.egress.connection import Connection
from lib.egress.policy import Policy
from lib.egress.urls import Origin

IDLE_S = 20.0
MAX_IDLE = 256  # in a process
SWEEP_S = 1.0

Key = tuple[Policy, str, Origin]


class Pool:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: dict[Key, deque[Connection]] = {}
        self._count = 0
        self._next_sweep = 0.0

    def take(self, key: Key) -> Connection | None:
        """A connection that is still open and silent, or None."""
        while True:
            with self._lock:
                idle = self._idle.get(key)
                if not idle:
                    return None
                conn = idle.pop()
                self._count -= 1
                if not idle:
                    del self._idle[key]
            if time.monotonic() < conn.expires_at and conn.is_quiet():
                conn.reuse()
                return conn
            conn.close()

    def put(self, key: Key, conn: Connection, *, keep_s: float = IDLE_S) -> None:
        """Keep it for the next request, at most as long as the other side does."""
        now = time.monotonic()
        conn.expires_at = now + min(keep_s, IDLE_S)
        stale: list[Connection] = []
        with self._lock:
            if now >= self._next_sweep:
                self._next_sweep = now + SWEEP_S
                stale = self._expired(now)
            if self._count < MAX_IDLE:
                self._idle.setdefault(key, deque()).append(conn)
                self._count += 1
            else:
                stale.append(conn)
        for one in stale:
            one.close()

    def clear(self) -> None:
        with self._lock:
            idle, self._idle, self._count = self._idle, {}, 0
        for conns in idle.values():
            for conn in conns:
                conn.close()

    def _expired(self, now: float) -> list[Connection]:
        expired = []
        for key, conns in list(self._idle.items()):
            while conns and conns[0].expires_at <= now:
                expired.append(conns.popleft())
            if not conns:
                del self._idle[key]
        self._count -= len(expired)
        return expired


POOL = Pool()


def _forget() -> None:
    """The connections stay the parent's: a child closes only its own copies of their descriptors."""
    POOL._lock = threading.Lock()  # it may have been held by another thread of the parent
    POOL.clear()


os.register_at_fork(after_in_child=_forget)
