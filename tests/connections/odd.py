"""Small OAuth servers of the tests' own: odd answers, rotation with reuse detection, trouble on demand."""

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass
class Came:
    """One request as the server saw it."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Reply:
    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


Answer = Callable[[Came], Reply]


class Server:
    """`with Server(answer) as server:`; `server.requests` is what came, in order."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.requests: list[Came] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do(self) -> None:
                parts = urlsplit(self.path)
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                headers = {name.lower(): value for name, value in self.headers.items()}
                came = Came(self.command, parts.path, dict(parse_qsl(parts.query)), headers, body)
                outer.requests.append(came)
                reply = outer.answer(came)
                raw = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
                self.send_response(reply.status)
                headers = {"Content-Type": "application/json"} | dict(reply.headers)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do

            def log_message(self, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def to(self, path: str) -> list[Came]:
        return [came for came in self.requests if came.path == path]

    def __enter__(self) -> "Server":
        self.thread.start()
        return self

    def __exit__(self, *args: object) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


class Rotating:
    """Gives a new refresh token at each refresh; an old one used again ends the whole grant."""

    def __init__(self, *, takes_s: float = 0.0) -> None:
        self.lock = threading.Lock()
        self.access, self.refresh = "access-0-secret", "refresh-0-secret"
        self.refreshes = 0
        self.is_revoked = False
        self.is_expired = False
        self.takes_s = takes_s

    def __call__(self, came: Came) -> Reply:
        if came.path == "/token":
            return self.token(came)
        is_live = came.headers.get("authorization") == f"Bearer {self.access}"
        return Reply(200, {"ok": True}) if is_live and not self.is_expired else Reply(401, {"error": "expired"})

    def token(self, came: Came) -> Reply:
        with self.lock:
            if self.is_revoked or came.form.get("refresh_token") != self.refresh:
                self.is_revoked = True
                return Reply(400, {"error": "invalid_grant"})
            self.refreshes += 1
            self.access, self.refresh = f"access-{self.refreshes}-secret", f"refresh-{self.refreshes}-secret"
            self.is_expired = False
            body = {"access_token": self.access, "refresh_token": self.refresh, "expires_in": 3600}
        time.sleep(self.takes_s)
        return Reply(200, body)
