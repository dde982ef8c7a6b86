"""Workers that start in milliseconds: forks of a process that has the product imported.

`python forked.py CONTROL`. Orders come to the unix socket CONTROL: `{"env": {…}, "engine": n}` forks a worker with
these variables, as old as that engine, and answers `{"pid": n}`. It runs what a Celery worker of ours runs
(scenarios.worker), without Celery: that brings hints only. For tests that kill a worker at each of many points; the
others use real ones.
"""

import ctypes
import json
import os
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

PR_SET_PDEATHSIG = 1  # prctl(2)


def load() -> None:
    import django

    import apinita.celery  # noqa: F401

    django.setup()
    from actions import registry
    from scenarios import worker  # noqa: F401

    registry.get("data.set")


def become_worker(env: dict[str, str], engine: int | None) -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    os.setsid()
    os.environ.update(env)
    from lib import failpoints
    from scenarios import leases, worker

    if engine is not None:
        usual = leases.Limits.__init__.__defaults__ or ()
        leases.Limits.__init__.__defaults__ = (*usual[:-1], engine)  # type: ignore[misc]
    failpoints._armed = failpoints.arm(env.get("APINITA_FAILPOINTS", ""), "")
    worker.start()
    while True:
        signal.pause()


def serve(control: str) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # whoever ends is forgotten at once
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(control)
    listener.listen()
    print("ready", flush=True)
    while True:
        opened, _address = listener.accept()
        with opened, suppress(OSError):
            order = json.loads(opened.makefile().readline())
            pid = os.fork()
            if pid == 0:
                listener.close()
                opened.close()
                become_worker(order["env"], order["engine"])
            opened.sendall(json.dumps({"pid": pid}).encode() + b"\n")


if __name__ == "__main__":
    load()
    serve(sys.argv[1])
