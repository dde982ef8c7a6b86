"""The engine over a journal in memory: what is executed again after a crash, and what is not."""

import itertools
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import pytest

from lib.errors import Json, UserError
from scenarios.document import Branch, Document, Retry, Settings, Step, Trigger
from scenarios.engine import Engine
from scenarios.engine_terms import (
    Attempt,
    Calls,
    Cancelled,
    Ended,
    Entry,
    HandedOver,
    Performed,
    Prepared,
    Spawn,
    Waits,
)

HOURS = itertools.count(3600, 3600)


class Crash(Exception):
    """The process dies here: nothing after this point happened."""


@dataclass
class MemoryJournal:
    """Only what was committed survives `crash`."""

    durable: dict[str, Entry] = field(default_factory=dict)
    noted: list[Entry] = field(default_factory=list)
    replies: list[Json] = field(default_factory=list)

    def recall(self, path: str) -> Entry | None:
        return {**self.durable, **{entry.path: entry for entry in self.noted}}.get(path)

    def last_position(self) -> int:
        return max((entry.position for entry in self.durable.values()), default=0)

    def values(self, paths: Iterable[str]) -> dict[str, Json]:
        return {path: self.durable[path].result for path in paths}

    def note(self, entry: Entry, *, reply: Json = None) -> None:
        earlier = self.recall(entry.path)
        if earlier is not None and entry.inputs is None:
            entry = replace(entry, inputs=earlier.inputs)
        self.noted.append(entry)
        self.replies += [reply] if reply is not None else []

    def commit(self, entry: Entry | None = None) -> None:
        self.noted += [entry] if entry else []
        self.durable |= {entry.path: entry for entry in self.noted}
        self.noted = []

    def crash(self) -> None:
        self.noted = []


@dataclass
class World:
    """Performs steps by calling functions, and counts the calls."""

    actions: Mapping[str, Callable[[Attempt], Json]]
    effects: Mapping[str, str] = field(default_factory=dict)
    calls: list[tuple[str, int, bool]] = field(default_factory=list)
    inputs_seen: list[Json] = field(default_factory=list)

    def prepare(self, step: Step, names: Mapping[str, Json], inputs: Json | None) -> Prepared:
        self.inputs_seen.append(inputs)

        def perform(attempt: Attempt) -> Performed:
            self.calls.append((step.key, attempt.number, attempt.repeated))
            try:
                return Performed(self.actions[step.key](attempt))
            except UserError as error:
                return Performed(error=error)

        effect = self.effects.get(step.key, "pure")
        return Prepared(inputs if inputs is not None else {"made": len(self.calls)}, effect, False, perform)

    def values(self, step: Step, names: Mapping[str, Json]) -> dict[str, Json]:
        """Flow steps get their inputs as they stand; a function makes them of the names."""
        self.calls.append((step.key, 0, False))
        return {name: value(names) if callable(value) else value for name, value in step.inputs.items()}

    def choose(self, step: Step, names: Mapping[str, Json]) -> int | None:
        self.calls.append((step.key, 0, False))
        for number, branch in enumerate(step.branches):
            if branch.when is None or branch.when is True or (branch.when and names.get(branch.when)):
                return number
        return None

    def reads(self, step: Step) -> frozenset[str]:
        return frozenset({"s2", "s3", "s4", "s5"})


class Control:
    def __init__(self, *raises: Exception | None, now: float = 1000.0) -> None:
        self.raises = list(raises)
        self.time = now

    def check(self, *, is_handling: bool = False) -> None:
        if self.raises and (error := self.raises.pop(0)):
            raise error

    def now(self) -> float:
        return self.time


def document(*steps: Step, on_unknown: str = "stop") -> Document:
    return Document("Test", Trigger("s1", "manual"), steps, settings=Settings(on_unknown=on_unknown))


def run(
    doc: Document,
    world: World,
    journal: MemoryJournal | None = None,
    control: Control | None = None,
    calls: Calls | None = None,
    spawn: Spawn | None = None,
) -> Ended | Waits:
    """One walk; each begins an hour after the one before, so that what waited is due."""
    journal = journal if journal is not None else MemoryJournal()
    control = control or Control(now=next(HOURS))
    engine = Engine(
        doc, journal, world, control, {"trigger": {"body": 1}}, calls=calls, spawn=spawn, jitter=lambda: 1.0
    )
    outcome = engine.run()
    journal.commit()
    return outcome


