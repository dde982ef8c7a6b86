"""A step's inputs between the document and the panel: how each is shown, and what a posted form makes of it.

An input is left out of the document where it is blank, unless blank means something: see `keeps_blank`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext as _

from actions.base import Action
from actions.fields import Field, JsonField, NumberField
from lib import expressions, safe_json
from lib.errors import Json
from scenarios.document import OPENINGS

if TYPE_CHECKING:
    from django.http import QueryDict
    from django_stubs_ext import StrOrPromise

ABSENT: Any = object()
PREFIX = "in-"
# How a field is drawn, by the widget that its declaration names; the rest are one line of text.
DRAWN = {
    "textarea": "area",
    "datetime": "datetime",
    "select": "choice",
    "switch": "choice",
    "scenario": "choice",
    "pairs": "pairs",
    "condition": "condition",
}
MOST_ROWS = 200
ONE_EXPRESSION = re.compile(r"\{\{(?P<inside>(?:(?!\}\}|\{\{).)*)\}\}", re.DOTALL)


@dataclass(frozen=True)
class Pair:
    name: str
    value: str


BLANK = Pair("", "")


@dataclass(frozen=True)
class Shown:
    """An input as the panel draws it. `drawn`: text, area, datetime, choice, pairs or condition.

    `mode` chooses between panes where there are several: list or fx, rows or text, keep or clear or set.
    """

    field: Field[Any]
    drawn: str
    value: str
    mode: str = ""
    rows: tuple[Pair, ...] = ()
    given_choices: "list[tuple[str, StrOrPromise]] | None" = None  # where the declaration does not know them

    @property
    def name(self) -> str:
        return PREFIX + self.field.name

    @property
    def id(self) -> str:
        return f"id_{self.name}"

    @property
    def modes(self) -> "list[tuple[str, StrOrPromise]]":
        if self.field.clearable:
            return [("keep", _("Keep")), ("clear", _("Clear")), ("set", _("Set"))]
        if self.drawn == "choice":
            return [("list", _("List")), ("fx", "fx")]
        return [("rows", _("Fields")), ("text", "JSON, fx")] if self.drawn == "pairs" else []

    @property
    def choices(self) -> "list[tuple[str, StrOrPromise]]":
        return choices_of(self.field) if self.given_choices is None else self.given_choices

    @property
    def is_area(self) -> bool:
        return self.drawn == "area"

    @property
    def is_unchosen(self) -> bool:
        return self.value not in [key for key, _label in self.choices]

    @property
    def shown_rows(self) -> list[Pair]:
        return [*self.rows, BLANK]

    @property
    def is_optional(self) -> bool:
        """What is chosen by a mode or from a list always has a value: there is nothing to call optional."""
        return not self.field.required and not self.field.clearable and self.drawn != "choice"

    @property
    def is_blank(self) -> bool:
        return not self.value.strip() and not self.rows

    @property
    def placeholder(self) -> str:
        return str(self.field.placeholder)

    @property
    def example(self) -> str:
        return as_text(self.field.example)


def shown(field: Field[Any], value: Json, given_choices: "list[tuple[str, StrOrPromise]] | None" = None) -> Shown:
    """`value` is ABSENT where the step does not have the input."""
    drawn = DRAWN.get(field.widget, "text")
    default = "" if field.required or field.default is None else as_text(field.default)
    text = default if value is ABSENT else as_text(value)
    if drawn == "choice":
        choices = choices_of(field) if given_choices is None else given_choices
        known = value is ABSENT or not text or text in [key for key, _label in choices]
        return Shown(field, drawn, text, "list" if known else "fx", given_choices=given_choices)
    if drawn == "condition":
        return Shown(field, drawn, condition_text(text))
    if drawn == "pairs":
        rows = value if isinstance(value, dict) else {}
        mode = "rows" if value is ABSENT or isinstance(value, dict) else "text"
        pairs = tuple(Pair(name, as_text(item)) for name, item in rows.items())
        return Shown(field, drawn, "" if value is ABSENT else text, mode, pairs)
    if field.clearable:
        return Shown(field, drawn, text, "keep" if value is ABSENT else "set" if text else "clear")
    return Shown(field, drawn, text)


def choices_of(field: Field[Any]) -> "list[tuple[str, StrOrPromise]]":
    if field.widget == "switch":
        return [("true", _("Yes")), ("false", _("No"))]
    return list(field.choices)


def first(action: type[Action]) -> dict[str, Json]:
    """The inputs of a new step: what must be chosen from a list and has no default begins with its first choice."""
    return {
        name: field.choices[0][0] for name, field in action.fields.items() if field.required and len(field.choices) > 0
    }


def read(action: type[Action], posted: "QueryDict", old: Mapping[str, Json]) -> dict[str, Json]:
    """The inputs that a posted panel means. What the form does not mention stays as it was."""
    inputs: dict[str, Json] = {}
    for name, field in action.fields.items():
        value = read_one(field, posted, old.get(name, ABSENT))
        if value is not ABSENT:
            inputs[name] = value
    return inputs


def read_one(field: Field[Any], posted: "QueryDict", old: Json) -> Json:
    name, drawn = PREFIX + field.name, DRAWN.get(field.widget, "text")
    mode = posted.get(f"{name}.mode", "")
    if drawn == "pairs":
        return read_pairs(field, posted, old) if mode else old
    if drawn == "choice":
        source = f"{name}.fx" if mode == "fx" else name
        return typed(field, posted.get(source, ""), old) if source in posted else old
    if drawn == "condition":
        return read_condition(posted.get(name, "")) if name in posted else old
    if field.clearable and mode in ("keep", "clear"):
        return ABSENT if mode == "keep" else ""
    return typed(field, posted.get(name, ""), old) if name in posted else old


def typed(field: Field[Any], text: str, old: Json) -> Json:
    """One posted text as the document keeps it."""
    text = text.replace("\r\n", "\n")
    if old is not ABSENT and as_text(old) == text:
        return old  # a list or a number that was not touched stays one
    if not text.strip():
        return "" if keeps_blank(field) else ABSENT
    if old is ABSENT and not field.required and text == as_text(field.default):
        return ABSENT
    if isinstance(field, NumberField) and re.fullmatch(r"\s*-?[0-9]{1,15}\s*", text):
        return int(text)
    if field.widget in ("switch", "select") and text in ("true", "false"):
        return text == "true"
    if isinstance(field, JsonField) and not expressions.has_expression(text):
        return parsed(text, text)
    return text


def condition_text(when: Json) -> str:
    """A condition as its field shows it: an expression without its braces."""
    inside = inside_braces(when) if isinstance(when, str) else None
    return as_text(when) if inside is None else inside


def inside_braces(text: str) -> str | None:
    """The expression of a text that is exactly one; None for any other text."""
    found = ONE_EXPRESSION.fullmatch(text.strip())
    return found["inside"].strip() if found else None


def read_condition(text: str) -> Json:
    """What was typed into a condition's field: `s2.status == 200` gets its braces, true and false are themselves."""
    text = text.replace("\r\n", "\n").strip()
    if not text:
        return ABSENT
    if text in ("true", "false"):
        return text == "true"
    return text if any(mark in text for mark in OPENINGS) else f"{{{{ {text} }}}}"


