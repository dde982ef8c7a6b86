"""The HTTP/1.1 server: a thread per connection, keep-alive, every body read to its end, one write per answer."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from sandbox.messages import Request, Response, json_response

MAX_BODY = 10 * 1024 * 1024
MAX_CHUNK_LINE = 1024
IDLE_TIMEOUT_S = 75
STATUSES = {status.value for status in HTTPStatus}

Respond = Callable[[Request], Response]


class Server(ThreadingHTTPServer):
    """Listens at host and port (0: any free one), answers after `start`. Raises OSError where the address is taken."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 512

    def __init__(self, host: str, port: int) -> None:
        self.respond: Respond
        self.connections: set[socket.socket] = set()
        self.connections_lock = threading.Lock()
        self.thread: threading.Thread | None = None
        self.stopping = threading.Event()
        super().__init__((host, port), Handler)

    @property
    def url(self) -> str:
        host, port = self.server_address[:2]
        return f"http://{host!s}:{port}"

    def server_bind(self) -> None:
        # HTTPServer would ask the name server for its own name here, which may take seconds.
        socket_address = self.server_address
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(socket_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def start(self, respond: Respond) -> None:
        """Serve in a thread of its own until `stop`."""
        self.respond = respond
        self.thread = threading.Thread(target=self.accept, name="sandbox", daemon=True)
        self.thread.start()

    def accept(self) -> None:
        """Waits without polling, unlike serve_forever: idle costs nothing, and `stop` need not wait for a tick."""
        while not self.stopping.is_set():
            try:
                connection, address = self.get_request()
                self.process_request(connection, address)
            except (OSError, RuntimeError):  # out of sockets or threads: let some of them end
                self.stopping.wait(0.05)

    def stop(self) -> None:
        """Stop listening and close what is open: idle keep-alive connections would outlive us otherwise."""
        self.stopping.set()
        if self.thread is not None:
            with (
                contextlib.suppress(OSError),
                socket.create_connection((self.server_name, self.server_port), timeout=1),
            ):
                pass  # wakes the thread up
            self.thread.join()
            self.thread = None
        self.server_close()
        with self.connections_lock:
            left = list(self.connections)
        for connection in left:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = IDLE_TIMEOUT_S

    def setup(self) -> None:
        super().setup()
        with self.server.connections_lock:
            self.server.connections.add(self.connection)

    def finish(self) -> None:
        with self.server.connections_lock:
            self.server.connections.discard(self.connection)
        with contextlib.suppress(OSError):
            super().finish()

    def handle(self) -> None:
        with contextlib.suppress(ConnectionError, TimeoutError):
            super().handle()

    def __getattr__(self, name: str) -> Callable[[], None]:
        """Every method is served, MERGE and PROPFIND too: BaseHTTPRequestHandler looks for `do_<METHOD>`."""
        if name.startswith("do_"):
            return self.serve
        raise AttributeError(name)

    def serve(self) -> None:
        try:
            body = self.read_body()
        except BadFraming as wrong:
            self.close_connection = True
            self.send(json_response(wrong.status, {"error": wrong.status.phrase}))
            return
        headers: dict[str, str] = {}
        for name, value in self.headers.items():
            key = name.lower()
            headers[key] = f"{headers[key]}, {value}" if key in headers else value
        request = Request(self.command, self.path, headers, body, time.time())
        try:
            response = self.server.respond(request)
        except Exception:  # our bug: the client is told at once, the traceback goes to stderr
            self.close_connection = True
            self.send(json_response(500, {"error": "The sandbox itself failed; its output says why."}))
            raise
        self.send(response)

    def read_body(self) -> bytes:
        """Content-Length or chunked, RFC 9112 §6; anything doubtful is refused and ends the connection."""
        coding = self.headers.get("Transfer-Encoding")
        lengths = self.headers.get_all("Content-Length") or []
        if coding is not None:
            if lengths or coding.strip().lower() != "chunked":
                raise BadFraming(HTTPStatus.BAD_REQUEST)
            return self.read_chunks()
        if not lengths:
            return b""
        if len(set(lengths)) != 1 or not (lengths[0].isascii() and lengths[0].isdigit()):
            raise BadFraming(HTTPStatus.BAD_REQUEST)
        length = int(lengths[0])
        if length > MAX_BODY:
            raise BadFraming(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        body = self.rfile.read(length)
        if len(body) != length:
            raise ConnectionAbortedError("the client left in the middle of its body")
        return body

    def read_chunks(self) -> bytes:
        body = bytearray()
        while size := self.chunk_size():
            if len(body) + size > MAX_BODY:
                raise BadFraming(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            body += self.rfile.read(size)
            if self.rfile.read(2) != b"\r\n":
                raise BadFraming(HTTPStatus.BAD_REQUEST)
        while self.rfile.readline(MAX_CHUNK_LINE).strip():  # trailers
            pass
        return bytes(body)

    def chunk_size(self) -> int:
        line = self.rfile.readline(MAX_CHUNK_LINE).partition(b";")[0].strip()
        if not line or line.strip(b"0123456789abcdefABCDEF"):
            raise BadFraming(HTTPStatus.BAD_REQUEST)
        return int(line, 16)

    def send(self, response: Response) -> None:
        if response.dropped:
            self.close_connection = True
            return
        has_body = response.status not in (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED)
        phrase = HTTPStatus(response.status).phrase if response.status in STATUSES else "Unknown"
        lines = [f"HTTP/1.1 {response.status} {phrase}", f"Date: {self.date_time_string()}"]
        lines += [f"{name}: {value}" for name, value in response.headers]
        if has_body:
            lines.append(f"Content-Length: {len(response.body)}")
        if self.close_connection:
            lines.append("Connection: close")
        head = "\r\n".join([*lines, "", ""]).encode("latin-1")
        # One write: head and body in two would wait for the other side's delayed acknowledgement.
        self.wfile.write(head + response.body if has_body and self.command != "HEAD" else head)

    def log_message(self, format: str, *args: Any) -> None:
        """Silent: what came in is kept by the app and can be looked at."""


class BadFraming(Exception):
    """The request's body cannot be told from what follows it, or is too large to be read."""

    def __init__(self, status: HTTPStatus) -> None:
        super().__init__(status.phrase)
        self.status = status
