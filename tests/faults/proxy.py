"""A TCP proxy in a process of its own whose links can be cut, partitioned, hung or slowed down while they are in use.

`python proxy.py CONTROL NAME=UPSTREAM…`: an upstream is `unix:/path` or `host:port`. The first line that it prints is
`{"name": port}`. Orders come to the unix socket CONTROL, one JSON object a line: `{"link": "w1-pg", "do": "cut"}`.

A partition drops packets in the kernel, before they are acknowledged (a BPF filter on the sockets: socket(7),
SO_ATTACH_FILTER). So the other side finds out as it would on a real network: by its own timeouts and keepalives.
"""

import asyncio
import contextlib
import ctypes
import json
import socket
import struct
import sys
from typing import Any

SO_ATTACH_FILTER, SO_DETACH_FILTER = 26, 27
DROP_ALL = ctypes.create_string_buffer(struct.pack("HBBI", 0x06, 0, 0, 0))  # BPF_RET | BPF_K, 0 bytes
RESET = struct.pack("ii", 1, 0)  # SO_LINGER for no time: closing sends RST
MODES = {"pass", "refuse", "partition", "hang", "deaf"}


class Side(asyncio.Protocol):
    """One half of a connection: what it hears goes to its peer."""

    def __init__(self, link: "Link", peer: "Side | None" = None) -> None:
        self.link = link
        self.peer = peer
        self.transport: Any = None
        self.early: list[bytes] = []  # what the client said before the upstream was reached

    @property
    def is_client(self) -> bool:
        return self in self.link.clients

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        if self.peer is None:
            self.link.accepted(self)
        else:
            self.peer.peer = self
            for data in self.peer.early:
                self.transport.write(data)
            self.peer.early.clear()

    def data_received(self, data: bytes) -> None:
        if self.link.mode == "deaf" and not self.is_client:
            self.reset()  # the server has done it, and its answer is lost
            return
        if self.link.delay_s:
            asyncio.get_running_loop().call_later(self.link.delay_s, self.pass_on, data)
        else:
            self.pass_on(data)

    def pass_on(self, data: bytes) -> None:
        if self.peer is None:
            self.early.append(data)
        elif not self.peer.transport.is_closing():
            self.peer.transport.write(data)

    def pause_writing(self) -> None:
        if self.peer is not None:
            self.peer.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.peer is not None and self.link.flows():
            self.peer.transport.resume_reading()

    def connection_lost(self, problem: Exception | None) -> None:
        self.link.clients.discard(self)
        if self.peer is not None and self.peer.transport is not None:
            self.peer.transport.close()

    def reset(self) -> None:
        """End both halves at once; the client sees ECONNRESET."""
        for side in (self, self.peer):
            if side is not None and side.transport is not None:
                side.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                side.transport.abort()


class Link:
    def __init__(self, name: str, upstream: str) -> None:
        self.name = name
        self.upstream = upstream
        self.mode = "pass"
        self.delay_s = 0.0
        self.clients: set[Side] = set()
        self.opening: set[asyncio.Task[None]] = set()
        self.port = 0
        self.listener: socket.socket | None = None
        self.server: asyncio.Server | None = None

    async def listen(self) -> None:
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("127.0.0.1", self.port))
        self.port = self.listener.getsockname()[1]
        loop = asyncio.get_running_loop()
        self.server = await loop.create_server(lambda: Side(self), sock=self.listener, backlog=1024)

    def flows(self) -> bool:
        return self.mode in {"pass", "deaf"}

    def accepted(self, client: Side) -> None:
        self.clients.add(client)
        task = asyncio.get_running_loop().create_task(self.open(client))
        self.opening.add(task)
        task.add_done_callback(self.opening.discard)

    async def open(self, client: Side) -> None:
        """Reach the upstream for a client; where it is away, the client sees a reset."""
        loop = asyncio.get_running_loop()
        try:
            if self.upstream.startswith("unix:"):
                await loop.create_unix_connection(lambda: Side(self, client), self.upstream[5:])
            else:
                host, port = self.upstream.split(":")
                await loop.create_connection(lambda: Side(self, client), host, int(port))
        except OSError:
            client.reset()
        if not self.flows():
            self.hold()

    async def order(self, do: str, seconds: float = 0) -> None:
        if do == "cut":
            self.cut()
        elif do == "delay":
            self.delay_s = seconds
        elif do in MODES:
            await self.change(do)
        else:
            raise ValueError(do)

    async def change(self, mode: str) -> None:
        self.mode = mode
        if mode == "refuse":
            if self.server is not None:
                self.server.close()
                self.server = None
            self.cut()
            return
        if self.server is None:
            await self.listen()
        self.filter(on=mode == "partition")
        if self.flows():
            self.resume()
        else:
            self.hold()

    def cut(self) -> None:
        for client in list(self.clients):
            client.reset()

    def filter(self, *, on: bool) -> None:
        """Drop all that arrives from clients, or let it in again."""
        sockets = [client.transport.get_extra_info("socket") for client in self.clients]
        for found in [self.listener, *sockets]:
            if found is None:
                continue
            if on:
                program = struct.pack("HL", 1, ctypes.addressof(DROP_ALL))
                found.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, program)
            else:
                with contextlib.suppress(OSError):  # it had none
                    found.setsockopt(socket.SOL_SOCKET, SO_DETACH_FILTER, 0)

    def hold(self) -> None:
        for side in self.sides():
            side.transport.pause_reading()

    def resume(self) -> None:
        for side in self.sides():
            side.transport.resume_reading()

    def sides(self) -> list[Side]:
        both = [side for client in self.clients for side in (client, client.peer)]
        return [side for side in both if side is not None and side.transport and not side.transport.is_closing()]


async def serve(control: str, links: dict[str, Link]) -> None:
    for link in links.values():
        await link.listen()

    async def orders(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            order = json.loads(line)
            try:
                await links[order.pop("link")].order(**order)
                said = {"ok": True}
            except Exception as error:
                said = {"ok": False, "error": repr(error)}
            writer.write(json.dumps(said).encode() + b"\n")
            await writer.drain()

    server = await asyncio.start_unix_server(orders, control)
    print(json.dumps({name: link.port for name, link in links.items()}), flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    given = dict(argument.split("=", 1) for argument in sys.argv[2:])
    asyncio.run(serve(sys.argv[1], {name: Link(name, upstream) for name, upstream in given.items()}))
