"""Change an event and keep all that the step does not mention: read, merge, write back if nobody else did meanwhile.

PUT replaces the whole event (https://developers.google.com/workspace/calendar/api/v3/reference/events/update), so what
is not sent back would be lost: guests, description, reminders. The etag tells a change by somebody else in between.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from actions.base import Context, result_of
from actions.effects import Effect
from actions.fields import ChoiceField, DateTimeField, EmailsField, Errors, LongTextField, TextField, TimeZoneField
from actions.requests import Request
from calendar_actions.base import (
    COLORS,
    GUESTS_HELP,
    SEND_UPDATES,
    VISIBILITIES,
    CalendarAction,
    is_before,
    is_same_time,
    moment,
    object_in,
    query_of,
)
from calendar_actions.reading import EVENT_ID_EXAMPLE, EVENT_ID_HELP
from lib import rfc3339
from lib.errors import InvalidInput, Json, UserError

if TYPE_CHECKING:
    from lib import egress

MAX_REREADS = 3
# Set by Google; a body may hold them, but they say nothing there.
READ_ONLY = frozenset({
    "attendeesOmitted", "created", "creator", "endTimeUnspecified", "etag", "hangoutLink", "htmlLink", "kind", "locked",
    "organizer", "updated",
})  # fmt: skip
READ_ONLY_OF_GUEST = frozenset({"self", "organizer", "asyncOperation"})
KEPT = _("Empty: stays as it is.")
TEXTS = ("summary", "description", "location")

Event = dict[str, Json]


class UpdateEvent(CalendarAction):
    key = "google_calendar.update_event"
    title = _("Update an event by ID")
    help = _("Changes only what you fill in; guests, description, reminders and the rest stay as they are.")
    returns = _("The event in body as it is now.")
    test_note = _("changes a real event")
    icon = "calendar-sync"
    effect = Effect.KEYED

    event_id = TextField(_("Event ID"), help=EVENT_ID_HELP, example=EVENT_ID_EXAMPLE)
    summary = TextField(
        _("Event title"),
        default=None,
        clearable=True,
        warning=_("Left empty, it clears the title. To keep the title, remove the field from the step."),
    )
    start = DateTimeField(_("Start"), default=None, help=KEPT, example="2026-12-31T21:45:00+03:00")
    end = DateTimeField(_("End"), default=None, help=KEPT, example="2026-12-31T22:30:00+03:00")
    description = LongTextField(
        _("Description"),
        default=None,
        clearable=True,
        advanced=True,
        warning=_("Left empty, it clears the description."),
    )
    location = TextField(
        _("Place"), default=None, clearable=True, advanced=True, warning=_("Left empty, it clears the place.")
    )
    add_attendees = EmailsField(
        _("Add guests"),
        default=None,
        advanced=True,
        help=GUESTS_HELP,
    )
    remove_attendees = EmailsField(_("Remove guests"), default=None, advanced=True, help=GUESTS_HELP)
    send_updates = ChoiceField(
        _("Notify guests"), choices=SEND_UPDATES, default="", advanced=True, help=_("By itself Google tells nobody.")
    )
    time_zone = TimeZoneField(
        _("Time zone of the event"),
        default="",
        advanced=True,
        example="Europe/Moscow",
        help=KEPT,
    )
    color_id = ChoiceField(_("Color"), choices=(("", _("As it is")), *COLORS[1:]), default="", advanced=True)
    visibility = ChoiceField(
        _("Visibility"), choices=(("", _("As it is")), *VISIBILITIES[1:]), default="", advanced=True
    )

    @property
    def event_named(self) -> str:
        return self.event_id

    def conflicts(self) -> Errors:
        if self.start and self.end and is_before(self.end, self.start):
            return {"end": [before_start(self.end, self.start)]}
        return {}

    def request(self, ctx: Context) -> Request:
        """What is known before the event was read: the changes alone."""
        return self.put(self.merged({}, ctx), etag="")

    def perform(self, ctx: Context) -> Json:
        may_be_done = ctx.repeated
        for _attempt in range(1 + MAX_REREADS):
            reading = self.send(Request("GET", self.event_path(self.event_id)), ctx)
            event = self.changeable(object_in(reading))
            wanted = self.merged(event, ctx)
            if may_be_done and is_as_wanted(event, wanted):
                return result_of(reading)
            response = self.exchange(self.put(wanted, etag=etag_of(event, reading)), ctx)
            if response.status != 412:
                break
            may_be_done = True  # by an attempt of ours whose answer was lost, if not by somebody else
        if self.is_refusal(response):
            raise self.refusal(response)
        return result_of(response)

    def changeable(self, event: Event) -> Event:
        """Raises UserError for an event that writing back would spoil."""
        params = {"event": self.event_id, "calendar": self.calendar_id}
        if event.get("status") == "cancelled":
            raise UserError("upstream_status", "event_deleted", params={"status": 410} | params)
        if event.get("attendeesOmitted"):
            raise UserError("upstream_status", "guests_hidden", params={"status": 200} | params)
        return event

    def put(self, event: Event, *, etag: str) -> Request:
        query = query_of(
            {
                "sendUpdates": self.send_updates,
                # Without these Google leaves the conference and the attachments of the body unread.
                "conferenceDataVersion": 1 if event.get("conferenceData") else None,
                "supportsAttachments": True if event.get("attachments") else None,
            }
        )
        headers = {"If-Match": etag} if etag else {}
        return Request("PUT", self.event_path(self.event_id), query=query, headers=headers, json=event)

    def merged(self, event: Event, ctx: Context) -> Event:
        """The event as it is to become."""
        wanted = {name: value for name, value in event.items() if name not in READ_ONLY}
        wanted |= {name: getattr(self, name) for name in TEXTS if name in self.given}
        for name, value in (("start", self.start), ("end", self.end)):
            if value:
                wanted[name] = moment(value, self.zone(event, name, ctx))
        if self.color_id:
            wanted["colorId"] = self.color_id
        if self.visibility:
            wanted["visibility"] = self.visibility
        if "attendees" in event or self.add_attendees:
            wanted["attendees"] = self.guests(event)
        check_times(wanted)
        return wanted

    def zone(self, event: Event, name: str, ctx: Context) -> str:
        """A recurring event must keep a zone, or it would move with the clocks."""
        kept = str(times_in(event, name).get("timeZone") or "")
        return self.time_zone or kept or (ctx.timezone if event.get("recurrence") else "")

    def guests(self, event: Event) -> list[Json]:
        gone = {email.lower() for email in self.remove_attendees}
        guests = [
            {name: value for name, value in guest.items() if name not in READ_ONLY_OF_GUEST}
            for guest in guests_in(event)
            if str(guest.get("email", "")).lower() not in gone
        ]
        there = {str(guest.get("email", "")).lower() for guest in guests}
        return guests + [{"email": email} for email in self.add_attendees if email.lower() not in there]


def check_times(event: Event) -> None:
    """Raises InvalidInput where only one end was given and the other does not fit it."""
    start, end = times_in(event, "start"), times_in(event, "end")
    if start and end and ("date" in start) != ("date" in end):
        missing = "start" if "date" in start else "end"
        raise InvalidInput({missing: [gettext("The event takes whole days: give both the start and the end.")]})
    if "dateTime" in start and "dateTime" in end:
        try:
            is_wrong = is_before(str(end["dateTime"]), str(start["dateTime"]))
        except rfc3339.NotRFC3339:
            return  # as the service itself wrote it
        if is_wrong:
            raise InvalidInput({"end": [before_start(end["dateTime"], start["dateTime"])]})


def before_start(end: str, start: str) -> str:
    return gettext("The end (%(end)s) is before the start (%(start)s).") % {"end": end, "start": start}


def is_as_wanted(event: Event, wanted: Mapping[str, Json]) -> bool:
    """Whether nothing is left to change; an empty text and none are the same."""
    for name, value in wanted.items():
        now = event.get(name)
        if name in ("start", "end"):
            if not is_same_time(now, value):
                return False
        elif name == "attendees":
            if {guest.get("email") for guest in guests_in(event)} != {guest.get("email") for guest in value}:
                return False
        elif (now or None) != (value or None):
            return False
    return True


def times_in(event: Mapping[str, Json], name: str) -> dict[str, Json]:
    found = event.get(name)
    return found if isinstance(found, dict) else {}


def guests_in(event: Event) -> list[dict[str, Json]]:
    found = event.get("attendees")
    return [guest for guest in found if isinstance(guest, dict)] if isinstance(found, list) else []


def etag_of(event: Event, response: "egress.Response") -> str:
    return str(event.get("etag") or response.headers.get("etag", ""))
