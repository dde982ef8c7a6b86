"""What a repeat takes over of the old run's journal: all that ended before the step it starts at. Plain Python."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from lib.errors import Json, UserError
from scenarios.document import BRANCH, FOR_EACH, Document, Step
from scenarios.paths import Place, generic, inside, is_under, way

ENDED_STEPS = frozenset({"succeeded", "failed", "skipped"})
MOST_NAMED = 30
NUMBER = re.compile(r"\[([0-9]+)\]")


class Fact(NamedTuple):
    """What is known of a step of the old run; `code` is its error's."""

    status: str
    effect: str = "pure"
    code: str | None = None

    @property
    def has_ended(self) -> bool:
        return self.status in ENDED_STEPS


@dataclass
class Takeover:
    """The paths to copy as they are, and those to enter anew, with inputs in place of the old ones or None."""

    start_at: str | None
    kept: list[str] = field(default_factory=list)
    entered: dict[str, Json] = field(default_factory=dict)


def take_over(
    new: Document,
    old: Document,
    facts: Mapping[str, Fact],
    start_at: str,
    *,
    inputs_of: Callable[[str], Json],
    ended_at: str = "",
    failed_at: str = "",
) -> Takeover:
    """What a run of the version `new` takes over from one of `old`.

    `ended_at`: the filter or stop that ended the run; `failed_at`: the step that it failed at.
    Raises UserError `no_such_step`.
    """
    places = way(new, start_at)
    reached = Reached(new, old, facts, inputs_of, ended_at, Takeover(start_at))
    if not places:
        raise reached.nowhere(start_at)
    if start_at.startswith("!/"):
        if failed_at.startswith("!") or failed_at not in facts or not facts[failed_at].has_ended:
            raise reached.nowhere(start_at)
        reached.taken.kept += [path for path in facts if not path.startswith("!") and reached.may_keep(path)]
    for place in places:
        reached.keep_list(place.before, place.prefix)
        if place is not places[-1]:
            reached.enter(place)
    return reached.taken


@dataclass
class Reached:
    """The old run's steps as seen from the new version, and what was taken of them so far."""

    new: Document
    old: Document
    facts: Mapping[str, Fact]
    inputs_of: Callable[[str], Json]
    ended_at: str
    taken: Takeover

    def __post_init__(self) -> None:
        before, after = actions(self.old), actions(self.new)
        self.same = {path for path, action in after.items() if before.get(path) == action}

    def may_keep(self, path: str) -> bool:
        return self.facts[path].has_ended and generic(path) in self.same

    def may_leave(self, path: str) -> bool:
        """What ended the run must not end the new one, which begins behind it."""
        return self.may_keep(path) and path != self.ended_at

    def keep_list(self, steps: tuple[Step, ...], prefix: str) -> None:
        """Take the steps of a list that need not be done again, with all that is in them."""
        for step in steps:
            if self.is_done(step, f"{prefix}{step.key}"):
                self.keep_under(f"{prefix}{step.key}")

    def is_done(self, step: Step, path: str) -> bool:
        fact = self.facts.get(path)
        if fact is None or generic(path) not in self.same or path == self.ended_at:
            return False
        return fact.status in {"succeeded", "skipped"} or (fact.status == "failed" and step.on_error != "stop")

    def keep_under(self, top: str, *, but: str = "") -> None:
        self.taken.kept += [
            path
            for path in self.facts
            if is_under(path, top) and self.may_leave(path) and not (but and path.startswith(but))
        ]

    def enter(self, place: Place) -> None:
        """Go on into the branch, the pass or the handler that the step stands in."""
        path = place.path
        if path not in self.facts or generic(path) not in self.same:
            raise self.nowhere(self.taken.start_at or path)
        if place.in_handler:
            if self.facts[path].status != "failed":
                raise self.nowhere(self.taken.start_at or path)
            self.keep_under(path, but=f"{path}!")
            return
        given = self.inputs_of(path)
        if not isinstance(given, dict):
            raise self.nowhere(self.taken.start_at or path)
        self.taken.entered[path] = self.chosen_anew(place, given)
        if place.number is not None:
            self.keep_passes(place, given)

    def chosen_anew(self, place: Place, given: Mapping[str, Json]) -> Json:
        """The router's choice in the new version: the same branch, wherever it stands now."""
        if place.branch is None:
            return None
        number = given.get("branch")
        before = next((step for _, step in self.old.walk() if step.key == place.step.key), None)
        taken = before.branches[number].steps if before and isinstance(number, int) else ()
        branch = place.step.branches[place.branch]
        if not {step.key for step in taken} & {step.key for step in branch.steps}:
            raise self.nowhere(self.taken.start_at or place.path)
        return {"branch": place.branch, "name": branch.name}

    def keep_passes(self, place: Place, given: Mapping[str, Json]) -> None:
        """The earlier passes; of a parallel loop the later ones too, as far as they came."""
        items, goes_on = given.get("items"), given.get("on_item_error") == "continue"
        if not isinstance(items, list) or place.number is None or place.number >= len(items):
            raise self.nowhere(self.taken.start_at or place.path)
        is_parallel = (given.get("parallel") or 1) > 1
        for number in passes_of(self.facts, place.path):
            if number == place.number or (number > place.number and not is_parallel):
                continue
            top = f"{place.path}[{number}]/"
            if goes_on:
                self.taken.kept += self.under_pass(top)
            else:
                steps, prefix = inside(Place(place.step, place.steps, place.prefix, number=number))
                self.keep_list_of_pass(steps, prefix)

    def under_pass(self, top: str) -> list[str]:
        return [path for path in self.by_pass.get(top, ()) if self.may_leave(path)]

    def keep_list_of_pass(self, steps: tuple[Step, ...], prefix: str) -> None:
        done = [f"{prefix}{step.key}" for step in steps if self.is_done(step, f"{prefix}{step.key}")]
        self.taken.kept += [path for path in self.under_pass(prefix) if any(is_under(path, top) for top in done)]

    @property
    def by_pass(self) -> Mapping[str, list[str]]:
        """The paths in each pass of each loop, found once: a loop may have thousands."""
        if not hasattr(self, "_by_pass"):
            self._by_pass: dict[str, list[str]] = {}
            for path in self.facts:
                for found in NUMBER.finditer(path):
                    self._by_pass.setdefault(f"{path[: found.end()]}/", []).append(path)
        return self._by_pass

    def nowhere(self, path: str) -> UserError:
        there = [one for one in self.facts if way(self.new, one)][:MOST_NAMED]
        return UserError("no_such_step", params={"name": path, "there": ", ".join(there)})