def raising(error: Exception) -> Callable[[Attempt], Json]:
    def act(attempt: Attempt) -> Json:
        raise error

    return act


def test_the_steps_run_in_order_and_the_run_succeeds() -> None:
    world = World({"s2": lambda attempt: {"n": 1}, "s3": lambda attempt: {"n": 2}})
    journal = MemoryJournal()
    assert run(document(Step("s2", "a"), Step("s3", "a")), world, journal) == Ended("succeeded")
    assert [call[0] for call in world.calls] == ["s2", "s3"]
    assert [(entry.path, entry.position, entry.status) for entry in journal.durable.values()] == [
        ("s2", 1, "succeeded"),
        ("s3", 2, "succeeded"),
    ]


def test_after_a_crash_a_finished_step_is_not_executed_again() -> None:
    journal = MemoryJournal()
    world = World({"s2": lambda attempt: "sent", "s3": raising(Crash())}, effects={"s2": "once", "s3": "read"})
    doc = document(Step("s2", "a"), Step("s3", "a"))
    with pytest.raises(Crash):
        run(doc, world, journal)
    journal.crash()

    again = World({"s2": lambda attempt: "sent twice", "s3": lambda attempt: "read"}, effects=world.effects)
    assert run(doc, again, journal) == Ended("succeeded")
    assert [call[0] for call in again.calls] == ["s3"]


def test_a_once_step_that_began_and_never_ended_needs_a_person() -> None:
    journal = MemoryJournal()
    doc = document(Step("s2", "a"))
    with pytest.raises(Crash):
        run(doc, World({"s2": raising(Crash())}, effects={"s2": "once"}), journal)
    journal.crash()

    again = World({"s2": lambda attempt: "sent"}, effects={"s2": "once"})
    outcome = run(doc, again, journal)
    assert isinstance(outcome, Ended)
    assert outcome.status == "needs_review"
    assert outcome.error is not None
    assert (outcome.error["code"], outcome.error["path"]) == ("unknown_outcome", "s2")
    assert again.calls == []


def test_a_once_step_is_repeated_where_the_person_chose_so() -> None:
    journal = MemoryJournal()
    doc = document(Step("s2", "a"), on_unknown="repeat")
    with pytest.raises(Crash):
        run(doc, World({"s2": raising(Crash())}, effects={"s2": "once"}), journal)
    journal.crash()
    again = World({"s2": lambda attempt: "sent"}, effects={"s2": "once"})
    assert run(doc, again, journal) == Ended("succeeded")
    assert again.calls == [("s2", 2, True)]


@pytest.mark.parametrize("effect", ["read", "keyed"])
def test_a_step_that_may_be_repeated_is_repeated_with_the_same_inputs(effect: str) -> None:
    journal = MemoryJournal()
    doc = document(Step("s2", "a"))
    with pytest.raises(Crash):
        run(doc, World({"s2": raising(Crash())}, effects={"s2": effect}), journal)
    journal.crash()
    again = World({"s2": lambda attempt: "done"}, effects={"s2": effect})
    assert run(doc, again, journal) == Ended("succeeded")
    assert again.calls == [("s2", 2, True)]
    assert again.inputs_seen == [{"made": 0}]


def test_a_temporary_failure_waits_longer_each_time_and_then_fails() -> None:
    journal = MemoryJournal()
    doc = document(Step("s2", "a"))
    world = World({"s2": raising(UserError("upstream_status", params={"status": 500}, retry=True))}, {"s2": "read"})
    waits = [run(doc, world, journal) for _ in range(5)]
    assert [outcome.seconds for outcome in waits if isinstance(outcome, Waits)] == [2, 4, 8, 16]
    assert isinstance(waits[4], Ended)
    assert waits[4].status == "failed"
    assert [number for _, number, _ in world.calls] == [1, 2, 3, 4, 5]


def test_retry_after_is_the_least_wait() -> None:
    refused = UserError("rate_limited", params={"status": 429}, retry=True, retry_after_s=60)
    outcome = run(document(Step("s2", "a")), World({"s2": raising(refused)}, {"s2": "once"}))
    assert isinstance(outcome, Waits)
    assert outcome.seconds == 60


