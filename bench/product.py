"""The whole product under load: what a run costs, and how long senders and runs wait.

    python bench/product.py [--seconds 10] [--rate 25] [--json FILE]

Starts APInita in a folder of its own (`manage.py up`), a third party and a load generator as processes apart (their
CPU is not counted), and measures two workloads: W1 webhook → respond, W2 webhook → 3 transforms → 1 POST. Each first
with one request at a time at a steady rate (latency), then with 32 senders at once (throughput, CPU per run).
CPU is user and system time of all processes of the product, PostgreSQL and Valkey included, from /proc.
"""

import argparse
import http.server
import json
import multiprocessing
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
TICKS = os.sysconf("SC_CLK_TCK")
BODY = json.dumps({"order": {"number": 17, "total": 99.5, "customer": {"name": "Анна", "email": "anna@example.com"}}})
RESPOND = {"key": "s2", "action": "webhook.respond", "inputs": {"fields": {"n": "{{ trigger.body.order.number }}"}}}
TRANSFORMS = [
    {
        "key": "s2",
        "action": "data.set",
        "inputs": {
            "values": {
                "total": "{{ trigger.body.order.total * 1.2 }}",
                "who": "{{ trigger.body.order.customer.name | upper }}",
            }
        },
    },
    {
        "key": "s3",
        "action": "data.set",
        "inputs": {"values": {"big": "{{ s2.total > 50 }}", "no": "{{ trigger.body.order.number }}"}},
    },
    {
        "key": "s4",
        "action": "data.set",
        "inputs": {"values": {"text": "Order {{ s3.no }} of {{ s2.who }}: {{ s2.total }}"}},
    },
]


