"""Inputs that are several values: names with values, headers, lists, statuses, any JSON."""

import re

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils.translation import gettext

from actions.fields.base import Errors, Field, as_text, holds_expression, join, messages_of, short
from lib import safe_json
from lib.errors import Json


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
        cleaned, errors = self.pairs(value)
        if errors:
            raise ValidationError(errors)
        return cleaned

    def check(self, template: Json) -> tuple[dict[str, Json], Errors]:
        if not isinstance(template, dict):
            return super().check(template)
        known = {name: "" if holds_expression(item) else item for name, item in template.items()}
        cleaned, errors = self.pairs(known)
        if self.required and not template:
            errors = {"": [gettext("This field is required.")]}
        return cleaned, errors

    def pairs(self, given: dict[str, Json]) -> tuple[dict[str, Json], Errors]:
        cleaned: dict[str, Json] = {}
        errors: Errors = {}
        for name, item in given.items():
            try:
                cleaned[name] = self.pair(name, item)
            except ValidationError as error:
                errors |= {join(name, inner): found for inner, found in messages_of(error).items()}
        return cleaned, errors

    def pair(self, name: str, item: Json) -> Json:
        """One value under its name, cleaned. Raises ValidationError."""
        if not name.strip():
            raise ValidationError(gettext("A name is missing."))
        return item

    def value_schema(self) -> dict[str, Json]:
        return {"type": "object", "additionalProperties": True}


class QueryField(PairsField):
    """Parameters of an address; a list is sent as repeated names, null is left out."""

    def convert(self, value: Json) -> dict[str, Json]:
        return {name: item for name, item in super().convert(value).items() if item is not None}

    def pair(self, name: str, item: Json) -> str | list[str] | None:
        super().pair(name, item)
        if isinstance(item, list):
            return [as_text(one) for one in item]
        return None if item is None else as_text(item)


class EmailsField(Field[list[str]]):
    """Addresses: a text with commas or line breaks, a list, or a list of guests as a calendar gives them."""

    widget = "textarea"

    @property
    def blank(self) -> list[str]:
        return []

    def is_blank(self, value: Json) -> bool:
        return value is None or value == [] or (isinstance(value, str) and not value.strip())

    def convert(self, value: Json) -> list[str]:
        items = value if isinstance(value, list) else re.split(r"[\s,;]+", as_text(value))
        emails = [as_text(item.get("email") if isinstance(item, dict) else item).strip() for item in items]
        emails = list(dict.fromkeys(filter(None, emails)))
        for email in emails:
            try:
                validate_email(email)
            except ValidationError:
                raise ValidationError(
                    gettext(
                        "“%(value)s” is not an e-mail address; write them like anna@example.com, boris@example.com."
                    ),
                    params={"value": short(email)},
                ) from None
        return emails

    def value_schema(self) -> dict[str, Json]:
        return {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": ["string", "object"]}}]}


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
