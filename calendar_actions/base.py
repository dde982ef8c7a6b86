"""What all steps of Google Calendar share: the calendar, the addresses, the reading of answers."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from django.utils.translation import gettext_lazy as _

from actions.base import HttpAction
from actions.effects import Effect
from actions.fields import CalendarField
from actions.requests import segment
from calendar_actions.errors import refusal
from lib import rfc3339
from lib.errors import Json, UserError

if TYPE_CHECKING:
    from lib import egress

BASE_URL = "https://www.googleapis.com/calendar/v3"
SCOPE = "https://www.googleapis.com/auth/calendar.events"

GUESTS_HELP = _("E-mail addresses with commas, or a list from another step.")
SEND_UPDATES = (
    ("", _("As Google does by itself")),
    ("all", _("To all guests")),
    ("externalOnly", _("To guests outside Google Calendar")),
    ("none", _("To nobody")),
)
VISIBILITIES = (
    ("", _("As the calendar's")),
    ("default", _("As the calendar's, said explicitly")),
    ("public", _("Public")),
    ("private", _("Private")),
    ("confidential", _("Confidential")),
)
COLORS = (
    ("", _("The calendar's color")),
    ("1", _("Lavender")),
    ("2", _("Sage")),
    ("3", _("Grape")),
    ("4", _("Flamingo")),
    ("5", _("Banana")),
    ("6", _("Tangerine")),
    ("7", _("Peacock")),
    ("8", _("Graphite")),
    ("9", _("Blueberry")),
    ("10", _("Basil")),
    ("11", _("Tomato")),
)


class CalendarAction(HttpAction):
    """One of Calendar v3's methods, against the connection's API address or Google's."""

    effect = Effect.READ
    connection = "required"
    access = SCOPE
    base_url = BASE_URL

    calendar_id = CalendarField(
        _("Calendar ID"),
        default="primary",
        help=_("primary is the main calendar of the account. The ID is in the calendar's settings."),
        placeholder="primary",
        example="c_7f1@group.calendar.google.com",
    )

    @property
    def event_named(self) -> str:
        """The event that this step is about, for messages."""
        return ""

    def events_path(self) -> str:
        return f"calendars/{segment(self.calendar_id)}/events"

    def event_path(self, event_id: str) -> str:
        return f"{self.events_path()}/{segment(event_id)}"

    def is_refusal(self, response: "egress.Response") -> bool:
        return response.status >= 300

    def refusal(self, response: "egress.Response") -> UserError:
        return refusal(response, self.effect_of(), calendar=self.calendar_id, event=self.event_named)


def query_of(parameters: Mapping[str, str | int | bool | None]) -> dict[str, str]:
    """Parameters as Google takes them: blank ones are never sent, true and false in small letters."""
    return {
        name: str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in parameters.items()
        if value is not None and value != ""
    }


def object_in(response: "egress.Response") -> dict[str, Json]:
    """The answer where our own logic goes on with it. Raises UserError unless it is a JSON object."""
    try:
        body = response.json()
    except UserError:
        body = None
    if not isinstance(body, dict):
        raise UserError("upstream_invalid", "not_calendar", params={"host": urlsplit(response.url).hostname or ""})
    return body


def is_before(end: str, start: str) -> bool:
    return rfc3339.parse(end) < rfc3339.parse(start)


def moment(value: str, zone: str = "") -> dict[str, str]:
    """Google's EventDateTime with a time."""
    return {"dateTime": value, "timeZone": zone} if zone else {"dateTime": value}


def whole_days(start: str, end: str) -> tuple[dict[str, str], dict[str, str]]:
    """The days that [start, end) touches, each by its own clock; Google's end is the day after the last."""
    first, last = local(start), local(end)
    after = last.date() if last.time() == last.time().min else last.date() + timedelta(days=1)
    return day(first.date()), day(max(after, first.date() + timedelta(days=1)))


def day(value: date) -> dict[str, str]:
    return {"date": value.isoformat()}


def local(value: str) -> datetime:
    return rfc3339.parse(value)


def is_same_time(one: Json, other: Json) -> bool:
    """Whether two EventDateTime are the same instant or day, however they are written."""
    if not isinstance(one, dict) or not isinstance(other, dict):
        return False
    if one.get("date") or other.get("date"):
        return bool(one.get("date") == other.get("date"))
    try:
        return rfc3339.parse(str(one.get("dateTime"))) == rfc3339.parse(str(other.get("dateTime")))
    except rfc3339.NotRFC3339:
        return False
