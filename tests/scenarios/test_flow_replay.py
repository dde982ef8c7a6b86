"""A run that dies at any point, as often as it likes, comes to the same end, and does nothing twice that may not be."""

import copy
from collections import Counter
from typing import Any

import pytest

from lib.errors import Json
from scenarios.engine_terms import Ended, Entry, Waits
from tests.scenarios.golden.make import REFUSED, WRONG, branch, each, flow, get, handler, keyed, post, put, way
from tests.scenarios.golden.world import Death, KeptJournal, World

pytestmark = pytest.mark.django_db  # preparing a step gives the thread's connection back

MOST_PROCESSES = 60


class DyingJournal(KeptJournal):
    """The process dies at the n-th write, before or after it is durable."""

    def __init__(self, dies_at: int, *, is_late: bool) -> None:
        super().__init__()
        self.left = dies_at
        self.is_late = is_late

    def save(self) -> None:
        self.left -= 1
        if self.left == 0 and not self.is_late:
            raise Death
        super().save()
        if self.left == 0:
            raise Death


def document(*steps: Json, **rest: Any) -> dict[str, Any]:
    return {
        "format": 1,
        "name": "t",
        "trigger": {"key": "s1", "type": "manual", "inputs": {}},
        "steps": list(steps),
    } | rest


THREE = [1, 2, 3]
DOCUMENTS: dict[str, dict[str, Any]] = {
    "steps of each kind": document(
        put("s2", x=1), get("s3"), keyed("s4"), post("s5", x="{{ s2.x }}"), put("s6", y="{{ s5.body }}")
    ),
    "a branch in a loop": document(
        each(
            "s2",
            THREE,
            put("s3", n="{{ item * 2 }}"),
            branch("s4", way("odd", "{{ item % 2 == 1 }}", post("s5", n="{{ s3.n }}")), way("even", None, keyed("s6"))),
        ),
        post("s7", r="{{ s2.results }}"),
    ),
    "parallel passes that wait": document(
        each("s2", THREE, flow("s3", "delay", seconds="{{ item }}"), keyed("s4", n="{{ item }}"), parallel=3),
        get("s5", r="{{ s2.count }}"),
    ),
    "filters and handlers": document(
        each("s2", THREE, flow("s3", "filter", when="{{ item != 2 }}"), post("s4", n="{{ item }}")),
        get("broken", handler(post("s6", why="{{ error.code }}"), put("s7", x=1))),
        put("s8", why="{{ broken.error.code }}"),
    ),
    "attempts": document(get("flaky", {"retry": {"attempts": 5, "delay_s": 1}}), post("s3", r="{{ flaky.body }}")),
    "a stop": document(
        each("s2", THREE, keyed("s3"), flow("s4", "stop", status="failed", message="{{ index }}")), post("s5")
    ),
    "a failure and its handler": document(
        post("s2"), get("broken"), on_error={"steps": [post("s8", at="{{ error.path }}"), get("s9")]}
    ),
    "called scenarios": document(
        each("s2", THREE, flow("s3", "scenario", scenario="b7mq2xk4", payload="{{ item }}"), parallel=2), post("s5")
    ),
}
ANSWERS: dict[str, list[Json]] = {"broken": [WRONG], "flaky": [REFUSED, REFUSED, {"body": "at last"}]}


def carried_through(case: dict[str, Any], journal: KeptJournal) -> tuple[World, Ended]:
    """Process after process until the run has ended; a person says of what nobody knows that it was done."""
    world = World(case, copy.deepcopy(ANSWERS), journal=journal)
    for _ in range(MOST_PROCESSES):
        try:
            outcome = world.walk()
        except Death:
            world.clock.time += 1
            continue
        if isinstance(outcome, Waits):
            world.clock.time += outcome.seconds
            world.others.ended = {path: ["succeeded", {"x": 1}] for path in world.others.started.values()}
        elif outcome.status != "needs_review":
            return world, outcome
        else:
            decide(world.journal)
    raise AssertionError(f"no end: {world.journal.durable}")


