"""Inputs that become HTTP headers (RFC 9110 5.1, 5.5)."""

import re
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext

from actions.fields.base import as_text, short
from actions.fields.several import PairsField
from actions.fields.single import TextField
from lib.errors import Json

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
OF_THE_TRANSFER = frozenset({
    "connection", "content-length", "expect", "host", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade",
})  # fmt: skip
CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


class HeadersField(PairsField):
    """Headers of a request or an answer; an empty value is left out.

    Those that belong to the transfer itself are refused, and those in `refused` (lower case).
    """

    def __init__(self, label: "StrOrPromise", *, refused: frozenset[str] = frozenset(), **rest: Any) -> None:
        super().__init__(label, **rest)
        self.refused = refused

    def convert(self, value: Json) -> dict[str, Json]:
        return {name: item for name, item in super().convert(value).items() if item}

    def pair(self, name: str, item: Json) -> str:
        super().pair(name, item)
        check_name(name, self.refused)
        return header_value(as_text(item))

    def value_schema(self) -> dict[str, Json]:
        return {"type": "object", "additionalProperties": {"type": ["string", "number", "boolean", "null"]}}


class HeaderNameField(TextField):
    def convert(self, value: Json) -> str:
        name = super().convert(value)
        check_name(name)
        return name


class HeaderValueField(TextField):
    def convert(self, value: Json) -> str:
        return header_value(super().convert(value))


def check_name(name: str, refused: frozenset[str] = frozenset()) -> None:
    """Raises ValidationError."""
    if not NAME.fullmatch(name):
        raise ValidationError(
            gettext("“%(name)s” cannot be a header: Latin letters, digits and hyphens are, such as X-Request-Id."),
            params={"name": short(name)},
        )
    lower = name.lower()
    if lower in OF_THE_TRANSFER or lower in refused or lower.startswith("proxy-"):
        raise ValidationError(gettext("The header %(name)s cannot be set here; remove it."), params={"name": name})


def header_value(text: str) -> str:
    """Raises ValidationError for what a header cannot carry."""
    value = text.strip()
    if CONTROL.search(value):
        raise ValidationError(gettext("A header's value cannot have a line break or another control character in it."))
    if odd := next((letter for letter in value if ord(letter) > 255), ""):
        raise ValidationError(
            gettext("A header cannot carry “%(letter)s”; use | url_encode or | base64_encode, or send it in the body."),
            params={"letter": odd},
        )
    return value
