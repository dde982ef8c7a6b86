"""Ends requests that are under way, from another thread: by shutting down their sockets."""

import contextlib
import socket
import threading


class Aborted(Exception):
    """Inside the egress: the caller has ended the request."""


class Abort:
    """Hand it to requests, one after the other or several at once; `abort` ends them all, now and from then on."""

    __slots__ = ("_is_set", "_lock", "_socks")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._socks: set[socket.socket] = set()
        self._is_set = False

    @property
    def is_set(self) -> bool:
        return self._is_set

    def abort(self) -> None:
        """May be called from any thread, at any time, and more than once."""
        with self._lock:
            self._is_set = True
            for sock in self._socks:
                # Shut down, not closed: that wakes whoever waits for it, and its number is not given to a new socket.
                # An SSLSocket's own method would pull the TLS state from under the thread that is using it.
                with contextlib.suppress(OSError):
                    socket.socket.shutdown(sock, socket.SHUT_RDWR)

    def check(self) -> None:
        """Raises Aborted."""
        if self._is_set:
            raise Aborted

    def watch(self, sock: socket.socket) -> None:
        """Shut this one down, too, until `forget`. Raises Aborted when it is too late for that."""
        with self._lock:
            if self._is_set:
                raise Aborted
            self._socks.add(sock)

    def forget(self, sock: socket.socket) -> None:
        """Before it is closed or kept for another request; after this, `abort` does not touch it."""
        with self._lock:
            self._socks.discard(sock)
