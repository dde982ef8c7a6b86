"""How much CPU one POST over a kept connection costs: `python bench/egress.py [requests] [threads]`.

The server runs in a process of its own and its CPU is not counted.
"""

import multiprocessing
import resource
import socket
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from lib import egress

BODY = b'{"title": "Order 1021", "customer": {"name": "Anna"}, "items": [1, 2, 3]}' * 10
ANSWER = b'{"id": 1, "ok": true}'
REPLY = (
    b"HTTP/1.1 200 OK\r\nServer: bench\r\nDate: Tue, 24 Nov 2026 12:00:00 GMT\r\nContent-Type: application/json\r\n"
    b"X-Request-Id: 123\r\nCache-Control: no-store\r\nContent-Length: %d\r\n\r\n%s" % (len(ANSWER), ANSWER)
)


def serve(listening: socket.socket) -> None:
    def talk(sock: socket.socket) -> None:
        buffer = b""
        while data := sock.recv(65536):
            buffer += data
            if buffer.endswith(BODY):
                buffer = b""
                sock.sendall(REPLY)

    while True:
        threading.Thread(target=talk, args=(listening.accept()[0],), daemon=True).start()


def main(requests: int = 10_000, threads: int = 1) -> None:
    listening = socket.create_server(("127.0.0.1", 0), backlog=512)
    port = listening.getsockname()[1]
    server = multiprocessing.get_context("fork").Process(target=serve, args=(listening,), daemon=True)
    server.start()
    egress.configure(egress.Policy.from_settings("127.0.0.1"))
    headers = {"Content-Type": "application/json", "Authorization": "Bearer abc", "Accept": "application/json"}
    request = egress.Request("POST", f"http://127.0.0.1:{port}/hook?a=1", headers, BODY)

    def work() -> None:
        for _ in range(requests // threads):
            response = egress.send(request, pool="bench")
            assert response.status == 200
            response.json()

    egress.send(request, pool="bench")
    before, started = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    workers = [threading.Thread(target=work) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    took, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_SELF)
    user, system = (
        (getattr(after, field) - getattr(before, field)) / requests * 1e6 for field in ("ru_utime", "ru_stime")
    )
    print(f"{requests / took:,.0f} POST/s with {threads} thread(s)")
    print(f"{user + system:.0f} µs CPU per POST: user {user:.0f}, system {system:.0f}")
    server.terminate()


if __name__ == "__main__":
    main(*[int(argument) for argument in sys.argv[1:]])
