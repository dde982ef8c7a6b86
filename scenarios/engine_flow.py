"""The steps that steer: router, loop, filter, delay, stop, call of another scenario.

Each is journaled like any step: what was decided (the branch, the list, the moment, the other run's id) is kept
before it is acted on, so that a walk after a crash decides the same.
"""

import contextlib
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from lib.errors import InvalidInput, Json, UserError, gettext_noop
from lib.ids import uuid7
from scenarios.document import BRANCH, FOR_EACH, Step
from scenarios.engine_terms import UNREAD, Cancelled, Ended, Entry, Expired, Failed, Filtered, Later, Stopped, Waits

if TYPE_CHECKING:
    from scenarios.engine import Engine

MOST_COLLECTED = 500  # results of passes; more of them stay in the journal alone
MIXED_LOOK_S = 5  # where its passes wait for different things
CHILD_LOOK_S = 60  # a run that waits for another looks by itself this often: the word that wakes it may be lost
LONGEST_SLEEP_S = 366 * 86_400  # then it looks, and sleeps on: rows hold no moment that calendars do not have
KINDS = {
    bool: gettext_noop("true or false"),
    int: gettext_noop("a number"),
    float: gettext_noop("a number"),
    dict: gettext_noop("an object"),
}
NOTHING_USABLE = gettext_noop("nothing, or a text")


