"""Events of a calendar: all, a window of time, or only what changed since the last time.

https://developers.google.com/workspace/calendar/api/v3/reference/events/list and guides/sync.
"""

from typing import TYPE_CHECKING

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from actions.base import Context, result_of
from actions.fields import (
    BooleanField,
    ChoiceField,
    DateTimeField,
    Errors,
    NumberField,
    TextField,
    TimeZoneField,
)
from actions.requests import Request
from calendar_actions.base import CalendarAction, is_before, object_in, query_of
from lib.errors import Json, UserError

if TYPE_CHECKING:
    from lib import egress

MAX_PAGES = 40  # 10,000 events at Google's 250 a page
NOT_WITH_SYNC_TOKEN = ("order_by", "q", "time_min", "time_max", "updated_min")


class ListEvents(CalendarAction):
    key = "google_calendar.list_events"
    title = _("Get events of a calendar")
    help = _("The whole schedule, a window of time, or only what changed since the last time (sync token).")
    returns = _("body.items with the events; body.nextPageToken or body.nextSyncToken to go on with.")
    icon = "calendar-search"

    order_by = ChoiceField(
        _("Sorting"),
        choices=(("", _("As Google gives them")), ("startTime", _("By start")), ("updated", _("By last change"))),
        default="",
        help=_("With a sync token leave it as Google gives them. By start, a recurring event comes as single ones."),
    )
    page_token = TextField(
        "pageToken",
        default="",
        strip=True,
        help=_("nextPageToken of the answer before; the other fields must stay the same."),
        example="{{ s2.body.nextPageToken }}",
    )
    sync_token = TextField(
        "syncToken",
        default="",
        help=_("nextSyncToken of the last answer: then only events that changed since come, deleted ones too."),
        example="{{ s2.body.nextSyncToken }}",
    )
    time_min = DateTimeField(_("Ends after"), default="", advanced=True, help=_("Events that end after this moment."))
    time_max = DateTimeField(
        _("Starts before"), default="", advanced=True, help=_("Events that start before this moment.")
    )
    q = TextField(
        _("Search words"), default="", advanced=True, help=_("In the title, description, place and names of guests.")
    )
    max_results = NumberField(
        _("Events per page"), default=None, least=1, most=2500, advanced=True, help=_("Google's own is 250.")
    )
    all_pages = BooleanField(
        _("All pages at once"),
        default=False,
        advanced=True,
        help=_("Follows the pages up to 40; what is left then goes on with nextPageToken."),
    )
    single_events = BooleanField(
        _("Recurring events as single ones"), default=None, advanced=True, help=_("Each repetition as its own event.")
    )
    show_deleted = BooleanField(_("Deleted events too"), default=None, advanced=True)
    updated_min = DateTimeField(_("Changed after"), default="", advanced=True, help=_("At most about four weeks back."))
    time_zone = TimeZoneField(
        _("Time zone of the answer"), default="", advanced=True, example="Europe/Moscow", help=_("Else the calendar's.")
    )
    on_expired = ChoiceField(
        _("When the sync token has expired"),
        choices=(("full", _("List everything and set full_sync")), ("error", _("Fail"))),
        default="full",
        advanced=True,
    )

    def conflicts(self) -> Errors:
        """Google forbids these together: reference/events/list, syncToken."""
        errors: Errors = {}
        if self.sync_token:
            clashing = [name for name in NOT_WITH_SYNC_TOKEN if getattr(self, name)]
            labels = ", ".join(str(self.fields[name].label) for name in clashing)
            if clashing:
                errors["sync_token"] = [
                    gettext("Google does not allow a sync token together with %(labels)s: leave those empty.")
                    % {"labels": labels}
                ]
            elif self.show_deleted is False:
                errors["show_deleted"] = [gettext("With a sync token deleted events always come: leave this as usual.")]
        if self.order_by == "startTime" and self.single_events is False:
            errors["order_by"] = [gettext("Google sorts by start only when recurring events come as single ones.")]
        if self.time_min and self.time_max and not is_before(self.time_min, self.time_max):
            errors["time_max"] = [
                gettext("“Starts before” (%(most)s) must be later than “Ends after” (%(least)s).")
                % {"most": self.time_max, "least": self.time_min}
            ]
        return errors

    def request(self, ctx: Context) -> Request:
        return self.page(page_token=self.page_token, sync_token=self.sync_token)

    def page(self, *, page_token: str, sync_token: str) -> Request:
        query = query_of(
            {
                "orderBy": self.order_by,
                "singleEvents": True if self.order_by == "startTime" else self.single_events,
                "pageToken": page_token,
                "syncToken": sync_token,
                "timeMin": self.time_min,
                "timeMax": self.time_max,
                "q": self.q,
                "maxResults": self.max_results,
                "showDeleted": self.show_deleted,
                "updatedMin": self.updated_min,
                "timeZone": self.time_zone,
            }
        )
        return Request("GET", self.events_path(), query=query)

    def perform(self, ctx: Context) -> Json:
        first = self.exchange(self.request(ctx), ctx)
        if self.is_expired(first):
            if self.on_expired == "error":
                raise UserError("sync_token_expired", params={"calendar": self.calendar_id, "status": first.status})
            # Once, and never with the old token again: https://developers.google.com/workspace/calendar/api/guides/sync
            first = self.send(self.page(page_token="", sync_token=""), ctx)
            return self.with_pages(first, ctx, sync_token="") | {"full_sync": True}
        if self.is_refusal(first):
            raise self.refusal(first)
        if self.all_pages:
            return self.with_pages(first, ctx, sync_token=self.sync_token)
        object_in(first)
        return result_of(first)

    def is_expired(self, response: "egress.Response") -> bool:
        """410, or a 400 that calls the token invalid: nobody can repair a token, so both mean a full listing."""
        if not self.sync_token:
            return False
        return response.status == 410 or (response.status == 400 and "sync token" in response.text().lower())

    def with_pages(self, first: "egress.Response", ctx: Context, *, sync_token: str) -> dict[str, Json]:
        """The answer to the first page with the items of all that follow, and the tokens of the last one."""
        body = object_in(first)
        items = list(items_of(body))
        for _page in range(MAX_PAGES - 1):
            token = body.get("nextPageToken")
            if not isinstance(token, str) or not token:
                break
            body = object_in(self.send(self.page(page_token=token, sync_token=sync_token), ctx))
            items += items_of(body)
        return result_of(first) | {"body": body | {"items": items}}


def items_of(body: dict[str, Json]) -> list[Json]:
    items = body.get("items")
    return items if isinstance(items, list) else []
