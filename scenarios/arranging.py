"""Where steps stand in a document, and changes to that: put in, moved, copied, removed, renamed; branches of routers.

Plain functions from document to document. What a change breaks (a reference to a step that now comes later) stays in
the draft and is told as a problem.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from lib import expressions
from lib.errors import UserError
from scenarios.document import BRANCH, FOR_EACH, KEY, RESERVED, Branch, Document, Step, next_key

BRANCH_PART = re.compile(r"branches\[([0-9]{1,4})\]\.steps")
Steps = tuple[Step, ...]


@dataclass(frozen=True)
class Home:
    """A list of steps: `owner` is the key of the step that holds it, "" for the document; `part` its place there.

    In a text: `.steps`, `s3.branches[0].steps`, `s4.steps`, `s5.on_error.steps`, `.on_error.steps`.
    """

    owner: str = ""
    part: str = "steps"

    def __str__(self) -> str:
        return f"{self.owner}.{self.part}"

    @property
    def branch(self) -> int | None:
        """The number of the branch that this is."""
        found = BRANCH_PART.fullmatch(self.part)
        return int(found[1]) if found else None


@dataclass(frozen=True)
class Place:
    """A position in a list of steps."""

    home: Home = Home()
    position: int = 0


def homes(document: Document) -> Iterator[tuple[Home, Steps]]:
    """Every list of steps, those around before those inside."""
    yield Home(), document.steps
    for step in walk(document.steps):
        yield from homes_in(step)
    yield Home(part="on_error.steps"), document.on_error
    for step in walk(document.on_error):
        yield from homes_in(step)


def homes_in(step: Step) -> Iterator[tuple[Home, Steps]]:
    for part, inner in step.inner():
        yield Home(step.key, part), inner


def walk(steps: Steps) -> Iterator[Step]:
    """The steps and all those inside them."""
    for step in steps:
        yield step
        for _part, inner in step.inner():
            yield from walk(inner)


def inside(step: Step) -> list[Step]:
    return list(walk((step,)))[1:]


def emptied(step: Step) -> Step:
    """The step alone, without those inside it."""
    branches = tuple(replace(branch, steps=()) for branch in step.branches)
    handler = () if isinstance(step.on_error, tuple) else step.on_error
    return replace(step, branches=branches, steps=(), on_error=handler)


def place_of(document: Document, key: str) -> Place:
    """Raises UserError `no_such_step`."""
    for home, steps in homes(document):
        for position, step in enumerate(steps):
            if step.key == key:
                return Place(home, position)
    raise no_such_step(document, key)


def way_to(document: Document, key: str) -> list[Place]:
    """The places of a step and of those around it, outermost first. Raises UserError `no_such_step`."""
    way = [place_of(document, key)]
    while owner := way[0].home.owner:
        way.insert(0, place_of(document, owner))
    return way


def place_after(document: Document, after: str) -> Place:
    """Where `after` means: behind the step of this key, or at the beginning of the list of this name.

    The beginning of the scenario where it is blank or the trigger's key. Raises UserError `no_such_step`.
    """
    if after in ("", document.trigger.key):
        return Place()
    owner, dot, part = after.partition(".")
    if not dot:
        place = place_of(document, after)
        return replace(place, position=place.position + 1)
    home = Home(owner, part)
    if any(home == found for found, _steps in homes(document)):
        return Place(home)
    raise no_such_step(document, after)


def add_step(document: Document, step: Step, *, after: str | None) -> Document:
    """Raises UserError `no_such_step`: see place_after."""
    return put(document, step, place_after(document, after or ""))


def put(document: Document, new: Step, place: Place) -> Document:
    def how(home: Home, steps: Steps) -> Steps:
        return (*steps[: place.position], new, *steps[place.position :]) if home == place.home else steps

    return each_list(document, how)


def change_step(document: Document, key: str, **changes: Any) -> Document:
    """Change what is named of one step. Raises UserError `no_such_step`."""
    step_of(document, key)
    return each_step(document, lambda step: replace(step, **changes) if step.key == key else step)


def remove_step(document: Document, key: str) -> Document:
    """With all that stands inside it. Raises UserError `no_such_step`."""
    step_of(document, key)
    return each_list(document, lambda home, steps: tuple(step for step in steps if step.key != key))


def move_step(document: Document, key: str, *, after: str) -> Document:
    """To another place, with all that stands inside. Nothing where it would stand inside itself.

    Raises UserError `no_such_step`.
    """
    step, target = step_of(document, key), place_after(document, after)
    is_inside = any(target.home == home for one in walk((step,)) for home, _steps in homes_in(one))
    if is_inside or after == key:
        return document
    source = place_of(document, key)
    if source.home == target.home and source.position < target.position:
        target = replace(target, position=target.position - 1)
    return put(remove_step(document, key), step, target)


def shift_step(document: Document, key: str, by: int) -> Document:
    """One place up (-1) or down (1) among its neighbours. Raises UserError `no_such_step`."""
    place, step = place_of(document, key), step_of(document, key)
    last = len(dict(homes(document))[place.home]) - 1
    position = min(max(place.position + by, 0), last)
    return put(remove_step(document, key), step, replace(place, position=position))


def copy_step(document: Document, key: str) -> tuple[Document, str]:
    """The same step once more behind it, and the copy's key.

    Steps inside get keys of their own, and the references within the copy follow them. Raises UserError.
    """
    step = step_of(document, key)
    number = int(next_key(document)[1:])
    fresh = {one.key: f"s{number + offset}" for offset, one in enumerate(walk((step,)))}
    (copied,) = rekeyed((step,), fresh)
    return add_step(document, copied, after=key), copied.key


def rename_key(document: Document, old: str, new: str) -> Document:
    """Give a step or the trigger another key and turn all references to it.

    Raises UserError `no_such_step`, `invalid_document` for a key that cannot be, `expression_failed` where a text
    binds the new name itself.
    """
    taken = {document.trigger.key, *(step.key for _, step in document.walk())}
    if old != document.trigger.key:
        step_of(document, old)
    if old == new:
        return document
    refusal = ""
    if not KEY.fullmatch(new):
        refusal = "bad_key"
    elif new in RESERVED or new in document.variables:
        refusal = "reserved_key"
    elif new in taken:
        refusal = "repeated_key"
    if refusal:
        raise UserError("invalid_document", refusal, params={"name": new})
    trigger = replace(document.trigger, key=new) if old == document.trigger.key else document.trigger
    steps, on_error = rekeyed(document.steps, {old: new}), rekeyed(document.on_error, {old: new})
    return replace(document, trigger=trigger, steps=steps, on_error=on_error)


def rekeyed(steps: Steps, keys: dict[str, str]) -> Steps:
    """The steps with other keys, and the references in them turned to those."""

    def turned(template: Any) -> Any:
        for old, new in keys.items():
            template = expressions.rename(template, old, new)
        return template

    def how(step: Step) -> Step:
        branches = tuple(replace(branch, when=turned(branch.when)) for branch in step.branches)
        return replace(step, key=keys.get(step.key, step.key), inputs=turned(dict(step.inputs)), branches=branches)

    return lists_in("", "", steps, lambda home, found: tuple(map(how, found)))


# Branches


def add_branch(document: Document, key: str, branch: Branch) -> Document:
    """Behind the others, but before one at the end that always matches."""

    def how(branches: tuple[Branch, ...]) -> tuple[Branch, ...]:
        has_else = bool(branches) and branches[-1].when is None and branch.when is not None
        at = len(branches) - 1 if has_else else len(branches)
        return (*branches[:at], branch, *branches[at:])

    return change_branches(document, key, how)


def remove_branch(document: Document, key: str, number: int) -> Document:
    """With its steps."""
    return change_branches(document, key, lambda branches: (*branches[:number], *branches[number + 1 :]))


def shift_branch(document: Document, key: str, number: int, by: int) -> Document:
    def how(branches: tuple[Branch, ...]) -> tuple[Branch, ...]:
        if not 0 <= number < len(branches):
            return branches
        rest = [*branches[:number], *branches[number + 1 :]]
        rest.insert(min(max(number + by, 0), len(rest)), branches[number])
        return tuple(rest)

    return change_branches(document, key, how)


def change_branches(document: Document, key: str, how: Callable[[tuple[Branch, ...]], tuple[Branch, ...]]) -> Document:
    """Raises UserError `no_such_step` where there is no such router."""
    step = step_of(document, key)
    if step.action != BRANCH:
        raise no_such_step(document, key)
    return change_step(document, key, branches=how(step.branches))


# Walking and rebuilding


def step_of(document: Document, key: str) -> Step:
    """Raises UserError `no_such_step`."""
    step = document.step(key)
    if step is None:
        raise no_such_step(document, key)
    return step


def no_such_step(document: Document, key: str) -> UserError:
    return UserError("no_such_step", params={"name": key, "there": ", ".join(step.key for _, step in document.walk())})


def each_step(document: Document, how: Callable[[Step], Step]) -> Document:
    return each_list(document, lambda home, steps: tuple(map(how, steps)))


def each_list(document: Document, how: Callable[[Home, Steps], Steps]) -> Document:
    """The document with every list of steps changed, those inside first."""
    return replace(
        document,
        steps=lists_in("", "steps", document.steps, how),
        on_error=lists_in("", "on_error.steps", document.on_error, how),
    )


def lists_in(owner: str, part: str, steps: Steps, how: Callable[[Home, Steps], Steps]) -> Steps:
    return how(Home(owner, part), tuple(lists_inside(step, how) for step in steps))


def lists_inside(step: Step, how: Callable[[Home, Steps], Steps]) -> Step:
    branches = tuple(
        replace(branch, steps=lists_in(step.key, f"branches[{number}].steps", branch.steps, how))
        for number, branch in enumerate(step.branches)
    )
    body = lists_in(step.key, "steps", step.steps, how) if step.action == FOR_EACH else ()
    handler = step.on_error
    if isinstance(handler, tuple):
        handler = lists_in(step.key, "on_error.steps", handler, how)
    return replace(step, branches=branches, steps=body, on_error=handler)
