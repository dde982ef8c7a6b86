"""Reads request bodies before anybody works on them, so that slow senders cannot take all the threads.

A server thread that reads from a socket cannot be stopped. The first few bodies are read by the threads of their own
requests, which costs nothing. While those are busy, helper threads read; a body that does not come in time, or is the
slowest when another one needs its seat, is given up with 408. Some threads are thus always left for everybody else.
"""

import io
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

Environ = dict[str, Any]
StartResponse = Callable[..., Any]

SECONDS = 15.0
OWN_READERS = 4  # threads of the web process that may read by themselves
SEATS = 8  # threads of the web process that may wait for a helper
HELPERS = 64
CHUNK = 65_536


@dataclass
class Reading:
    """A body that a helper reads; its request's thread waits for `over`."""

    over: threading.Event = field(default_factory=threading.Event)
    body: bytes | None = None

    def by(self, stream: Any, declared: int | None, most: int) -> None:
        try:
            self.body = read_all(stream, declared, most)
        finally:
            self.over.set()


class Bodies:
    """One per process."""

    def __init__(self) -> None:
        self.own = threading.BoundedSemaphore(OWN_READERS)
        self.helpers = ThreadPoolExecutor(HELPERS, thread_name_prefix="body")
        self.lock = threading.Lock()
        self.seats: list[Reading] = []  # oldest first

    def read(self, environ: Environ, most: int) -> bool:
        """Put the whole body into `wsgi.input`; answers whether it came in time.

        A body over `most` bytes stays where it is if its length says so: whoever answers it need not read it.
        """
        declared = length_of(environ)
        if declared == 0 or (declared is not None and declared > most):
            return True
        if self.own.acquire(blocking=False):
            try:
                environ["wsgi.input"] = io.BytesIO(read_all(environ["wsgi.input"], declared, most))
            finally:
                self.own.release()
            return True
        return self.read_with_help(environ, declared, most)

    def read_with_help(self, environ: Environ, declared: int | None, most: int) -> bool:
        reading = self.take_seat()
        self.helpers.submit(reading.by, environ["wsgi.input"], declared, most)
        reading.over.wait(SECONDS)
        with self.lock:
            if reading in self.seats:
                self.seats.remove(reading)
        if reading.body is None:
            return False
        environ["wsgi.input"] = io.BytesIO(reading.body)
        return True

    def take_seat(self) -> Reading:
        """A seat, if need be that of the reading that has lasted longest."""
        reading = Reading()
        with self.lock:
            if len(self.seats) >= SEATS:
                self.seats.pop(0).over.set()
            self.seats.append(reading)
        return reading


def length_of(environ: Environ) -> int | None:
    """The declared length; None where the body comes in chunks; 0 where there is no body."""
    text = str(environ.get("CONTENT_LENGTH") or "")
    if text.isascii() and text.isdecimal() and len(text) < 16:
        return int(text)
    return None if environ.get("HTTP_TRANSFER_ENCODING") else 0


def read_all(stream: Any, declared: int | None, most: int) -> bytes:
    """The body, of a chunked one at most a byte more than `most`: the reader sees that it is too large."""
    wanted = most + 1 if declared is None else declared
    pieces: list[bytes] = []
    size = 0
    while size < wanted and (piece := stream.read(min(CHUNK, wanted - size))):
        pieces.append(piece)
        size += len(piece)
    return b"".join(pieces)


def refuse(start_response: StartResponse) -> Iterable[bytes]:
    body = b"The body did not come in time.\n"
    headers = [("Content-Type", "text/plain"), ("Content-Length", str(len(body))), ("Connection", "close")]
    start_response("408 Request Timeout", headers)
    return [body]
