"""What a webhook's token opens: its scenario's door, remembered for moments, else read over a connection of its own.

The look-up never waits for Django's pool: while the database is away a sender hears so at once, and comes again.
"""

import os
import queue
import threading
import time
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

import psycopg

from lib.errors import Json
from scenarios import editing
from scenarios.document import parse
from scenarios.hot_sql import connect
from scenarios.models import Scenario, Version
from scenarios.plans import replies
from scenarios.triggers import digest

KNOWN_FOR_S = 2.0  # how long a token's settings are kept in the process
MOST_KNOWN = 10_000
WITHIN_S = 1.5  # what takes longer is a database that is away
AWAY_FOR_S = 1.0  # how long nobody asks it again
PATIENCE: dict[str, Any] = {
    "options": "-c statement_timeout=2s",
    "connect_timeout": 2,
    "tcp_user_timeout": 2000,
}
FIND = """
SELECT scenario.id, scenario.workspace_id, scenario.status, version.id, version.document, version.trigger_secrets
FROM scenarios_hook hook
JOIN scenarios_scenario scenario ON scenario.id = hook.scenario_id
LEFT JOIN scenarios_version version ON version.id = scenario.published_id
WHERE hook.digest = %s AND scenario.deleted_at IS NULL
"""
Rows = list[tuple[Any, ...]]


class DatabaseAway(Exception):
    """The database does not answer, or not soon enough."""


@dataclass(frozen=True)
class Door:
    """What a token opens: the settings of one scenario's webhook."""

    scenario_id: int
    workspace_id: int
    version_id: int | None
    is_open: bool
    methods: tuple[str, ...]
    signature: Mapping[str, Json]
    secrets: Mapping[str, str]
    dedupe_header: str
    dedupe_path: str
    replies: bool


def find(token: str) -> Door | None:
    """A token's door as it is remembered, else as it is. Raises DatabaseAway."""
    return known(token) or look_up(token)


def known(token: str) -> Door | None:
    """A token's door as it was moments ago; only open ones are remembered."""
    kept = _known.get(digest(token))
    return kept[1] if kept is not None and kept[0] > time.monotonic() else None


def look_up(token: str) -> Door | None:
    """A token's door as it is now. Raises DatabaseAway."""
    now = time.monotonic()
    key = digest(token)
    rows = ask(FIND, (key,))
    door = door_of(*rows[0]) if rows else None
    if door is None or not door.is_open:
        forget(token)  # it may be switched on at any moment, and counts from then on
        return door
    with _lock:
        if len(_known) >= MOST_KNOWN:
            _known.clear()
        _known[key] = (now + KNOWN_FOR_S, door)
    return door


def forget(token: str) -> None:
    with _lock:
        _known.pop(digest(token), None)


def forget_all() -> None:
    with _lock:
        _known.clear()


_known: dict[bytes, tuple[float, Door]] = {}
_lock = threading.Lock()


def door_of(
    scenario_id: int, workspace_id: int, status: str, version_id: int | None, published: Json, sealed: bytes | None
) -> Door:
    document = parse(published) if published else None
    is_open = document is not None and status == "active" and document.trigger.type == "webhook"
    inputs: Mapping[str, Json] = document.trigger.inputs if document else {}
    scenario = Scenario(pk=scenario_id, workspace_id=workspace_id)
    return Door(
        scenario_id=scenario_id,
        workspace_id=workspace_id,
        version_id=version_id,
        is_open=is_open,
        methods=tuple(inputs.get("methods") or ["POST"]),
        signature=inputs.get("signature") or {"mode": "none"},
        secrets=editing.secrets_of(scenario, Version(trigger_secrets=sealed)),
        dedupe_header=str(inputs.get("dedupe_header") or "").lower(),
        dedupe_path=str(inputs.get("dedupe_path") or ""),
        replies=is_open and document is not None and any(replies(step) for _, step in document.walk()),
    )


class Desk:
    """One per process: a thread that asks the database what those at the front door want to know.

    Requests wait for it rather than for the socket: nothing sets a limit to how long a stopped server keeps one.
    """

    def __init__(self) -> None:
        self.questions: queue.SimpleQueue[tuple[Future[Rows], str, tuple[object, ...]]] = queue.SimpleQueue()
        self.connection: psycopg.Connection | None = None
        self.away_until = 0.0
        self.thread = threading.Thread(target=self.work, name="desk", daemon=True)
        self.thread.start()

    def ask(self, sql: str, parameters: tuple[object, ...]) -> Rows:
        """The rows of a short query. Raises DatabaseAway: at once, if it was away a moment ago."""
        if time.monotonic() < self.away_until:
            raise DatabaseAway
        answer: Future[Rows] = Future()
        self.questions.put((answer, sql, parameters))
        try:
            return answer.result(WITHIN_S)
        except (TimeoutError, psycopg.Error) as error:
            answer.cancel()
            self.away_until = time.monotonic() + AWAY_FOR_S
            raise DatabaseAway from error

    def work(self) -> None:
        while True:
            answer, sql, parameters = self.questions.get()
            if not answer.set_running_or_notify_cancel():
                continue
            try:
                answer.set_result(self.query(sql, parameters))
            except Exception as error:  # it belongs to the request that asked
                answer.set_exception(error)

    def query(self, sql: str, parameters: tuple[object, ...]) -> Rows:
        if self.connection is not None and not self.connection.closed:
            try:
                return self.connection.execute(sql, parameters).fetchall()
            except psycopg.Error:
                if not self.connection.closed:
                    raise
                # The server was started anew since the last question: a new connection may well stand.
        self.connection = connect(**PATIENCE)
        return self.connection.execute(sql, parameters).fetchall()


def ask(sql: str, parameters: tuple[object, ...]) -> Rows:
    """Ask this process's desk. Raises DatabaseAway."""
    return shared().ask(sql, parameters)


_shared: tuple[int, Desk] | None = None


def shared() -> Desk:
    """This process's desk; made anew after a fork."""
    global _shared
    with _lock:
        if _shared is None or _shared[0] != os.getpid():
            _shared = (os.getpid(), Desk())
        return _shared[1]
