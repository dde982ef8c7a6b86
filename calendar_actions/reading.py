"""One event by its id."""

from django.utils.translation import gettext_lazy as _

from actions.base import Context
from actions.fields import TextField, TimeZoneField
from actions.requests import Request
from calendar_actions.base import CalendarAction, query_of

EVENT_ID_HELP = _("The key id of an event from another step.")
EVENT_ID_EXAMPLE = "{{ s2.body.items[0].id }}"


class GetEvent(CalendarAction):
    key = "google_calendar.get_event"
    title = _("Get an event by ID")
    help = _("One event with all its fields: title, start, end, guests, link.")
    returns = _("The event in body. A deleted one has the status cancelled.")
    icon = "calendar-check"

    event_id = TextField(_("Event ID"), help=EVENT_ID_HELP, example=EVENT_ID_EXAMPLE)
    time_zone = TimeZoneField(
        _("Time zone of the answer"), default="", advanced=True, example="Europe/Moscow", help=_("Else the calendar's.")
    )

    @property
    def event_named(self) -> str:
        return self.event_id

    def request(self, ctx: Context) -> Request:
        """https://developers.google.com/workspace/calendar/api/v3/reference/events/get"""
        return Request("GET", self.event_path(self.event_id), query=query_of({"timeZone": self.time_zone}))
