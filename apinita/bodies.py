"""Reads request bodies before anybody works on them, so that slow senders cannot take all the threads.

A server thread that reads from a socket cannot be stopped; so only some threads may read at once, and a request that
comes while all of those are busy is told to come again. Pages and health are thus always answered. A proxy in front
(deploy/Caddyfile) collects bodies before they come here.
"""

import io
import threading
from collections.abc import Callable, Iterable
from typing import Any

Environ = dict[str, Any]
StartResponse = Callable[..., Any]

SEATS = 8  # of the process's 16 threads or more
SEAT_WITHIN_S = 0.25  # an ordinary body is read in much less
CHUNK = 65_536
REFUSALS = {
    413: ("413 Content Too Large", b'{"code": "too_large", "text": "The body is too large."}'),
    503: (
        "503 Service Unavailable",
        b'{"code": "unavailable", "text": "Too many requests at once. Send it again later."}',
    ),
}


class Bodies:
    """One per process. `seats`: how many threads may read bodies at once."""

    def __init__(self, seats: int = SEATS) -> None:
        self.seats = threading.BoundedSemaphore(seats)

    def read(self, environ: Environ, most: int) -> bool:
        """Put the whole body into `wsgi.input`; answers whether there was a seat for it.

        A body over `most` bytes stays where it is if its length says so: whoever answers it must not read it.
        """
        declared = length_of(environ)
        if declared == 0 or (declared is not None and declared > most):
            return True
        if not self.seats.acquire(timeout=SEAT_WITHIN_S):
            return False
        try:
            environ["wsgi.input"] = io.BytesIO(read_all(environ["wsgi.input"], declared, most))
        finally:
            self.seats.release()
        return True


def length_of(environ: Environ) -> int | None:
    """The declared length; None where the body comes in chunks; 0 where there is no body."""
    text = str(environ.get("CONTENT_LENGTH") or "")
    if text.isascii() and text.isdecimal() and len(text) < 16:
        return int(text)
    in_frames = str(environ.get("SERVER_PROTOCOL", "")).startswith("HTTP/2")  # which need announce no length
    return None if in_frames or environ.get("HTTP_TRANSFER_ENCODING") else 0


def read_all(stream: Any, declared: int | None, most: int) -> bytes:
    """The body, of a chunked one at most a byte more than `most`: the reader sees that it is too large."""
    wanted = most + 1 if declared is None else declared
    pieces: list[bytes] = []
    size = 0
    while size < wanted and (piece := stream.read(min(CHUNK, wanted - size))):
        pieces.append(piece)
        size += len(piece)
    return b"".join(pieces)


def refuse(start_response: StartResponse, status: int) -> Iterable[bytes]:
    """413 or 503, unread: nobody behind us may begin to read such a body."""
    line, body = REFUSALS[status]
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body))), ("Connection", "close")]
    start_response(line, headers + ([("Retry-After", "5")] if status == 503 else []))
    return [body]
