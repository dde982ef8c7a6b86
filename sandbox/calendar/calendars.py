"""Calendars: which one is meant, what the account may do there, how it is described."""

from sandbox.calendar.entries import Manner
from sandbox.calendar.errors import ApiError, not_found
from sandbox.calendar.times import render_tick
from sandbox.messages import Json
from sandbox.store import Account, Calendar, Store


def find_calendar(store: Store, account: Account, calendar_id: str) -> Calendar:
    """`primary` is the account's own. A calendar of somebody else is not found, as with Google."""
    calendar = store.calendars.get(account.email if calendar_id == "primary" else calendar_id)
    if calendar is None or calendar.owner not in ("", account.email):
        raise not_found()
    return calendar


def check_writable(calendar: Calendar) -> None:
    if not calendar.owner:
        message = "You need to have writer access to this calendar."
        raise ApiError(403, "requiredAccessLevel", message, domain="calendar")


def role(calendar: Calendar) -> str:
    return "owner" if calendar.owner else "reader"


def last_change(store: Store, calendar: Calendar) -> int:
    return max((event.updated_us for event in store.events_of(calendar.id)), default=0)


def describe(store: Store, manner: Manner) -> dict[str, Json]:
    """The members of an Events answer that speak of the calendar."""
    calendar = manner.calendar
    changed = last_change(store, calendar)
    described = {
        "kind": "calendar#events",
        "etag": f'"p{changed}"',
        "summary": calendar.summary,
        "description": calendar.description,
        "updated": render_tick(changed),
        "timeZone": calendar.time_zone,
        "accessRole": role(calendar),
        "defaultReminders": [{"method": "popup", "minutes": 10}],
    }
    return {name: value for name, value in described.items() if value != ""}


def as_calendar(calendar: Calendar) -> Json:
    return {
        "kind": "calendar#calendar",
        "etag": f'"{calendar.id}"',
        "id": calendar.id,
        "summary": calendar.summary,
        "timeZone": calendar.time_zone,
    }


def as_list_entry(calendar: Calendar, account: Account) -> Json:
    entry = as_calendar(calendar) | {
        "kind": "calendar#calendarListEntry",
        "accessRole": role(calendar),
        "selected": True,
        "defaultReminders": [],
    }
    return entry | ({"primary": True} if calendar.id == account.email else {})


def list_calendars(store: Store, account: Account, min_access_role: str | None) -> Json:
    """calendarList.list, on one page: nobody here has more than a few."""
    mine = [calendar for calendar in store.calendars.rows() if calendar.owner in ("", account.email)]
    if min_access_role in ("owner", "writer", "writerWithoutPrivateAccess"):
        mine = [calendar for calendar in mine if calendar.owner]
    mine.sort(key=lambda calendar: calendar.id != account.email)
    return {
        "kind": "calendar#calendarList",
        "etag": '"p1"',
        "items": [as_list_entry(calendar, account) for calendar in mine],
    }