@pytest.mark.parametrize(
    ("error", "effect", "retry", "status"),
    [
        (UserError("upstream_status", params={"status": 404}), "read", None, "failed"),
        (UserError("upstream_status", params={"status": 500}, retry=True, unknown=True), "once", None, "failed"),
        (UserError("upstream_status", params={"status": 500}, retry=True, unknown=True), "once", Retry(3, 1), "waits"),
        (UserError("upstream_unreachable", retry=True), "once", None, "waits"),
        (UserError("upstream_timeout", retry=True, unknown=True), "once", None, "needs_review"),
        (UserError("upstream_timeout", retry=True, unknown=True), "once", Retry(3, 1), "needs_review"),
        (UserError("upstream_timeout", retry=True, unknown=True), "keyed", None, "waits"),
        (UserError("upstream_timeout", retry=True, unknown=True), "read", Retry(1), "failed"),
    ],
)
def test_the_effect_decides_what_an_error_means(
    error: UserError, effect: str, retry: Retry | None, status: str
) -> None:
    outcome = run(document(Step("s2", "a", retry=retry)), World({"s2": raising(error)}, {"s2": effect}))
    assert ("waits" if isinstance(outcome, Waits) else outcome.status) == status


def test_continue_gives_the_error_to_the_steps_after() -> None:
    seen: list[Json] = []

    class Reading(World):
        def prepare(self, step: Step, names: Mapping[str, Json], inputs: Json | None) -> Prepared:
            seen.append({**names}.get("s2"))
            return super().prepare(step, names, inputs)

    gone = UserError("upstream_status", params={"status": 404, "message": "gone"})
    world = Reading({"s2": raising(gone), "s3": lambda attempt: 1})
    assert run(document(Step("s2", "a", on_error="continue"), Step("s3", "a")), world) == Ended("succeeded")
    assert seen[1]["error"]["code"] == "upstream_status"
    assert seen[1]["error"]["text"] == "The service answered 404: gone"


def test_a_handler_runs_with_the_error_in_scope_and_the_run_goes_on() -> None:
    journal = MemoryJournal()
    world = World(
        {
            "s2": raising(UserError("upstream_status", params={"status": 404})),
            "s9": lambda attempt: "told",
            "s3": lambda attempt: 1,
        }
    )
    doc = document(Step("s2", "a", on_error=(Step("s9", "a"),)), Step("s3", "a"))
    assert run(doc, world, journal) == Ended("succeeded")
    assert list(journal.durable) == ["s2", "s2!/s9", "s3"]


def test_a_run_that_waits_for_a_person_keeps_its_attempts() -> None:
    journal = MemoryJournal()
    needs = UserError("reauthorization_needed", params={"waits_for": "connection:7"})
    world = World({"s2": raising(needs)}, {"s2": "read"})
    outcome = run(document(Step("s2", "a")), world, journal)
    assert isinstance(outcome, Waits)
    assert outcome.waits_for == "connection:7"
    again = World({"s2": lambda attempt: 1}, {"s2": "read"})
    assert run(document(Step("s2", "a")), again, journal) == Ended("succeeded")
    assert again.calls == [("s2", 1, False)]


def test_cancelling_and_handing_over_happen_between_steps() -> None:
    doc = document(Step("s2", "a"), Step("s3", "a"))
    world = World({"s2": lambda attempt: 1, "s3": lambda attempt: 2})
    outcome = run(doc, world, control=Control(None, Cancelled()))
    assert isinstance(outcome, Ended)
    assert outcome.status == "cancelled"
    with pytest.raises(HandedOver):
        run(doc, world, control=Control(None, HandedOver()))


def test_an_error_in_the_inputs_fails_the_step_and_is_not_retried() -> None:
    class Refusing(World):
        def prepare(self, step: Step, names: Mapping[str, Json], inputs: Json | None) -> Prepared:
            raise UserError("expression_failed", "no_such_key")

    journal = MemoryJournal()
    outcome = run(document(Step("s2", "a")), Refusing({}), journal)
    assert isinstance(outcome, Ended)
    assert outcome.error == {"code": "expression_failed", "params": {"reason": "no_such_key"}, "path": "s2"}
    assert replace(journal.durable["s2"], error=None).status == "failed"


