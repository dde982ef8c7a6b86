"""The Event resource: a body cleaned into what is kept, and what is kept shown as an answer.

Members: https://developers.google.com/workspace/calendar/api/v3/reference/events. Read-only ones are ignored in a
body, unknown ones are refused: a misspelt member should not pass for a cleared one.
"""

import re
from typing import Any

from sandbox.calendar import recurrence
from sandbox.calendar.errors import ApiError, empty_range, invalid
from sandbox.calendar.parameters import EVENT_TYPES
from sandbox.calendar.times import clean_when, parse_date
from sandbox.messages import Json

TEXTS = {"summary", "description", "location", "colorId", "eventLabelId"}
FLAGS = {
    "anyoneCanAddSelf": False,
    "guestsCanInviteOthers": True,
    "guestsCanModify": False,
    "guestsCanSeeOtherGuests": True,
    "privateCopy": False,
}
CHOICES = {
    "status": ("confirmed", "tentative", "cancelled"),
    "visibility": ("default", "public", "private", "confidential"),
    "transparency": ("opaque", "transparent"),
    "eventType": EVENT_TYPES,
}
OBJECTS = {
    "birthdayProperties",
    "conferenceData",
    "extendedProperties",
    "focusTimeProperties",
    "gadget",
    "outOfOfficeProperties",
    "reminders",
    "source",
    "workingLocationProperties",
}
LISTS = {"attendees", "attachments", "recurrence"}
TIMES = {"start", "end"}
NUMBERS = {"sequence"}
READ_ONLY = {
    "attendeesOmitted",
    "created",
    "creator",
    "endTimeUnspecified",
    "etag",
    "hangoutLink",
    "htmlLink",
    "iCalUID",
    "id",
    "kind",
    "locked",
    "organizer",
    "originalStartTime",
    "recurringEventId",
    "updated",
}
KNOWN = TEXTS | FLAGS.keys() | CHOICES.keys() | OBJECTS | LISTS | TIMES | NUMBERS | READ_ONLY
DEFAULTS = {"visibility": "default", "transparency": "opaque"} | FLAGS

EVENT_ID = re.compile(r"[a-v0-9]{5,1024}", re.ASCII)
EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
RESPONSES = ("needsAction", "declined", "tentative", "accepted")
MAX_ATTACHMENTS = 25
MAX_REMINDERS = 5
MAX_REMINDER_MINUTES = 40_320
MAX_PROPERTY_KEY, MAX_PROPERTY_VALUE, MAX_PROPERTIES, MAX_PROPERTIES_BYTES = 44, 1024, 300, 32 * 1024


def clean(body: Json) -> dict[str, Any]:
    """The writable members that have a value; null and empty text mean: none. Raises ApiError 400."""
    if not isinstance(body, dict):
        raise invalid("Parse Error", reason="parseError")
    given = {name: value for name, value in body.items() if value is not None}
    for name in given:
        if name not in KNOWN:
            raise invalid(f"Unknown name \"{name}\" at 'event': Cannot find field.", name, reason="badRequest")
    check_types(given)
    kept = {name: value for name, value in given.items() if name not in READ_ONLY and value != ""}
    clean_times(kept)
    if "attendees" in kept:
        kept["attendees"] = [clean_attendee(attendee) for attendee in kept["attendees"]]
    if "reminders" in kept:
        check_reminders(kept["reminders"])
    if "extendedProperties" in kept:
        kept["extendedProperties"] = clean_properties(kept["extendedProperties"])
    if len(kept.get("attachments", [])) > MAX_ATTACHMENTS:
        raise invalid("Too many attachments.", "attachments")
    if kept.get("eventType") == "fromGmail":
        raise invalid(
            "Events of this type cannot be created using the API.", "eventType", reason="eventTypeRestriction"
        )
    if "colorId" in kept and kept["colorId"] not in {str(number) for number in range(1, 12)}:
        raise invalid("Invalid color id.", "colorId")
    return {name: value for name, value in kept.items() if DEFAULTS.get(name) != value}


