"""What a field of the panel would give with the samples there are: the line under it, or why there is none yet."""

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from django.utils.formats import date_format
from django.utils.translation import gettext as _

from actions.fields import Field, holds_expression
from lib import expressions, rfc3339
from lib.errors import Json, UserError
from scenarios.document import Step
from scenarios.pages.editor.step_inputs import ABSENT, BLANK, Shown, as_text, posted_rows, shown
from scenarios.pages.editor.workbench import Fault, Workbench, names_with, title_of, words_of

if TYPE_CHECKING:
    from django.http import QueryDict

LONGEST = 300


@dataclass(frozen=True)
class Note:
    """Why a preview is missing, and where to get a sample."""

    text: str
    url: str = ""
    link: str = ""


@dataclass(frozen=True)
class Entry:
    """A field of the panel with all that stands under it. `fix` is what was probably meant."""

    shown: Shown
    errors: list[str] = field(default_factory=list)
    preview: str = ""
    note: Note | None = None
    fix: str = ""
    grown: int = 0  # the number of a new empty row, where the last one of the form is no longer empty

    @property
    def error(self) -> str:
        return " ".join(self.errors)


def entries(
    bench: Workbench, step: Step, fields: dict[str, Field[Any]], *, strict: bool, posted: "QueryDict | None" = None
) -> list[Entry]:
    """All fields of a step. Unless `strict`, what has not been filled in yet is no error."""
    names = names_with(bench, step.connection)
    faults = bench.faults_at(step.key)
    found = [entry(bench, names, one, step.inputs.get(name, ABSENT), faults, strict) for name, one in fields.items()]
    return [replace(one, grown=next_row(one.shown, posted)) for one in found] if posted is not None else found


def next_row(here: Shown, posted: "QueryDict") -> int:
    rows = posted_rows(here.field, posted) if here.drawn == "pairs" else []
    return len(rows) if rows and rows[-1] != BLANK else 0


def entry(bench: Workbench, names: Any, declared: Field[Any], value: Json, faults: list[Fault], strict: bool) -> Entry:
    here = shown(declared, value)
    path = f"inputs.{declared.name}"
    found = [fault for fault in faults if fault.inside == path or fault.inside.startswith((f"{path}.", f"{path}["))]
    errors = [labelled(fault, path) for fault in found]
    if not strict and declared.required and here.is_blank:
        errors = []
    if errors or value is ABSENT or not holds_expression(value):
        return Entry(here, errors, fix=meant(bench, here))
    try:
        result = expressions.evaluate(value, names)
    except UserError as error:
        missing = untested(bench, value)
        return Entry(here, note=missing) if missing else Entry(here, [words_of(error)])
    return previewed(bench, here, result)


def previewed(bench: Workbench, here: Shown, result: Json) -> Entry:
    text = short(as_text(result))
    if here.drawn != "datetime":
        return Entry(here, preview=text or _("nothing: an empty value"))
    problem = rfc3339.problem(as_text(result).strip())
    if problem:
        likely = rfc3339.suggest(as_text(result), bench.timezone)
        hint = _("Probably {text} is meant: add | rfc3339.").format(text=likely) if likely else ""
        return Entry(here, [f"{text}: {_(problem)} {hint}".strip()])
    at = rfc3339.parse(as_text(result).strip().upper())
    return Entry(here, preview=f"{text} · {date_format(at, 'D, j E')}")


def meant(bench: Workbench, here: Shown) -> str:
    """The date that was probably meant by a literal that is not one."""
    if here.drawn != "datetime" or here.is_blank or rfc3339.problem(here.value.strip()) is None:
        return ""
    return rfc3339.suggest(here.value, bench.timezone) or ""


def untested(bench: Workbench, template: Json) -> Note | None:
    """The nearest step that a template needs and that has no sample yet."""
    try:
        asked = expressions.compile_value(template).references
    except UserError:
        return None
    trigger = bench.document.trigger
    if asked & {trigger.key, "trigger"} and not bench.has_sample(trigger.key) and trigger.type != "schedule":
        return Note(_("There is no sample of the trigger's data yet."), bench.url_of(trigger.key), _("Give a sample"))
    for _path, step in bench.document.walk():
        if step.key in asked and not bench.has_sample(step.key):
            text = _("“{step}” has not been tested: there are no values yet.").format(step=title_of(step))
            return Note(text, bench.url_of(step.key), _("To the step"))
    return None


def labelled(fault: Fault, path: str) -> str:
    """The words of a fault, with the place inside the input where it has one."""
    inside = fault.inside.removeprefix(path).removeprefix(".")
    return f"{inside}: {fault.words}" if inside else fault.words


def short(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
