"""Starts the whole product: its own PostgreSQL and Valkey where none are named, migrations, web server and workers."""

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from argparse import ArgumentParser
from collections.abc import Callable
from datetime import datetime
from typing import IO, Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import connection

from apinita import embedded, environment, health, migrating, preparing, processes
from apinita.preparing import Refused
from apinita.supervisor import Console, Part, Supervisor

SERVER_NAMES = {"postgres": "PostgreSQL", "valkey": "Valkey"}
WEB_THREADS = 32
WORKER_GRACE_S = 32  # a step that is under way may take 25 s to come to its end: apinita.celery
LISTENS_EVERYWHERE = {"0.0.0.0", "::"}  # noqa: S104 — compared with, not bound to


class Command(BaseCommand):
    help = "Start APInita: migrate, then run the web server and the workers until Ctrl-C."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="address to listen at (default: 127.0.0.1)")
        parser.add_argument("--port", type=port, default=environment.number("PORT", 8000), help="default: 8000")
        parser.add_argument("--workers", type=at_least_one, default=1, help="worker processes (default: 1)")
        parser.add_argument("--web", type=at_least_one, default=1, help="web server processes (default: 1)")
        parser.add_argument("--sandbox", action="store_true", help="also start the sandbox, a stand-in for Google")
        parser.add_argument("--sandbox-port", type=port, default=8010, help="default: 8010")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            Start(options).run()
        except (Refused, embedded.CannotStart, environment.BadSetting) as refusal:
            self.stderr.write(self.style.ERROR(str(refusal)))
            sys.exit(1)


