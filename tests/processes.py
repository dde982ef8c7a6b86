"""The product as real processes on the test database: a Celery worker, and the web server beside it.

They are started once and kept while the tests that follow ask for them too. A test that uses committed rows but
no worker would be disturbed by one: before such a test they are stopped.
"""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any
from urllib.error import URLError
from urllib.parse import urlsplit

import pytest

from apinita import processes
from tests.guard import free_port as free_port

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
READY_WITHIN_S = 40


def wait_until(condition: Callable[[], Any], *, timeout_s: float = 20, every_s: float = 0.05) -> Any:
    """Wait for something to become true and give it back; fail with the condition's name where it does not."""
    deadline = time.monotonic() + timeout_s
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"{getattr(condition, '__name__', condition)} is not true after {timeout_s} s")
        time.sleep(every_s)
    return value


@dataclass
class Kept:
    """One process of the product, with its output in a file that a failing test shows."""

    command: list[str]
    log: Path
    process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def start(self, env: dict[str, str]) -> None:
        output: IO[bytes]
        with self.log.open("ab") as output:
            self.process = processes.spawn(self.command, output=output, env=env, cwd=ROOT)

    def kill(self) -> None:
        """kill -9: what a crash looks like."""
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        if self.process is not None:
            processes.end(self.process, grace_s=15)
            self.process = None

    def text(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""


@dataclass
class Worker(Kept):
    """A real Celery worker. `kill()` and `restart()` are for tests of crashes."""

    env: dict[str, str] = field(default_factory=dict)

    def ensure(self) -> None:
        if self.is_running():
            return
        size = len(self.text())
        self.start(self.env)

        def worker_is_ready() -> bool:
            assert self.is_running(), f"the worker ended at its start:\n{self.text()[-3000:]}"
            return "ready." in self.text()[size:]

        wait_until(worker_is_ready, timeout_s=READY_WITHIN_S)

    def restart(self) -> None:
        self.stop()
        self.ensure()


@dataclass
class Web(Kept):
    """A real granian with the cabinet, the API and the hooks."""

    env: dict[str, str] = field(default_factory=dict)
    url: str = ""

    def ensure(self) -> None:
        if self.is_running():
            return
        self.start(self.env)

        def web_answers() -> bool:
            assert self.is_running(), f"the web server ended at its start:\n{self.text()[-3000:]}"
            try:
                return bool(urllib.request.urlopen(f"{self.url}/healthz", timeout=5).status == 200)
            except (URLError, ConnectionError):
                return False

        wait_until(web_answers, timeout_s=READY_WITHIN_S)


@dataclass
class Live:
    """The running product: `url` is its address without a slash at the end."""

    web: Web
    worker: Worker

    @property
    def url(self) -> str:
        return self.web.url

    def get_json(self, path: str) -> Any:
        """GET without any credentials, whatever the status."""
        try:
            with urllib.request.urlopen(self.url + path, timeout=20) as response:
                return json.load(response)
        except urllib.error.HTTPError as answer:
            return json.load(answer)


class Keeper:
    """Keeps the processes between tests; there is one of each in a session."""

    def __init__(self) -> None:
        self.worker: Worker | None = None
        self.web: Web | None = None

    def ensure_worker(self) -> Worker:
        command = [str(BIN / "celery"), "-A", "apinita", "worker", "-P", "threads", "-c", "4", "-l", "INFO"]
        command += ["--without-gossip", "--without-mingle", "--without-heartbeat", "-n", f"test-{os.getpid()}@%h"]
        if self.worker is None:
            self.worker = Worker(command, log_file("worker"), env=environment())
        self.worker.ensure()
        return self.worker

    def ensure_web(self) -> Web:
        url = os.environ["APINITA_URL"]
        port = str(urlsplit(url).port)
        command = [str(BIN / "granian"), "--interface", "wsgi", "--http", "1", "--workers", "1"]
        command += ["--blocking-threads", "16"]
        command += ["--host", "127.0.0.1", "--port", port, "--no-ws", "apinita.wsgi:application"]
        if self.web is None:
            self.web = Web(command, log_file("web"), env=environment(), url=url)
        self.web.ensure()
        return self.web

    def stop(self) -> None:
        for kept in (self.web, self.worker):
            if kept is not None:
                kept.stop()


keeper = Keeper()


def environment() -> dict[str, str]:
    """Our environment, with the test database in the place of the one that the settings name.

    Where a process and the emptying of tables after a test lock each other out, the process gives way: it is the one
    that tries again.
    """
    from django.db import connection
    from psycopg.conninfo import make_conninfo

    name = connection.settings_dict["NAME"]
    return os.environ | {
        "DATABASE_URL": make_conninfo(os.environ["DATABASE_URL"], dbname=name, options="-c deadlock_timeout=100ms")
    }


def log_file(name: str) -> Path:
    folder = Path(os.environ["APINITA_DATA"]) / "log"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{name}.log"


@pytest.fixture(scope="session")
def kept(django_db_setup: None) -> Iterator[Keeper]:
    """Ends the processes before the test database is dropped."""
    yield keeper
    keeper.stop()


@pytest.fixture
def worker(transactional_db: None, kept: Keeper) -> Worker:
    """A real Celery worker on the test database; the test's rows are committed."""
    return kept.ensure_worker()


@pytest.fixture
def live(transactional_db: None, kept: Keeper) -> Live:
    """Web server and worker as real processes on the test database."""
    web, worker = kept.ensure_web(), kept.ensure_worker()
    return Live(web, worker)


def pytest_runtest_setup(item: pytest.Item) -> None:
    names = set(getattr(item, "fixturenames", ()))
    if {"worker", "live"} & names:
        return
    marker = item.get_closest_marker("django_db")
    commits = "transactional_db" in names or (marker is not None and marker.kwargs.get("transaction"))
    if commits:
        keeper.stop()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """A failed test that used the processes shows what they said last."""
    report = yield
    if report.failed and {"worker", "live"} & set(getattr(item, "fixturenames", ())):
        for name, kept in (("worker", keeper.worker), ("web", keeper.web)):
            if kept is not None:
                report.sections.append((f"{name} log", kept.text()[-4000:]))
    return report
