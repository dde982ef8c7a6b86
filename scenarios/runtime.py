"""What a worker process does: claims runs that are due and executes them on a pool of threads until none is left."""

import contextlib
import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

import psycopg
from django.conf import settings
from django.db import Error as DatabaseError
from django.db import close_old_connections
from django.utils import translation

from lib.egress import Abort
from lib.errors import UserError
from lib.failpoints import failpoint
from scenarios import calling, leases
from scenarios.engine import Engine
from scenarios.engine_terms import Cancelled, Ended, Expired, HandedOver, Waits
from scenarios.hints import Hints, shared
from scenarios.hot_sql import BY_INDEX, connect
from scenarios.journal import LEASE_S, LeaseLost, Owned, RunJournal, Writer
from scenarios.leases import Claimed, Limits
from scenarios.performing import StepPerformer
from scenarios.plans import Plans
from scenarios.triggers import names_of

log = logging.getLogger(__name__)

THREADS = 64
LARGEST_CLAIM = 64
RENEW_EVERY_S = 3.0
LINGER_S = 0.2
LET_IN_EVERY_S = 0.1
PUT_BACK_S = 1.0
PAUSE_S = 0.01
LONGEST_STEP_S = 16 * 60  # a run whose step takes longer is let go: its thread hangs


@dataclass
class Held:
    """A run that this process executes, as its threads see it."""

    good_until: float  # by this machine's monotonic clock, counted from before the lease was asked for
    lost: bool = False
    cancelled: bool = False
    is_suspect: bool = False  # it may be what kills workers
    abort: Abort = field(default_factory=Abort)
    looked_at: float = field(default_factory=time.monotonic)  # when a step of it last began

    def end_requests(self) -> None:
        """What is on the wire is of no more use: the run is cancelled, or another worker's."""
        self.abort.abort()


