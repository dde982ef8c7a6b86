"""The engine's memory in PostgreSQL: one writer per process commits the steps and ends of many runs at once.

Every write is conditional on the run's fence and lease, read with the database's clock. A write that finds another
fence changes nothing and raises LeaseLost. Source of the group commit: docs/architecture.md.
"""

import contextlib
import logging
import queue
import threading
import time
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

import psycopg
from psycopg import sql

from lib import safe_json
from lib.errors import Json
from lib.failpoints import failpoint
from scenarios import payloads, recall
from scenarios.engine_terms import Ended, Entry, Waits
from scenarios.hot_sql import BY_INDEX, as_columns, connect

log = logging.getLogger(__name__)

Owned = tuple[uuid.UUID, int]  # a run under one fence
Apart = tuple[Owned, tuple[object, ...]]  # a row of scenarios_payload, and whose it is

LARGEST_BATCH = 256
MOST_NOTED = 200  # entries of a run that wait for the next commit
LEASE_S = 30
RECONNECT_S = 0.25
UNSTORABLE = {"_unstorable": True}
ENTRY_COLUMNS = {
    "run_id": "uuid",
    "fence": "int8",
    "path": "text",
    "position": "int4",
    "status": "text",
    "attempt": "int4",
    "effect": "text",
    "inputs": "jsonb",
    "exchange": "jsonb",
    "result": "jsonb",
    "error": "jsonb",
    "started_at": "float8",
    "took_ms": "int4",
    "resume_at": "float8",
}
END_COLUMNS = {
    "run_id": "uuid",
    "fence": "int8",
    "status": "text",
    "error": "jsonb",
    "seconds": "float8",
    "waits_for": "text",
    "is_wanted": "bool",
    "reply": "jsonb",
}


def unnest(columns: dict[str, str]) -> sql.Composable:
    """`unnest(%s::uuid[], …) AS given(run_id, …)`; JSON travels as text, which an array of jsonb would not spare."""
    arrays = sql.SQL(", ").join(
        sql.SQL("%s::{}[]").format(sql.SQL("text" if kind == "jsonb" else kind)) for kind in columns.values()
    )
    return sql.SQL("unnest({}) AS given({})").format(arrays, sql.SQL(", ").join(map(sql.Identifier, columns)))


# The rows of runs that are still ours, locked in one order so that no two batches wait for each other.
OURS = sql.SQL(
    """
    ours AS (
        SELECT run.id, run.fence FROM scenarios_run run JOIN (SELECT DISTINCT run_id, fence FROM given_rows) wanted
            ON run.id = wanted.run_id AND run.fence = wanted.fence
        WHERE run.status = 'running' AND run.lease_until > clock_timestamp()
        ORDER BY run.id FOR UPDATE OF run
    )
    """
)
SAVE_STEPS = sql.SQL(
    """
    WITH given_rows AS MATERIALIZED (SELECT * FROM {given}), {ours}, saved AS (
        INSERT INTO scenarios_steprun AS step
            (run_id, fence, path, position, status, attempt, effect, inputs, exchange, result, error,
             started_at, finished_at, took_ms, resume_at)
        SELECT DISTINCT ON (run_id, path) run_id, given_rows.fence, path, position, status, attempt, effect,
            inputs::jsonb, exchange::jsonb, result::jsonb, error::jsonb, to_timestamp(started_at),
            CASE WHEN status IN ('running', 'waiting') THEN NULL ELSE clock_timestamp() END, took_ms,
            to_timestamp(resume_at)
        FROM given_rows JOIN ours ON ours.id = given_rows.run_id AND ours.fence = given_rows.fence
        ORDER BY run_id, path, attempt DESC, (status = 'running')
        ON CONFLICT (run_id, path) DO UPDATE SET
            fence = EXCLUDED.fence, position = EXCLUDED.position, status = EXCLUDED.status,
            attempt = EXCLUDED.attempt, effect = EXCLUDED.effect, inputs = COALESCE(EXCLUDED.inputs, step.inputs),
            exchange = EXCLUDED.exchange, result = EXCLUDED.result, error = EXCLUDED.error,
            started_at = EXCLUDED.started_at, finished_at = EXCLUDED.finished_at, took_ms = EXCLUDED.took_ms,
            resume_at = EXCLUDED.resume_at,
            -- An attempt that another one follows is kept, also one that a worker died in.
            -- One that was put back, since nothing had been sent, was none.
            attempts = CASE WHEN EXCLUDED.attempt > step.attempt AND step.attempt > 0
                AND NOT COALESCE(step.attempts, '[]') @> jsonb_build_array(jsonb_build_object('attempt', step.attempt))
                THEN COALESCE(step.attempts, '[]') || jsonb_build_object('attempt', step.attempt, 'status', step.status,
                    'started_at', step.started_at, 'took_ms', step.took_ms, 'error', step.error)
                ELSE step.attempts END
    )
    SELECT id, fence FROM ours
    """
).format(given=unnest(ENTRY_COLUMNS), ours=OURS)
SAVE_PAYLOADS = sql.SQL(
    """
    INSERT INTO scenarios_payload (run_id, path, name, value) SELECT run_id, path, name, value FROM {given}
    ON CONFLICT (run_id, path, name) DO UPDATE SET value = EXCLUDED.value
    """
).format(given=unnest({"run_id": "uuid", "path": "text", "name": "text", "value": "text"}))
SAVE_ENDS = sql.SQL(
    """
    WITH given_rows AS MATERIALIZED (SELECT * FROM {given}), {ours}
    UPDATE scenarios_run run SET
        status = given_rows.status,
        error = given_rows.error::jsonb,
        reply = COALESCE(run.reply, given_rows.reply::jsonb),
        lease_until = NULL,
        owner = '',
        waits_for = given_rows.waits_for,
        wake_at = CASE WHEN given_rows.status IN ('queued', 'waiting')
            THEN CASE WHEN run.cancel_requested_at IS NULL
                THEN clock_timestamp() + given_rows.seconds * interval '1 second' ELSE clock_timestamp() END END,
        deadline_at = CASE WHEN given_rows.is_wanted
            THEN run.deadline_at + given_rows.seconds * interval '1 second' ELSE run.deadline_at END,
        finished_at = CASE WHEN given_rows.status IN ('queued', 'waiting') THEN NULL ELSE clock_timestamp() END
    FROM given_rows JOIN ours ON ours.id = given_rows.run_id AND ours.fence = given_rows.fence
    WHERE run.id = given_rows.run_id
    RETURNING run.id, run.fence
    """
).format(given=unnest(END_COLUMNS), ours=OURS)


