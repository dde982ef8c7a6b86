"""A new event, once: its id is chosen here from run and step, so a repeat finds it instead of making another.

https://developers.google.com/workspace/calendar/api/v3/reference/events/insert
"""

import base64
import re

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from actions.base import Context, result_of
from actions.effects import Effect
from actions.fields import (
    BooleanField,
    ChoiceField,
    DateTimeField,
    EmailsField,
    Errors,
    LongTextField,
    TextField,
    TimeZoneField,
)
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
    whole_days,
)
from lib.errors import Json

MARK = "apinita"  # the private property that says which step made the event
RECURRENCE = re.compile(r"(RRULE|EXRULE|RDATE|EXDATE)[:;].+", re.IGNORECASE)


class InsertEvent(CalendarAction):
    key = "google_calendar.insert_event"
    title = _("Add an event")
    help = _("Title, start and end; guests, place and repetition if needed. A repeat never makes a second event.")
    returns = _("The event in body, with its id and link.")
    test_note = _("creates a real event")
    icon = "calendar-plus"
    effect = Effect.KEYED

    summary = TextField(_("Event title"), default="", example="{{ s1.body.name }}")
    start = DateTimeField(_("Start"), example="2026-12-31T21:45:00+03:00")
    end = DateTimeField(_("End"), example="2026-12-31T22:30:00+03:00")
    description = LongTextField(_("Description"), default="", advanced=True)
    location = TextField(_("Place"), default="", advanced=True)
    attendees = EmailsField(_("Guests"), default=None, advanced=True, help=GUESTS_HELP)
    send_updates = ChoiceField(
        _("Send invitations"),
        choices=SEND_UPDATES,
        default="",
        advanced=True,
        help=_("By itself Google sends none for events that a program adds."),
    )
    all_day = BooleanField(
        _("All day"), default=False, advanced=True, help=_("The event takes the whole days from the start to the end.")
    )
    time_zone = TimeZoneField(
        _("Time zone of the event"),
        default="",
        advanced=True,
        example="Europe/Moscow",
        help=_("Keeps a recurring event at the same hour in summer and in winter."),
    )
    recurrence = LongTextField(
        _("Repetition"),
        default="",
        advanced=True,
        help=_("Rules of RFC 5545, each on its own line."),
        example="RRULE:FREQ=WEEKLY;BYDAY=MO;COUNT=10",
    )
    color_id = ChoiceField(_("Color"), choices=COLORS, default="", advanced=True)
    visibility = ChoiceField(_("Visibility"), choices=VISIBILITIES, default="", advanced=True)
    add_meet = BooleanField(_("Google Meet link"), default=False, advanced=True)

    def conflicts(self) -> Errors:
        errors: Errors = {}
        if self.start and self.end and is_before(self.end, self.start):
            errors["end"] = [
                gettext("The end (%(end)s) is before the start (%(start)s).") % {"end": self.end, "start": self.start}
            ]
        for line in self.rules():
            if not RECURRENCE.fullmatch(line):
                errors["recurrence"] = [
                    gettext("“%(line)s” is not a rule: write them like RRULE:FREQ=WEEKLY;COUNT=10.") % {"line": line}
                ]
        return errors

    def rules(self) -> list[str]:
        return [line.strip() for line in self.recurrence.splitlines() if line.strip()]

    def request(self, ctx: Context) -> Request:
        query = query_of({"sendUpdates": self.send_updates, "conferenceDataVersion": 1 if self.add_meet else None})
        return Request("POST", self.events_path(), query=query, json=self.event(ctx))

    def event(self, ctx: Context) -> dict[str, Json]:
        rules = self.rules()
        zone = self.time_zone or (ctx.timezone if rules else "")  # Google wants one for a recurring event
        times = (moment(self.start, zone), moment(self.end, zone))
        start, end = whole_days(self.start, self.end) if self.all_day else times
        optional = {
            "summary": self.summary,
            "description": self.description,
            "location": self.location,
            "attendees": [{"email": email} for email in self.attendees],
            "recurrence": rules,
            "colorId": self.color_id,
            "visibility": self.visibility,
        }
        event: dict[str, Json] = {name: value for name, value in optional.items() if value}
        if self.add_meet:
            solution = {"conferenceSolutionKey": {"type": "hangoutsMeet"}}
            event["conferenceData"] = {"createRequest": {"requestId": event_id(ctx), **solution}}
        mark = {"private": {MARK: ctx.once_key}}
        return event | {"id": event_id(ctx), "start": start, "end": end, "extendedProperties": mark}

    def perform(self, ctx: Context) -> Json:
        # Google does not promise to notice a repeated id at once, so a repeat looks first.
        if ctx.repeated and (added := self.added_before(ctx)):
            return added
        response = self.exchange(self.request(ctx), ctx)
        if response.status == 409 and (added := self.added_before(ctx)):
            return added
        if self.is_refusal(response):
            raise self.refusal(response)
        return result_of(response)

    def added_before(self, ctx: Context) -> dict[str, Json] | None:
        """The result, if an earlier attempt of this step has made the event; `deleted_later` if it is gone since."""
        response = self.exchange(Request("GET", self.event_path(event_id(ctx))), ctx)
        if response.status in (404, 410):
            return None
        if self.is_refusal(response):
            raise self.refusal(response)
        event = object_in(response)
        if not self.is_ours(event, ctx):
            return None
        later = {"deleted_later": True} if event.get("status") == "cancelled" else {}
        return result_of(response) | {"repeated": True} | later

    def is_ours(self, event: dict[str, Json], ctx: Context) -> bool:
        """By the mark; a service that keeps no marks is asked whether it is the same event."""
        properties = event.get("extendedProperties")
        private = properties.get("private") if isinstance(properties, dict) else None
        mark = private.get(MARK) if isinstance(private, dict) else None
        if mark is not None:
            return bool(mark == ctx.once_key)
        wanted = self.event(ctx)
        is_same = event.get("summary", "") == self.summary and all(
            is_same_time(event.get(name), wanted[name]) for name in ("start", "end")
        )
        return is_same or (event.get("status") == "cancelled" and "start" not in event)


def event_id(ctx: Context) -> str:
    """Digits and letters a–v, as Google wants it: base32hex (RFC 4648), 40 characters of the step's key."""
    return base64.b32hexencode(bytes.fromhex(ctx.once_key)[:25]).decode().lower()