class ThirdParty(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", "11")
        self.end_headers()
        self.wfile.write(b'{"ok": true}'[:11])

    def log_message(self, *args: Any) -> None:
        pass


def third_party(port: int) -> None:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), ThirdParty)
    server.request_queue_size = 256
    server.serve_forever()


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class Product:
    def __init__(self, folder: Path, upstream: int) -> None:
        self.port = free_port()
        self.env = os.environ | {
            "APINITA_DATA": str(folder),
            "APINITA_ALLOWED_PRIVATE_HOSTS": f"127.0.0.1:{upstream}",
            "APINITA_URL": f"http://127.0.0.1:{self.port}",
        }
        self.env.pop("DATABASE_URL", None)
        self.env.pop("REDIS_URL", None)
        command = [sys.executable, "manage.py", "up", "--port", str(self.port)]
        started = time.monotonic()
        self.process = subprocess.Popen(
            command, cwd=ROOT, env=self.env, stdout=subprocess.DEVNULL, start_new_session=True
        )
        while not self.ready():
            time.sleep(0.05)
        self.started_s = time.monotonic() - started
        tell = [sys.executable, "manage.py", "create_token", "bench@example.com", "--workspace", "Bench"]
        self.token = subprocess.run(
            tell, cwd=ROOT, env=self.env, capture_output=True, text=True, check=True
        ).stdout.strip()

    def ready(self) -> bool:
        try:
            return bool(urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=2).status == 200)
        except OSError:
            return False

    def call(self, method: str, path: str, body: Any = None) -> Any:
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        url = f"http://127.0.0.1:{self.port}/api/v1/{path}"
        with urllib.request.urlopen(urllib.request.Request(url, data, headers, method=method), timeout=30) as answer:
            return json.load(answer)

    def scenario(self, name: str, steps: list[dict[str, Any]]) -> str:
        document = {"name": name, "trigger": {"type": "webhook"}, "steps": steps}
        made = self.call("POST", "scenarios/", {"document": document})
        self.call("POST", f"scenarios/{made['id']}/publish/")
        address: str = self.call("POST", f"scenarios/{made['id']}/activate/")["trigger"]["url"]
        self.scenario_id = made["id"]
        return "/" + address.split("/", 3)[3]

    def cpu_ms(self) -> dict[str, float]:
        """CPU of each part so far, children that ended included."""
        parents, spent, names = {}, {}, {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    _head, _, rest = (entry / "stat").read_text().rpartition(")")
                    command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                except OSError:
                    continue
                fields = rest.split()
                pid = int(entry.name)
                parents[pid], names[pid] = int(fields[1]), command
                spent[pid] = sum(int(value) for value in fields[11:15]) * 1000 / TICKS
        total: dict[str, float] = {}
        for pid in spent:
            if self.is_ours(pid, parents):
                part = next((one for one in ("granian", "celery", "postgres", "valkey") if one in names[pid]), "other")
                total[part] = total.get(part, 0) + spent[pid]
        return total

    def is_ours(self, pid: int, parents: dict[int, int]) -> bool:
        while pid > 1:
            if pid == self.process.pid:
                return True
            pid = parents.get(pid, 0)
        return False

    def waiting(self) -> int:
        return len(self.call("GET", "runs/?status=queued,running,waiting&limit=200")["results"])

    def memory_mb(self) -> float:
        """Proportional memory of the whole product."""
        total = 0
        parents = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                except OSError:
                    continue
        for pid in parents:
            if self.is_ours(pid, parents):
                try:
                    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
                except OSError:
                    continue
                total += next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
        return total / 1024

    def stop(self) -> None:
        self.process.send_signal(signal.SIGINT)
        self.process.wait(30)


def sender(port: int, path: str, until: float, pause: float, took: Any) -> None:
    """Sends until a moment; hands over how long each answer took, in ms."""
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    times = []
    while time.time() < until:
        started = time.perf_counter()
        connection.request("POST", path, BODY.encode(), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        answer.read()
        if answer.status >= 300:
            raise SystemExit(f"answered {answer.status}")
        times.append((time.perf_counter() - started) * 1000)
        time.sleep(max(0, pause - (time.perf_counter() - started))) if pause else None
    took.put(times)


def crowd(port: int, path: str, until: float, took: Any) -> None:
    threads = [threading.Thread(target=sender, args=(port, path, until, 0, took)) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def measure(product: Product, path: str, seconds: float, rate: float) -> dict[str, Any]:
    took: Any = multiprocessing.Queue()
    sender(product.port, path, time.time() + 2, 1 / rate, took)  # warm up
    took.get()
    sender(product.port, path, time.time() + seconds, 1 / rate, took)
    steady = sorted(took.get())
    while product.waiting():
        time.sleep(0.1)
    before, started = product.cpu_ms(), time.monotonic()
    crowds = [
        multiprocessing.Process(target=crowd, args=(product.port, path, time.time() + seconds, took)) for _ in range(2)
    ]
    for one in crowds:
        one.start()
    sent = sum(len(took.get()) for _ in range(32))
    for one in crowds:
        one.join()
    accepted_s = time.monotonic() - started
    while product.waiting():
        time.sleep(0.1)
    done_s = time.monotonic() - started
    after = product.cpu_ms()
    per_run = {part: round((after[part] - before.get(part, 0)) / sent, 3) for part in after}
    return {
        "answer_ms": {
            "p50": round(statistics.median(steady), 1),
            "p95": round(steady[int(len(steady) * 0.95)], 1),
            "p99": round(steady[int(len(steady) * 0.99)], 1),
        },
        "accepted_per_s": round(sent / accepted_s),
        "completed_per_s": round(sent / done_s),
        "cpu_ms_per_run": {**per_run, "all": round(sum(per_run.values()), 3)},
        "runs": sent,
    }


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--seconds", type=float, default=10)
    options.add_argument("--rate", type=float, default=25)
    options.add_argument("--json", type=Path)
    given = options.parse_args()
    port = free_port()
    upstream = multiprocessing.Process(target=third_party, args=(port,), daemon=True)
    upstream.start()
    post = {
        "key": "s5",
        "action": "http.request",
        "inputs": {
            "method": "POST",
            "url": f"http://127.0.0.1:{port}/",
            "fields": {"name": "{{ s4.text }}", "total": "{{ s2.total }}"},
        },
    }
    with tempfile.TemporaryDirectory(prefix="apinita-bench-") as folder:
        product = Product(Path(folder), port)
        try:
            figures = {
                "start_s": round(product.started_s, 1),
                "idle_mb": round(product.memory_mb()),
                "W1 webhook → respond": measure(product, product.scenario("W1", [RESPOND]), given.seconds, given.rate),
                "W2 webhook → 3 transforms → POST": measure(
                    product, product.scenario("W2", [*TRANSFORMS, post]), given.seconds, given.rate
                ),
                "busy_mb": round(product.memory_mb()),
            }
        finally:
            product.stop()
            upstream.terminate()
    text = json.dumps(figures, indent=2, ensure_ascii=False)
    print(text)
    if given.json:
        given.json.write_text(text + "\n")


if __name__ == "__main__":
    main()
