"""The tests' side of forked.py: workers that start in milliseconds, to be killed at a point of one's choice."""

import json
import os
import signal
import socket
import sys
import time
from contextlib import closing, suppress
from typing import Self

from apinita import processes
from tests.faults.cluster import HERE, Cluster
from tests.processes import ROOT


class Zygote:
    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.control = cluster.folder / f"zygote-{time.monotonic_ns()}.sock"
        self.born: list[int] = []

    def __enter__(self) -> Self:
        command = [sys.executable, str(HERE / "forked.py"), str(self.control)]
        env = self.cluster.environment() | {"APINITA_FAILPOINTS": ""}
        with self.cluster.log("zygote").open("ab") as output:
            self.process = processes.spawn(command, output=output, env=env, cwd=ROOT)
        deadline = time.monotonic() + 30
        while not self.control.exists():
            assert self.process.poll() is None, self.cluster.log("zygote").read_text()[-3000:]
            assert time.monotonic() < deadline
            time.sleep(0.05)
        return self

    def __exit__(self, *problem: object) -> None:
        for pid in self.born:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        processes.end(self.process, grace_s=1)

    def fork(self, failpoints: str = "", engine: int | None = None) -> int:
        """A new worker's pid. `engine`: of an older version than ours."""
        with closing(socket.socket(socket.AF_UNIX)) as opened:
            opened.connect(str(self.control))
            order = {"env": {"APINITA_FAILPOINTS": failpoints}, "engine": engine}
            opened.sendall(json.dumps(order).encode() + b"\n")
            pid = int(json.loads(opened.makefile().readline())["pid"])
        self.born.append(pid)
        return pid

    def kill(self, pid: int) -> None:
        os.kill(pid, signal.SIGKILL)
        while is_alive(pid):
            time.sleep(0.01)

    def dies_of(self, failpoint: str, within_s: float = 10) -> bool:
        """Fork a worker that is to kill itself; whether it came to that. In the end it is dead anyhow."""
        pid = self.fork(failpoint)
        deadline = time.monotonic() + within_s
        while is_alive(pid):
            if time.monotonic() > deadline:
                os.kill(pid, signal.SIGKILL)
                return False
            time.sleep(0.01)
        return True


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
