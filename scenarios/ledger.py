"""The group commit of the intake: deliveries and their runs, many requests in one transaction.

One flusher thread per process takes whatever came in during the last commit. A row that PostgreSQL refuses never
spoils its batch, and nothing is answered before it is durable.
"""

import logging
import os
import queue
import threading
import time
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg

from lib import safe_json
from lib.failpoints import failpoint
from lib.ids import uuid7
from scenarios.hot_sql import as_columns, connect
from scenarios.ledger_sql import END_SESSIONS, REPEATED, STORE, WHICH_ARE_THERE

log = logging.getLogger(__name__)

LARGEST_BATCH = 256
MOST_WAITING = 5000
WAIT_S = 1.8  # what the flusher has taken by then is waited for: only the database knows what becomes of it
IN_DOUBT_S = 8.0  # from its arrival on: what was sent and not answered is looked for as long; senders wait ten seconds
MOST_IN_DOUBT = 16  # threads of a process that wait so long; half of them stay free for whoever else comes
LOOK_AGAIN_S = 0.25
PATIENCE: dict[str, Any] = {
    "options": "-c statement_timeout=8s -c lock_timeout=1500ms",
    "connect_timeout": 2,
    "tcp_user_timeout": 2000,
}


class StoreUnavailable(Exception):
    """The database did not take the delivery; the sender must try again.

    `is_unknown`: it was sent to the database, which went away before it answered, and did not come back in time.
    """

    def __init__(self, *, is_unknown: bool = False) -> None:
        super().__init__()
        self.is_unknown = is_unknown


@dataclass
class Incoming:
    """One request to a webhook address. `verdict` is ours until the database has the last word."""

    scenario_id: int
    version_id: int | None  # whose rules it was judged by
    verdict: str
    method: str
    query: str
    headers: dict[str, str]
    content_type: str
    body: bytes | None
    size: int
    source: str | None
    dedupe_key: str | None = None
    depth: int = 0  # how many runs stand above the new one
    id: uuid.UUID = field(default_factory=uuid7)
    run_id: uuid.UUID = field(default_factory=uuid7)
    stored: threading.Event = field(default_factory=threading.Event)
    failed: bool = False
    is_unknown: bool = False  # it failed, and may be stored all the same
    taken: bool = False  # the flusher has it: from then on only the database says what became of it
    given_up: bool = False
    came_at: float = field(default_factory=time.monotonic)

    def row(self) -> tuple[object, ...]:
        return (
            self.id,
            self.run_id,
            self.scenario_id,
            self.version_id,
            self.verdict,
            self.method,
            storable(self.query),
            safe_json.dumps(safe_json.storable(self.headers)).decode(),
            storable(self.content_type),
            self.body,
            self.size,
            self.source,
            None if self.dedupe_key is None else storable(self.dedupe_key),
            self.depth,
        )

    @property
    def in_doubt_for_s(self) -> float:
        """For how much longer it may be looked for."""
        return self.came_at + IN_DOUBT_S - time.monotonic()


def storable(text: str) -> str:
    """PostgreSQL's text takes no NUL and no lone surrogates."""
    return text.replace("\0", "␀").encode("utf-8", "replace").decode()


