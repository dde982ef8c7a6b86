"""What a worker process does: claims runs that are due and executes them on a pool of threads until none is left."""

import contextlib
import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import psycopg
from django.conf import settings
from django.db import Error as DatabaseError
from django.db import close_old_connections
from django.utils import translation

from lib.errors import UserError
from scenarios import leases
from scenarios.engine import Cancelled, Ended, Engine, HandedOver
from scenarios.hints import Hints, shared
from scenarios.hot_sql import connect
from scenarios.journal import LEASE_S, LeaseLost, Owned, RunJournal, Writer
from scenarios.leases import Claimed
from scenarios.performing import StepPerformer
from scenarios.plans import Plans
from scenarios.triggers import names_of

log = logging.getLogger(__name__)

THREADS = 64
LARGEST_CLAIM = 64
RENEW_EVERY_S = 3.0
LINGER_S = 0.2
PUT_BACK_S = 1.0
PAUSE_S = 0.01


@dataclass
class Held:
    """A run that this process executes, as its threads see it."""

    good_until: float  # by this machine's monotonic clock, counted from before the lease was asked for
    lost: bool = False
    cancelled: bool = False


@dataclass
class RunControl:
    """Says before each step, and before each request, whether to go on (scenarios.engine.Control)."""

    held: Held
    stopping: threading.Event

    def check(self) -> None:
        self.check_lease()
        if self.held.cancelled:
            raise Cancelled
        if self.stopping.is_set():
            raise HandedOver

    def check_lease(self) -> None:
        if self.held.lost or time.monotonic() > self.held.good_until:
            raise LeaseLost

    def before_send(self) -> None:
        """The last look before the first byte leaves. The database connection goes back: the answer may take long."""
        self.check_lease()
        close_old_connections()

    def now(self) -> float:
        return time.time()


@dataclass
class Runtime:
    """One per worker process: the pool, the writer of the journal, and the renewing of leases."""

    hints: Hints = field(default_factory=shared)
    name: str = field(default_factory=lambda: f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}")
    plans: Plans = field(default_factory=Plans)
    held: dict[Owned, Held] = field(default_factory=dict)
    stopping: threading.Event = field(default_factory=threading.Event)
    closed: threading.Event = field(default_factory=threading.Event)
    draining: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.writer = Writer()
        self.pool = ThreadPoolExecutor(THREADS, thread_name_prefix="run")
        self.free = threading.Semaphore(THREADS)
        self.renewer = threading.Thread(target=self.renew_leases, name="leases", daemon=True)
        self.renewer.start()

    def drain(self) -> int:
        """Execute what is due until nothing is; answers how many runs were claimed. One thread drains at a time."""
        if not self.draining.acquire(blocking=False):
            return 0
        try:
            with contextlib.closing(connect()) as connection:
                return self.drain_with(connection)
        except psycopg.OperationalError as error:
            log.warning("the database is away: %s", type(error).__name__)
            return 0
        finally:
            self.draining.release()

    def drain_with(self, connection: psycopg.Connection) -> int:
        claimed, idle_since, last_look = 0, time.monotonic(), False
        while not self.stopping.is_set():
            runs = self.claim(connection)
            claimed += len(runs)
            for run in runs:
                self.pool.submit(self.execute, run)
            if runs:
                idle_since, last_look = time.monotonic(), False
                if len(runs) == LARGEST_CLAIM:
                    self.hints.wake()  # a backlog: let a sibling help
            elif last_look:
                break
            elif time.monotonic() - idle_since > LINGER_S:
                # Clear the flag, then look once more: a run that came in between is found, or sends a message again.
                self.hints.asleep()
                last_look = True
            else:
                self.stopping.wait(PAUSE_S)
        return claimed

    def claim(self, connection: psycopg.Connection) -> list[Claimed]:
        room = 0
        while room < LARGEST_CLAIM and self.free.acquire(blocking=room == 0, timeout=1 if room == 0 else None):
            room += 1
        if room == 0:
            return []
        runs: list[Claimed] = []
        good_until = time.monotonic() + LEASE_S
        try:
            runs = leases.claim(connection, self.name, room)
        finally:
            if room > len(runs):
                self.free.release(room - len(runs))
        for run in runs:
            self.held[run.id, run.fence] = Held(good_until, cancelled=run.cancelled)
        return runs

    def execute(self, run: Claimed) -> None:
        """The edge of a run: whatever happens in it, it gets one outcome, or another worker gets the run."""
        journal = RunJournal(run.id, run.fence, self.writer, run.steps)
        translation.activate(run.language or settings.LANGUAGE_CODE)
        try:
            self.walk(run, journal)
        except HandedOver:
            self.quietly(lambda: journal.hand_over(0 if self.stopping.is_set() else PUT_BACK_S))
        except LeaseLost:
            log.info("run %s belongs to another worker now", run.id.hex)
        except (psycopg.Error, DatabaseError) as error:
            # The database went away under it, or its pool is busy: that says nothing of the run.
            log.warning("run %s is put back: %s", run.id.hex, type(error).__name__)
            self.quietly(lambda: journal.hand_over(PUT_BACK_S))
        except Exception:
            log.exception("run %s", run.id.hex)
            self.quietly(lambda: journal.end(Ended("failed", UserError("internal").as_json())))
        finally:
            self.held.pop((run.id, run.fence), None)
            self.free.release()
            close_old_connections()

    def walk(self, run: Claimed, journal: RunJournal) -> None:
        plan = self.plans.get(run.version_id)
        if plan.replies or run.trigger == "manual":  # somebody may be waiting for what it says
            journal.replied = self.hints.replied
        control = RunControl(self.held[run.id, run.fence], self.stopping)
        performer = StepPerformer(
            plan=plan,
            workspace_id=run.workspace_id,
            run_id=run.id.hex,
            run_key=run.key.hex,
            timezone=plan.document.settings.timezone or run.timezone,
            before_send=control.before_send,
        )
        engine = Engine(
            plan.document, journal, performer, control, names_of(run, plan.document), translate=translation.gettext
        )
        journal.end(engine.run())

    def quietly(self, save: Callable[[], None]) -> None:
        try:
            save()
        except (LeaseLost, psycopg.Error) as error:
            log.info("nothing saved: %s", type(error).__name__)

    def renew_leases(self) -> None:
        """Renews all leases of the process at once, on a connection of its own; a lost one stops its run."""
        connection: psycopg.Connection | None = None
        while not self.closed.wait(RENEW_EVERY_S):
            try:
                connection = connection or connect()
                self.renew_once(connection)
            except psycopg.Error as error:
                log.warning("leases could not be renewed: %s", type(error).__name__)
                connection = None
            except Exception:
                log.exception("leases could not be renewed")
                connection = None
        if connection is not None:
            connection.close()

    def renew_once(self, connection: psycopg.Connection) -> None:
        held = dict(self.held)
        good_until = time.monotonic() + LEASE_S
        ours = leases.renew(connection, held)
        for owned, one in held.items():
            if owned not in ours:
                one.lost = True
                continue
            one.good_until = good_until
            one.cancelled = one.cancelled or ours[owned]

    def stop(self, timeout_s: float) -> None:
        """Claim nothing more, let the steps under way end, put the rest back; then close."""
        self.stopping.set()
        deadline = time.monotonic() + timeout_s
        while self.held and time.monotonic() < deadline:
            time.sleep(PAUSE_S)
        self.pool.shutdown(wait=False, cancel_futures=True)
        self.closed.set()
        self.writer.stop()