def keeps_blank(field: Field[Any]) -> bool:
    """Whether a blank input says something else than one left out."""
    return field.clearable or (not field.required and not field.is_blank("") and not field.is_blank(field.default))


def read_pairs(field: Field[Any], posted: "QueryDict", old: Json) -> Json:
    name = PREFIX + field.name
    if posted.get(f"{name}.mode") == "text":
        text = posted.get(name, "").replace("\r\n", "\n").strip()
        if not text:
            return ABSENT
        return old if old is not ABSENT and as_text(old) == text else parsed(text, text)
    before = old if isinstance(old, dict) else {}
    pairs = {
        pair.name: pair_value(pair.value, before.get(pair.name, ABSENT))
        for pair in posted_rows(field, posted)
        if pair.name
    }
    return pairs or ABSENT


def posted_rows(field: Field[Any], posted: "QueryDict") -> list[Pair]:
    """Every row of the form, the empty ones too."""
    name = PREFIX + field.name
    rows: list[Pair] = []
    while f"{name}.{len(rows)}.name" in posted and len(rows) < MOST_ROWS:
        here = f"{name}.{len(rows)}"
        rows.append(Pair(posted.get(f"{here}.name", "").strip(), posted.get(f"{here}.value", "")))
    return rows


def pair_value(text: str, old: Json) -> Json:
    if old is not ABSENT and as_text(old) == text:
        return old
    return parsed(text, text) if text.lstrip()[:1] in ("{", "[") else text


def parsed(text: str, otherwise: Json) -> Json:
    try:
        return safe_json.loads(text)
    except ValueError:
        return otherwise


def as_text(value: Json) -> str:
    """A template as its field shows it: text as it is, anything else as JSON."""
    if value is None or value is ABSENT:
        return ""
    return value if isinstance(value, str) else safe_json.dumps(value).decode()
