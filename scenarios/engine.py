"""Executes a document against a journal; safe to call again at any point.

Plain Python: rows, network and clock are handed in. A step that the journal holds as ended is not executed again;
its result is taken and the walk goes on. A retry, a long wait, a deploy and a crash are thus one mechanism: walk
again. What may be sent twice is decided by the step's effect (docs/decisions/unknown-outcomes.md).
"""

import itertools
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from lib.errors import Json, Translate, UserError, describe
from scenarios.document import FOR_EACH, Document, Retry, Step
from scenarios.engine_flow import END_AGAIN, FLOW, LONGEST_SLEEP_S, Flow
from scenarios.engine_terms import (
    ENDED_STEPS,
    UNREAD,
    Attempt,
    Calls,
    Cancelled,
    Control,
    Ended,
    Entry,
    Expired,
    Failed,
    Filtered,
    HandedOver,
    Journal,
    Later,
    Performed,
    Performer,
    Spawn,
    Stopped,
    Waits,
)

ENGINE = 2  # grows when an older engine could not execute what this one can; 2: flow steps
DEFAULT_RETRY = Retry()
LONGEST_WAIT_S = 24 * 3600
# Nothing was sent: no attempt is used up.
HELD = frozenset(
    {
        "reauthorization_needed",
        "token_refresh_paused",
        "token_refresh_busy",
        "connection_throttled",
        "connection_busy",
    }
)
TOKEN_LOOK_S = 5
HELD_LOOK_S = 300  # a run that waits for a person looks by itself this often: the word that wakes it may be lost
EARLY_S = 0.05  # a wait that is over but for this is over


