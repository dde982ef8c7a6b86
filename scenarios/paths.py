"""The paths of steps in a run, as data: `s3/s4` in a branch, `s4[3]/s5` in a pass, `s5!/s9` in a handler, `!/s9`.

Plain Python: where a path leads in a document, and which steps stand around it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from scenarios.document import BRANCH, FOR_EACH, Document, Step

SEGMENT = re.compile(r"([a-z][a-z0-9_]{0,63})?(!|\[[0-9]{1,9}\])?", re.ASCII)
PASS = re.compile(r"\[[0-9]+\]")
LONGEST = 2000  # characters


@dataclass(frozen=True)
class Place:
    """A step on the way down a path: it stands in the list `steps` under `prefix`.

    The way goes on into branch `branch`, into pass `number`, or into its handler; the last place goes nowhere.
    """

    step: Step
    steps: tuple[Step, ...]
    prefix: str
    branch: int | None = None
    number: int | None = None
    in_handler: bool = False

    @property
    def path(self) -> str:
        return f"{self.prefix}{self.step.key}"

    @property
    def before(self) -> tuple[Step, ...]:
        """The steps before it in its list."""
        return self.steps[: self.steps.index(self.step)]


def way(document: Document, path: str) -> tuple[Place, ...]:
    """The places from the outermost step to the one that the path names; nothing where the path leads nowhere."""
    if len(path) > LONGEST:
        return ()
    segments = [found.groups() if (found := SEGMENT.fullmatch(text)) else (None, None) for text in path.split("/")]
    steps, prefix = document.steps, ""
    if segments[0] == (None, "!"):
        steps, prefix, segments = document.on_error, "!/", segments[1:]
    places: list[Place] = []
    for number, (key, mark) in enumerate(segments):
        step = next((one for one in steps if one.key == key), None)
        if step is None:
            return ()
        is_last = number == len(segments) - 1
        following = "" if is_last else segments[number + 1][0] or ""
        place = entered(Place(step, steps, prefix), mark or "", following)
        if place is None or (is_last and mark):
            return ()
        places.append(place)
        steps, prefix = inside(place)
    return tuple(places)


def entered(place: Place, mark: str, following: str) -> Place | None:
    """The place with the way that goes on from it; None where there is none."""
    step = place.step
    if not following:
        return place
    if mark == "!":
        return Place(step, place.steps, place.prefix, in_handler=True) if isinstance(step.on_error, tuple) else None
    if mark:
        return Place(step, place.steps, place.prefix, number=int(mark[1:-1])) if step.action == FOR_EACH else None
    holding = (n for n, branch in enumerate(step.branches) if any(one.key == following for one in branch.steps))
    branch = next(holding, None)
    if step.action != BRANCH or branch is None:
        return None
    return Place(step, place.steps, place.prefix, branch=branch)


def inside(place: Place) -> tuple[tuple[Step, ...], str]:
    """The list of steps that the way goes on in, and the prefix of their paths."""
    if place.in_handler:
        return (place.step.on_error if isinstance(place.step.on_error, tuple) else ()), f"{place.path}!/"
    if place.number is not None:
        return place.step.steps, f"{place.path}[{place.number}]/"
    if place.branch is not None:
        return place.step.branches[place.branch].steps, f"{place.path}/"
    return (), ""


def step_at(document: Document, path: str) -> Step | None:
    places = way(document, path)
    return places[-1].step if places else None


def generic(path: str) -> str:
    """The path without the numbers of its passes: `s4[3]/s5` → `s4[]/s5`."""
    return PASS.sub("[]", path)


def is_under(path: str, top: str) -> bool:
    """Whether a path is that of a step or of one inside it: in a branch, in a pass, in its handler."""
    return path.startswith(top) and (len(path) == len(top) or path[len(top)] in "/[!")


def above(path: str) -> Iterator[str]:
    """The paths of the steps around one, outermost first: `s3`, `s3/s4` of `s3/s4[2]/s5`."""
    for place, letter in enumerate(path):
        if letter == "/":
            before = re.sub(r"(!|\[[0-9]+\])$", "", path[:place])
            if before:
                yield before