class Start:
    """One start, from the checks to the last stop."""

    def __init__(self, options: dict[str, Any]) -> None:
        self.options = options
        self.host: str = options["host"]
        self.port: int = options["port"]
        self.began = time.monotonic()
        self.console = Console(["apinita", "web", "worker", "sandbox"])
        self.servers = embedded.Servers(settings.DATA)
        self.link = ""
        self.since: datetime | None = None
        self.env = self.environment()

    def run(self) -> None:
        """Refuse while nothing is changed; then start, watch, and stop whatever happens."""
        lock = preparing.lock(settings.DATA)
        preparing.port_is_free(self.host, self.port, option="--port, or make run PORT=…")
        if self.options["sandbox"]:
            preparing.port_is_free("127.0.0.1", self.options["sandbox_port"], option="--sandbox-port")
        if not preparing.keys_are_readable():
            self.begin_with_new_keys(lock)
        supervisor = Supervisor([], self.say, self.welcome)
        supervisor.hear_signals()
        try:
            self.start_servers()
            self.link = migrating.make_ready(self.say)
            self.since = self.now()
            if not supervisor.stops_wanted:
                supervisor.parts = [*self.server_parts(), *self.product_parts()]
                supervisor.run()
        finally:
            self.stop(supervisor)
            lock.close()

    def begin_with_new_keys(self, lock: IO[str]) -> None:
        """The very first start: make the keys, and begin again with them (the settings were read without)."""
        if not settings.EMBEDDED:
            preparing.database_answers()
            if not preparing.database_is_new():
                raise Refused("This database needs the secret keys it was made with: set APINITA_SECRET_KEYS.")
        path = preparing.make_keys(settings.DATA)
        self.say(f"made the secret keys in {path}: back this file up together with the database")
        lock.close()
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 — ourselves

    def start_servers(self) -> None:
        if settings.EMBEDDED:
            if not embedded.has_database(settings.DATA):
                self.say("making the database, this once")
            self.servers.start(lambda name, took_s: self.say(f"{SERVER_NAMES[name]} is ready after {took_s:.1f} s"))
        else:
            preparing.database_answers()
            preparing.broker_answers()

    def now(self) -> datetime:
        """The database's clock: a worker seen after this is one of ours."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT clock_timestamp()")
            found: datetime = cursor.fetchone()[0]
        return found

    def server_parts(self) -> list[Part]:
        """The embedded servers, already running, so that a crash of one is noticed and mended too."""
        return [self.server_part(name) for name in self.servers.running]

    def server_part(self, name: str) -> Part:
        def launch() -> subprocess.Popen[bytes]:
            self.servers.launch(name)
            return self.servers.running[name]

        answers = self.servers.postgres_answers if name == "postgres" else self.servers.valkey_answers
        return Part(SERVER_NAMES[name], launch, answers, process=self.servers.running[name], ready=True)

    def product_parts(self) -> list[Part]:
        """Web server, workers, and the sandbox where it is asked for."""
        web = [
            sys.executable,
            "-m",
            "granian",
            "--interface",
            "wsgi",
            "--http",
            "1",
            "--host",
            self.host,
            "--port",
            str(self.port),
        ]
        web += ["--workers", str(self.options["web"]), "--blocking-threads", str(WEB_THREADS), "--no-ws"]
        web += ["--respawn-failed-workers", "--respawn-interval", "0.5", "--workers-kill-timeout", "5"]
        web += ["--log-level", "error", "--no-access-log", "apinita.wsgi:application"]
        parts = [self.part("web", web, self.web_answers, grace_s=8)]
        for number in range(1, self.options["workers"] + 1):
            worker = [sys.executable, "-m", "celery", "--quiet", "-A", "apinita", "worker", "-P", "threads", "-c", "4"]
            worker += ["--without-gossip", "--without-mingle", "--without-heartbeat", "-l", "WARNING"]
            worker += ["-n", f"worker{number}@%h"]
            name = "worker" if self.options["workers"] == 1 else f"worker {number}"
            parts.append(self.part(name, worker, self.worker_is_seen, grace_s=WORKER_GRACE_S))
        if self.options["sandbox"]:
            manage = str(environment.ROOT / "manage.py")
            sandbox = [sys.executable, manage, "sandbox", "--port", str(self.options["sandbox_port"])]
            parts.append(self.part("sandbox", sandbox, self.sandbox_answers, grace_s=3))
        return parts

    def part(self, name: str, command: list[str], is_ready: Callable[[], bool], *, grace_s: float) -> Part:
        def launch() -> subprocess.Popen[bytes]:
            process = processes.spawn(command, output=subprocess.PIPE, env=self.env, cwd=environment.ROOT)
            self.console.follow(name, process)
            return process

        return Part(name, launch, is_ready, grace_s)

    def environment(self) -> dict[str, str]:
        """What the children get: our environment, with the port and, beside the sandbox, the way to it."""
        env = os.environ | {"PORT": str(self.port), "PYTHONUNBUFFERED": "1"}
        if self.options["sandbox"]:
            address = f"127.0.0.1:{self.options['sandbox_port']}"
            allowed = env.get("APINITA_ALLOWED_PRIVATE_HOSTS", "")
            env["APINITA_SANDBOX_URL"] = f"http://{address}"
            env["APINITA_ALLOWED_PRIVATE_HOSTS"] = ",".join(filter(None, (allowed, address)))
        os.environ["PORT"] = str(self.port)
        settings.PUBLIC_URL = environment.public_url()  # our own settings were read before --port was
        return env

    def web_answers(self) -> bool:
        host = "127.0.0.1" if self.host in LISTENS_EVERYWHERE else self.host
        return answers(f"http://{f'[{host}]' if ':' in host else host}:{self.port}/healthz")

    def sandbox_answers(self) -> bool:
        return answers(f"http://127.0.0.1:{self.options['sandbox_port']}/")

    def worker_is_seen(self) -> bool:
        if not health.holds(lambda: health.worker_is_seen(self.since)):
            return False
        connection.close()
        return True

    def welcome(self) -> None:
        self.say(f"APInita runs at {settings.PUBLIC_URL} ({time.monotonic() - self.began:.1f} s); stop it with Ctrl-C")
        if self.options["sandbox"]:
            self.say(f"the sandbox runs at {self.env['APINITA_SANDBOX_URL']}")
        if self.link:
            self.say(f"make the owner's account here, once: {self.link}")

    def stop(self, supervisor: Supervisor) -> None:
        started = time.monotonic()
        product = [part for part in supervisor.parts if part.name not in SERVER_NAMES.values()]
        if product:
            self.say("stopping; once more Ctrl-C stops at once")
        supervisor.parts = product
        supervisor.stop()
        connection.close()
        self.servers.stop()
        if product:
            self.say(f"stopped after {time.monotonic() - started:.1f} s")

    def say(self, text: str) -> None:
        self.console.line("apinita", text)


def answers(url: str) -> bool:
    """Whether anything speaks HTTP there, whatever it says."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        opener.open(url, timeout=2).close()
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


def port(text: str) -> int:
    number = int(text)
    if not 1 <= number <= 65535:
        raise ValueError
    return number


def at_least_one(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError
    return number
