"""Inputs that are one value: text, a number, a choice, a moment, an address."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from actions.fields.base import Field, as_text, short
from lib import rfc3339, safe_json
from lib.errors import Json

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

TRUE = frozenset({"true", "1", "yes", "on"})
FALSE = frozenset({"false", "0", "no", "off"})


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
    """A moment by RFC 3339, kept as it is written: the service gets the offset that was chosen."""

    widget = "datetime"

    def convert(self, value: Json) -> str:
        text = as_text(value).strip()
        if problem := rfc3339.problem(text):
            raise ValidationError(
                gettext("“%(value)s”: %(problem)s"), params={"value": short(text), "problem": gettext(problem)}
            )
        return text.upper()  # "t" and "z" are legal too, but not every service knows

    def value_schema(self) -> dict[str, Json]:
        return {"type": "string", "format": "date-time"}


class CalendarField(TextField):
    """The id of a calendar: a list where the connection may read one, or any id typed in."""

    widget = "calendar"


class TimeZoneField(TextField):
    """The name of a time zone in the IANA database."""

    def convert(self, value: Json) -> str:
        name = super().convert(value)
        try:
            ZoneInfo(name)
        except (ValueError, OSError, LookupError):
            raise ValidationError(
                gettext("There is no time zone “%(value)s”; zones are named like Europe/Moscow."),
                params={"value": short(name)},
            ) from None
        return name


class UrlField(TextField):
    """A whole address; everything but its beginning is judged where it is sent from."""

    def convert(self, value: Json) -> str:
        url = super().convert(value)
        if not re.match(r"https?://[^/?#\s]", url, re.IGNORECASE):
            raise ValidationError(gettext("The address must be whole, such as https://api.example.com/v1/orders."))
        return url