@pytest.mark.parametrize("code", ["token_refresh_paused", "token_refresh_busy"])
def test_a_token_endpoint_that_is_down_spends_no_attempts(code: str) -> None:
    journal = MemoryJournal()
    doc = document(Step("s2", "a", retry=Retry(1)))
    away = World({"s2": raising(UserError(code, retry=True, retry_after_s=60))}, {"s2": "once"})
    for _ in range(20):
        outcome = run(doc, away, journal)
        assert isinstance(outcome, Waits)
        assert outcome.seconds == 60
    back = World({"s2": lambda attempt: 1}, {"s2": "once"})
    assert run(doc, back, journal) == Ended("succeeded")
    assert back.calls == [("s2", 1, False)]


def test_a_step_that_sent_nothing_counts_as_not_begun() -> None:
    class Away(World):
        def prepare(self, step: Step, names: Mapping[str, Json], inputs: Json | None) -> Prepared:
            return Prepared({}, "once", False, lambda attempt: Performed(put_back=True))

    journal = MemoryJournal()
    with pytest.raises(HandedOver):
        run(document(Step("s2", "a")), Away({}), journal)
    journal.commit()
    world = World({"s2": lambda attempt: 1}, {"s2": "once"})
    assert run(document(Step("s2", "a")), world, journal) == Ended("succeeded")
    assert world.calls == [("s2", 1, False)]


def test_an_unknown_outcome_is_told_even_where_the_run_is_cancelled() -> None:
    journal = MemoryJournal()
    doc = document(Step("s2", "a"))
    with pytest.raises(Crash):
        run(doc, World({"s2": raising(Crash())}, effects={"s2": "once"}), journal)
    journal.crash()
    outcome = run(doc, World({}, effects={"s2": "once"}), journal, control=Control(Cancelled()))
    assert isinstance(outcome, Ended)
    assert outcome.status == "needs_review"


def branch(key: str, *steps: Step, when: str | None = None) -> Step:
    return Step(key, "flow.branch", branches=(Branch("", when, steps),))


def for_each(key: str, items: list[Json], *steps: Step, **inputs: Json) -> Step:
    given = {"items": items, "parallel": 1, "on_item_error": "stop", **inputs}
    return Step(key, "flow.for_each", inputs=given, steps=steps)


def stop(key: str, status: str = "failed") -> Step:
    return Step(key, "flow.stop", inputs={"status": status, "message": "no more"})


def delay(key: str, seconds: int = 60) -> Step:
    return Step(key, "flow.delay", inputs={"seconds": seconds, "until": ""})


def said(value: Json) -> Callable[[Attempt], Json]:
    return lambda attempt: value


@pytest.mark.parametrize("around", [branch, lambda key, *steps: for_each(key, [1, 2], *steps)])
def test_a_stop_inside_a_container_is_the_same_stop_when_its_handling_has_waited(
    around: Callable[..., Step],
) -> None:
    doc = replace(document(around("s2", stop("s3"))), on_error=(delay("s8"), Step("s9", "a")))
    journal, world = MemoryJournal(), World({"s9": said("told")})
    assert isinstance(run(doc, world, journal), Waits)
    outcome = run(doc, world, journal)
    assert isinstance(outcome, Ended)
    assert (outcome.status, outcome.error and outcome.error["code"]) == ("failed", "stopped")
    assert journal.durable["!/s9"].result == "told"


def test_a_pass_that_a_filter_in_a_branch_has_ended_is_ended_after_a_crash_too() -> None:
    no = Step("s4", "flow.filter", inputs={"when": False})
    doc = document(for_each("s2", [1], branch("s3", no), Step("s5", "a")), delay("s6"))
    journal, world = MemoryJournal(), World({"s5": said("never")})
    assert isinstance(run(doc, world, journal), Waits)
    assert run(doc, world, journal) == Ended("succeeded")
    assert "s5" not in [call[0] for call in world.calls]


def test_a_branch_once_chosen_stays_chosen() -> None:
    doc = document(branch("s2", delay("s3"), Step("s4", "a"), when="flag"))
    journal, world = MemoryJournal(), World({"s4": said(1)})
    world.choose = lambda step, names: 0  # type: ignore[method-assign]
    assert isinstance(run(doc, world, journal), Waits)
    world.choose = lambda step, names: None  # type: ignore[method-assign]
    assert run(doc, world, journal) == Ended("succeeded")
    assert journal.durable["s2/s4"].result == 1


