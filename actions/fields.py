"""The inputs of actions: what each is called, what it takes, how it is checked and described.

A field takes a value or a template with expressions (FORMAT.md 4); `clean` sees values only, `check` sees templates.
The checking is done by Django's form fields, whose messages come in every language.
"""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Self, TypeVar, overload

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from lib import expressions, safe_json
from lib.errors import Json

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

T = TypeVar("T")
Errors = dict[str, list[str]]  # "" or the path inside the value → messages
REQUIRED: Any = object()
EXPRESSION = {"$ref": "#/$defs/expression"}
NOTHING = {"enum": ["", None]}
TRUE = frozenset({"true", "1", "yes", "on"})
FALSE = frozenset({"false", "0", "no", "off"})


class Field(Generic[T]):
    """One input; on an action's class it is itself, on an instance the cleaned value.

    Required unless it has a `default`, which stands for a blank input too. `warning` is shown beside the field,
    `name` is the input's name where the attribute must be called otherwise, `advanced` ones are folded away at first.
    """

    widget: ClassVar[str] = "text"
    blank: ClassVar[Any] = ""  # the cleaned value where nothing is given
    choices: Sequence[tuple[str, "StrOrPromise"]] = ()

    def __init__(
        self,
        label: "StrOrPromise",
        *,
        help: "StrOrPromise" = "",
        default: Json = REQUIRED,
        advanced: bool = False,
        placeholder: "StrOrPromise" = "",
        example: Json = None,
        warning: "StrOrPromise" = "",
        name: str = "",
    ) -> None:
        self.label = label
        self.help = help
        self.default = default
        self.advanced = advanced
        self.placeholder = placeholder
        self.example = example
        self.warning = warning
        self.name = name

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = self.name or name

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...
    @overload
    def __get__(self, instance: Any, owner: type) -> T: ...
    def __get__(self, instance: Any, owner: type) -> Self | T:
        return self if instance is None else instance.cleaned[self.name]

    @property
    def required(self) -> bool:
        return self.default is REQUIRED

    def clean(self, value: Json) -> T:
        """The value as the action uses it. Raises Django's ValidationError (with a dict for places inside)."""
        if not self.is_blank(value):
            return self.convert(value)
        if self.required:
            raise ValidationError(gettext("This field is required."))
        return self.blank if self.is_blank(self.default) else self.convert(self.default)

    def check(self, template: Json) -> tuple[T, Errors]:
        """What is wrong already before any expression is known, and the value as far as it is."""
        if holds_expression(template):
            return self.blank, self.check_parts(template)
        try:
            return self.clean(template), {}
        except ValidationError as error:
            return self.blank, messages_of(error)

    def schema(self) -> dict[str, Json]:
        """JSON Schema of the input: its value, or a text with expressions."""
        plain = self.value_schema()
        nothing = [] if self.required else [NOTHING]
        described: dict[str, Json] = plain if plain == {"type": "string"} else {"anyOf": [plain, EXPRESSION, *nothing]}
        described = {"title": str(self.label), **described}
        if texts := [str(text) for text in (self.help, self.warning) if text]:
            described["description"] = " ".join(texts)
        if not self.required and self.default is not None:
            described["default"] = self.default
        if self.example is not None:
            described["examples"] = [self.example]
        return described

    def is_blank(self, value: Json) -> bool:
        return value is None or (isinstance(value, str) and not value.strip())

    def convert(self, value: Json) -> T:
        raise NotImplementedError

    def value_schema(self) -> dict[str, Json]:
        return {"type": "string"}

    def check_parts(self, template: Json) -> Errors:
        """What is wrong in the parts of a template that hold no expression."""
        return {}


class TextField(Field[str]):
    """One line of text; numbers and true/false become text, lists and objects are refused."""

    def __init__(
        self, label: "StrOrPromise", *, max_length: int | None = None, strip: bool = True, **rest: Any
    ) -> None:
        super().__init__(label, **rest)
        self.form_field = forms.CharField(max_length=max_length, strip=strip)

    def convert(self, value: Json) -> str:
        return str(self.form_field.clean(as_text(value)))


class LongTextField(Field[str]):
    """Text of any length, kept as it is; a list or an object becomes JSON text."""

    widget = "textarea"

    def is_blank(self, value: Json) -> bool:
        return value is None or value == ""

    def convert(self, value: Json) -> str:
        return safe_json.dumps(value).decode() if isinstance(value, (dict, list)) else as_text(value)


class SecretField(TextField):
    widget = "secret"


class NumberField(Field[int]):
    """A whole number."""

    widget = "number"
    blank = None

    def __init__(
        self, label: "StrOrPromise", *, least: int | None = None, most: int | None = None, **rest: Any
    ) -> None:
        super().__init__(label, **rest)
        self.form_field = forms.IntegerField(min_value=least, max_value=most)

    def convert(self, value: Json) -> int:
        number: int = self.form_field.clean(as_text(value))
        return number

    def value_schema(self) -> dict[str, Json]:
        limits = {"minimum": self.form_field.min_value, "maximum": self.form_field.max_value}
        return {"type": "integer"} | {name: limit for name, limit in limits.items() if limit is not None}


class BooleanField(Field[bool | None]):
    """Yes or no. With `default=None` there is a third state: not said, so not sent."""

    blank = None

    @property
    def widget(self) -> str:  # type: ignore[override]
        return "select" if self.default is None else "switch"

    @property
    def choices(self) -> Sequence[tuple[str, "StrOrPromise"]]:  # type: ignore[override]
        return (("", _("As usual")), ("true", _("Yes")), ("false", _("No"))) if self.default is None else ()

    def convert(self, value: Json) -> bool:
        word = as_text(value).strip().lower()
        if word not in TRUE | FALSE:
            raise ValidationError(gettext("“%(value)s” is neither true nor false."), params={"value": short(word)})
        return word in TRUE

    def value_schema(self) -> dict[str, Json]:
        return {"type": "boolean"}