@dataclass
class Flow:
    engine: "Engine"

    def branch(self, step: Step, path: str, scope: dict[str, Json], earlier: Entry | None) -> Entry:
        begun = self.begun(path, earlier)
        if begun.inputs is None:
            try:
                chosen = self.engine.performer.choose(step, scope)
            except UserError as error:
                return self.engine.failed(begun, error)
            name = "" if chosen is None else step.branches[chosen].name
            begun = self.noted(begun, {"branch": chosen, "name": name})
        chosen = begun.inputs["branch"]
        with self.closing(begun) as closed:
            closed.result = begun.inputs
            if chosen is not None:
                self.engine.steps(step.branches[chosen].steps, f"{path}/", dict(scope))
        return closed.entry

    def for_each(self, step: Step, path: str, scope: dict[str, Json], earlier: Entry | None) -> Entry:
        begun = self.begun(path, earlier)
        if begun.inputs is None:
            try:
                values = self.engine.performer.values(step, scope)
            except UserError as error:
                return self.engine.failed(begun, not_a_list(NOTHING_USABLE) if is_about_items(error) else error)
            if not isinstance(values["items"], list):
                return self.engine.failed(begun, not_a_list(KINDS[type(values["items"])]))
            begun = self.noted(begun, values)
        with self.closing(begun) as closed:
            loop = Loop(self.engine, step, path, scope, **begun.inputs)
            loop.run()
            closed.result = loop.result()
        return closed.entry

    def filter(self, step: Step, path: str, scope: dict[str, Json], earlier: Entry | None) -> Entry:
        begun = self.begun(path, earlier)
        try:
            passed = bool(self.engine.performer.values(step, scope)["when"])
        except UserError as error:
            return self.engine.failed(begun, error)
        entry = self.succeeded(replace(begun, inputs={"when": passed}), {"passed": passed})
        if not passed:
            raise Filtered(path)
        return entry

    def filter_again(self, entry: Entry) -> None:
        if entry.status == "succeeded" and not self.value(entry)["passed"]:
            raise Filtered(entry.path)

    def delay(self, step: Step, path: str, scope: dict[str, Json], earlier: Entry | None) -> Entry:
        begun = self.begun(path, earlier)
        if begun.resume_at is None:
            try:
                values = self.engine.performer.values(step, scope)
                until = self.moment(values)
            except UserError as error:
                return self.engine.failed(begun, error)
            given = {name: value for name, value in values.items() if value not in (None, "")}
            begun = replace(begun, inputs=given, resume_at=until)
            left = until - self.engine.control.now()
            if left > 0:
                self.engine.journal.note(replace(begun, status="waiting"))
                raise Stopped(Waits(min(left, LONGEST_SLEEP_S), is_wanted=True))
        moment = datetime.fromtimestamp(begun.resume_at or 0, UTC)
        return self.succeeded(begun, {"until": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")})

    def moment(self, values: dict[str, Json]) -> float:
        seconds, until = values.get("seconds"), values.get("until")
        if seconds is not None:
            return float(self.engine.control.now() + seconds)
        if not until:
            raise UserError("no_delay", params={"field": "seconds"})
        return datetime.fromisoformat(until).timestamp()

    def stop(self, step: Step, path: str, scope: dict[str, Json], earlier: Entry | None) -> Entry:
        begun = self.begun(path, earlier)
        try:
            values = self.engine.performer.values(step, scope)
        except UserError as error:
            return self.engine.failed(begun, error)
        self.stop_again(self.succeeded(replace(begun, inputs=values), values))
        raise AssertionError("a stop stops")

    def stop_again(self, entry: Entry) -> None:
        if entry.status == "failed":
            return
        said = self.value(entry)
        error = UserError("stopped", "" if said["message"] else "silent", params={"message": said["message"]})
        raise Stopped(Ended(said["status"], self.engine.stored(error, entry.path)))

    def scenario(self, step: Step, path: str, scope: dict[str, Json], earlier: Entry | None) -> Entry:
        calls = self.engine.calls
        assert calls is not None
        begun = replace(self.begun(path, earlier), effect="keyed")
        if begun.inputs is None:
            try:
                values = self.engine.performer.values(step, scope)
            except UserError as error:
                return self.engine.failed(begun, error)
            begun = replace(begun, inputs={**values, "run": uuid7().hex})
            self.engine.journal.commit(begun)  # the other run's id is durable before the run is
        given = begun.inputs
        child = uuid.UUID(hex=given["run"])
        try:
            outcome = calls.outcome(child)
        except LookupError:
            try:
                calls.start(child, path, scenario=given["scenario"], payload=given["payload"])
            except UserError as error:
                return self.engine.failed(begun, error)
            outcome = None
        if outcome is None:
            self.engine.journal.note(replace(begun, status="waiting"))
            raise Stopped(Waits(CHILD_LOOK_S, f"run:{given['run']}", is_wanted=True))
        status, result = outcome
        if status != "succeeded" and given.get("on_failure") == "fail":
            return self.engine.failed(begun, UserError("child_failed", params={"run": given["run"], "how": status}))
        return self.succeeded(begun, {"run": given["run"], "status": status, "result": result})

    def end_again(self, entry: Entry) -> None:
        """A router or a loop that was left before its end is left again when the walk meets it once more."""
        error = entry.error or {}
        left_by = self.engine.journal.recall(error["path"]) if error.get("code") in {"filtered", "stopped"} else None
        if left_by is None:  # in a repeat from a later step, it was not taken over
            return
        raise Filtered(left_by.path) if error["code"] == "filtered" else Stopped(Ended(entry.status, error))

    def begun(self, path: str, earlier: Entry | None) -> Entry:
        """The entry of a flow step that begins, or that is gone on with."""
        if earlier is not None:
            return replace(earlier, status="running", error=None)
        position = next(self.engine.positions)
        return Entry(path, position, "running", "pure", started_at=self.engine.control.now())

    def noted(self, begun: Entry, inputs: Json) -> Entry:
        begun = replace(begun, inputs=inputs)
        self.engine.journal.note(begun)
        return begun

    def succeeded(self, begun: Entry, result: Json) -> Entry:
        entry = replace(begun, status="succeeded", result=result, took_ms=self.engine.took_ms(begun), error=None)
        self.engine.journal.note(entry)
        return entry

    def value(self, entry: Entry) -> Json:
        if entry.result is not UNREAD:
            return entry.result
        return self.engine.journal.values([entry.path])[entry.path]

    @contextlib.contextmanager
    def closing(self, begun: Entry) -> "Iterator[Closed]":
        """Writes down how a step with steps inside ended, also where one of those ends the whole run."""
        # Its inputs are in the journal already, and may be long.
        closed = Closed(replace(begun, inputs=None))
        try:
            yield closed
        except Failed as failed:
            closed.end(self.engine, "failed", failed.error)
        except Filtered as filtered:
            closed.end(self.engine, "succeeded", self.engine.stored(UserError("filtered"), filtered.path))
            raise
        except (Cancelled, Expired):
            closed.end(self.engine, "cancelled")  # not an end of its own: a repeat goes on inside
            raise
        except Stopped as stop:
            if isinstance(stop.outcome, Ended) and stop.outcome.status != "needs_review":
                closed.end(self.engine, stop.outcome.status, stop.outcome.error)
            raise
        else:
            closed.end(self.engine, "succeeded")


@dataclass
class Closed:
    entry: Entry
    result: Json = None

    def end(self, engine: "Engine", status: str, error: dict[str, Json] | None = None) -> None:
        took_ms = engine.took_ms(self.entry)
        self.entry = replace(self.entry, status=status, error=error, result=self.result, took_ms=took_ms)
        engine.journal.note(self.entry)


@dataclass
class Loop:
    """The passes of one `flow.for_each`, one after the other or several at a time."""

    engine: "Engine"
    step: Step
    path: str
    scope: dict[str, Json]
    items: list[Json]
    parallel: int = 1
    on_item_error: str = "stop"
    values: dict[int, Json] = field(default_factory=dict)
    is_halted: bool = False
    troubles: list[BaseException] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.lock = threading.Lock()
        self.left = iter(range(len(self.items)))
        self.keeps = len(self.items) <= MOST_COLLECTED

    def run(self) -> None:
        hands = min(self.parallel, len(self.items))
        if hands < 2 or self.engine.spawn is None:
            for index in self.left:
                self.one(index)
            return
        others = [self.engine.spawn(self.work) for _ in range(hands - 1)]
        self.work()
        for other in others:
            if other.cancel():
                self.work()  # no thread was free for that hand: this one does its part
                continue
            with contextlib.suppress(CancelledError):
                other.result()
        if self.troubles:
            raise self.decisive()

    def decisive(self) -> BaseException:
        trouble = min(self.troubles, key=weight)
        if not isinstance(trouble, Stopped) or not isinstance(trouble.outcome, Waits):
            return trouble
        waits = [one.outcome for one in self.troubles if isinstance(one, Stopped) and isinstance(one.outcome, Waits)]
        if not {one.waits_for for one in waits} - {"", trouble.outcome.waits_for}:
            return trouble
        # A run can be woken by the end of one thing only: for that of the others it looks itself.
        return Stopped(replace(trouble.outcome, seconds=min(trouble.outcome.seconds, MIXED_LOOK_S)))

    def work(self) -> None:
        """One hand: takes pass after pass. A pass that waits keeps its hand, so that the bound holds for it too."""
        while (index := self.next()) is not None:
            try:
                self.one(index)
            except BaseException as trouble:
                is_wait = isinstance(trouble, Stopped) and isinstance(trouble.outcome, Waits)
                with self.lock:
                    self.troubles.append(trouble)
                    self.is_halted = self.is_halted or not is_wait
                return

    def next(self) -> int | None:
        with self.lock:
            return None if self.is_halted else next(self.left, None)

    def one(self, index: int) -> None:
        scope = {**self.scope, "item": self.items[index], "index": index}
        try:
            value = self.engine.steps(self.step.steps, f"{self.path}[{index}]/", scope)
        except Filtered:
            value = {"passed": False}
        except Failed as failed:
            if self.on_item_error != "continue":
                raise
            value = {"error": self.engine.shown(failed.error)}
        if self.keeps:
            self.values[index] = value

    def result(self) -> Json:
        """{"count", "results"}; of very many passes the journal keeps the results, and this says so."""
        count = len(self.items)
        if not self.keeps:
            return {"count": count, "results": {"_passes": count}}
        unread = [value.path for value in self.values.values() if type(value) is Later]
        known = self.engine.journal.values(unread) if unread else {}
        results = [known[one.path] if type(one) is Later else one for _index, one in sorted(self.values.items())]
        return {"count": count, "results": results}


def is_about_items(error: UserError) -> bool:
    return isinstance(error, InvalidInput) and error.errors.keys() == {"items"}


def not_a_list(got: str) -> UserError:
    return UserError("not_a_list", params={"field": "items", "got": got})


def weight(trouble: BaseException) -> tuple[int, float]:
    """Which of several troubles in parallel passes decides: the one that leaves the least room.

    That this run is not ours, or goes on elsewhere, first; then what a person has to decide.
    """
    if isinstance(trouble, Stopped):
        outcome = trouble.outcome
        if isinstance(outcome, Waits):
            return (5, outcome.seconds)
        return (1 if outcome.status == "needs_review" else 3, 0)
    return (4, 0) if isinstance(trouble, Failed) else (2, 0) if isinstance(trouble, Cancelled | Expired) else (0, 0)


Act = Callable[[Flow, Step, str, dict[str, Json], Entry | None], Entry]

FLOW: dict[str, Act] = {
    BRANCH: Flow.branch,
    FOR_EACH: Flow.for_each,
    "flow.filter": Flow.filter,
    "flow.delay": Flow.delay,
    "flow.stop": Flow.stop,
    "flow.scenario": Flow.scenario,
}
# What these did to the walk they do again when the walk meets them once more.
END_AGAIN: dict[str, Callable[[Flow, Entry], None]] = {
    BRANCH: Flow.end_again,
    FOR_EACH: Flow.end_again,
    "flow.filter": Flow.filter_again,
    "flow.stop": Flow.stop_again,
}
