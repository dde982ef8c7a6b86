"""Places for steps, in words: in the heading of the step picker, and where a step may be moved to."""

from collections.abc import Iterator
from dataclasses import dataclass

from django.utils.translation import gettext as _

from lib.errors import UserError
from scenarios import arranging
from scenarios.arranging import Home
from scenarios.document import Step
from scenarios.pages.editor import steering
from scenarios.pages.editor.workbench import Workbench, title_of


@dataclass(frozen=True)
class Target:
    """Where a step may go. `after` is what arranging.place_after takes."""

    after: str
    words: str
    depth: int
    is_here: bool = False


def heading(bench: Workbench, after: str) -> str:
    """What the step picker is asked for. Raises UserError `no_such_step`."""
    if after in ("", bench.document.trigger.key):
        return _("The first step")
    if "." not in after:
        step = arranging.step_of(bench.document, after)
        return _("Step after “{number}. {title}”").format(number=bench.numbers[after], title=title_of(step))
    return beginning(bench, home_of(bench, after))


def home_of(bench: Workbench, after: str) -> Home:
    return arranging.place_after(bench.document, after).home


def beginning(bench: Workbench, home: Home) -> str:
    """The first place of a list of steps."""
    owner = bench.step(home.owner)
    if owner is None:
        return _("The first step") if home.part == "steps" else _("The first step after a failed run")
    title = f"{bench.numbers[owner.key]}. {title_of(owner)}"
    if home.part == "on_error.steps":
        return _("The first step at an error of “{title}”").format(title=title)
    if home.branch is None:
        return _("The first step inside “{title}”").format(title=title)
    name = steering.name_of(owner.branches[home.branch], home.branch)
    return _("The first step of the branch “{name}”").format(name=name)


def targets(bench: Workbench, key: str) -> list[Target]:
    """Every place but those inside the step itself, in the order of the track. Raises UserError `no_such_step`."""
    at = arranging.place_of(bench.document, key)
    found = [*of_list(bench, Home(), key, 0), *of_list(bench, Home(part="on_error.steps"), key, 0)]
    here = str(at.home) if at.position == 0 else bench.homes[at.home][at.position - 1].key
    return [Target(one.after, one.words, one.depth, one.after == here) for one in found]


def of_list(bench: Workbench, home: Home, key: str, depth: int) -> Iterator[Target]:
    yield Target(str(home), beginning(bench, home), depth)
    for step in bench.homes[home]:
        if step.key != key:
            yield from of_one(bench, step, key, depth)


def of_one(bench: Workbench, step: Step, key: str, depth: int) -> Iterator[Target]:
    for home, _steps in arranging.homes_in(step):
        yield from of_list(bench, home, key, depth + 1)
    words = _("After “{number}. {title}”").format(number=bench.numbers[step.key], title=title_of(step))
    yield Target(step.key, words, depth)


def users_of(bench: Workbench, gone: Step) -> list[str]:
    """The titles of the steps elsewhere that use the results of a step, or of those inside it."""
    keys = {step.key for step in arranging.walk((gone,))}
    rest = [step for _path, step in bench.document.walk() if step.key not in keys]
    return [title_of(step) for step in rest if any(reads(step, key) for key in keys)]


def reads(step: Step, key: str) -> bool:
    """Whether an expression of the step names the key."""
    alone = arranging.emptied(step)
    try:
        (turned,) = arranging.rekeyed((alone,), {key: f"{key}_"})
    except UserError:  # the text binds that other name itself: it names the key at all events
        return True
    return turned != alone