def stopped_at(document: Document, facts: Mapping[str, Fact], failed_at: str) -> str | None:
    """The step that the run failed at, or else the first that has not ended; None where nothing has."""
    if failed_at and way(document, failed_at):
        return failed_at
    found = first_open(document.steps, "", facts)
    return found if any(fact.has_ended for fact in facts.values()) else None


def first_open(steps: tuple[Step, ...], prefix: str, facts: Mapping[str, Fact]) -> str | None:
    for step in steps:
        path = f"{prefix}{step.key}"
        fact = facts.get(path)
        if fact is None:
            return path
        if fact.status in {"succeeded", "skipped"} or (fact.status == "failed" and step.on_error != "stop"):
            continue
        return first_inside(step, path, facts) or path
    return None


def first_inside(step: Step, path: str, facts: Mapping[str, Fact]) -> str | None:
    if step.action == BRANCH:
        taken = [one.steps for one in step.branches if any(f"{path}/{inner.key}" in facts for inner in one.steps)]
        return first_open(taken[0], f"{path}/", facts) if taken else None
    if step.action != FOR_EACH or not step.steps:
        return None
    numbers = passes_of(facts, path)
    found = (first_open(step.steps, f"{path}[{number}]/", facts) for number in numbers)
    after = f"{path}[{numbers[-1] + 1}]/{step.steps[0].key}" if numbers else None
    return next((one for one in found if one), after)


def passes_of(facts: Mapping[str, Fact], path: str) -> list[int]:
    start = len(path) + 1
    numbers = {one[start : one.index("]", start)] for one in facts if one.startswith(f"{path}[")}
    return sorted(map(int, numbers))


def actions(document: Document) -> dict[str, str]:
    """Path without pass numbers → action."""
    return {**dict(actions_in(document.steps, "")), **dict(actions_in(document.on_error, "!/"))}


def actions_in(steps: tuple[Step, ...], prefix: str) -> Iterator[tuple[str, str]]:
    for step in steps:
        path = f"{prefix}{step.key}"
        yield path, step.action
        for branch in step.branches:
            yield from actions_in(branch.steps, f"{path}/")
        yield from actions_in(step.steps, f"{path}[]/")
        if isinstance(step.on_error, tuple):
            yield from actions_in(step.on_error, f"{path}!/")
