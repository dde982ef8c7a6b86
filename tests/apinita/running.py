"""`manage.py up` as a person runs it: a process of its own, on a data folder of its own."""

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from tests.guard import free_port
from tests.processes import wait_until

ROOT = Path(__file__).resolve().parent.parent.parent
OURS = ("APINITA_", "DATABASE_URL", "REDIS_URL", "DJANGO_", "PORT")
READY = "APInita runs at"


def clean_environment(data: Path, **more: str) -> dict[str, str]:
    """The environment of somebody who has set nothing but the data folder."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    return kept | {"APINITA_DATA": str(data), **more}


def manage(data: Path, *args: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", *args],
        cwd=ROOT,
        env=clean_environment(data, **env),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def refused(data: Path, *args: str, **env: str) -> str:
    """What `up` says when it refuses: one line, exit code 1."""
    answer = manage(data, "up", *args, **env)
    assert answer.returncode == 1, answer.stdout + answer.stderr
    lines = answer.stderr.strip().splitlines()
    assert len(lines) == 1, answer.stderr
    return lines[0]


@dataclass
class Product:
    """A running `up`. `port` is the web server's."""

    data: Path
    port: int
    process: subprocess.Popen[bytes]
    log: Path

    @classmethod
    def start(cls, data: Path, *args: str, **env: str) -> "Product":
        port = free_port()
        log = data.parent / f"{data.name}-up.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "manage.py", "up", "--port", str(port), *args],
                cwd=ROOT,
                env=clean_environment(data, **env),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return cls(data, port, process, log)

    def wait_for(self, text: str, *, times: int = 1, timeout_s: float = 90) -> str:
        """Wait until `up` has said it; gives the whole output."""

        def said() -> str:
            output = self.output()
            assert self.process.poll() is None, f"up ended:\n{output}"
            return output if output.count(text) >= times else ""

        said.__name__ = f"“{text}” in {self.log}"
        return str(wait_until(said, timeout_s=timeout_s))

    def output(self) -> str:
        return self.log.read_text(errors="replace")

    def status(self, path: str) -> int:
        """The HTTP status of an address, 0 where nobody answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=20) as response:
                return int(response.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0

    def stop(self, number: int = signal.SIGINT) -> float:
        """Stop as Ctrl-C does; gives the seconds it took."""
        started = time.monotonic()
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            self.process.wait(45)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            raise AssertionError(f"up did not stop:\n{self.output()[-3000:]}") from None
        return time.monotonic() - started

    def processes(self, word: str = "") -> dict[int, str]:
        """All live processes of this product by pid, those whose command line has `word`."""
        found = {}
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
                env = (folder / "environ").read_bytes()
            except OSError:
                continue
            mine = str(self.data) in command or f"APINITA_DATA={self.data}".encode() in env.split(b"\0")
            if command and mine and word in command:
                found[int(folder.name)] = command
        return found

    def main_process(self, word: str) -> int:
        """The child of `up` whose command line has `word`."""
        for pid in self.processes(word):
            stat = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            if int(stat[1]) == self.process.pid:
                return pid
        raise AssertionError(f"no {word} among {self.processes()}")
