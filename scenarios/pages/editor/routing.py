"""The branches of a router between the document and its panel: how each is shown, what a posted form makes of it.

A form posts `branch.0.name`, `branch.0.mode` (when | else) and `branch.0.when` for each; the steps stay as they are.
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from lib.errors import Json
from scenarios.document import LONGEST_NAME, Branch
from scenarios.pages.editor import previews, steering
from scenarios.pages.editor.previews import Look, Note
from scenarios.pages.editor.step_inputs import ABSENT, condition_text, read_condition

if TYPE_CHECKING:
    from django.http import QueryDict

Branches = tuple[Branch, ...]


@dataclass(frozen=True)
class Shown:
    """A branch as the panel draws it. `count` is that of its steps, `errors` stand under the condition."""

    number: int
    name: str
    when: str
    is_else: bool
    count: int
    is_last: bool
    errors: tuple[str, ...] = ()
    preview: str = ""
    note: Note | None = None

    @property
    def field_name(self) -> str:
        return f"branch.{self.number}"

    @property
    def id(self) -> str:
        return f"id_branch_{self.number}"

    @property
    def placeholder(self) -> str:
        return steering.name_of(Branch(when=None if self.is_else else ""), self.number)

    @property
    def title(self) -> str:
        return self.name or self.placeholder


def shown(look: Look) -> list[Shown]:
    branches = look.step.branches
    return [shown_one(look, number, branch) for number, branch in enumerate(branches)]


def shown_one(look: Look, number: int, branch: Branch) -> Shown:
    here = f"branches[{number}]"
    errors = tuple(fault.words for fault in look.faults if fault.inside in (here, f"{here}.when"))
    if branch.when == "" and not look.strict:
        errors = ()  # what has not been filled in yet is no error
    preview, note, error = judged(look, branch.when) if branch.when and not errors else ("", None, "")
    return Shown(
        number=number,
        name=branch.name,
        when=condition_text(branch.when) if branch.when is not None else "",
        is_else=branch.when is None,
        count=len(branch.steps),
        is_last=number == len(look.step.branches) - 1,
        errors=(*errors, error) if error else errors,
        preview=preview,
        note=note,
    )


def judged(look: Look, when: Json) -> tuple[str, Note | None, str]:
    """What the condition comes to with the samples."""
    if when is None:
        return "", None, ""
    return previews.evaluated(look, when, None)


def read(posted: "QueryDict", old: Branches) -> Branches:
    """The branches that a posted panel means. What the form does not mention stays as it was."""
    return tuple(read_one(posted, number, branch) for number, branch in enumerate(old))


def read_one(posted: "QueryDict", number: int, old: Branch) -> Branch:
    name, mode, when = (f"branch.{number}.{part}" for part in ("name", "mode", "when"))
    changed = old
    if name in posted:
        changed = replace(changed, name=posted.get(name, "").strip()[:LONGEST_NAME])
    if posted.get(mode) == "else":
        return replace(changed, when=None)
    if when in posted and (mode in posted or old.when is not None):
        typed = posted.get(when, "")
        if old.when is not None and condition_text(old.when) == typed.replace("\r\n", "\n").strip():
            return changed  # byte for byte as it was
        given = read_condition(typed)
        changed = replace(changed, when="" if given is ABSENT else given)
    return changed


def first() -> Branches:
    """What a new router has."""
    return (Branch(name="", when=""), Branch(name="", when=None))
