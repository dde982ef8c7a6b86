"""The pieces of history: runs by month, their steps, large values and deliveries by week, made ahead and dropped whole.

The time stands in front of the UUIDv7 keys, so each piece is a range of keys. What no piece takes (a clock that runs
far ahead, a scheduler that was away for weeks) lands in the default piece, and is moved when its piece is made.
"""

import logging
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import psycopg
from psycopg import sql

log = logging.getLogger(__name__)

AHEAD = 2  # periods made before they begin
LOCK_WAIT_MS = 200  # making and dropping stop everybody else at the table: for no longer than this
MAKING = 7_203_611  # the advisory lock under which one process makes or drops pieces
MOST_MOVED = 20_000  # rows taken out of the default piece in one go; more stay there, and are found there
STRAY = timedelta(minutes=10)  # a delivery's key may be a little older than that of its run
# Each state apart: thus each has an index of its own.
NEEDED = """
SELECT EXISTS (SELECT FROM scenarios_run
        WHERE id >= %(begin)s AND id < %(end)s AND status = 'queued' AND wake_at IS NULL)
    OR EXISTS (SELECT FROM scenarios_run
        WHERE id >= %(begin)s AND id < %(end)s AND status = 'queued' AND wake_at IS NOT NULL)
    OR EXISTS (SELECT FROM scenarios_run WHERE id >= %(begin)s AND id < %(end)s AND status = 'running')
    OR EXISTS (SELECT FROM scenarios_run WHERE id >= %(begin)s AND id < %(end)s AND status = 'waiting')
"""
NEEDED_DELIVERY = f"""
{NEEDED} OR EXISTS (SELECT FROM scenarios_run
    WHERE replay_of IS NOT NULL AND delivery_id >= %(begin)s AND delivery_id < %(end)s)
"""
BOUND = re.compile(r"FROM \('([0-9a-f-]{36})'\) TO \('([0-9a-f-]{36})'\)")

# Run rows change about five times, most others once or never: room for that on the page, and early vacuum for the
# small indexes of what is queued and running, which die and are born with every run.
OFTEN_CHANGED = "fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000"
CHANGED_ONCE = "fillfactor = 85, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 1000"
SELDOM_CHANGED = "autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 1000"


@dataclass(frozen=True)
class Table:
    name: str
    key: str
    by: str  # "week" or "month"
    storage: str


# Every look-up of runs by status asks each piece's index: few pieces, hence months. Steps are found by their run's key.
RUN = Table("scenarios_run", "id", "month", OFTEN_CHANGED)
STEP = Table("scenarios_steprun", "run_id", "week", CHANGED_ONCE)
PAYLOAD = Table("scenarios_payload", "run_id", "week", SELDOM_CHANGED)
DELIVERY = Table("scenarios_delivery", "id", "week", SELDOM_CHANGED)
TABLES = (RUN, STEP, PAYLOAD, DELIVERY)


@dataclass(frozen=True)
class Period:
    """A week from Monday, or a month, in UTC; without its end."""

    begin: datetime
    end: datetime
    suffix: str

    @property
    def bounds(self) -> tuple[uuid.UUID, uuid.UUID]:
        return key_at(self.begin), key_at(self.end)


@dataclass(frozen=True)
class Piece:
    """A partition that exists: the keys from `begin` up to `end`."""

    name: str
    begin: datetime
    end: datetime


def key_at(moment: datetime) -> uuid.UUID:
    """The least UUIDv7 of a moment: RFC 9562 puts 48 bits of milliseconds in front."""
    return uuid.UUID(int=round(moment.timestamp() * 1000) << 80)


def moment_of(key: uuid.UUID) -> datetime:
    return datetime.fromtimestamp((key.int >> 80) / 1000, UTC)


def period_of(table: Table, moment: datetime) -> Period:
    day = moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if table.by == "month":
        begin = day.replace(day=1)
        return Period(begin, (begin + timedelta(days=31)).replace(day=1), f"{begin:%Y_%m}")
    begin = day - timedelta(days=day.weekday())
    return Period(begin, begin + timedelta(days=7), f"{begin:%G_w%V}")


def periods(table: Table, since: datetime, until: datetime, *, ahead: int = AHEAD) -> Iterator[Period]:
    """From the period of `since` to that of `until`, and `ahead` more."""
    last = period_of(table, until)
    for _ in range(ahead):
        last = period_of(table, last.end)
    period = period_of(table, since)
    while period.begin <= last.begin:
        yield period
        period = period_of(table, period.end)


def ensure(connection: psycopg.Connection, *, now: datetime | None = None) -> list[str]:
    """Make this period's pieces and the next ones where they are missing; answers the names of the new ones.

    Any number of processes may call it at any time: what another one is making, or what cannot be had at once
    without holding up the intake, is left to the next call.
    """
    now = now or datetime.now(UTC)
    made = []
    for table in TABLES:
        there = pieces(connection, table)
        for period in periods(table, now, now):
            if any(piece.begin < period.end and period.begin < piece.end for piece in there):
                continue
            try:
                made += _make_when_possible(connection, table, period)
            except psycopg.errors.LockNotAvailable:
                log.info("%s is busy: its next pieces are made later", table.name)
                break
    return made


