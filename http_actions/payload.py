"""The body of a request or an answer: a format, and either fields or a text."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from actions.fields import Errors, PairsField
from actions.requests import FORM_TYPE, JSON_TYPE, form_encode
from lib import safe_json
from lib.errors import Json

FORMATS = (("json", JSON_TYPE), ("form", FORM_TYPE), ("text", _("Text (text/plain)")))
TYPES = {"json": JSON_TYPE, "form": FORM_TYPE, "text": "text/plain; charset=utf-8"}
CONTENT_TYPE = "content-type"


class BodyField(PairsField):
    """Names and values; as JSON it may also be a list, when one expression gives it."""

    def convert(self, value: Json) -> Any:
        return value if isinstance(value, list) else super().convert(value)

    def value_schema(self) -> dict[str, Json]:
        return {"type": ["object", "array"]}


def conflicts(format: str, fields: Json, body: str) -> Errors:
    """What is wrong between the inputs `format`, `fields` and `body`."""
    if fields and body:
        return {"body": [gettext("Fill in either the fields or the text, not both.")]}
    if fields and format == "text":
        return {"fields": [gettext("Plain text has no fields: write it into the text, or choose another format.")]}
    if isinstance(fields, list) and format == "form":
        return {"fields": [gettext("A form needs names and values, not a list.")]}
    if body and format == "json":
        try:
            safe_json.loads(body)
        except safe_json.JsonError as error:
            return {"body": [gettext("This is not JSON: %(why)s.") % {"why": str(error).removeprefix("not JSON: ")}]}
    return {}


def encode(format: str, fields: Json, body: str) -> bytes:
    if body:
        return body.encode()
    if not fields:
        return b""
    return form_encode(fields) if format == "form" else safe_json.dumps(fields)


def content_type(format: str, headers: Mapping[str, str]) -> str:
    """The format says it. A text may be called something else by the headers, JSON another kind of JSON."""
    own = next((value for name, value in headers.items() if name.lower() == CONTENT_TYPE), "")
    may_be_own = format == "text" or (format == "json" and "json" in own.lower())
    return own if own and may_be_own else TYPES[format]


def without_content_type(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.lower() != CONTENT_TYPE}