def check_types(given: dict[str, Any]) -> None:
    for name, value in given.items():
        if name in CHOICES:
            is_right = value in CHOICES[name]
        elif name in NUMBERS:
            is_right = type(value) is int
        elif name in READ_ONLY:
            is_right = True
        else:
            is_right = isinstance(value, expected_type(name))
        if not is_right:
            raise invalid(f"Invalid value for: {name}", name)


def expected_type(name: str) -> type:
    if name in FLAGS:
        return bool
    if name in LISTS:
        return list
    return dict if name in OBJECTS | TIMES else str


def clean_times(kept: dict[str, Any]) -> None:
    lines = kept.get("recurrence", [])
    # Google complains of the end first when both are missing.
    end = clean_when(kept.get("end"), "end", is_recurring=bool(lines))
    start = clean_when(kept.get("start"), "start", is_recurring=bool(lines))
    if ("date" in start) != ("date" in end):
        raise invalid("Start and end times must either both be date or both be dateTime.")
    if "date" in start:
        first, last = parse_date(start["date"]), parse_date(end["date"])
        if first is None or last is None or last <= first:
            raise empty_range()
    elif recurrence.moment(end) < recurrence.moment(start):
        raise empty_range()
    kept["start"], kept["end"] = start, end
    if lines:
        recurrence.check(lines, start)


def clean_attendee(attendee: Any) -> dict[str, Any]:
    if not isinstance(attendee, dict):
        raise invalid("Invalid value for: attendees", "attendees")
    email = attendee.get("email")
    if not email:
        raise invalid("Missing attendee email.", reason="required")
    if not isinstance(email, str) or not EMAIL.fullmatch(email):
        raise invalid("Invalid attendee email.")
    if attendee.get("responseStatus", "needsAction") not in RESPONSES:
        raise invalid("Invalid value for: responseStatus")
    kept = {name: value for name, value in attendee.items() if name not in ("self", "organizer") and value is not None}
    return kept | {"responseStatus": attendee.get("responseStatus", "needsAction")}


def check_reminders(reminders: dict[str, Any]) -> None:
    overrides = reminders.get("overrides") or []
    if not isinstance(overrides, list) or len(overrides) > MAX_REMINDERS:
        raise invalid("Invalid value for: reminders", "reminders")
    if overrides and reminders.get("useDefault"):
        message = "Cannot specify both default reminders and overrides at the same time."
        raise ApiError(
            400, "cannotUseDefaultRemindersAndSpecifyOverride", message, domain="calendar", location="reminders"
        )
    for override in overrides:
        is_right = isinstance(override, dict) and override.get("method") in ("email", "popup")
        minutes = override.get("minutes") if is_right else None
        if type(minutes) is not int or not 0 <= minutes <= MAX_REMINDER_MINUTES:
            raise invalid("Invalid value for: reminders", "reminders")


def clean_properties(properties: dict[str, Any]) -> dict[str, Any]:
    """Too long keys are dropped and too long values cut, both silently, as Google does; too many are refused."""
    kept: dict[str, Any] = {}
    for side, pairs in properties.items():
        if side not in ("private", "shared") or not isinstance(pairs, dict):
            raise invalid("Invalid value for: extendedProperties", "extendedProperties")
        if not all(isinstance(value, str) for value in pairs.values()):
            raise invalid("Invalid value for: extendedProperties", "extendedProperties")
        kept[side] = {key: value[:MAX_PROPERTY_VALUE] for key, value in pairs.items() if len(key) <= MAX_PROPERTY_KEY}
    pairs_kept = [pair for side in kept.values() for pair in side.items()]
    size = sum(len(key.encode()) + len(value.encode()) for key, value in pairs_kept)
    if len(pairs_kept) > MAX_PROPERTIES or size > MAX_PROPERTIES_BYTES:
        raise invalid("The extended properties are too large.", "extendedProperties")
    return kept


def check_id(event_id: Any) -> str:
    if not isinstance(event_id, str) or not EVENT_ID.fullmatch(event_id):
        raise invalid("Invalid resource id value.")
    return event_id
