"""Executes a document against a journal; safe to call again at any point.

Plain Python: rows, network and clock are handed in. A step that the journal holds as ended is not executed again;
its result is taken and the walk goes on. A retry, a long wait, a deploy and a crash are thus one mechanism: walk
again. What may be sent twice is decided by the step's effect (docs/decisions/unknown-outcomes.md).
"""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from lib.errors import Json, Translate, UserError, describe
from scenarios.document import Document, Retry, Step

DEFAULT_RETRY = Retry()
LONGEST_WAIT_S = 24 * 3600
HELD = frozenset({"reauthorization_needed", "token_refresh_paused", "token_refresh_busy"})  # no token, nothing sent
TOKEN_LOOK_S = 5
HELD_LOOK_S = 300  # a run that waits for a person looks by itself this often: the word that wakes it may be lost


@dataclass(frozen=True)
class Entry:
    """A step in the journal. `status` is one of STEP_STATUSES; `attempt` counts from 1."""

    path: str
    position: int
    status: str
    effect: str
    attempt: int = 1
    inputs: Json = None
    exchange: Json = None
    result: Json = None
    error: dict[str, Json] | None = None
    started_at: float | None = None
    took_ms: int | None = None


@dataclass(frozen=True)
class Prepared:
    """A step about to be executed: its inputs as JSON, their effect, and the doing itself."""

    inputs: Json
    effect: str
    replies: bool
    perform: "Callable[[Attempt], Performed]"


@dataclass(frozen=True)
class Attempt:
    """One execution of one step. `repeated`: an earlier one may have reached the other side."""

    path: str
    number: int
    repeated: bool


@dataclass(frozen=True)
class Performed:
    """What a step gave: a result or an error, and what went over the wire (secrets masked).

    `put_back`: nothing was sent, for a reason that is ours alone; the step counts as not begun.
    """

    result: Json = None
    exchange: Json = None
    error: UserError | None = None
    put_back: bool = False


class Journal(Protocol):
    """The engine's memory. Both writes raise when the run is no longer ours."""

    def recall(self, path: str) -> Entry | None: ...

    def note(self, entry: Entry, *, reply: Json = None) -> None:
        """Keep it; durable with the next commit. `reply` answers the webhook's sender from then on."""

    def commit(self, entry: Entry) -> None:
        """Keep it, with all that was noted; durable when this returns."""


class Performer(Protocol):
    def prepare(self, step: Step, names: Mapping[str, Json], inputs: Json | None) -> Prepared:
        """Resolve and check the inputs; `inputs` are those of an earlier attempt. Raises UserError."""


class Control(Protocol):
    def check(self) -> None:
        """Called before each step. Raises Cancelled, HandedOver, or what says that the run is not ours."""

    def now(self) -> float:
        """Seconds since the epoch, for the history."""


class Cancelled(Exception):
    """The person has asked for the run to be cancelled."""


class HandedOver(Exception):
    """This process is about to stop; another one goes on from the journal."""


@dataclass(frozen=True)
class Ended:
    status: str
    error: dict[str, Json] | None = None


@dataclass(frozen=True)
class Waits:
    """The run goes on after `seconds`, or when what `waits_for` names has happened, whatever comes first."""

    seconds: float
    waits_for: str = ""
    error: dict[str, Json] | None = None


class _Stop(Exception):
    """Ends the walk with an outcome."""

    def __init__(self, outcome: Ended | Waits) -> None:
        super().__init__()
        self.outcome = outcome


