"""Entries: what a list or a read shows, a single event or one instance of a recurring one, and its rendering."""

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sandbox.calendar import recurrence
from sandbox.calendar.times import When, instant, render_tick, render_when
from sandbox.messages import Json
from sandbox.store import Account, Calendar, Event, Store


@dataclass(frozen=True)
class Entry:
    """`original` is an instance's start; None for the event itself."""

    event: Event
    id: str
    start: When
    end: When
    original: When | None = None


@dataclass(frozen=True)
class Manner:
    """How the reader wants it shown: `origin` is the sandbox's address, for links."""

    calendar: Calendar
    account: Account
    zone: ZoneInfo
    origin: str
    max_attendees: int | None = None


def entry_of(event: Event) -> Entry:
    return Entry(event, event.id, event.resource["start"], event.resource["end"])


def instances_of(event: Event, *, after: datetime | None = None, before: datetime | None = None) -> Iterator[Entry]:
    """The event's instances that end after `after` and begin before `before`."""
    lines, start, end = event.resource["recurrence"], event.resource["start"], event.resource["end"]
    if "date" in start:
        length = date.fromisoformat(end["date"]) - date.fromisoformat(start["date"])
    else:
        length = recurrence.moment(end) - recurrence.moment(start)
    early = after - length - timedelta(days=1) if after else None
    for begins in recurrence.starts(lines, start, after=early, before=before):
        original = as_when(begins, start)
        entry_id = recurrence.instance_id(event.id, begins)
        yield Entry(event, entry_id, original, as_when(begins + length, end), original)


def as_when(moment: datetime, like: When) -> When:
    if "date" in like:
        return {"date": moment.date().isoformat()}
    return {"dateTime": moment.isoformat(), "timeZone": like["timeZone"]}


def find_entry(store: Store, calendar: Calendar, event_id: str) -> Entry | None:
    """The event of that id, or the instance of a recurring one. A deleted event is found for a while."""
    event = store.event(calendar.id, event_id)
    if event is not None:
        is_gone = event.is_deleted and store.clock() - event.updated_us / 1e6 > store.settings.deleted_lifetime
        return None if is_gone else entry_of(event)
    master = store.event(calendar.id, event_id.partition("_")[0])
    if master is None or "recurrence" not in master.resource or master.is_deleted:
        return None
    return next((entry for entry in instances_of(master) if entry.id == event_id), None)


def render(entry: Entry, manner: Manner) -> Json:
    event, resource = entry.event, dict(entry.event.resource)
    rendered: dict[str, Any] = {
        "kind": "calendar#event",
        "etag": event.etag,
        "id": entry.id,
        "status": event.status,
        "htmlLink": f"{manner.origin}/calendar/event?eid={link_id(entry.id, manner.calendar.id)}",
        "created": render_tick(event.created_us),
        "updated": render_tick(event.updated_us),
    }
    uid = resource.pop("iCalUID", f"{event.id}@google.com")
    rendered |= {name: resource.pop(name) for name in ("summary", "description", "location") if name in resource}
    rendered["creator"] = rendered["organizer"] = whose(manner)
    rendered |= {
        "start": render_when(entry.start, manner.zone),
        "end": render_when(entry.end, manner.zone),
        "iCalUID": uid,
        "sequence": event.sequence,
    }
    if entry.original is not None:
        del resource["recurrence"]
        rendered |= {"recurringEventId": event.id, "originalStartTime": render_when(entry.original, manner.zone)}
    defaults = {"reminders": {"useDefault": True}, "eventType": "default"}
    rest = {name: value for name, value in resource.items() if name not in ("start", "end")}
    rendered |= defaults | rest
    limit = manner.max_attendees
    if limit is not None and len(rendered.get("attendees", [])) > limit:
        rendered |= {"attendees": rendered["attendees"][:limit], "attendeesOmitted": True}
    return rendered


def render_cancelled(entry: Entry) -> Json:
    """What an incremental list says of a deleted event; Google guarantees no more than the id."""
    return {"kind": "calendar#event", "etag": entry.event.etag, "id": entry.id, "status": "cancelled"}


def whose(manner: Manner) -> Json:
    calendar = manner.calendar
    if calendar.id == manner.account.email:
        return {"email": calendar.id, "self": True}
    return {"email": calendar.id, "displayName": calendar.summary, "self": True}


def link_id(event_id: str, calendar_id: str) -> str:
    return base64.urlsafe_b64encode(f"{event_id} {calendar_id}".encode()).rstrip(b"=").decode()


def span(entry: Entry, zone: ZoneInfo) -> tuple[datetime, datetime]:
    return instant(entry.start, zone), instant(entry.end, zone)
