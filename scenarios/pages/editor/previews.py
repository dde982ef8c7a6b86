"""What a field of the panel would give with the samples there are: the line under it, or why there is none yet."""

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from actions.fields import Field, holds_expression
from lib import expressions, rfc3339
from lib.errors import Json, UserError
from scenarios.document import Step
from scenarios.flow import ForEach, is_true
from scenarios.pages.editor.step_inputs import ABSENT, BLANK, Shown, as_text, posted_rows, shown
from scenarios.pages.editor.workbench import Fault, Workbench, names_for, title_of, words_of

if TYPE_CHECKING:
    from django.http import QueryDict
    from django_stubs_ext import StrOrPromise

LONGEST = 300
LONGEST_ITEM = 100  # of a list


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
    look = Look(bench, step, names_for(bench, step), bench.faults_at(step.key), strict)
    found = [entry(look, one, step.inputs.get(name, ABSENT)) for name, one in fields.items()]
    return [replace(one, grown=next_row(one.shown, posted)) for one in found] if posted is not None else found


def next_row(here: Shown, posted: "QueryDict") -> int:
    rows = posted_rows(here.field, posted) if here.drawn == "pairs" else []
    return len(rows) if rows and rows[-1] != BLANK else 0


@dataclass(frozen=True)
class Look:
    """What previews of one step look at. `strict`: what has not been filled in yet is an error, too."""

    bench: Workbench
    step: Step
    names: Any
    faults: list[Fault]
    strict: bool = False


def entry(look: Look, declared: Field[Any], value: Json) -> Entry:
    here = shown(declared, value, scenario_choices(look.bench, look.step) if declared.widget == "scenario" else None)
    if declared is ForEach.items:
        here = replace(here, drawn="text")  # a value of a step, hardly ever JSON by hand
    path = f"inputs.{declared.name}"
    found = [
        fault for fault in look.faults if fault.inside == path or fault.inside.startswith((f"{path}.", f"{path}["))
    ]
    errors = [labelled(fault, path) for fault in found]
    if not look.strict and declared.required and here.is_blank:
        errors = []
    if errors or value is ABSENT or not holds_expression(value):
        return Entry(here, errors, fix=meant(look.bench, here))
    preview, note, error = evaluated(look, value, here)
    return Entry(here, [error] if error else [], preview, note)


def evaluated(look: Look, value: Json, here: Shown | None) -> tuple[str, Note | None, str]:
    """What a template gives with the samples: its text, or where to get a sample, or what is wrong."""
    try:
        result = expressions.evaluate(value, look.names)
    except UserError as error:
        missing = untested(look.bench, look.step, value)
        return ("", missing, "") if missing else ("", None, words_of(error))
    if here is None or here.drawn == "condition":
        return verdict(result), None, ""
    preview, wrong = previewed(look.bench, here, result)
    return preview, None, wrong


def verdict(result: Json) -> str:
    """What a condition comes to."""
    says = _("yes, with the sample") if is_true(result) else _("no, with the sample")
    return says if isinstance(result, bool) else f"{says}: {short(as_text(result))}"


def scenario_choices(bench: Workbench, step: Step) -> "list[tuple[str, StrOrPromise]]":
    """The scenarios that a step may call."""
    never_published = _("{name} (not published)")
    found: list[tuple[str, StrOrPromise]] = [
        (key, row.name if row.published_id else never_published.format(name=row.name))
        for key, row in bench.scenarios.items()
    ]
    chosen = step.inputs.get("scenario", "")
    if isinstance(chosen, str) and chosen and chosen not in bench.scenarios and not holds_expression(chosen):
        found.append((chosen, _("{id}: there is no such scenario").format(id=chosen)))
    return found


def previewed(bench: Workbench, here: Shown, result: Json) -> tuple[str, str]:
    """A result as the line under its field, and what is wrong with it."""
    text = short(as_text(result))
    if isinstance(result, list) and here.drawn != "datetime":
        count = ngettext("{n} item", "{n} items", len(result)).format(n=len(result))
        return f"{count}: {cut(as_text(result[0]), LONGEST_ITEM)}" if result else count, ""
    if here.drawn != "datetime":
        return text or _("nothing: an empty value"), ""
    problem = rfc3339.problem(as_text(result).strip())
    if problem:
        likely = rfc3339.suggest(as_text(result), bench.timezone)
        hint = _("Probably {text} is meant: add | rfc3339.").format(text=likely) if likely else ""
        return "", f"{text}: {_(problem)} {hint}".strip()
    at = rfc3339.parse(as_text(result).strip().upper())
    return f"{text} · {date_format(at, 'D, j E')}", ""


def meant(bench: Workbench, here: Shown) -> str:
    """The date that was probably meant by a literal that is not one."""
    if here.drawn != "datetime" or here.is_blank or rfc3339.problem(here.value.strip()) is None:
        return ""
    return rfc3339.suggest(here.value, bench.timezone) or ""


def untested(bench: Workbench, around: Step, template: Json) -> Note | None:
    """The nearest step that a template needs and that has no sample yet. `around` is the step that has it."""
    try:
        asked = expressions.compile_value(template).references
    except UserError:
        return None
    trigger = bench.document.trigger
    if asked & {trigger.key, "trigger"} and not bench.has_sample(trigger.key) and trigger.type != "schedule":
        return Note(_("There is no sample of the trigger's data yet."), bench.url_of(trigger.key), _("Give a sample"))
    loop = bench.loop_around(around.key)
    if loop is not None and asked & {"item", "index"} and "item" not in bench.names_at(around.key):
        text = _("The list of “{step}” is not known yet: there are no values.").format(step=title_of(loop))
        return untested(bench, loop, loop.inputs.get("items")) or Note(text, bench.url_of(loop.key), _("To the step"))
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
    return cut(text, LONGEST)


def cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
