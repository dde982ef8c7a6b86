"""What came in: every request in the order of its arrival, for tests to look at, and the echo's inbox."""

import threading
from collections import deque
from dataclasses import dataclass

from sandbox.messages import Json, Request

INBOX_SIZE = 50


@dataclass
class Exchange:
    """A request and the status it got; None while it is being answered, 0 when the connection was dropped."""

    request: Request
    status: int | None = None

    @property
    def method(self) -> str:
        return self.request.method

    @property
    def path(self) -> str:
        """As sent, percent-encoding untouched."""
        return self.request.path

    @property
    def target(self) -> str:
        """Path and query as sent."""
        return self.request.target

    @property
    def query(self) -> dict[str, str | list[str]]:
        return self.request.query

    @property
    def headers(self) -> dict[str, str]:
        """Names in lower case."""
        return dict(self.request.headers)

    @property
    def body(self) -> bytes:
        return self.request.body

    @property
    def time(self) -> float:
        """Seconds since 1970."""
        return self.request.time

    def json(self) -> Json:
        return self.request.json()

    def form(self) -> dict[str, str | list[str]]:
        return self.request.form()

    def as_json(self) -> Json:
        return {
            "method": self.method,
            "path": self.path,
            "query": self.query,
            "headers": self.headers,
            "body": self.body.decode(errors="replace"),
            "time": self.time,
            "status": self.status,
        }


class Journal:
    """Keeps the last `size` requests, and the last echoes besides."""

    def __init__(self, size: int) -> None:
        self.lock = threading.Lock()
        self.exchanges: deque[Exchange] = deque(maxlen=size)
        self.inbox: deque[Exchange] = deque(maxlen=INBOX_SIZE)
        self.received = 0

    def add(self, request: Request) -> Exchange:
        exchange = Exchange(request)
        with self.lock:
            self.exchanges.append(exchange)
        return exchange

    def deliver(self, request: Request) -> None:
        with self.lock:
            self.inbox.append(Exchange(request))
            self.received += 1

    def all(self) -> list[Exchange]:
        with self.lock:
            return list(self.exchanges)

    def letters(self) -> list[Exchange]:
        """The inbox, newest first."""
        with self.lock:
            return list(reversed(self.inbox))

    def clear(self) -> None:
        with self.lock:
            self.exchanges.clear()
            self.inbox.clear()
