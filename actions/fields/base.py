"""What every input of an action has: its name and texts, its default, its checks, its schema."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Self, TypeVar, overload

from django.core.exceptions import ValidationError
from django.utils.translation import gettext

from lib import expressions, safe_json
from lib.errors import Json

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

T = TypeVar("T")
Errors = dict[str, list[str]]  # "" or the path inside the value → messages
REQUIRED: Any = object()
EXPRESSION = {"$ref": "#/$defs/expression"}
NOTHING = {"enum": ["", None]}


class Field(Generic[T]):
    """One input; on an action's class it is itself, on an instance the cleaned value.

    Required unless it has a `default`, which stands for a blank input too. `warning` is shown beside the field,
    `name` is the input's name where the attribute must be called otherwise, `advanced` ones are folded away at first.
    Of a `clearable` one, leaving it out keeps what the service has, and an empty value clears it.
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
        clearable: bool = False,
    ) -> None:
        self.label = label
        self.help = help
        self.default = default
        self.advanced = advanced
        self.placeholder = placeholder
        self.example = example
        self.warning = warning
        self.name = name
        self.clearable = clearable

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
            return self.blank, {}
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
