"""A service that scenarios call, in a process of its own: it records every request, and behaves as its path says.

`python provider.py RECORDS`: RECORDS is an SQLite file; the first line printed is the port. Paths:

    /ok/…  200 at once · /delay/S/…  after S seconds · /gate/NAME/…  when somebody has opened it (POST /_open/NAME)
    /flap/N/…  500 N times for this run and step, then 200 · /refuse/N/…  429 with Retry-After, N times
    /lost/N/…  does it, and resets the connection, N times · /loris/…  a byte of the body each second, for ever
    /ordered/NAME/S/…  takes S seconds, and records how many of NAME were under way at once
    /hostile/KIND/…  see HOSTILE

`run`, `step` and `item` in the query say which step of which run calls; that and the key stand in the records.
"""

import asyncio
import gzip
import json
import socket
import sqlite3
import struct
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

RESET = struct.pack("ii", 1, 0)
LORIS_S = 1.0
SCHEMA = """
CREATE TABLE request (
    id INTEGER PRIMARY KEY, at REAL, method TEXT, path TEXT, run TEXT, step TEXT, item TEXT, key TEXT, body BLOB,
    effect INTEGER, at_once INTEGER, answered_at REAL, status INTEGER
);
CREATE INDEX of_run ON request (run, step);
"""
JSON = "application/json"
DEEP = b"[" * 10_000 + b"]" * 10_000
HOSTILE: dict[str, tuple[str, bytes]] = {
    "nul": (JSON, b'{"ok": "a\\u0000b"}'),
    "surrogate": (JSON, b'{"ok": "\\ud800"}'),
    "nan": (JSON, b'{"ok": NaN, "more": Infinity, "huge": 1e400}'),
    "deep": (JSON, DEEP),
    "not-utf8": (JSON, b'{"ok": "\xff\xfe"}'),
    "cp1251": ("text/plain; charset=windows-1251", "Ёлка".encode("cp1251")),
    "liar": ("text/plain; charset=no-such-charset", b"hello"),
    "not-json": (JSON, b"<html>Oops</html>"),
    "empty": (JSON, b""),
}


@dataclass
class Request:
    id: int
    method: str
    parts: list[str]
    run: str
    step: str
    item: str
    body: bytes