def drop_before(connection: psycopg.Connection, moment: datetime) -> list[str]:
    """Drop the pieces that end before a moment and hold nothing that a run still needs; answers their names.

    Nobody waits for it: what cannot be locked at once is dropped another time.
    """
    dropped = []
    for table in TABLES:
        for piece in pieces(connection, table):
            if piece.end <= moment and _drop_when_possible(connection, table, piece):
                dropped.append(piece.name)
    return dropped


def pieces(connection: psycopg.Connection, table: Table) -> list[Piece]:
    """The pieces that exist, oldest first, without the default one."""
    rows = connection.execute(
        """
        SELECT child.relname, pg_get_expr(child.relpartbound, child.oid)
        FROM pg_inherits JOIN pg_class child ON child.oid = inhrelid WHERE inhparent = %s::text::regclass
        """,
        (table.name,),
    ).fetchall()
    bounded = [(name, found) for name, bound in rows if (found := BOUND.search(bound))]
    made = [Piece(name, *(moment_of(uuid.UUID(key)) for key in found.groups())) for name, found in bounded]
    return sorted(made, key=lambda piece: piece.begin)


def make(connection: psycopg.Connection, table: Table, period: Period) -> str:
    """Make one piece; answers its name. Raises CheckViolation where the default piece holds rows of it."""
    name = f"{table.name}_p{period.suffix}"
    begin, end = period.bounds
    connection.execute(
        sql.SQL("CREATE TABLE {} PARTITION OF {} FOR VALUES FROM ({}) TO ({}) WITH ({})").format(
            sql.Identifier(name),
            sql.Identifier(table.name),
            sql.Literal(str(begin)),
            sql.Literal(str(end)),
            sql.SQL(table.storage),
        )
    )
    return name


def make_default(connection: psycopg.Connection, table: Table) -> None:
    """Make the piece for whatever no other one takes."""
    connection.execute(
        sql.SQL("CREATE TABLE {} PARTITION OF {} DEFAULT WITH ({})").format(
            _default_of(table), sql.Identifier(table.name), sql.SQL(table.storage)
        )
    )


def _make_when_possible(connection: psycopg.Connection, table: Table, period: Period) -> list[str]:
    try:
        with connection.transaction():
            if not _alone(connection):
                return []
            return [make(connection, table, period)]
    except psycopg.errors.CheckViolation:
        return _make_out_of_default(connection, table, period)
    except (psycopg.errors.DuplicateTable, psycopg.errors.InvalidObjectDefinition):
        return []  # another process was faster


def _make_out_of_default(connection: psycopg.Connection, table: Table, period: Period) -> list[str]:
    """Make a piece whose rows came before it: they move over from the default piece, if they are few."""
    begin, end = period.bounds
    default, key = _default_of(table), sql.Identifier(table.key)
    waiting = sql.Identifier(f"{table.name}_moved")
    within = sql.SQL("{} >= {} AND {} < {}").format(key, sql.Literal(str(begin)), key, sql.Literal(str(end)))
    with connection.transaction():
        if not _alone(connection):
            return []
        # Nobody holds a row that moves: whoever comes later finds it in its new place.
        connection.execute(sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(sql.Identifier(table.name)))
        found = connection.execute(
            sql.SQL("SELECT count(*) FROM (SELECT FROM {} WHERE {} LIMIT {}) few").format(
                default, within, sql.Literal(MOST_MOVED + 1)
            )
        ).fetchone()
        if found and found[0] > MOST_MOVED:
            log.warning("%s: too many rows of %s to move; they stay", table.name, period.suffix)
            return []
        move = "CREATE TEMPORARY TABLE {} ON COMMIT DROP AS SELECT * FROM {} WHERE {}"
        connection.execute(sql.SQL(move).format(waiting, default, within))
        connection.execute(sql.SQL("DELETE FROM {} WHERE {}").format(default, within))
        name = make(connection, table, period)
        connection.execute(sql.SQL("INSERT INTO {} SELECT * FROM {}").format(sql.Identifier(table.name), waiting))
        return [name]


def _drop_when_possible(connection: psycopg.Connection, table: Table, piece: Piece) -> bool:
    """Drop a piece unless somebody uses it; whether it is gone."""
    where = {"begin": key_at(piece.begin), "end": key_at(piece.end + STRAY)}
    try:
        with connection.transaction():
            if not _alone(connection):
                return False
            # From here on nobody begins to need it: its runs are neither written nor repeated.
            connection.execute(sql.SQL("LOCK TABLE ONLY {} IN SHARE MODE").format(sql.Identifier(piece.name)))
            row = connection.execute(NEEDED_DELIVERY if table is DELIVERY else NEEDED, where).fetchone()
            if row and row[0]:
                return False
            connection.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(piece.name)))
    except psycopg.errors.LockNotAvailable:
        log.info("%s is busy: it is dropped later", piece.name)
        return False
    log.info("%s is dropped", piece.name)
    return True


def _alone(connection: psycopg.Connection) -> bool:
    """Within a transaction: whether we may change pieces now, and wait for locks only shortly."""
    connection.execute(f"SET LOCAL lock_timeout = '{LOCK_WAIT_MS}ms'")
    row = connection.execute("SELECT pg_try_advisory_xact_lock(%s)", (MAKING,)).fetchone()
    return row is not None and bool(row[0])


def _default_of(table: Table) -> sql.Identifier:
    return sql.Identifier(f"{table.name}_default")