@dataclass
class RunControl:
    """Says before each step, and before each request, whether to go on (scenarios.engine_terms.Control)."""

    held: Held
    stopping: threading.Event
    deadline_at: float
    now_at_claim: float
    claimed_at: float  # by this machine's monotonic clock

    def check(self, *, is_handling: bool = False) -> None:
        self.check_lease()
        self.held.looked_at = time.monotonic()
        if self.held.cancelled:
            raise Cancelled
        if self.stopping.is_set():
            raise HandedOver
        if not is_handling and self.now() > self.deadline_at:
            raise Expired

    def check_lease(self) -> None:
        if self.held.lost or time.monotonic() > self.held.good_until:
            raise LeaseLost

    def before_send(self) -> None:
        """The last look before the first byte leaves. The database connection goes back: the answer may take long."""
        failpoint("before_send")
        self.check_lease()
        close_old_connections()

    def now(self) -> float:
        """The database's clock, as it was at the claim and has gone on since."""
        return self.now_at_claim + time.monotonic() - self.claimed_at


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
    place_is_free: threading.Event = field(default_factory=threading.Event)
    served: int = 0  # the workspace that was served last
    let_in_at: float = 0.0

    def __post_init__(self) -> None:
        self.writer = Writer()
        self.pool = ThreadPoolExecutor(THREADS, thread_name_prefix="run")
        self.hands = ThreadPoolExecutor(THREADS, thread_name_prefix="pass")
        self.limits = Limits(settings.RUN_DEADLINE_S, settings.MAX_RUNNING)
        self.free = threading.Semaphore(THREADS)
        self.renewer = threading.Thread(target=self.renew_leases, name="leases", daemon=True)
        self.renewer.start()

    def drain(self) -> int:
        """Execute what is due until nothing is; answers how many runs were claimed. One thread drains at a time."""
        if not self.draining.acquire(blocking=False):
            return 0
        try:
            with contextlib.closing(connect(**BY_INDEX)) as connection:
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
            if self.let_in(connection, is_idle=not runs) or runs:
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
            has_suspect = any(one.is_suspect for one in list(self.held.values()))
            runs = leases.claim(
                connection, self.name, room, limits=self.limits, after=self.served, has_suspect=has_suspect
            )
        finally:
            if room > len(runs):
                self.free.release(room - len(runs))
        failpoint("after_claim")
        for run in runs:
            is_suspect = run.stalls >= leases.SUSPECT_STALLS
            self.held[run.id, run.fence] = Held(good_until, cancelled=run.cancelled, is_suspect=is_suspect)
        if runs:  # the last one whose turn it was, counted on from the one before
            self.served = max((run.workspace_id for run in runs), key=lambda one: (one <= self.served, one))
        return runs

    def let_in(self, connection: psycopg.Connection, *, is_idle: bool) -> int:
        """Runs whose scenario has a limit enter as places get free: at once where one ended here, else soon."""
        is_time = is_idle and time.monotonic() - self.let_in_at > LET_IN_EVERY_S
        if not is_time and not self.place_is_free.is_set():
            return 0
        self.place_is_free.clear()
        self.let_in_at = time.monotonic()
        return leases.let_in(connection)

    def execute(self, run: Claimed) -> None:
        """The edge of a run: whatever happens in it, it gets one outcome, or another worker gets the run."""
        journal = RunJournal(run.id, run.fence, self.writer, run.steps)
        translation.activate(run.language or settings.LANGUAGE_CODE)
        try:
            self.settle(run, journal, self.walk(run, journal))
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
            self.quietly(lambda: self.settle(run, journal, Ended("failed", UserError("internal").as_json())))
        finally:
            self.held.pop((run.id, run.fence), None)
            self.free.release()
            close_old_connections()

    def walk(self, run: Claimed, journal: RunJournal) -> Ended | Waits:
        plan = self.plans.get(run.version_id)
        if plan.replies or run.trigger == "manual":  # somebody may be waiting for what it says
            journal.replied = self.hints.replied
        held = self.held[run.id, run.fence]
        claimed_at = held.good_until - LEASE_S
        control = RunControl(held, self.stopping, run.deadline_at, run.now, claimed_at)
        performer = StepPerformer(
            plan=plan,
            workspace_id=run.workspace_id,
            run_id=run.id.hex,
            run_key=run.key.hex,
            timezone=plan.document.settings.timezone or run.timezone,
            before_send=control.before_send,
            abort=held.abort,
            depth=run.depth,
        )
        engine = Engine(
            plan.document,
            journal,
            performer,
            control,
            names_of(run, plan.document),
            calls=calling.RunCalls(run),
            spawn=partial(self.spawn, run.language or settings.LANGUAGE_CODE),
            translate=translation.gettext,
        )
        # Also where the walk would end before it comes there, as in a loop of which another pass has failed.
        doubtful = [entry for entry in run.steps.values() if engine.is_in_doubt(entry)]
        return engine.ask(doubtful) if doubtful else engine.run()

    def spawn(self, language: str, work: Callable[[], None]) -> "Future[None]":
        """Another hand for a run's parallel passes."""

        def hand() -> None:
            translation.activate(language)
            try:
                work()
            finally:
                close_old_connections()

        return self.hands.submit(hand)

    def settle(self, run: Claimed, journal: RunJournal, outcome: Ended | Waits) -> None:
        """Save how the run ended or what it waits for; then tell those whom it concerns."""
        journal.end(outcome)
        if isinstance(outcome, Waits):
            if outcome.waits_for.startswith("run:"):
                calling.wake_caller(run.id)  # the other run may have ended in the meantime
            return
        if run.is_limited:
            self.place_is_free.set()
            self.hints.wake()
        if run.parent_id is not None and outcome.status != "needs_review":
            calling.wake_caller(run.parent_id)

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
        now = time.monotonic()
        # A run that hangs in a step is not renewed: the sweep will find it.
        held = {owned: one for owned, one in self.held.copy().items() if now - one.looked_at < LONGEST_STEP_S}
        good_until = now + LEASE_S
        ours = leases.renew(connection, held)
        for owned, one in held.items():
            if owned not in ours:
                one.lost = True
                one.end_requests()
                continue
            one.good_until = good_until
            if ours[owned]:
                one.cancelled = True
                one.end_requests()

    def stop(self, timeout_s: float) -> None:
        """Claim nothing more, let the steps under way end, put the rest back; then close."""
        self.stopping.set()
        deadline = time.monotonic() + timeout_s
        while self.held and time.monotonic() < deadline:
            time.sleep(PAUSE_S)
        self.pool.shutdown(wait=False, cancel_futures=True)
        self.hands.shutdown(wait=False, cancel_futures=True)
        self.closed.set()
        self.writer.stop()
