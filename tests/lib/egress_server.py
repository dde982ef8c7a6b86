"""A server on 127.0.0.1 that answers with exactly the bytes that a test gives it."""

import socket
import ssl
import threading
from collections.abc import Callable
from types import TracebackType

Handler = Callable[["Talk"], None]


class Talk:
    """One accepted connection, from the server's side."""

    def __init__(self, sock: socket.socket, number: int) -> None:
        self.sock = sock
        self.number = number  # which connection of the server this is, from 1
        self._buffer = b""

    def request(self) -> bytes | None:
        """The next request, head and body; None when the client is gone."""
        while b"\r\n\r\n" not in self._buffer:
            if not self._more():
                return None
        head, _, rest = self._buffer.partition(b"\r\n\r\n")
        length = 0
        for line in head.split(b"\r\n"):
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        while len(rest) < length:
            if not self._more():
                return None
            rest = self._buffer.partition(b"\r\n\r\n")[2]
        self._buffer = rest[length:]
        return head + b"\r\n\r\n" + rest[:length]

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def reset(self) -> None:
        """Close with a RST instead of a FIN."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        self.sock.close()

    def _more(self) -> bool:
        try:
            data = self.sock.recv(65536)
        except OSError:
            return False
        self._buffer += data
        return bool(data)


class Server:
    """Runs the handler for every connection in a thread; `requests` is what came in."""

    def __init__(self, handler: Handler, *, family: int = socket.AF_INET, tls: ssl.SSLContext | None = None) -> None:
        self._handler = handler
        self._tls = tls
        self._socket = socket.socket(family, socket.SOCK_STREAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0))
        self._socket.listen(128)
        self.port: int = self._socket.getsockname()[1]
        self.requests: list[bytes] = []
        self.connections = 0
        self.stop = threading.Event()

    def __enter__(self) -> "Server":
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop.set()
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._talk, args=(sock, self.connections), daemon=True).start()

    def _talk(self, sock: socket.socket, number: int) -> None:
        try:
            if self._tls:
                sock = self._tls.wrap_socket(sock, server_side=True)
            self._handler(Talk(sock, number))
        except OSError:
            pass  # the client went away, as in many of these tests
        finally:
            sock.close()


def replying(*replies: bytes, keep: bool = True) -> Server:
    """A server that answers the requests one after the other, the last reply again and again."""
    server: Server
    answered = iter([*replies[:-1]])
    lock = threading.Lock()

    def handler(talk: Talk) -> None:
        while (request := talk.request()) is not None:
            with lock:
                server.requests.append(request)
                reply = next(answered, replies[-1])
            talk.send(reply)
            if not keep:
                return

    server = Server(handler)
    return server


def reply(body: bytes = b"ok", *headers: str, status: str = "200 OK") -> bytes:
    """An ordinary answer with a Content-Length."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body
