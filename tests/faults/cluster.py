"""The whole product as processes that a test may kill, stop, cut off and start again.

PostgreSQL and Valkey (the embedded ones, durable, in a folder of their own), two web servers, three workers, a
provider that records what it is asked, and a proxy that every connection between them goes through. The commands are
those of `manage.py up`. All processes end with the thread that started them: call this from the tests' main thread.
"""

import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import redis

from apinita import embedded, processes
from lib.crypto import Keyring
from tests.acceptance.product import Product, send, step
from tests.faults.audit import AUDIT
from tests.guard import free_port
from tests.processes import ROOT, Kept, wait_until

HERE = Path(__file__).parent
WEBS, WORKERS = ("web1", "web2"), ("w1", "w2", "w3")
POSTGRES_CONNECTIONS = 200
READY_WITHIN_S = 60
STARTS = 3
OURS = ("APINITA_", "DATABASE_URL", "REDIS_URL", "DJANGO_", "EMAIL_", "PORT")


@dataclass
class Member(Kept):
    """A web server or a worker: `is_ready` says whether the present process does its work."""

    name: str = ""
    env: dict[str, str] = field(default_factory=dict)
    is_ready: Callable[["Member"], bool] = lambda member: True

    def launch(self, **env: str) -> None:
        self.start(self.env | env)

    def ensure(self, **env: str) -> None:
        """Started again where it ended, as the product's supervisor does, until it does its work."""
        for _ in range(STARTS):
            if not self.is_running():
                self.launch(**env)
            wait_until(lambda: not self.is_running() or self.is_ready(self), timeout_s=READY_WITHIN_S)
            if self.is_running():
                return
        raise AssertionError(f"{self.name} ended {STARTS} times at its start:\n{self.text()[-3000:]}")

    def wait_ready(self) -> None:
        def ready() -> bool:
            assert self.is_running(), f"{self.name} ended at its start:\n{self.text()[-3000:]}"
            return self.is_ready(self)

        wait_until(ready, timeout_s=READY_WITHIN_S)

    def freeze(self) -> None:
        """SIGSTOP: what a long pause of the machine looks like."""
        os.killpg(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.killpg(self.pid, signal.SIGCONT)


class Cluster:
    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="apinita-faults-"))
        self.servers = embedded.Servers(self.folder)
        self.helpers: list[subprocess.Popen[bytes]] = []
        self.members: dict[str, Member] = {}
        self.ports: dict[str, int] = {}
        self.keys = Keyring.generate("faults")
        self.owner: Product
        self.pulse: dict[str, Any]  # a scenario that only shows that deliveries are taken
        self.provider_port = 0
        self._connection: psycopg.Connection | None = None

    # Coming and going

    def start(self) -> None:
        self.start_servers()
        self.provider_port = int(self.help(HERE / "provider.py", str(self.records)))
        self.ports = json.loads(self.help(HERE / "proxy.py", str(self.control), *self.links()))
        self.ports |= {f"{name}-http": free_port() for name in WEBS}
        self.manage("prepare")
        self.execute(AUDIT)
        for name in WEBS:
            self.members[name] = self.member(name, web_command(self.ports[f"{name}-http"]), self.web_answers)
        for name in WORKERS:
            self.members[name] = self.member(name, worker_command(name), self.worker_beats)
        for member in self.members.values():
            member.launch()
        self.owner = self.person("owner@example.com", "Faults")
        for member in self.members.values():
            member.wait_ready()
        self.pulse = self.owner.scenario(
            step("s2", "data.set", values={"ok": True}), trigger={"type": "webhook", "inputs": {}}
        )

    def start_servers(self) -> None:
        """With more connections than the product's own: the tests look on through some."""
        embedded.POSTGRES_SETTINGS["max_connections"] = str(POSTGRES_CONNECTIONS)
        self.servers.start()

    def stop(self) -> None:
        for member in self.members.values():
            if member.is_running():
                member.thaw()
                member.kill()
        for helper in self.helpers:
            processes.end(helper, grace_s=2)
        if self._connection is not None:
            self._connection.close()
        self.servers.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def mend(self) -> None:
        """Everything runs again, and nothing stands between: how each test finds the cluster, and leaves it."""
        for link in self.ports:
            if not link.endswith("-http"):
                self.link(link, "pass")
                self.link(link, "delay", seconds=0)
        for name in self.servers.crashed():
            self.servers.launch(name)
            self.servers.wait_ready(name)
        for member in self.members.values():
            if member.is_running():
                member.thaw()
            else:
                member.launch()
        for member in self.members.values():
            member.ensure()
        for web in range(len(WEBS)):
            wait_until(lambda: self.is_well(web), timeout_s=READY_WITHIN_S, every_s=0.2)  # noqa: B023

    def is_well(self, web: int) -> bool:
        """A delivery is taken, and the API answers: neither still holds a connection that broke."""
        try:
            return (
                send("POST", self.hook(self.pulse, web), json={}).status == 202
                and send("GET", f"{self.url(web)}/api/v1/scenarios/", headers=self.bearer()).status == 200
            )
        except OSError:
            return False

    def bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.owner.token}"}

    # Where things are

    @property
    def records(self) -> Path:
        return self.folder / "provider.sqlite"

    @property
    def control(self) -> Path:
        return self.folder / "proxy.sock"

    @property
    def webs(self) -> list[Member]:
        return [self.members[name] for name in WEBS]

    @property
    def workers(self) -> list[Member]:
        return [self.members[name] for name in WORKERS]

    @property
    def provider(self) -> str:
        """The provider's address, through the proxy."""
        return f"http://127.0.0.1:{self.ports['provider']}"

    def url(self, web: int = 0) -> str:
        return f"http://127.0.0.1:{self.ports[f'{WEBS[web]}-http']}"

    def hook(self, scenario: Mapping[str, Any], web: int = 0) -> str:
        """A scenario's webhook at one of the two web servers."""
        path = scenario["trigger"]["url"].split("/hooks/", 1)[1]
        return f"{self.url(web)}/hooks/{path}"

    def links(self) -> list[str]:
        sockets = embedded.socket_folder(self.folder)
        found = [f"provider=127.0.0.1:{self.provider_port}"]
        for name in (*WEBS, *WORKERS, "spare"):
            found += [f"{name}-pg=unix:{sockets}/.s.PGSQL.5432", f"{name}-valkey=unix:{sockets}/valkey.sock"]
        return found

    def environment(self, name: str = "spare") -> dict[str, str]:
        clean = {key: value for key, value in os.environ.items() if not key.startswith(OURS)}
        first = self.ports[f"{WEBS[0]}-http"]
        return clean | {
            "APINITA_DATA": str(self.folder),
            "APINITA_SECRET_KEYS": self.keys,
            "APINITA_URL": f"http://127.0.0.1:{first}",
            "APINITA_ALLOWED_PRIVATE_HOSTS": "127.0.0.1",
            "DATABASE_URL": f"host=127.0.0.1 port={self.ports[f'{name}-pg']} user=postgres dbname=apinita "
            "sslmode=disable",
            "REDIS_URL": f"redis://127.0.0.1:{self.ports[f'{name}-valkey']}/0",
            "APINITA_FAILPOINTS": f"@{self.orders(name)}",
            "PYTHONUNBUFFERED": "1",
        }

    def orders(self, name: str) -> Path:
        """The file of a process's failpoints (lib/failpoints.py)."""
        return self.folder / f"failpoints-{name}"

    def log(self, name: str) -> Path:
        return self.folder / "log" / f"{name}.log"

    # Processes

    def member(self, name: str, command: Sequence[str], is_ready: Callable[[Member], bool]) -> Member:
        env = self.environment(name)
        return Member(list(command), self.log(name), name=name, env=env, is_ready=is_ready)

    def help(self, script: Path, *arguments: str) -> str:
        """Start a helper of ours; answers the first line that it prints."""
        command = [sys.executable, str(script), *arguments]
        helper = processes.spawn(command, output=subprocess.PIPE, cwd=ROOT)
        self.helpers.append(helper)
        assert helper.stdout is not None
        line = helper.stdout.readline().decode()
        assert line.strip(), f"{script.name} did not start"
        return line

    def manage(self, *arguments: str) -> str:
        command = [sys.executable, str(ROOT / "manage.py"), *arguments]
        done = subprocess.run(command, cwd=ROOT, env=self.environment(), capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()

    def person(self, email: str, workspace: str) -> Product:
        return Product(self.url(), self.manage("create_token", email, "--workspace", workspace).splitlines()[-1])

    def web_answers(self, member: Member) -> bool:
        try:
            url = f"http://127.0.0.1:{self.ports[f'{member.name}-http']}/healthz"
            return bool(urllib.request.urlopen(url, timeout=5).status == 200)
        except OSError:
            return False

    def worker_beats(self, member: Member) -> bool:
        return bool(self.rows("SELECT 1 FROM scenarios_workerbeat WHERE name LIKE %s", f"%:{member.pid}:%"))

    def kill(self, member: Member) -> list[tuple[uuid.UUID, int]]:
        """kill -9. Answers the runs, with their fences, that a worker took with it."""
        member.freeze()
        held = self.held_by(member)
        member.kill()
        return held

    def held_by(self, worker: Member) -> list[tuple[uuid.UUID, int]]:
        return self.rows(
            "SELECT id, fence FROM scenarios_run WHERE status = 'running' AND owner LIKE %s", f"%:{worker.pid}:%"
        )

    def postgres_pid(self) -> int:
        return int((self.folder / "postgres" / "postmaster.pid").read_text().split("\n", 1)[0])

    def end_server(self, name: str, with_signal: int) -> None:
        """Ask PostgreSQL (SIGINT: fast, SIGQUIT: immediate) or Valkey to end, or kill it; wait until it is gone."""
        process = self.servers.running[name]
        os.kill(self.postgres_pid() if name == "postgres" else process.pid, with_signal)
        process.wait(timeout=30)

    def start_server(self, name: str) -> None:
        self.servers.launch(name)
        self.servers.wait_ready(name)

    # Faults inside, and on the way

    def arm(self, name: str, failpoints: str) -> None:
        self.orders(name).write_text(failpoints)

    def disarm(self) -> None:
        for path in self.folder.glob("failpoints-*"):
            path.unlink()

    def link(self, name: str, do: str, **more: Any) -> None:
        with closing(socket.socket(socket.AF_UNIX)) as opened:
            opened.connect(str(self.control))
            opened.sendall(json.dumps({"link": name, "do": do, **more}).encode() + b"\n")
            said = json.loads(opened.makefile().readline())
            assert said["ok"], said

    def each_link(self, ending: str, do: str, **more: Any) -> None:
        for name in self.ports:
            if name.endswith(ending):
                self.link(name, do, **more)

    # Looking

    def database(self) -> psycopg.Connection:
        if self._connection is None or self._connection.closed:
            self._connection = psycopg.connect(embedded.database_url(self.folder), autocommit=True)
        return self._connection

    def rows(self, sql: str, *parameters: Any) -> list[Any]:
        try:
            return self.database().execute(sql, parameters or None).fetchall()
        except psycopg.OperationalError:  # the server was restarted under us
            self._connection = None
            return self.database().execute(sql, parameters or None).fetchall()

    def one(self, sql: str, *parameters: Any) -> Any:
        return self.rows(sql, *parameters)[0][0]

    def execute(self, sql: str, *parameters: Any) -> None:
        self.database().execute(sql, parameters or None)

    def seen(self, sql: str, *parameters: Any) -> list[Any]:
        """What the provider has recorded: a query on its table `request`."""
        with closing(sqlite3.connect(f"file:{self.records}?mode=ro", uri=True, timeout=10)) as records:
            return records.execute(sql, parameters).fetchall()

    def valkey(self) -> "redis.Redis":
        return redis.Redis.from_url(embedded.redis_url(self.folder))

    def open_gate(self, name: str) -> None:
        url = f"http://127.0.0.1:{self.provider_port}/_open/{name}"
        urllib.request.urlopen(urllib.request.Request(url, b"", method="POST"), timeout=5).close()

    def numbers_of(self, scenario: Mapping[str, Any]) -> int:
        """The scenario's key in the database."""
        return int(self.one("SELECT id FROM scenarios_scenario WHERE public_id = %s", scenario["id"]))

    def unfinished(self, scenarios: Sequence[Mapping[str, Any]]) -> int:
        ids = [self.numbers_of(scenario) for scenario in scenarios]
        return int(
            self.one(
                "SELECT count(*) FROM scenarios_run WHERE scenario_id = ANY(%s)"
                " AND status NOT IN ('succeeded', 'failed', 'cancelled', 'needs_review')",
                ids,
            )
        )

    def wait_all_ended(self, *scenarios: Mapping[str, Any], within_s: float) -> float:
        """Wait until no run of these scenarios goes on; answers how long it took."""
        started = time.monotonic()
        deadline = started + within_s
        while (left := self.unfinished(scenarios)) > 0:
            assert time.monotonic() < deadline, f"{left} runs have not ended after {within_s} s: {self.going_on()}"
            time.sleep(0.2)
        return time.monotonic() - started

    def going_on(self) -> list[Any]:
        return self.rows(
            "SELECT id, status, owner, fence, stalls, lease_until, wake_at, waits_for, error FROM scenarios_run"
            " WHERE status NOT IN ('succeeded', 'failed', 'cancelled', 'needs_review') ORDER BY id LIMIT 5"
        )

    def end_leases_of_the_dead(self) -> None:
        """The clock of leases moved on: for tests of what comes after a lease, where T1 and T3 wait for a real one."""
        alive = [f"%:{worker.pid}:%" for worker in self.workers if worker.is_running()]
        self.execute(
            "UPDATE scenarios_run SET lease_until = clock_timestamp() - interval '1 second'"
            " WHERE status = 'running' AND NOT owner LIKE ANY(%s)",
            alive or [""],
        )


def web_command(port: int) -> list[str]:
    """As `manage.py up` starts it (apinita/management/commands/up.py)."""
    command = [sys.executable, "-m", "granian", "--interface", "wsgi", "--http", "1", "--host", "127.0.0.1"]
    command += ["--port", str(port), "--workers", "1", "--blocking-threads", "32", "--no-ws"]
    command += ["--respawn-failed-workers", "--respawn-interval", "0.5", "--workers-kill-timeout", "5"]
    return [*command, "--log-level", "error", "--no-access-log", "apinita.wsgi:application"]


def worker_command(name: str) -> list[str]:
    command = [sys.executable, "-m", "celery", "--quiet", "-A", "apinita", "worker", "-P", "threads", "-c", "4"]
    command += ["--without-gossip", "--without-mingle", "--without-heartbeat", "-l", "INFO"]
    return [*command, "-n", f"{name}@%h"]