REPLY_COLUMNS = {"run_id": "uuid", "fence": "int8", "reply": "jsonb"}
SAVE_REPLIES = sql.SQL(
    """
    WITH given_rows AS MATERIALIZED (SELECT * FROM {given}), {ours}
    UPDATE scenarios_run run SET reply = COALESCE(run.reply, given_rows.reply::jsonb)
    FROM given_rows JOIN ours ON ours.id = given_rows.run_id AND ours.fence = given_rows.fence
    WHERE run.id = given_rows.run_id
    """
).format(given=unnest(REPLY_COLUMNS), ours=OURS)


LOCK_RUNS = sql.SQL("WITH given_rows AS MATERIALIZED (SELECT * FROM {given}), {ours} SELECT count(*) FROM ours").format(
    given=unnest({"run_id": "uuid", "fence": "int8"}), ours=OURS
)


class LeaseLost(Exception):
    """The run belongs to another worker now; nothing was written."""


@dataclass(frozen=True)
class End:
    """What becomes of the run's row: it ended, or is to be claimed again after `seconds`."""

    status: str
    error: Json = None
    seconds: float | None = None
    waits_for: str = ""
    is_wanted: bool = False


@dataclass
class Write:
    """What one run wants saved together, and the waiting for it."""

    run_id: uuid.UUID
    fence: int
    entries: list[Entry]
    end: "End | None" = None
    reply: Json = None
    stripped: bool = False  # the values were left out, since they could not be stored
    before: "Write | None" = None  # the run's write before this one: where that failed, this one is worth nothing
    saved: threading.Event = field(default_factory=threading.Event)
    failure: BaseException | None = None

    @property
    def owned(self) -> "Owned":
        return (self.run_id, self.fence)

    def wait(self) -> None:
        """Returns when this and all before it is durable; may be called by several threads."""
        self.saved.wait()
        before = self.before
        if before is not None:
            try:
                before.wait()
            except BaseException as error:
                self.failure = self.failure or error
            self.before = None
        if self.failure is not None:
            raise self.failure


