"""Failpoints strike where they are armed, and nowhere else."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lib import failpoints

ROOT = Path(failpoints.__file__).resolve().parent.parent
PASS_THREE = "from lib.failpoints import failpoint\nfor n in range(3): failpoint('here'); print(n, flush=True)"


def run(armed: str, code: str = PASS_THREE, **env: str) -> subprocess.CompletedProcess[str]:
    given = {name: value for name, value in os.environ.items() if not name.startswith("APINITA_")}
    return subprocess.run(
        [sys.executable, "-c", code],
        env=given | {"APINITA_FAILPOINTS": armed} | env,
        cwd=ROOT,
        capture_output=True,
        text=True,
    )


def test_nothing_happens_where_nothing_is_armed() -> None:
    assert run("").returncode == 0
    assert run("elsewhere=kill").returncode == 0


def test_a_kill_is_one_that_nobody_can_catch() -> None:
    killed = run("here=kill")
    assert (killed.returncode, killed.stdout) == (-signal.SIGKILL, "")


def test_a_kill_may_wait_for_a_later_passage() -> None:
    assert run("here=kill@3").stdout == "0\n1\n"


def test_a_kill_with_a_file_strikes_once_in_all_processes_together(tmp_path: Path) -> None:
    codes = [run(f"here=kill:{tmp_path}/done").returncode for _ in range(3)]
    assert codes == [-signal.SIGKILL, 0, 0]


def test_a_sleep_holds_up_whoever_passes() -> None:
    armed = failpoints.Armed("here=sleep:0.2")
    started = time.monotonic()
    armed.passed("here")
    assert time.monotonic() - started >= 0.2


def test_a_file_is_read_anew_when_it_changes(tmp_path: Path) -> None:
    orders = tmp_path / "orders"
    armed = failpoints.Armed(f"@{orders}")
    armed.passed("here")
    orders.write_text("here=sleep@2:0.2")
    started = time.monotonic()
    armed.passed("here")
    assert time.monotonic() - started < 0.15
    armed.passed("here")
    assert time.monotonic() - started >= 0.2
    orders.unlink()
    armed.passed("here")
    assert armed.strikes == {}


def test_a_public_installation_refuses_them() -> None:
    refused = run("here=kill", APINITA_URL="https://apinita.example")
    assert refused.returncode == 0
    assert "ignored" in refused.stderr


def test_a_misspelt_fault_is_an_error() -> None:
    for text in ("here", "here=die", "here=sleep", "=kill", "here=kill@often"):
        with pytest.raises(ValueError, match=r".+"):
            failpoints.parse(text)
