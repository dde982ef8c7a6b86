"""Trouble on demand: answers that fail, connections that drop, requests that are kept waiting."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from sandbox.calendar.errors import by_status
from sandbox.messages import Json, Request, Response, json_response

JSON = (("Content-Type", "application/json; charset=UTF-8"),)


@dataclass
class Fault:
    """Applies to the next `count` requests whose path begins with `path_prefix`.

    `status` 0 drops the connection. `when`: `before` the request is done (nothing happens here), or `after`: it is
    done and only its answer is lost, so that the client cannot know. `body` None: an error in the API's own shape.
    """

    path_prefix: str
    status: int = 503
    count: int = 1
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Json = None
    method: str = ""
    when: Literal["before", "after"] = "before"

    def response(self) -> Response:
        if self.status == 0:
            return Response(0, dropped=True)
        headers = tuple((name, str(value)) for name, value in self.headers.items())
        if self.body is None:
            own = (
                by_status(self.status).response() if self.path_prefix.startswith("/calendar") else Response(self.status)
            )
            return Response(self.status, own.body, own.headers + headers)
        if isinstance(self.body, bytes):
            return Response(self.status, self.body, headers)
        if isinstance(self.body, str):
            return Response(self.status, self.body.encode(), headers)
        return json_response(self.status, self.body, headers)


@dataclass
class Delay:
    """Keeps the next `count` requests (None: all) under `path_prefix` waiting for `seconds` before they are done."""

    path_prefix: str
    seconds: float
    count: int | None = None


class Trouble:
    """The faults and delays that are planned. Its own lock: a request that waits holds nobody up."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.stopped = threading.Event()
        self.faults: list[Fault] = []
        self.delays: list[Delay] = []

    def plan(self, fault: Fault) -> None:
        with self.lock:
            self.faults.append(fault)

    def slow_down(self, delay: Delay) -> None:
        with self.lock:
            self.delays.append(delay)

    def clear(self) -> None:
        with self.lock:
            self.faults.clear()
            self.delays.clear()

    def stop(self) -> None:
        """Wake up whoever waits."""
        self.stopped.set()

    def take(self, request: Request) -> Fault | None:
        """The first fault that fits, used up by one."""
        with self.lock:
            for fault in self.faults:
                if request.path.startswith(fault.path_prefix) and fault.method in ("", request.method):
                    fault.count -= 1
                    if fault.count <= 0:
                        self.faults.remove(fault)
                    return fault
        return None

    def wait(self, request: Request) -> None:
        self.stopped.wait(self.seconds(request))

    def seconds(self, request: Request) -> float:
        total = 0.0
        with self.lock:
            for delay in list(self.delays):
                if not request.path.startswith(delay.path_prefix):
                    continue
                total += delay.seconds
                if delay.count is not None:
                    delay.count -= 1
                    if delay.count <= 0:
                        self.delays.remove(delay)
        return total