class Provider:
    def __init__(self, records: str) -> None:
        self.records = sqlite3.connect(records, isolation_level=None)
        self.records.execute("PRAGMA journal_mode=WAL")
        self.records.execute("PRAGMA synchronous=OFF")
        self.records.executescript(SCHEMA)
        self.called: Counter[tuple[str, ...]] = Counter()
        self.under_way: Counter[str] = Counter()
        self.gates: dict[str, asyncio.Event] = {}

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self.one(reader, writer):
                pass
        except (OSError, asyncio.IncompleteReadError, ValueError):
            pass  # a caller that was killed leaves torn connections behind
        finally:
            writer.close()

    async def one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, target, _version = head[0].split(" ", 2)
        headers = {name.lower(): value.strip() for name, _colon, value in (line.partition(":") for line in head[1:])}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        url = urlsplit(target)
        parts = url.path.strip("/").split("/")
        if parts[0] == "_open":
            self.gate(parts[1]).set()
            return await answer(writer, 200, b"{}")
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        run, step, item = (query.get(name, "") for name in ("run", "step", "item"))
        found = self.records.execute(
            "INSERT INTO request (at, method, path, run, step, item, key, body, effect) VALUES (?,?,?,?,?,?,?,?,0)",
            (time.time(), method, url.path, run, step, item, headers.get("idempotency-key", ""), body[:4096]),
        )
        request = Request(found.lastrowid or 0, method, parts, run, step, item, body)
        behave: Callable[[Request, asyncio.StreamWriter], Awaitable[bool]] = getattr(self, f"on_{parts[0]}", self.on_ok)
        return await behave(request, writer)

    async def on_ok(self, request: Request, writer: asyncio.StreamWriter) -> bool:
        self.done(request)
        return await self.say(request, writer)

    async def on_delay(self, request: Request, writer: asyncio.StreamWriter) -> bool:
        self.done(request)
        await asyncio.sleep(float(request.parts[1]))
        return await self.say(request, writer)

    async def on_gate(self, request: Request, writer: asyncio.StreamWriter) -> bool:
        self.done(request)
        await self.gate(request.parts[1]).wait()
        return await self.say(request, writer)

    async def on_flap(self, request: Request, writer: asyncio.StreamWriter) -> bool:
        if self.nth(request) <= int(request.parts[1]):
            return await self.say(request, writer, status=500)
        return await self.on_ok(request, writer)

    async def on_refuse(self, request: Request, writer: asyncio.StreamWriter) -> bool:
        if self.nth(request) <= int(request.parts[1]):
            return await self.say(request, writer, status=429, **{"Retry-After": "1"})
        return await self.on_ok(request, writer)

    async def on_lost(self, request: Request, writer: asyncio.StreamWriter) -> bool:
        if self.nth(request) > int(request.parts[1]):
            return await self.on_ok(request, writer)
        self.done(request)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        writer.transport.abort()
        return False

    async def on_loris(self, request: Request, writer: asyncio.StreamWriter) -> bool:
        """Never ends by itself: an answer without a length, byte by byte."""
        self.done(request)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n")
        while not writer.is_closing():
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(LORIS_S)
        return False

    async def on_ordered(self, request: Request, writer: asyncio.StreamWriter) -> bool:
        name = request.parts[1]
        self.under_way[name] += 1
        try:
            self.done(request, at_once=self.under_way[name])
            await asyncio.sleep(float(request.parts[2]))
        finally:
            self.under_way[name] -= 1
        return await self.say(request, writer)

    async def on_hostile(self, request: Request, writer: asyncio.StreamWriter) -> bool:
        self.done(request)
        kind = request.parts[1]
        if kind in HOSTILE:
            content_type, body = HOSTILE[kind]
            return await answer(writer, 200, body, **{"Content-Type": content_type})
        if kind == "bomb":  # 200 MB of zeros in 200 KB
            return await answer(writer, 200, bomb(), **{"Content-Type": JSON, "Content-Encoding": "gzip"})
        if kind == "double-bomb":
            encoding = {"Content-Type": JSON, "Content-Encoding": "gzip, gzip"}
            return await answer(writer, 200, gzip.compress(bomb()), **encoding)
        return await self.torn(kind, writer)

    async def torn(self, kind: str, writer: asyncio.StreamWriter) -> bool:
        """Answers that end too early, or never come to their body."""
        if kind == "short":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{}")
        elif kind == "short-chunk":
            writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n{}")
        elif kind == "headers":
            writer.write(b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: y\r\n" % n for n in range(100_000)) + b"\r\n")
        elif kind == "half-headers":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Le")
        elif kind == "garbage":
            writer.write(b"\x00\x01\x02 not HTTP at all\r\n\r\n")
        await writer.drain()
        return False

    def nth(self, request: Request) -> int:
        called = (*request.parts, request.run, request.step, request.item)
        self.called[called] += 1
        return self.called[called]

    def gate(self, name: str) -> asyncio.Event:
        return self.gates.setdefault(name, asyncio.Event())

    def done(self, request: Request, at_once: int = 1) -> None:
        """From here on the effect is there, whatever becomes of the answer."""
        self.records.execute("UPDATE request SET effect = 1, at_once = ? WHERE id = ?", (at_once, request.id))

    async def say(self, request: Request, writer: asyncio.StreamWriter, status: int = 200, **headers: str) -> bool:
        body = json.dumps({"id": request.id, "run": request.run, "item": request.item}).encode()
        goes_on = await answer(writer, status, body, **{"Content-Type": JSON}, **headers)
        self.records.execute(
            "UPDATE request SET answered_at = ?, status = ? WHERE id = ?", (time.time(), status, request.id)
        )
        return goes_on


def bomb() -> bytes:
    return gzip.compress(b"\0" * 200_000_000, compresslevel=9)


async def answer(writer: asyncio.StreamWriter, status: int, body: bytes, **headers: str) -> bool:
    lines = [f"HTTP/1.1 {status} Status", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    writer.write("\r\n".join([*lines, "", ""]).encode() + body)
    await writer.drain()
    return True


async def serve(records: str) -> None:
    provider = Provider(records)
    server = await asyncio.start_server(provider.converse, "127.0.0.1", 0, backlog=1024, limit=2**20)
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(*sys.argv[1:2]))