class Writer:
    """The thread that commits: takes whatever has come in during the last commit, and saves it in one transaction."""

    def __init__(self) -> None:
        self.queue: queue.SimpleQueue[Write | None] = queue.SimpleQueue()
        self.connection: psycopg.Connection | None = None
        self.is_over = threading.Event()
        self.thread = threading.Thread(target=self.work, name="journal", daemon=True)
        self.thread.start()

    def save(self, write: Write) -> None:
        """Returns when it is durable. Raises LeaseLost, or the database's error."""
        self.put(write)
        write.wait()

    def put(self, write: Write) -> None:
        """Have it saved, after all that was put before; `write.wait` waits for it."""
        self.queue.put(write)
        if self.is_over.is_set():
            self.refuse()

    def stop(self) -> None:
        self.queue.put(None)
        self.thread.join(timeout=10)

    def work(self) -> None:
        going_on = True
        while going_on:
            batch = [self.queue.get()]
            while len(batch) < LARGEST_BATCH and not self.queue.empty():
                batch.append(self.queue.get_nowait())
            going_on = None not in batch
            self.commit_or_fail([write for write in batch if write is not None])
        if self.connection is not None:
            self.connection.close()
        self.is_over.set()
        self.refuse()

    def refuse(self) -> None:
        """Nobody waits for a writer that has stopped: what comes too late is not saved, and its run goes back."""
        with contextlib.suppress(queue.Empty):
            while True:
                write = self.queue.get_nowait()
                if write is not None:
                    write.failure = psycopg.OperationalError("the journal is closed")
                    write.saved.set()

    def commit_or_fail(self, batch: list[Write]) -> None:
        """Whatever happens, nobody waits for ever: the runs go back by their leases."""
        try:
            self.commit(batch)
        except Exception as error:
            log.exception("the journal could not be written")
            self.connection = None
            for write in batch:
                if not write.saved.is_set():
                    write.failure = error
                    write.saved.set()

    def commit(self, batch: list[Write]) -> None:
        if not batch:
            return
        try:
            ours = self.transaction_when_possible(batch)
        except psycopg.Error as error:
            if len(batch) > 1:  # one bad row must not spoil the others
                for write in batch:
                    self.commit([write])
                return
            self.save_without_values(batch[0], error)
            return
        for write in batch:
            if write.owned not in ours:
                write.failure = LeaseLost(write.run_id.hex)
            write.saved.set()

    def save_without_values(self, write: Write, error: psycopg.Error) -> None:
        """A value that cannot be stored does not undo what the step did: it keeps its status, without the value."""
        log.warning("run %s: a value could not be stored: %s", write.run_id.hex, type(error).__name__)
        if isinstance(error, psycopg.DataError) and not write.stripped:
            write.stripped = True
            write.entries = [
                replace(entry, inputs=None, exchange=None, took_ms=None, result=entry.result and UNSTORABLE)
                for entry in write.entries
            ]
            self.commit([write])
            return
        write.failure = error
        write.saved.set()

    def transaction_when_possible(self, batch: list[Write]) -> set[Owned]:
        """Save a batch, waiting for a database that is away as long as a lease could still be ours."""
        deadline = time.monotonic() + LEASE_S
        while True:
            try:
                return self.transaction(batch)
            except psycopg.OperationalError as error:
                self.connection = None
                if not is_passing(error) or time.monotonic() > deadline:
                    raise
                time.sleep(RECONNECT_S)

    def transaction(self, batch: list[Write]) -> set[Owned]:
        """Save a batch; answers the runs that were still ours."""
        if self.connection is None or self.connection.closed:
            self.connection = connect(**BY_INDEX)
        entries = newest(batch)
        ends = [write for write in batch if write.end is not None]
        ours: set[Owned] = set()
        with self.connection.transaction():
            if entries and any(not write.entries for write in batch):
                # All rows in one order, or this transaction and the renewing of leases may wait for each other.
                self.connection.execute(LOCK_RUNS, as_columns({write.owned for write in batch}))
            if entries:
                apart: list[Apart] = []
                columns = as_columns(entry_row(write, entry, apart) for write, entry in entries)
                ours |= set(self.connection.execute(SAVE_STEPS, columns).fetchall())
                if large := [row for owner, row in apart if owner in ours]:
                    self.connection.execute(SAVE_PAYLOADS, as_columns(large))
            replies = [write for write in batch if write.end is None and write.reply is not None]
            if replies:
                self.connection.execute(SAVE_REPLIES, as_columns(map(reply_row, replies)))
            if ends:
                ending = [write for write in ends if not write.entries or write.owned in ours]
                rows = self.connection.execute(SAVE_ENDS, as_columns(map(end_row, ending))).fetchall() if ending else []
                ours = (ours - {write.owned for write in ends}) | set(rows)
            failpoint("before_end_commit" if ends else "before_commit")
        failpoint("after_end_commit" if ends else "after_commit")
        return ours


