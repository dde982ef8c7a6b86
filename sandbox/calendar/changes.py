"""Events made, replaced, changed in part and deleted."""

import secrets
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from uuid import uuid4

from sandbox.calendar.errors import ApiError, invalid, not_found
from sandbox.calendar.resource import READ_ONLY, check_id, clean
from sandbox.calendar.times import same_when
from sandbox.messages import Json
from sandbox.store import Calendar, Event, Store

BASE32HEX = "abcdefghijklmnopqrstuv0123456789"


def insert(store: Store, calendar: Calendar, body: Json, query: Mapping[str, Any]) -> Event:
    resource = clean(body)
    event_id = chosen_id(body)
    if event_id is None:
        event_id = "".join(secrets.choice(BASE32HEX) for _ in range(26))
    elif store.event(calendar.id, event_id) is not None:  # deleted ones keep their id
        raise ApiError(409, "duplicate", "The requested identifier already exists.")
    if isinstance(body.get("iCalUID"), str):
        resource["iCalUID"] = body["iCalUID"]
    status = resource.pop("status", "confirmed")
    sequence = resource.pop("sequence", 0)
    now = store.tick()
    resource = with_conference(resource, query)
    return store.put_event(Event(event_id, calendar.id, resource, now, now, sequence, status))


def chosen_id(body: dict[str, Any]) -> str | None:
    if body.get("id") is None:
        return None
    if body.get("iCalUID") is not None:
        raise invalid("Invalid resource id value.")
    return check_id(body["id"])


def update(store: Store, event: Event, body: Json, query: Mapping[str, Any]) -> Event:
    """PUT: what the body leaves out is cleared."""
    if event.is_deleted:
        raise not_found()
    resource = clean(body)
    if body.get("id") not in (None, event.id):
        raise invalid("Invalid resource id value.")
    kept = {name: event.resource[name] for name in ("iCalUID", "eventType") if name in event.resource}
    if resource.get("eventType", "default") != event.resource.get("eventType", "default"):
        raise invalid("The event type cannot be changed.", "eventType", reason="eventTypeRestriction")
    sequence = resource.pop("sequence", event.sequence)
    if sequence < event.sequence:
        raise invalid("Invalid sequence value.")
    status = resource.pop("status", "confirmed")
    resource = with_conference(resource | kept, query, before=event.resource)
    if sequence == event.sequence and is_rescheduled(event.resource, resource):
        sequence += 1
    return store.put_event(replace(event, resource=resource, updated_us=store.tick(), sequence=sequence, status=status))


def patch(store: Store, event: Event, body: Json, query: Mapping[str, Any]) -> Event:
    """PATCH: members given replace, objects merge, arrays are replaced whole, null deletes."""
    if not isinstance(body, dict):
        raise invalid("Parse Error", reason="parseError")
    given = {name: value for name, value in body.items() if name not in READ_ONLY}
    for side in ("start", "end"):  # a new date takes the place of an old moment, and the other way round
        if isinstance(given.get(side), dict) and {"date", "dateTime"} & given[side].keys():
            other = "dateTime" if given[side].get("date") else "date"
            given[side] = {other: None} | given[side]
    return update(store, event, merge({**event.resource, "status": event.status}, given), query)


def merge(before: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """RFC 7396."""
    merged = dict(before)
    for name, value in given.items():
        old = merged.get(name)
        if value is None:
            merged.pop(name, None)
        elif isinstance(value, dict):
            merged[name] = merge(old if isinstance(old, dict) else {}, value)
        else:
            merged[name] = value
    return {name: value for name, value in merged.items() if name not in READ_ONLY}


def is_rescheduled(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """A new time, rule or place raises the sequence number, RFC 5546 §2.1.4; other words for it do not."""
    if any(before.get(name) != after.get(name) for name in ("recurrence", "location")):
        return True
    return not all(same_when(before[side], after[side]) for side in ("start", "end"))


def delete(store: Store, event: Event) -> None:
    if event.is_deleted:
        raise ApiError(410, "deleted", "Resource has been deleted")
    store.put_event(replace(event, status="cancelled", updated_us=store.tick()))


def with_conference(
    resource: dict[str, Any], query: Mapping[str, Any], *, before: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """conferenceDataVersion=0 leaves conferences as they are; 1 makes one where the body asks for it."""
    if query.get("conferenceDataVersion", 0) == 0:
        resource.pop("conferenceData", None)
        kept = (before or {}).get("conferenceData")
        return resource | ({"conferenceData": kept} if kept else {})
    asked = resource.get("conferenceData", {}).get("createRequest")
    if not asked:
        return resource
    link = f"https://meet.sandbox.example/{uuid4().hex[:10]}"
    conference = {
        "createRequest": {**asked, "status": {"statusCode": "success"}},
        "entryPoints": [{"entryPointType": "video", "uri": link, "label": link.removeprefix("https://")}],
        "conferenceId": link.rpartition("/")[2],
    }
    return resource | {"conferenceData": conference}