def decide(journal: KeptJournal) -> None:
    for entry in list(journal.durable.values()):
        if entry.status == "needs_review":
            done = {"status": "succeeded", "error": None, "result": {"body": entry.path}}
            journal.durable[entry.path] = Entry(**{**vars(entry), **done})


def end(outcome: Ended) -> tuple[str, Json, Json]:
    error = outcome.error or {}
    return outcome.status, error.get("code"), error.get("path")


def results(world: World) -> dict[str, tuple[str, Json]]:
    """Without what tells of a moment, or of a called run's id."""
    return {path: (entry.status, without_moments(entry.result)) for path, entry in world.journal.durable.items()}


def without_moments(value: Json) -> Json:
    if isinstance(value, dict):
        return {name: without_moments(inner) for name, inner in value.items() if name not in {"until", "run"}}
    return [without_moments(inner) for inner in value] if isinstance(value, list) else value


def effects_of(case: dict[str, Any], world: World) -> dict[str, str]:
    return {path: entry.effect for path, entry in world.journal.durable.items()}


@pytest.mark.parametrize("is_late", [False, True], ids=["before it is durable", "after it is durable"])
@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_run_that_dies_at_each_write_comes_to_the_same_end(name: str, is_late: bool) -> None:
    case = DOCUMENTS[name]
    usual, usual_end = carried_through(case, KeptJournal())
    usual_times = Counter(path for path, _ in usual.performed)
    effects = effects_of(case, usual)
    for dies_at in range(1, 40):
        journal = DyingJournal(dies_at, is_late=is_late)
        world, outcome = carried_through(case, journal)
        assert end(outcome) == end(usual_end), dies_at
        assert results(world) == results(usual), dies_at
        times = Counter(path for path, _ in world.performed)
        for path, effect in effects.items():
            assert times[path] <= usual_times[path] + (effect != "once"), f"{path} ({effect}) after death {dies_at}"
        assert len(world.others.started) == len(usual.others.started), "one called run for each call"
        if journal.left > 0:
            assert dies_at > 1
            return
    raise AssertionError("more writes than expected")


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_history_that_is_walked_again_does_nothing_more(name: str) -> None:
    world, outcome = carried_through(DOCUMENTS[name], KeptJournal())
    before = dict(world.journal.durable)
    performed, started = len(world.performed), len(world.others.started)
    assert world.walk() == outcome
    assert (len(world.performed), len(world.others.started)) == (performed, started)
    assert {path: entry.result for path, entry in world.journal.durable.items()} == {
        path: entry.result for path, entry in before.items()
    }


@pytest.mark.parametrize("name", DOCUMENTS)
def test_no_two_steps_share_a_position_and_the_order_is_that_of_the_walk(name: str) -> None:
    world, _ = carried_through(DOCUMENTS[name], DyingJournal(2, is_late=True))
    entries = sorted(world.journal.durable.values(), key=lambda entry: entry.position)
    assert len({entry.position for entry in entries}) == len(entries)
    places = {entry.path: entry.position for entry in entries}
    for path, position in places.items():
        around = path.rpartition("/")[0].partition("[")[0].removesuffix("!")
        if around in places and "!" not in path:
            assert places[around] < position, f"{around} begins before {path}"


def test_what_a_step_saw_once_it_sees_again_although_the_world_has_changed() -> None:
    """Random values, the list of a loop and the choice of a branch are those of the first time."""
    case = document(
        put("s2", u="{{ uuid() }}"),
        each("s3", "{{ [uuid(), uuid()] }}", get("s4", n="{{ item }}", u="{{ s2.u }}")),
        branch("s5", way("a", "{{ s2.u > '8' }}", get("s6")), way("b", None, get("s7"))),
        get("last", u="{{ s2.u }}"),
    )
    for dies_at in range(1, 8):
        journal = DyingJournal(dies_at, is_late=True)
        world, outcome = carried_through(case, journal)
        assert outcome.status == "succeeded"
        kept = world.journal.durable
        queries = [kept[f"s3[{n}]/s4"].inputs["query"] for n in (0, 1)]
        assert [query["n"] for query in queries] == kept["s3"].inputs["items"]
        assert {query["u"] for query in queries} | {kept["last"].inputs["query"]["u"]} == {kept["s2"].result["u"]}