def newest(batch: list[Write]) -> list[tuple[Write, Entry]]:
    """Each step's last entry of a batch. Inputs that only an earlier one has are kept, as they are from the row."""
    found: dict[tuple[Owned, str], tuple[Write, Entry]] = {}
    for write in batch:
        for entry in write.entries:
            place = (write.owned, entry.path)
            if entry.inputs is None and place in found:
                entry = replace(entry, inputs=found[place][1].inputs)
            found[place] = (write, entry)
    return list(found.values())


def is_passing(error: psycopg.Error) -> bool:
    """A connection that broke, a server that starts or stops, a deadlock: worth another try."""
    state = error.sqlstate
    return state is None or state.startswith(("08", "57P")) or state in {"40001", "40P01"}


def entry_row(write: Write, entry: Entry, apart: "list[Apart]") -> tuple[object, ...]:
    """The entry's row; what is too large for it goes to `apart`."""

    def kept(name: str, value: Json) -> str | None:
        whole = text(value)
        if whole is None or len(whole) <= payloads.MOST_BYTES:
            return whole
        apart.append((write.owned, (write.run_id, entry.path, name, whole)))
        return payloads.cut(whole)

    return (
        write.run_id,
        write.fence,
        entry.path,
        entry.position,
        entry.status,
        entry.attempt,
        entry.effect,
        kept("inputs", entry.inputs),
        kept("exchange", entry.exchange),
        kept("result", entry.result),
        text(entry.error),
        entry.started_at,
        entry.took_ms,
        entry.resume_at,
    )


def end_row(write: Write) -> tuple[object, ...]:
    end = write.end
    assert end is not None
    return (
        write.run_id,
        write.fence,
        end.status,
        text(end.error),
        end.seconds,
        end.waits_for,
        end.is_wanted,
        text(write.reply),
    )


def reply_row(write: Write) -> tuple[object, ...]:
    return (write.run_id, write.fence, text(write.reply))


def text(value: Json) -> str | None:
    """JSON as text that PostgreSQL's jsonb takes; nothing for nothing."""
    return None if value is None else safe_json.dumps(safe_json.storable(value)).decode()


@dataclass
class RunJournal:
    """The journal of one claimed run: what the engine speaks to (scenarios.engine_terms.Journal)."""

    run_id: uuid.UUID
    fence: int
    writer: Writer
    recalled: dict[str, Entry]
    replied: Callable[[uuid.UUID], None] | None = None  # called when a reply or the end has become durable
    noted: dict[str, Entry] = field(default_factory=dict)
    reply: Json = None
    last: Write | None = None  # what was given to the writer last

    def __post_init__(self) -> None:
        self.lock = threading.Lock()

    def recall(self, path: str) -> Entry | None:
        return self.recalled.get(path)

    def last_position(self) -> int:
        return max((entry.position for entry in self.recalled.values()), default=0)

    def values(self, paths: Iterable[str]) -> dict[str, Json]:
        self.save()
        return recall.results(self.run_id, list(paths))

    def note(self, entry: Entry, *, reply: Json = None) -> None:
        with self.lock:
            earlier = self.noted.get(entry.path)
            if earlier is not None and entry.inputs is None:
                entry = replace(entry, inputs=earlier.inputs)
            self.noted[entry.path] = entry
            self.reply = reply if self.reply is None else self.reply
            is_much = len(self.noted) >= MOST_NOTED
        if is_much:
            self.save()

    def commit(self, entry: Entry) -> None:
        self.note(entry)
        failpoint("before_start_commit")
        self.save()
        failpoint("after_start_commit")

    def end(self, outcome: Ended | Waits) -> None:
        """Save what was noted and the run's outcome as one."""
        if isinstance(outcome, Ended):
            self.save(End(outcome.status, outcome.error))
        else:
            self.save(End("waiting", outcome.error, outcome.seconds, outcome.waits_for, outcome.is_wanted))

    def hand_over(self, seconds: float = 0) -> None:
        """Put the run back for another worker, keeping what was noted; a step under way counts as begun."""
        self.save(End("queued", seconds=seconds))

    def save(self, end: "End | None" = None) -> None:
        """Returns when all that was noted is durable, also where another thread has taken it to the writer."""
        with self.lock:  # also for the writer's queue: what was noted first comes first
            noted, self.noted = list(self.noted.values()), {}
            reply, self.reply = self.reply, None
            if noted or reply is not None or end is not None:
                self.last = Write(self.run_id, self.fence, noted, end, reply, before=self.last)
                self.writer.put(self.last)
            write = self.last
        if write is not None:
            write.wait()
        if self.replied and (reply is not None or end is not None):
            self.replied(self.run_id)