@dataclass
class Engine:
    document: Document
    journal: Journal
    performer: Performer
    control: Control
    names: Mapping[str, Json]
    jitter: Callable[[], float] = field(default=lambda: random.uniform(0.5, 1.5))  # noqa: S311  spread, not secrecy
    translate: Translate = str  # into the language in which errors are told to later steps
    position: int = 0

    def run(self) -> Ended | Waits:
        """Walk the steps. Answers how the run ended, or what it waits for."""
        try:
            self.steps(self.document.steps, "", dict(self.names))
        except _Stop as stop:
            return stop.outcome
        except Cancelled:
            return Ended("cancelled", UserError("cancelled").as_json())
        return Ended("succeeded")

    def steps(self, steps: tuple[Step, ...], prefix: str, scope: dict[str, Json]) -> None:
        for step in steps:
            scope[step.key] = self.step(step, f"{prefix}{step.key}", scope)

    def step(self, step: Step, path: str, scope: dict[str, Json]) -> Json:
        """The step's value for those after it: its result, or `{"error": …}` where its error is handled."""
        self.position += 1
        entry = self.journal.recall(path)
        if entry is None or entry.status not in {"succeeded", "failed", "skipped"}:
            self.check_outcome(entry)
            self.control.check()
            entry = self.execute(step, path, scope, entry)
        if entry.status != "failed":
            return entry.result
        return self.handle(step, path, scope, entry)

    def execute(self, step: Step, path: str, scope: dict[str, Json], earlier: Entry | None) -> Entry:
        begun = self.begun(step, path, earlier)
        try:
            prepared = self.performer.prepare(step, scope, begun.inputs)
        except UserError as error:
            return self.failed(replace(begun, started_at=self.control.now()), error)
        begun = replace(begun, inputs=prepared.inputs, effect=prepared.effect, started_at=self.control.now())
        if prepared.effect != "pure":
            self.journal.commit(begun)
        performed = prepared.perform(Attempt(path, begun.attempt, repeated=begun.attempt > 1))
        return self.finish(step, begun, performed, replies=prepared.replies)

    def check_outcome(self, earlier: Entry | None) -> None:
        """A `once` step that began and never ended stops the run, also one that somebody wants cancelled."""
        if earlier is None or earlier.status != "running" or earlier.effect != "once":
            return
        if self.document.settings.on_unknown == "stop":
            self.needs_review(replace(earlier, status="needs_review"))

    def begun(self, step: Step, path: str, earlier: Entry | None) -> Entry:
        """The entry of a new attempt. Waiting for a token is not one: nothing was sent."""
        if earlier is None:
            return Entry(path, self.position, "running", "pure")
        held = (earlier.error or {}).get("code") in HELD
        attempt = earlier.attempt if held else earlier.attempt + 1
        return Entry(path, self.position, "running", earlier.effect, attempt, inputs=earlier.inputs)

    def finish(self, step: Step, begun: Entry, performed: Performed, *, replies: bool) -> Entry:
        took_ms = max(0, round((self.control.now() - (begun.started_at or 0)) * 1000))
        entry = replace(begun, exchange=performed.exchange, took_ms=took_ms)
        error = performed.error
        if performed.put_back:
            self.journal.note(replace(begun, status="waiting", attempt=begun.attempt - 1))
            raise HandedOver
        if error is None:
            entry = replace(entry, status="succeeded", result=performed.result)
            self.journal.note(entry, reply=performed.result if replies else None)
            return entry
        if error.code in HELD:
            seconds = HELD_LOOK_S if error.code == "reauthorization_needed" else error.retry_after_s or TOKEN_LOOK_S
            waits_for = str(error.params.get("waits_for", ""))
            self.wait(entry, error, Waits(seconds, waits_for, self.stored(error, entry.path)))
        # An answer, even a bad one, is an outcome: the run fails with it. Without one nobody knows what happened.
        if "status" not in error.params and not self.may_repeat(entry, error):
            self.needs_review(replace(entry, error=self.stored(error, entry.path)))
        pause = self.pause(step, entry, error)
        if pause is not None:
            self.wait(entry, error, Waits(pause, "", self.stored(error, entry.path)))
        return self.failed(entry, error)

    def pause(self, step: Step, entry: Entry, error: UserError) -> float | None:
        """Seconds until the next attempt; None where there is none.

        A step that may act twice is repeated by itself only after a definite refusal; a person's own `retry` says
        more. Source of the back-off: exponential, with jitter; Retry-After (RFC 9110, 10.2.3) is the least.
        """
        retry = step.retry or DEFAULT_RETRY
        if not error.retry or entry.attempt >= retry.attempts:
            return None
        if step.retry is None and not self.may_repeat(entry, error):
            return None
        delay = min(retry.max_delay_s, retry.delay_s * retry.factor ** (entry.attempt - 1)) * self.jitter()
        return min(LONGEST_WAIT_S, max(delay, error.retry_after_s or 0))

    def may_repeat(self, entry: Entry, error: UserError) -> bool:
        """Whether a step may go out again by itself: a `once` step only if it surely had no effect, or by choice."""
        if entry.effect != "once" or not error.unknown:
            return True
        return self.document.settings.on_unknown == "repeat"

    def handle(self, step: Step, path: str, scope: dict[str, Json], entry: Entry) -> Json:
        error = entry.error or {}
        if step.on_error == "stop":
            raise _Stop(Ended("failed", error))
        told = describe(error, self.translate)
        shown = {name: told[name] for name in ("code", "text", "params", "path")}
        if isinstance(step.on_error, tuple):
            self.steps(step.on_error, f"{path}!/", {**scope, "error": shown})
        return {"error": shown}

    def failed(self, entry: Entry, error: UserError) -> Entry:
        entry = replace(entry, status="failed", error=self.stored(error, entry.path))
        self.journal.note(entry)
        return entry

    def wait(self, entry: Entry, error: UserError, outcome: Waits) -> None:
        self.journal.note(replace(entry, status="waiting", error=self.stored(error, entry.path)))
        raise _Stop(outcome)

    def needs_review(self, entry: Entry) -> None:
        error = self.stored(UserError("unknown_outcome"), entry.path)
        if entry.error:
            error["params"]["cause"] = entry.error
        self.journal.note(replace(entry, status="needs_review", error=error))
        raise _Stop(Ended("needs_review", error))

    def stored(self, error: UserError, path: str) -> dict[str, Json]:
        return {**error.as_json(), "path": path}
