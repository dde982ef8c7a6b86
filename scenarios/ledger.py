"""The group commit of the intake: deliveries and their runs, many requests in one transaction.

One flusher thread per process takes whatever came in during the last commit. A row that PostgreSQL refuses never
spoils its batch, and nothing is answered before it is durable.
"""

import logging
import os
import queue
import threading
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg

from lib import safe_json
from lib.failpoints import failpoint
from lib.ids import uuid7
from scenarios.hot_sql import as_columns, connect

log = logging.getLogger(__name__)

LARGEST_BATCH = 256
MOST_WAITING = 5000
WAIT_S = 1.8  # what the flusher has taken by then is waited for: only the database knows what becomes of it
PATIENCE: dict[str, Any] = {
    "options": "-c statement_timeout=8s -c lock_timeout=1500ms",
    "connect_timeout": 2,
    "tcp_user_timeout": 2000,
}

STORE = """
WITH given AS MATERIALIZED (
    SELECT * FROM unnest(%s::uuid[], %s::uuid[], %s::int8[], %s::int8[], %s::text[], %s::text[], %s::text[],
        %s::text[], %s::text[], %s::bytea[], %s::int8[], %s::inet[], %s::text[])
        AS rows(id, run_id, scenario_id, version_id, verdict, method, query, headers, content_type, body, size, source,
            dedupe_key)
), live AS (
    SELECT given.*, scenario.workspace_id, scenario.published_id,
        scenario.status = 'active' AND scenario.deleted_at IS NULL AND given.verdict = 'accepted' AS runs
    FROM given JOIN scenarios_scenario scenario ON scenario.id = given.scenario_id
    WHERE given.verdict <> 'accepted' OR scenario.status <> 'active' OR scenario.published_id = given.version_id
), delivered AS (
    INSERT INTO scenarios_delivery (id, workspace_id, scenario_id, verdict, method, query, headers, content_type, body,
        size, source, dedupe_key, run_id)
    SELECT id, workspace_id, scenario_id,
        CASE WHEN verdict = 'accepted' AND NOT runs THEN 'disabled' ELSE verdict END,
        method, query, headers::jsonb, content_type, CASE WHEN runs THEN body END, size, source, dedupe_key,
        CASE WHEN runs THEN run_id END
    FROM live ORDER BY id
    ON CONFLICT (scenario_id, dedupe_key) WHERE dedupe_key IS NOT NULL AND verdict = 'accepted' DO NOTHING
    RETURNING id, verdict
), started AS (
    INSERT INTO scenarios_run (id, workspace_id, scenario_id, version_id, trigger, delivery_id, key, status, fence,
        owner, waits_for, stalls)
    SELECT live.run_id, workspace_id, scenario_id, published_id, 'webhook', live.id, live.run_id, 'queued', 0, '', '', 0
    FROM live JOIN delivered ON delivered.id = live.id WHERE live.runs ORDER BY live.id
)
SELECT id, verdict FROM delivered
"""
FIRST = """
SELECT run_id FROM scenarios_delivery WHERE scenario_id = %s AND dedupe_key = %s AND verdict = 'accepted'
"""
WHICH_ARE_THERE = "SELECT id, verdict FROM scenarios_delivery WHERE id = ANY(%s)"
DUPLICATE = """
INSERT INTO scenarios_delivery (id, workspace_id, scenario_id, verdict, method, query, headers, content_type, body,
    size, source, dedupe_key, run_id)
SELECT %s, workspace_id, id, 'duplicate', %s, %s, %s::jsonb, %s, %s, %s, %s::inet, %s, %s
FROM scenarios_scenario WHERE id = %s
"""


class StoreUnavailable(Exception):
    """The database did not take the delivery; the sender must try again."""


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
    id: uuid.UUID = field(default_factory=uuid7)
    run_id: uuid.UUID = field(default_factory=uuid7)
    stored: threading.Event = field(default_factory=threading.Event)
    failed: bool = False
    taken: bool = False  # the flusher has it: from then on only the database says what became of it
    given_up: bool = False

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
        )


def storable(text: str) -> str:
    """PostgreSQL's text takes no NUL and no lone surrogates."""
    return text.replace("\0", "␀").encode("utf-8", "replace").decode()


class Ledger:
    """One per process. `store` returns when the delivery, and its run, are durable."""

    def __init__(self) -> None:
        self.queue: queue.SimpleQueue[Incoming] = queue.SimpleQueue()
        self.taking = threading.Lock()
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
            raise StoreUnavailable
        return incoming

    def give_up_or_wait(self, incoming: Incoming) -> None:
        """What is refused must not be stored after all: its sender will send it again."""
        with self.taking:
            incoming.given_up = not incoming.taken
            incoming.failed = incoming.failed or incoming.given_up
        if not incoming.given_up:
            incoming.stored.wait()

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
                self.connection = None
                fail(batch)

    def flush(self, batch: Sequence[Incoming]) -> None:
        try:
            verdicts = self.transaction(batch)
        except psycopg.Error as error:
            if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
                log.warning("the database is away: %s", type(error).__name__)
                self.connection = None
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
        for incoming in batch:
            if incoming.id not in verdicts:
                incoming.verdict = "duplicate"
                self.settle_duplicate(incoming)
                incoming.stored.set()

    def settle_unknown(self, batch: Sequence[Incoming]) -> None:
        """The connection broke: the commit may have gone through all the same, and the rows say whether it did."""
        try:
            self.connection = connect(**PATIENCE)
            ids = [incoming.id for incoming in batch]
            verdicts: dict[uuid.UUID, str] = dict(self.connection.execute(WHICH_ARE_THERE, (ids,)).fetchall())
        except psycopg.Error:
            self.connection = None
            verdicts = {}
        for incoming in batch:
            incoming.verdict = verdicts.get(incoming.id, incoming.verdict)
            incoming.failed = incoming.id not in verdicts
            incoming.stored.set()

    def reach(self) -> psycopg.Connection:
        if self.connection is None or self.connection.closed:
            self.connection = connect(**PATIENCE)
        return self.connection

    def transaction(self, batch: Sequence[Incoming]) -> dict[uuid.UUID, str]:
        columns = as_columns(incoming.row() for incoming in batch)
        failpoint("before_store")
        stored = dict(self.reach().execute(STORE, columns).fetchall())
        failpoint("after_store")
        return stored

    def settle_duplicate(self, incoming: Incoming) -> None:
        """Find the first delivery's run, and note that this one came; without a first one, the rules have changed."""
        try:
            connection = self.reach()
            first = connection.execute(FIRST, (incoming.scenario_id, incoming.dedupe_key)).fetchone()
            if first is None or first[0] is None:
                incoming.verdict = "stale"
                return
            incoming.run_id = first[0]
            row = incoming.row()
            connection.execute(DUPLICATE, (row[0], *row[5:], incoming.run_id, incoming.scenario_id))
        except psycopg.Error:
            self.connection = None
            incoming.failed = True


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
