"""Look a host name up within a given time, though the system's resolver has no time limit of its own.

Lookups run in threads of their own, bounded for the process and for each workspace, so that one person's dead name
server holds up nobody else; requests for the same name share a lookup that is under way.
"""

import os
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future

MAX_LOOKUPS = 32  # at once in a process
MAX_LOOKUPS_PER_POOL = 8  # at once for a workspace

Resolver = Callable[[str], Sequence[str]]


def system_resolver(host: str) -> list[str]:
    """All addresses in the system's order of preference. Raises OSError when there are none."""
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return [
        f"{address[0]}%{address[3]}" if len(address) == 4 and address[3] else str(address[0]) for *_, address in found
    ]


def lookup(host: str, resolver: Resolver, *, pool: str, wait_s: float) -> Sequence[str]:
    """Raises TimeoutError after `wait_s`, and whatever the resolver raises."""
    return _lookups.find(host, resolver, pool=pool, wait_s=wait_s)


class _Lookups:
    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._running: dict[tuple[Resolver, str], Future[Sequence[str]]] = {}
        self._per_pool: Counter[str] = Counter()

    def find(self, host: str, resolver: Resolver, *, pool: str, wait_s: float) -> Sequence[str]:
        end = time.monotonic() + wait_s
        with self._changed:
            while (future := self._running.get((resolver, host))) is None:
                if len(self._running) < MAX_LOOKUPS and self._per_pool[pool] < MAX_LOOKUPS_PER_POOL:
                    future = self._start(host, resolver, pool)
                    break
                if not self._changed.wait(max(0.0, end - time.monotonic())):
                    raise TimeoutError
        return future.result(max(0.0, end - time.monotonic()))

    def _start(self, host: str, resolver: Resolver, pool: str) -> "Future[Sequence[str]]":
        future: Future[Sequence[str]] = Future()
        threading.Thread(target=self._run, args=(future, host, resolver, pool), name="lookup", daemon=True).start()
        self._running[resolver, host] = future
        self._per_pool[pool] += 1
        return future

    def _run(self, future: "Future[Sequence[str]]", host: str, resolver: Resolver, pool: str) -> None:
        try:
            future.set_result(resolver(host))
        except Exception as error:
            future.set_exception(error)
        with self._changed:
            del self._running[resolver, host]
            self._per_pool[pool] -= 1
            if not self._per_pool[pool]:
                del self._per_pool[pool]
            self._changed.notify_all()


_lookups = _Lookups()


def _forget() -> None:
    global _lookups
    _lookups = _Lookups()


os.register_at_fork(after_in_child=_forget)  # the threads stay with the parent
