"""Read one HTTP/1.1 answer, strictly by RFC 9112.

An answer that ends early, contradicts itself or exceeds a limit is an error, never a shorter answer.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from lib.egress.connection import Connection, Deadline
from lib.egress.packing import Unusable, unpack

MAX_HEADERS = 100
MAX_HEAD = 65536  # bytes of status line and headers
MAX_CHUNKS = 100_000  # more would be a way to keep us busy
MAX_PACKING = 65536  # bytes that packing may add to what it packs
BLANKS = " \t"

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEAD_END = re.compile(rb"\r?\n\r?\n")
_STATUS_LINE = re.compile(r"HTTP/1\.([01]) ([1-9][0-9]{2})(?: .*)?")
_BAD_IN_HEAD = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_FOLD = re.compile(r"\n[ \t]+")
_CHUNK_SIZE = re.compile(rb"([0-9a-fA-F]{1,8})[ \t]*(?:;.*)?")
_LENGTH = re.compile(r"[0-9]{1,15}")
_KEEP_ALIVE = re.compile(r"timeout\s*=\s*\"?([0-9]{1,6})")


@dataclass(slots=True)
class Answer:
    """What came back. `keep_s` is how long the other side keeps the connection, 0 if it does not."""

    status: int
    headers: dict[str, str]
    body: bytes
    keep_s: float


def read_answer(conn: Connection, method: str, deadline: Deadline, max_bytes: int) -> Answer:
    """Raises Unusable, TimeoutError, or OSError when the connection broke before the first byte."""
    return _Reader(conn, deadline).read(method, max_bytes)


class _Reader:
    """Reads one answer from a connection."""

    def __init__(self, conn: Connection, deadline: Deadline) -> None:
        self._conn = conn
        self._deadline = deadline
        self._buffer = conn.buffer

    def read(self, method: str, max_bytes: int) -> Answer:
        budget = MAX_HEAD
        while True:
            head = self._head(budget)
            budget -= len(head)
            http_1_1, status, headers = _parse_head(head)
            if status == 101:
                raise Unusable("garbled")
            if status >= 200:
                break
        packing = headers.get("content-encoding", "").strip().lower()
        body, ends_itself = self._body(method, status, headers, max_bytes + (MAX_PACKING if packing else 0))
        if body and packing not in ("", "identity"):
            body = unpack(body, packing, max_bytes)
        if len(body) > max_bytes:
            raise Unusable("too_large")
        keep_s = _keep_s(http_1_1, headers) if ends_itself and not self._buffer else 0
        return Answer(status, headers, body, keep_s)

    def _more(self) -> None:
        """At least one more byte into the buffer."""
        try:
            data = self._conn.read(self._deadline)
        except TimeoutError:
            raise
        except OSError:
            if not self._conn.received:
                raise
            raise Unusable("cut_off") from None
        if not data:
            if not self._conn.received:
                raise ConnectionResetError("closed without an answer")
            raise Unusable("cut_off")
        self._buffer += data

    def _head(self, limit: int) -> bytes:
        buffer = self._buffer
        seen = 0
        while True:
            end = _HEAD_END.search(buffer, max(0, seen - 3)) if buffer else None
            if not b"HTTP/1.".startswith(buffer[:7]):
                raise Unusable("garbled")
            if (end.end() if end else len(buffer)) > limit:
                raise Unusable("headers")
            if end:
                head = bytes(buffer[: end.start()])
                del buffer[: end.end()]
                return head
            seen = len(buffer)
            self._more()

    def _body(self, method: str, status: int, headers: dict[str, str], limit: int) -> tuple[bytes, bool]:
        """The body as it was transferred, and whether its end was marked (else the connection's end is it)."""
        if method == "HEAD" or status in (204, 304):
            return b"", True
        transfer = headers.get("transfer-encoding")
        if transfer is not None:
            if transfer.strip().lower() != "chunked":
                raise Unusable("garbled")
            # Both headers at once is how requests are smuggled: believe the chunks, and do not go on with it.
            return self._chunks(limit), "content-length" not in headers
        if "content-length" in headers:
            return self._take(_length(headers["content-length"], limit)), True
        return self._until_closed(limit), False

    def _take(self, size: int) -> bytes:
        buffer = self._buffer
        while len(buffer) < size:
            self._more()
        data = bytes(buffer[:size])
        del buffer[:size]
        return data

    def _line(self) -> bytes:
        buffer = self._buffer
        seen = 0
        while (end := buffer.find(b"\n", seen)) < 0:
            seen = len(buffer)
            if seen > MAX_HEAD:
                raise Unusable("garbled")
            self._more()
        line = bytes(buffer[:end])
        del buffer[: end + 1]
        return line.removesuffix(b"\r")

    def _chunks(self, limit: int) -> bytes:
        body = bytearray()
        for _ in range(MAX_CHUNKS):
            size_line = _CHUNK_SIZE.fullmatch(self._line())
            if size_line is None:
                raise Unusable("garbled")
            size = int(size_line[1], 16)
            if len(body) + size > limit:
                raise Unusable("too_large")
            if size == 0:
                self._trailers()
                return bytes(body)
            body += self._take(size)
            if self._line():
                raise Unusable("garbled")
        raise Unusable("garbled")

    def _trailers(self) -> None:
        total = 0
        for _ in range(MAX_HEADERS + 1):
            line = self._line()
            total += len(line)
            if not line:
                return
            if total > MAX_HEAD:
                break
        raise Unusable("headers")

    def _until_closed(self, limit: int) -> bytes:
        buffer = self._buffer
        while len(buffer) <= limit:
            try:
                data = self._conn.read(self._deadline)
            except TimeoutError:
                raise
            except OSError:
                raise Unusable("cut_off") from None
            if not data:
                body = bytes(buffer)
                buffer.clear()
                return body
            buffer += data
        raise Unusable("too_large")


def _parse_head(head: bytes) -> tuple[bool, int, dict[str, str]]:
    """(is it HTTP/1.1, status, headers): names in lower case, repeated ones joined by ", "."""
    try:
        text = head.decode()
    except UnicodeDecodeError:
        text = head.decode("latin-1")
    text = text.replace("\r\n", "\n")
    if _BAD_IN_HEAD.search(text):
        raise Unusable("garbled")
    status_line, _, fields = _FOLD.sub(" ", text).partition("\n")
    match = _STATUS_LINE.fullmatch(status_line)
    if match is None:
        raise Unusable("garbled")
    lines = fields.split("\n") if fields else []
    if len(lines) > MAX_HEADERS:
        raise Unusable("headers")
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        name = name.rstrip(BLANKS).lower()
        if not colon or not _NAME.fullmatch(name):
            raise Unusable("garbled")
        value = value.strip(BLANKS)
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return match[1] == "1", int(match[2]), headers


def _length(text: str, limit: int) -> int:
    lengths = {part.strip() for part in text.split(",")}
    if len(lengths) != 1 or not _LENGTH.fullmatch(length := lengths.pop()):
        raise Unusable("garbled")
    if int(length) > limit:
        raise Unusable("too_large")
    return int(length)


def _keep_s(http_1_1: bool, headers: Mapping[str, str]) -> float:
    options = {option.strip() for option in headers.get("connection", "").lower().split(",")}
    if "close" in options or not (http_1_1 or "keep-alive" in options):
        return 0
    match = _KEEP_ALIVE.search(headers.get("keep-alive", ""))
    return max(0.0, int(match[1]) - 1.0) if match else float("inf")
