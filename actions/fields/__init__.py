"""The inputs of actions: what each is called, what it takes, how it is checked and described.

A field takes a value or a template with expressions (docs/format.md): `clean` sees values only, `check` sees templates.
The checking is done by Django's form fields, whose messages come in every language.
"""

from actions.fields.base import Errors, Field, as_text, holds_expression, join, messages_of
from actions.fields.headers import HeaderNameField, HeadersField, HeaderValueField
from actions.fields.several import (
    EmailsField,
    JsonField,
    PairsField,
    QueryField,
    Statuses,
    StatusesField,
)
from actions.fields.single import (
    BooleanField,
    CalendarField,
    ChoiceField,
    DateTimeField,
    LongTextField,
    NumberField,
    SecretField,
    TextField,
    TimeZoneField,
    UrlField,
)

__all__ = [
    "BooleanField",
    "CalendarField",
    "ChoiceField",
    "DateTimeField",
    "EmailsField",
    "Errors",
    "Field",
    "HeaderNameField",
    "HeaderValueField",
    "HeadersField",
    "JsonField",
    "LongTextField",
    "NumberField",
    "PairsField",
    "QueryField",
    "SecretField",
    "Statuses",
    "StatusesField",
    "TextField",
    "TimeZoneField",
    "UrlField",
    "as_text",
    "holds_expression",
    "join",
    "messages_of",
]