class ChoiceField(Field[str]):
    widget = "select"

    def __init__(self, label: "StrOrPromise", *, choices: Sequence[tuple[str, "StrOrPromise"]], **rest: Any) -> None:
        super().__init__(label, **rest)
        self.choices = choices

    def convert(self, value: Json) -> str:
        word = as_text(value).strip()
        there = [key for key, _label in self.choices]
        if word not in there:
            raise ValidationError(
                gettext("“%(value)s” is not one of: %(there)s."),
                params={"value": short(word), "there": ", ".join(key for key in there if key)},
            )
        return word

    def value_schema(self) -> dict[str, Json]:
        return {"enum": [key for key, _label in self.choices]}


class DateTimeField(Field[str]):
    """A moment by RFC 3339, kept as it is written: the service gets the offset that the user chose."""

    widget = "datetime"

    def convert(self, value: Json) -> str:
        from lib import rfc3339

        text = as_text(value).strip()
        if problem := rfc3339.problem(text):
            raise ValidationError(problem)
        return text

    def value_schema(self) -> dict[str, Json]:
        return {"type": "string", "format": "date-time"}


class CalendarField(TextField):
    """The id of a calendar: a list where the connection may read one, or any id typed in."""

    widget = "calendar"


class JsonField(Field[Json]):
    """Any JSON value; a text that is JSON is taken for what it says."""

    widget = "textarea"
    blank = None

    def convert(self, value: Json) -> Json:
        if not isinstance(value, str):
            return value
        try:
            return safe_json.loads(value)
        except safe_json.JsonError as error:
            raise ValidationError(str(error)) from None

    def value_schema(self) -> dict[str, Json]:
        return {}


class PairsField(Field[dict[str, Json]]):
    """Names and values; the values are templates, the names are not."""

    widget = "pairs"

    @property
    def blank(self) -> dict[str, Json]:
        return {}

    def is_blank(self, value: Json) -> bool:
        return value is None or value == "" or value == {}

    def convert(self, value: Json) -> dict[str, Json]:
        if not isinstance(value, dict):
            raise ValidationError(gettext('Names and values are needed here, such as {"title": "Lesson"}.'))
        cleaned: dict[str, Json] = {}
        errors: Errors = {}
        for name, item in value.items():
            try:
                cleaned[name] = self.pair(name, item)
            except ValidationError as error:
                errors |= {join(name, inner): found for inner, found in messages_of(error).items()}
        if errors:
            raise ValidationError(errors)
        return cleaned

    def check_parts(self, template: Json) -> Errors:
        if not isinstance(template, dict):
            return {}
        errors: Errors = {}
        for name, item in template.items():
            try:
                self.pair(name, "" if holds_expression(item) else item)
            except ValidationError as error:
                errors |= {join(name, inner): found for inner, found in messages_of(error).items()}
        return errors

    def pair(self, name: str, item: Json) -> Json:
        """One value under its name, cleaned. Raises ValidationError."""
        return item

    def value_schema(self) -> dict[str, Json]:
        return {"type": "object", "additionalProperties": True}


class StatusesField(Field["Statuses"]):
    """HTTP statuses and classes of them: `4xx,5xx`, `404, 409`. Empty means none, which is not the default."""

    @property
    def blank(self) -> "Statuses":
        return Statuses(frozenset())

    def is_blank(self, value: Json) -> bool:
        return value is None

    def convert(self, value: Json) -> "Statuses":
        words = [as_text(one) for one in value] if isinstance(value, list) else re.split(r"[\s,;]+", as_text(value))
        words = [word.strip().lower() for word in words if word.strip()]
        for word in words:
            if not re.fullmatch(r"[1-5](xx|[0-9]{2})", word):
                raise ValidationError(
                    gettext("“%(value)s” is not a status: write 404, or 4xx for all of them, with commas between."),
                    params={"value": short(word)},
                )
        return Statuses(frozenset(words))

    def value_schema(self) -> dict[str, Json]:
        return {"type": "string", "pattern": "^([1-5](xx|[0-9]{2})([\\s,;]+|$))*$"}


class Statuses:
    """A set of HTTP statuses: `404 in statuses`."""

    def __init__(self, words: frozenset[str]) -> None:
        self.words = words

    def __contains__(self, status: int) -> bool:
        return str(status) in self.words or f"{status // 100}xx" in self.words


def holds_expression(template: Json) -> bool:
    """Whether any text in it has an expression; names of an object are never templates."""
    if isinstance(template, str):
        return expressions.has_expression(template)
    if isinstance(template, dict):
        return any(holds_expression(item) for item in template.values())
    return isinstance(template, list) and any(holds_expression(item) for item in template)


def as_text(value: Json) -> str:
    """A single value as text. Raises ValidationError for a list or an object."""
    if isinstance(value, str):
        return value
    if isinstance(value, (dict, list)):
        raise ValidationError(gettext("A single value is needed here, not a list or an object."))
    return safe_json.dumps(value).decode() if value is not None else ""


def messages_of(error: ValidationError) -> Errors:
    if hasattr(error, "error_dict"):
        return {path: [str(message) for message in found] for path, found in error.message_dict.items()}
    return {"": [str(message) for message in error.messages]}


def join(name: str, inner: str) -> str:
    """The path of a place inside an input."""
    return name if not inner else f"{name}{inner}" if inner.startswith("[") else f"{name}.{inner}"


def short(text: str, length: int = 80) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"