def test_a_delay_that_is_woken_early_waits_for_the_rest() -> None:
    doc, journal = document(delay("s2", 60)), MemoryJournal()
    assert run(doc, World({}), journal, Control(now=1000)) == Waits(60, is_wanted=True)
    assert run(doc, World({}), journal, Control(now=1020)) == Waits(40, is_wanted=True)
    assert run(doc, World({}), journal, Control(now=1060)) == Ended("succeeded")


def test_after_a_crash_a_loop_goes_on_at_the_first_unfinished_step() -> None:
    def crash_at_third(attempt: Attempt) -> Json:
        if attempt.path == "s2[2]/s4":
            raise Crash
        return attempt.path

    doc = document(for_each("s2", ["a", "b", "c", "d"], Step("s3", "a"), Step("s4", "a")))
    effects = {"s3": "keyed", "s4": "keyed"}
    journal = MemoryJournal()
    first = World({"s3": said(0), "s4": crash_at_third}, effects)
    with pytest.raises(Crash):
        run(doc, first, journal)
    journal.crash()
    again = World({"s3": said(0), "s4": lambda attempt: attempt.path}, effects)
    assert run(doc, again, journal) == Ended("succeeded")
    assert [(key, number) for key, number, _ in again.calls if key != "s2"] == [
        *(("s4", 2), ("s3", 1), ("s4", 1)),
    ]
    results = [f"s2[{number}]/s4" for number in range(4)]
    assert journal.durable["s2"].result == {"count": 4, "results": results}


def test_parallel_passes_keep_their_bound_even_when_they_wait() -> None:
    doc = document(for_each("s2", list(range(10)), delay("s3", 600), Step("s4", "a"), parallel=3))
    journal, world = MemoryJournal(), World({"s4": lambda attempt: attempt.path})
    with ThreadPoolExecutor(4) as pool:
        assert isinstance(run(doc, world, journal, spawn=pool.submit), Waits)
        assert len([path for path in journal.durable if path.endswith("/s3")]) == 3
        walks = 1
        while isinstance(run(doc, world, journal, spawn=pool.submit), Waits):
            walks += 1
    assert walks < 10
    assert sorted(journal.durable["s2"].result["results"]) == [f"s2[{number}]/s4" for number in range(10)]


def test_in_a_parallel_loop_the_first_failure_starts_no_further_pass() -> None:
    def act(attempt: Attempt) -> Json:
        raise UserError("upstream_status", params={"status": 400})

    doc = document(for_each("s2", list(range(50)), Step("s3", "a"), parallel=2))
    journal, world = MemoryJournal(), World({"s3": act})
    with ThreadPoolExecutor(2) as pool:
        outcome = run(doc, world, journal, spawn=pool.submit)
    assert isinstance(outcome, Ended)
    assert outcome.status == "failed"
    assert len(world.calls) <= 4


@pytest.mark.parametrize("value", [5, {"a": 1}, True])
def test_a_loop_over_what_is_no_list_says_so(value: Json) -> None:
    outcome = run(document(for_each("s2", value)), World({}))
    assert isinstance(outcome, Ended)
    assert outcome.error is not None
    assert outcome.error["code"] == "not_a_list"


def test_the_handling_of_a_failure_is_executed_once_and_changes_nothing() -> None:
    doc = replace(document(Step("s2", "a")), on_error=(Step("s3", "a"), Step("s4", "a")))
    world = World({"s2": raising(UserError("internal")), "s3": said("told"), "s4": raising(UserError("internal"))})
    journal = MemoryJournal()
    outcome = run(doc, world, journal)
    assert isinstance(outcome, Ended)
    assert (outcome.status, outcome.error and outcome.error["path"]) == ("failed", "s2")
    assert journal.durable["!/s3"].result == "told"


def test_which_errors_are_tried_again_can_be_said() -> None:
    retry = Retry(attempts=3, delay_s=1, factor=1, on=("404", "upstream_timeout"))
    for error, is_tried in (
        (UserError("upstream_status", params={"status": 404}), True),
        (UserError("upstream_status", params={"status": 500}, retry=True), False),
        (UserError("upstream_timeout", retry=True), True),
    ):
        world = World({"s2": raising(error)}, {"s2": "read"})
        assert isinstance(run(document(Step("s2", "a", retry=retry)), world), Waits) is is_tried
