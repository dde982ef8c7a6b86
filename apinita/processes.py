"""Child processes: each in a group of its own, ending with us, stopped with a grace time."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

from apinita import launch

LAUNCHER = Path(launch.__file__)


def spawn(
    command: Sequence[str | Path],
    *,
    output: IO[bytes] | int,
    env: Mapping[str, str] | None = None,
    identity: str = launch.AS_IS,
    death_signal: int = signal.SIGTERM,
    cwd: Path | None = None,
) -> subprocess.Popen[bytes]:
    """Start a program that gets `death_signal` when the calling thread ends: call it from the main thread only.

    It leads a session of its own, so that a terminal's Ctrl-C reaches only us, and so that `end` reaches its children.
    """
    prefix = [sys.executable, "-I", "-S", str(LAUNCHER), str(os.getpid()), str(int(death_signal)), identity]
    return subprocess.Popen(  # noqa: S603 — the commands are our own
        [*prefix, *map(str, command)],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        env=None if env is None else dict(env),
        cwd=cwd,
        start_new_session=True,
    )


def end(process: subprocess.Popen[bytes], *, with_signal: int = signal.SIGTERM, grace_s: float = 10) -> bool:
    """Stop a child and all that it left in its group; false where it had to be killed."""
    ask(process, with_signal)
    try:
        process.wait(grace_s)
        return True
    except subprocess.TimeoutExpired:
        return False
    finally:
        kill_group(process)
        process.wait()


def ask(process: subprocess.Popen[bytes], with_signal: int) -> None:
    if process.poll() is None:
        with suppress(ProcessLookupError):
            process.send_signal(with_signal)


def kill_group(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def command_line(pid: int) -> str:
    """The command line of a process, empty where it is gone or the system does not tell."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
    except OSError:
        return ""


def wait_for_end(pid: int, *, timeout_s: float) -> bool:
    """Wait for a process that is not our child."""
    deadline = time.monotonic() + timeout_s
    while is_alive(pid):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