@dataclass
class Engine:
    document: Document
    journal: Journal
    performer: Performer
    control: Control
    names: Mapping[str, Json]
    calls: Calls | None = None
    spawn: Spawn | None = None  # starts the other hands of a parallel loop; without it, loops go one by one
    jitter: Callable[[], float] = field(default=lambda: random.uniform(0.5, 1.5))  # noqa: S311  spread, not secrecy
    translate: Translate = str  # into the language in which errors are told to later steps
    is_handling: bool = False  # the run has failed, and its failure is being handled

    def __post_init__(self) -> None:
        self.positions = itertools.count(self.journal.last_position() + 1)
        self.flow = Flow(self)

    def run(self) -> Ended | Waits:
        """Walk the steps. Answers how the run ended, or what it waits for."""
        outcome = self.outcome_of(self.document.steps, "", dict(self.names))
        failed = isinstance(outcome, Ended) and outcome.status == "failed"
        if not failed or not self.document.on_error:
            return outcome
        self.is_handling = True
        scope = {**self.names, "error": self.shown(outcome.error or {})}
        handled = self.outcome_of(self.document.on_error, "!/", scope)
        # Whatever becomes of the handling, the run has failed with what it failed with.
        return handled if isinstance(handled, Waits) or handled.status == "needs_review" else outcome

    def outcome_of(self, steps: tuple[Step, ...], prefix: str, scope: dict[str, Json]) -> Ended | Waits:
        try:
            self.steps(steps, prefix, scope)
        except Stopped as stop:
            return stop.outcome
        except Failed as failed:
            return Ended("failed", failed.error)
        except Filtered as filtered:
            return Ended("succeeded", {**UserError("filtered").as_json(), "path": filtered.path})
        except Expired:
            return Ended("failed", UserError("deadline").as_json())
        except Cancelled:
            return Ended("cancelled", UserError("cancelled").as_json())
        return Ended("succeeded")

    def steps(self, steps: tuple[Step, ...], prefix: str, scope: dict[str, Json]) -> Json:
        """Walk one list of steps; answers the value of the last."""
        value: Json = None
        for step in steps:
            value = scope[step.key] = self.step(step, f"{prefix}{step.key}", scope)
        return value

    def step(self, step: Step, path: str, scope: dict[str, Json]) -> Json:
        """The step's value for those after it: its result, or `{"error": …}` where its error is handled."""
        entry = self.journal.recall(path)
        if entry is None or entry.status not in ENDED_STEPS:
            self.check_outcome(entry)
            self.check_wait(entry)
            self.control.check(is_handling=self.is_handling)
            self.read(step, scope)
            act = FLOW.get(step.action)
            entry = act(self.flow, step, path, scope, entry) if act else self.execute(step, path, scope, entry)
        elif step.action in END_AGAIN:
            END_AGAIN[step.action](self.flow, entry)
        if entry.status != "failed":
            return Later(path) if is_elsewhere(step, entry) else entry.result
        return self.handle(step, path, scope, entry)

    def read(self, step: Step, scope: dict[str, Json]) -> None:
        """Load the results that this step, or one inside it, may read and that nobody has needed until now."""
        wanted = {name: scope[name].path for name in self.performer.reads(step) if type(scope.get(name)) is Later}
        if wanted:
            values = self.journal.values(wanted.values())
            scope.update({name: values.get(path) for name, path in wanted.items()})

    def execute(self, step: Step, path: str, scope: dict[str, Json], earlier: Entry | None) -> Entry:
        begun = self.begun(path, earlier)
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
        if earlier is not None and self.is_in_doubt(earlier):
            raise Stopped(self.ask([earlier]))

    def is_in_doubt(self, earlier: Entry) -> bool:
        """Whether nobody knows what an earlier walk did here, and it is for a person to say."""
        if earlier.status != "running" or earlier.effect != "once":
            return earlier.status == "needs_review"  # the run went on before anybody had decided
        return self.document.settings.on_unknown == "stop"

    def ask(self, doubtful: list[Entry]) -> Ended:
        asked = [entry if entry.status == "needs_review" else self.doubted(entry) for entry in doubtful]
        return Ended("needs_review", min(asked, key=lambda entry: entry.position).error)

    def check_wait(self, earlier: Entry | None) -> None:
        """A step whose time has not come waits on, whatever woke the run."""
        if earlier is None or earlier.status != "waiting" or earlier.resume_at is None:
            return
        left = earlier.resume_at - self.control.now()
        if left > EARLY_S:
            # Cancelled or expired meanwhile? Then it waits no more.
            self.control.check(is_handling=self.is_handling)
            raise Stopped(Waits(min(left, LONGEST_SLEEP_S), "", earlier.error, is_wanted=earlier.error is None))

    def begun(self, path: str, earlier: Entry | None) -> Entry:
        """The entry of a new attempt. Waiting for a token or a place is not one: nothing was sent."""
        if earlier is None:
            return Entry(path, next(self.positions), "running", "pure")
        held = (earlier.error or {}).get("code") in HELD
        attempt = earlier.attempt if held else earlier.attempt + 1
        return Entry(path, earlier.position, "running", earlier.effect, attempt, inputs=earlier.inputs)

    def finish(self, step: Step, begun: Entry, performed: Performed, *, replies: bool) -> Entry:
        entry = replace(begun, exchange=performed.exchange, took_ms=self.took_ms(begun))
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
            is_wanted = error.code == "reauthorization_needed"
            waits_for = str(error.params.get("waits_for", ""))
            self.wait(entry, error, Waits(seconds, waits_for, self.stored(error, entry.path), is_wanted=is_wanted))
        # An answer, even a bad one, is an outcome: the run fails with it. Without one nobody knows what happened.
        if "status" not in error.params and not self.may_repeat(entry, error):
            self.needs_review(replace(entry, error=self.stored(error, entry.path)))
        if error.code == "cancelled":
            self.journal.note(replace(entry, status="cancelled", error=self.stored(error, entry.path)))
            raise Cancelled
        pause = self.pause(step, entry, error)
        if pause is not None:
            entry = replace(entry, resume_at=self.control.now() + pause)
            self.wait(entry, error, Waits(pause, "", self.stored(error, entry.path)))
        return self.failed(entry, error)

    def pause(self, step: Step, entry: Entry, error: UserError) -> float | None:
        """Seconds until the next attempt; None where there is none.

        A step that may act twice is repeated by itself only after a definite refusal; a person's own `retry` says
        more. Source of the back-off: exponential, with jitter; Retry-After (RFC 9110, 10.2.3) is the least.
        """
        retry = step.retry or DEFAULT_RETRY
        # A service that asks to slow down will answer in the end: only the run's deadline limits that.
        is_patient = step.retry is None and error.code == "rate_limited"
        if not is_tried_again(retry, error) or (entry.attempt >= retry.attempts and not is_patient):
            return None
        if step.retry is None and not self.may_repeat(entry, error):
            return None
        grown = retry.delay_s * retry.factor ** min(entry.attempt - 1, 64)
        delay = min(retry.max_delay_s, grown) * self.jitter()
        return min(LONGEST_WAIT_S, max(delay, error.retry_after_s or 0))

    def may_repeat(self, entry: Entry, error: UserError) -> bool:
        """Whether a step may go out again by itself: a `once` step only if it surely had no effect, or by choice."""
        if entry.effect != "once" or not error.unknown:
            return True
        return self.document.settings.on_unknown == "repeat"

    def handle(self, step: Step, path: str, scope: dict[str, Json], entry: Entry) -> Json:
        error = entry.error or {}
        if step.on_error == "stop":
            raise Failed(error)
        shown = self.shown(error)
        if isinstance(step.on_error, tuple):
            self.steps(step.on_error, f"{path}!/", {**scope, "error": shown})
        return {"error": shown}

    def shown(self, error: Mapping[str, Json]) -> dict[str, Json]:
        """An error as later steps see it."""
        told = describe(error, self.translate)
        return {name: told[name] for name in ("code", "text", "params", "path")}

    def failed(self, entry: Entry, error: UserError) -> Entry:
        entry = replace(entry, status="failed", error=self.stored(error, entry.path))
        self.journal.note(entry)
        return entry

    def wait(self, entry: Entry, error: UserError, outcome: Waits) -> None:
        self.journal.note(replace(entry, status="waiting", error=self.stored(error, entry.path)))
        raise Stopped(outcome)

    def needs_review(self, entry: Entry) -> None:
        raise Stopped(Ended("needs_review", self.doubted(entry).error))

    def doubted(self, entry: Entry) -> Entry:
        error = self.stored(UserError("unknown_outcome"), entry.path)
        if entry.error:
            error["params"]["cause"] = entry.error
        entry = replace(entry, status="needs_review", error=error)
        self.journal.note(entry)
        return entry

    def stored(self, error: UserError, path: str) -> dict[str, Json]:
        return {**error.as_json(), "path": path}

    def took_ms(self, begun: Entry) -> int:
        return max(0, round((self.control.now() - (begun.started_at or 0)) * 1000))


def is_elsewhere(step: Step, entry: Entry) -> bool:
    """Whether the journal has the result, and we have not: it was not loaded, or its passes were too many."""
    if entry.result is UNREAD or step.action != FOR_EACH or not isinstance(entry.result, dict):
        return entry.result is UNREAD
    return isinstance(entry.result.get("results"), dict)


def is_tried_again(retry: Retry, error: UserError) -> bool:
    if not retry.on:
        return error.retry
    status = str(error.params.get("status", ""))
    return bool({error.code, status, f"{status[:1]}xx"} & set(retry.on))
