"""Query parameters, checked without mercy: an unknown, empty, repeated or ill-typed one is a 400.

Google lets some of these pass or leaves them undefined; a stand-in must not. Names and limits: the discovery document.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sandbox.calendar.errors import ApiError, invalid
from sandbox.calendar.times import find_zone, parse_rfc3339
from sandbox.messages import Pairs

MAX_RESULTS = 2500
EVENT_TYPES = ("birthday", "default", "focusTime", "fromGmail", "outOfOffice", "workingLocation")
INTEGER = re.compile(r"[+-]?\d{1,9}", re.ASCII)


@dataclass(frozen=True)
class Parameter:
    """`read` gives the value or raises ValueError with what is expected."""

    read: Callable[[str], Any]
    is_repeated: bool = False


def text(value: str) -> str:
    return value


def boolean(value: str) -> bool:
    if value not in ("true", "false"):
        raise ValueError("true or false")
    return value == "true"


def integer(low: int, high: int = 2**31 - 1) -> Callable[[str], int]:
    def read(value: str) -> int:
        if not INTEGER.fullmatch(value) or not low <= int(value) <= high:
            raise ValueError(f"a whole number from {low} to {high}")
        return int(value)

    return read


def one_of(*choices: str) -> Callable[[str], str]:
    def read(value: str) -> str:
        if value not in choices:
            raise ValueError("one of " + ", ".join(choices))
        return value

    return read


def moment(value: str) -> datetime:
    """In UTC, fractions dropped. A `+` that was not encoded arrives as a space and is refused here."""
    parsed = parse_rfc3339(value)
    if parsed is None or parsed.tzinfo is None:
        raise ValueError("an RFC 3339 date-time with an offset, such as 2020-12-31T21:45:00+03:00")
    return parsed.astimezone(UTC)


def time_zone(value: str) -> ZoneInfo:
    zone = find_zone(value)
    if zone is None:
        raise ValueError("an IANA time zone, such as Europe/Moscow")
    return zone


def name_value(value: str) -> tuple[str, str]:
    name, equals, wanted = value.partition("=")
    if not name or not equals:
        raise ValueError("name=value")
    return name, wanted


GLOBAL = {
    "alt": Parameter(one_of("json")),
    "key": Parameter(text),
    "oauth_token": Parameter(text),
    "prettyPrint": Parameter(boolean),
    "quotaUser": Parameter(text),
    "userIp": Parameter(text),
}
READ = {
    "alwaysIncludeEmail": Parameter(boolean),
    "maxAttendees": Parameter(integer(1)),
}
GET = READ | {"timeZone": Parameter(time_zone)}
PAGE = {
    "maxResults": Parameter(integer(1, MAX_RESULTS)),
    "pageToken": Parameter(text),
}
LIST = (
    GET
    | PAGE
    | {
        "eventTypes": Parameter(one_of(*EVENT_TYPES), is_repeated=True),
        "iCalUID": Parameter(text),
        "orderBy": Parameter(one_of("startTime", "updated")),
        "privateExtendedProperty": Parameter(name_value, is_repeated=True),
        "q": Parameter(text),
        "sharedExtendedProperty": Parameter(name_value, is_repeated=True),
        "showDeleted": Parameter(boolean),
        "showHiddenInvitations": Parameter(boolean),
        "singleEvents": Parameter(boolean),
        "syncToken": Parameter(text),
        "timeMax": Parameter(moment),
        "timeMin": Parameter(moment),
        "updatedMin": Parameter(moment),
    }
)
NOTIFY = {
    "sendNotifications": Parameter(boolean),
    "sendUpdates": Parameter(one_of("all", "externalOnly", "none")),
}
INSERT = NOTIFY | {
    "conferenceDataVersion": Parameter(integer(0, 1)),
    "eventLabelVersion": Parameter(integer(0, 1)),
    "maxAttendees": Parameter(integer(1)),
    "supportsAttachments": Parameter(boolean),
}
UPDATE = INSERT | {"alwaysIncludeEmail": Parameter(boolean)}
CALENDAR_LIST = PAGE | {
    "minAccessRole": Parameter(one_of("freeBusyReader", "owner", "reader", "writer", "writerWithoutPrivateAccess")),
    "showDeleted": Parameter(boolean),
    "showHidden": Parameter(boolean),
    "showOwnOrganizationOnly": Parameter(boolean),
}
NONE: dict[str, Parameter] = {}


def read_query(pairs: Pairs, known: Mapping[str, Parameter]) -> dict[str, Any]:
    """Typed values by name; a repeatable parameter is always a list. Absent ones are absent."""
    values: dict[str, Any] = {}
    for name, raw in pairs:
        parameter = known.get(name) or GLOBAL.get(name)
        if parameter is None:
            raise unknown(name)
        if not raw:
            raise invalid(f"Empty value for parameter: {name}. Leave it out.", name, reason="invalidParameter")
        try:
            value = parameter.read(raw)
        except ValueError as expected:
            message = f"Invalid value '{raw}' for parameter {name}. Expected: {expected}."
            raise invalid(message, name, reason="invalidParameter") from expected
        if parameter.is_repeated:
            values.setdefault(name, []).append(value)
        elif name in values:
            raise invalid(f"Parameter {name} is given more than once.", name, reason="invalidParameter")
        else:
            values[name] = value
    return values


def unknown(name: str) -> ApiError:
    message = f'Unknown name "{name}": Cannot bind query parameter.'
    if name == "fields":
        message = "The sandbox gives whole answers only: leave out fields."
    return invalid(message, name, reason="invalidParameter")
