"""Keeps the parts of the product running: starts them, tells their states, restarts what crashes, stops them all."""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from types import FrameType
from typing import IO

from apinita import processes
from apinita.programs import CannotStart

TICK_S = 0.1
READY_WITHIN_S = 60
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
HEALTHY_AFTER_S = 30.0


@dataclass
class Part:
    """One supervised process. `launch` starts it, `is_ready` asks it; the pause before a restart doubles each time."""

    name: str
    launch: Callable[[], subprocess.Popen[bytes]]
    is_ready: Callable[[], bool]
    grace_s: float = 10
    process: subprocess.Popen[bytes] | None = None
    ready: bool = False
    started_at: float = 0
    pause_s: float = FIRST_PAUSE_S
    restart_at: float | None = None


@dataclass
class Supervisor:
    """Runs in the main thread: children end with the thread that started them, and signals arrive here."""

    parts: list[Part]
    say: Callable[[str], None]
    when_ready: Callable[[], None]
    stops_wanted: int = 0
    announced: bool = field(default=False, init=False)

    def run(self) -> None:
        """Start all and watch over them until a signal asks to stop."""
        for part in self.parts:
            if part.process is None:
                self.start(part)
        while not self.stops_wanted:
            for part in self.parts:
                self.look_after(part)
            if not self.announced and all(part.ready for part in self.parts):
                self.announced = True
                self.when_ready()
            time.sleep(TICK_S)

    def hear_signals(self) -> None:
        """The first Ctrl-C or SIGTERM stops in good order, the second at once."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) != signal.SIG_IGN:  # nohup, and a shell's background jobs, ignore some
                signal.signal(number, self.want_stop)

    def want_stop(self, number: int, frame: FrameType | None) -> None:
        self.stops_wanted += 1

    def start(self, part: Part) -> None:
        now = time.monotonic()
        part.restart_at, part.started_at, part.ready = None, now, False
        try:
            part.process = part.launch()
        except (CannotStart, OSError) as error:
            self.plan_restart(part, now, str(error))

    def look_after(self, part: Part) -> None:
        now = time.monotonic()
        if part.restart_at is not None:
            if now >= part.restart_at:
                self.start(part)
        elif part.process is not None and part.process.poll() is not None:
            processes.kill_group(part.process)  # what the crashed one left behind would hold its port
            self.plan_restart(part, now, ended_how(part.process.returncode))
        elif not part.ready:
            self.ask_ready(part, now)
        elif now - part.started_at > HEALTHY_AFTER_S:
            part.pause_s = FIRST_PAUSE_S

    def plan_restart(self, part: Part, now: float, reason: str) -> None:
        self.say(f"{part.name} stopped by itself ({reason}); it starts again in {part.pause_s:g} s")
        part.restart_at = now + part.pause_s
        part.pause_s = min(part.pause_s * 2, LONGEST_PAUSE_S)
        part.process, part.ready = None, False

    def ask_ready(self, part: Part, now: float) -> None:
        if part.is_ready():
            part.ready = True
            self.say(f"{part.name} is ready after {now - part.started_at:.1f} s")
        elif now - part.started_at > READY_WITHIN_S:
            self.say(f"{part.name} is not ready after {READY_WITHIN_S} s; it starts again")
            assert part.process is not None
            processes.end(part.process, grace_s=part.grace_s)

    def stop(self) -> None:
        """Ask the parts that depend on others first, all of one layer at once; a second signal cuts it short."""
        running = [part for part in self.parts if part.process is not None]
        for part in running:
            assert part.process is not None
            processes.ask(part.process, signal.SIGTERM)
        started = time.monotonic()
        for part in running:
            assert part.process is not None
            while part.process.poll() is None:
                waited = time.monotonic() - started
                if waited > part.grace_s or self.stops_wanted > 1:
                    self.say(f"{part.name} did not stop in {waited:.0f} s and is killed")
                    break
                time.sleep(0.02)
            processes.kill_group(part.process)
            part.process.wait()


def ended_how(code: int) -> str:
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


class Console:
    """Our own lines and the children's, each under the name of who speaks."""

    WIDTH = 10
    COLOURS = ("36", "32", "35", "33")

    def __init__(self, names: Sequence[str], output: IO[str] = sys.stdout) -> None:
        self.output = output
        self.lock = threading.Lock()
        self.colours = dict(zip(names, self.COLOURS, strict=False)) if output.isatty() else {}

    def line(self, name: str, text: str) -> None:
        label = name.ljust(self.WIDTH)
        if colour := self.colours.get(name):
            label = f"\x1b[{colour}m{label}\x1b[0m"
        with self.lock, suppress(BrokenPipeError, ValueError):  # where nobody reads any longer the product goes on
            print(f"{label} {text}", file=self.output, flush=True)

    def follow(self, name: str, process: subprocess.Popen[bytes]) -> None:
        """Print what a child says, from a thread of its own, until it ends."""
        threading.Thread(target=self.copy, args=(name, process.stdout), name=f"console-{name}", daemon=True).start()

    def copy(self, name: str, stream: IO[bytes]) -> None:
        for line in stream:
            self.line(name, line.decode("utf-8", "replace").rstrip())
