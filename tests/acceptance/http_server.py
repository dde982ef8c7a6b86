"""A small HTTP server that remembers what it saw and may answer as badly as a test wants."""

import json
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, parse_qsl, urlsplit

Json = Any


@dataclass
class Seen:
    """One request as it arrived: `target` is the raw request target, nothing decoded."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    at: float

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def pairs(self) -> list[tuple[str, str]]:
        return parse_qsl(urlsplit(self.target).query, keep_blank_values=True)

    @property
    def query(self) -> dict[str, str]:
        return dict(self.pairs)

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))

    @property
    def form_lists(self) -> dict[str, list[str]]:
        return parse_qs(self.body.decode(), keep_blank_values=True)

    @property
    def json(self) -> Json:
        return json.loads(self.body)


@dataclass
class Reply:
    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    delay_s: float = 0
    raw: bytes | None = None  # sent as it is, then the socket closes
    hang_up: bool = False  # nothing is sent at all


def reply(value: Json = None, status: int = 200, **headers: str) -> Reply:
    body = b"" if value is None else json.dumps(value, ensure_ascii=False).encode()
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return Reply(status, body, {"Content-Type": "application/json; charset=utf-8"} | named)


def hang_up() -> Reply:
    return Reply(hang_up=True)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    owner: "Server"

    def handle_any(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length) if length else b""
        headers = {name.lower(): value for name, value in self.headers.items()}
        seen = Seen(self.command, self.path, headers, body, time.time())
        self.send(self.owner.receive(seen))

    def send(self, answer: Reply) -> None:
        if answer.delay_s:
            self.owner.closing.wait(answer.delay_s)
        if answer.hang_up or answer.raw is not None:
            self.close_connection = True
            if answer.raw is not None:
                self.wfile.write(answer.raw)
                self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_MERGE = handle_any

    def log_message(self, format: str, *args: Any) -> None:
        pass


class Listener(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # a product that was killed leaves torn connections behind


class Server:
    """Start with `with`; `next_replies` go out before anything that `answer` would say."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.next_replies: list[Reply] = []
        self.lock = threading.RLock()
        self.closing = threading.Event()
        handler = type("BoundHandler", (Handler,), {"owner": self})
        self.listener = Listener(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self.listener.server_address[1]}"
        self.thread = threading.Thread(target=self.listener.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    def __enter__(self) -> Self:
        self.thread.start()
        return self

    def __exit__(self, *problem: object) -> None:
        self.closing.set()
        self.listener.shutdown()
        self.listener.server_close()

    def receive(self, seen: Seen) -> Reply:
        with self.lock:
            self.seen.append(seen)
            prepared = self.next_replies.pop(0) if self.next_replies else None
        return prepared or self.answer(seen)

    def answer(self, seen: Seen) -> Reply:
        return reply({"ok": True})

    def of(self, path: str, method: str | None = None) -> list[Seen]:
        with self.lock:
            return [seen for seen in self.seen if seen.path == path and method in (None, seen.method)]


class Target(Server):
    """Some company's API: routes are set by the test, everything else is echoed."""

    def __init__(self) -> None:
        super().__init__()
        self.routes: dict[str, Callable[[Seen], Reply] | Reply] = {}

    def answer(self, seen: Seen) -> Reply:
        route = self.routes.get(seen.path)
        if callable(route):
            return route(seen)
        if route is not None:
            return route
        text = seen.body.decode(errors="replace")
        return reply({"method": seen.method, "path": seen.path, "query": seen.query, "body": text})