class Ledger:
    """One per process. `store` returns when the delivery, and its run, are durable."""

    def __init__(self) -> None:
        self.queue: queue.SimpleQueue[Incoming] = queue.SimpleQueue()
        self.taking = threading.Lock()
        self.in_doubt = threading.BoundedSemaphore(MOST_IN_DOUBT)
        self.name = f"apinita-ledger-{uuid.uuid4().hex}"  # tells this process's sessions from those of others
        self.connection: psycopg.Connection | None = None
        self.thread = threading.Thread(target=self.work, name="ledger", daemon=True)
        self.thread.start()

    def store(self, incoming: Incoming) -> Incoming:
        """Answers it with its final `verdict` and, for a duplicate, the first one's `run_id`.

        "stale": another version has been published meanwhile; nothing was stored, it is to be judged anew.

        Raises StoreUnavailable, also where an answer does not come in time.
        """
        if self.queue.qsize() > MOST_WAITING:
            raise StoreUnavailable
        self.queue.put(incoming)
        if not incoming.stored.wait(WAIT_S):
            self.give_up_or_wait(incoming)
        if incoming.failed:
            raise StoreUnavailable(is_unknown=incoming.is_unknown)
        return incoming

    def give_up_or_wait(self, incoming: Incoming) -> None:
        """What is refused must not be stored after all: its sender will send it again.

        What was sent to the database may be stored already. Then its answer is waited for, as long as senders wait.
        """
        with self.taking:
            incoming.given_up = not incoming.taken
            incoming.failed = incoming.failed or incoming.given_up
        if incoming.given_up:
            return
        if not self.in_doubt.acquire(blocking=False):
            raise StoreUnavailable(is_unknown=True)
        try:
            if not incoming.stored.wait(max(0.0, incoming.in_doubt_for_s)):
                raise StoreUnavailable(is_unknown=True)
        finally:
            self.in_doubt.release()

    def take(self) -> list[Incoming]:
        """What has come in, without what its request has given up waiting for.

        Nothing is taken before the database is reached: until then nothing was sent, and nobody need wait.
        """
        batch = [self.queue.get()]
        while len(batch) < LARGEST_BATCH and not self.queue.empty():
            batch.append(self.queue.get_nowait())
        try:
            self.reach()
        except psycopg.Error as error:
            log.warning("the database is away: %s", type(error).__name__)
            fail(batch)
            return []
        with self.taking:
            for incoming in batch:
                incoming.taken = not incoming.given_up
        return [incoming for incoming in batch if incoming.taken]

    def work(self) -> None:
        while True:
            batch = self.take()
            try:
                if batch:
                    self.flush(batch)
            except Exception:
                log.exception("deliveries could not be stored")
                self.let_go()
                fail(batch)

    def flush(self, batch: Sequence[Incoming]) -> None:
        try:
            verdicts = self.transaction(batch)
        except psycopg.Error as error:
            if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
                log.warning("the database is away: %s", type(error).__name__)
                self.let_go()
                self.settle_unknown(batch)
            elif len(batch) > 1:
                for incoming in batch:
                    self.flush([incoming])
            else:
                log.error("a delivery was refused by the database: %s", type(error).__name__)
                fail(batch)
            return
        for incoming in batch:
            if incoming.id in verdicts:
                incoming.verdict = verdicts[incoming.id]
                incoming.stored.set()
        if repeated := [incoming for incoming in batch if incoming.id not in verdicts]:
            self.settle_repeated(repeated)

    def settle_unknown(self, batch: Sequence[Incoming]) -> None:
        """The connection broke: the commit may have gone through all the same, and the rows say whether it did."""
        verdicts = self.look_for([incoming.id for incoming in batch], batch)
        for incoming in batch:
            found = verdicts.get(incoming.id) if verdicts is not None else None
            incoming.verdict = found or incoming.verdict
            incoming.failed, incoming.is_unknown = found is None, verdicts is None
            incoming.stored.set()

    def look_for(self, ids: Sequence[uuid.UUID], batch: Sequence[Incoming]) -> dict[uuid.UUID, str] | None:
        """Which deliveries are stored, with what verdict; None where the database does not come back in time."""
        while True:
            try:
                connection = self.reach()
                if connection.execute(END_SESSIONS, (self.name,)).fetchone() == (True,):
                    return dict(connection.execute(WHICH_ARE_THERE, (ids,)).fetchall())
            except psycopg.Error:
                self.let_go()
            if all(incoming.in_doubt_for_s < LOOK_AGAIN_S for incoming in batch):
                return None
            time.sleep(LOOK_AGAIN_S)

    def reach(self) -> psycopg.Connection:
        if self.connection is None or self.connection.closed:
            self.connection = connect(**PATIENCE, application_name=self.name)
        return self.connection

    def let_go(self) -> None:
        if self.connection is not None:
            self.connection.close()
        self.connection = None

    def transaction(self, batch: Sequence[Incoming]) -> dict[uuid.UUID, str]:
        columns = as_columns(incoming.row() for incoming in batch)
        failpoint("before_store")
        stored: dict[uuid.UUID, str] = dict(self.reach().execute(STORE, columns).fetchall())
        failpoint("after_store")
        return stored

    def settle_repeated(self, batch: Sequence[Incoming]) -> None:
        """Find the first deliveries' runs, and note that these came; without a first one, the rules have changed."""
        rows = [incoming.row() for incoming in batch if incoming.dedupe_key is not None]
        try:
            columns = as_columns((row[0], row[2], *row[5:13]) for row in rows) if rows else []
            runs: dict[uuid.UUID, uuid.UUID] = dict(self.reach().execute(REPEATED, columns).fetchall()) if rows else {}
        except psycopg.Error as error:
            log.warning("repeated deliveries could not be noted: %s", type(error).__name__)
            self.let_go()
            fail(batch)
            return
        for incoming in batch:
            incoming.verdict = "duplicate" if incoming.id in runs else "stale"
            incoming.run_id = runs.get(incoming.id, incoming.run_id)
            incoming.stored.set()


def fail(batch: Iterable[Incoming]) -> None:
    """Those that are not settled yet; what is stored stays stored."""
    for incoming in batch:
        if not incoming.stored.is_set():
            incoming.failed = True
            incoming.stored.set()


_shared: tuple[int, Ledger] | None = None
_lock = threading.Lock()


def shared() -> Ledger:
    """This process's ledger; made anew after a fork."""
    global _shared
    with _lock:
        if _shared is None or _shared[0] != os.getpid():
            _shared = (os.getpid(), Ledger())
        return _shared[1]
