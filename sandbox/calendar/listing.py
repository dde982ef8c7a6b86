"""events.list: filters, order, pages, incremental synchronisation.

https://developers.google.com/workspace/calendar/api/guides/sync. Pages follow the last entry's key, so nothing is kept
between them; the sync token of the last page remembers the moment of the first, so no change is lost in between.
"""

from collections.abc import Callable
from datetime import timedelta
from hashlib import sha256
from typing import Any
from zoneinfo import ZoneInfo

from sandbox.calendar.calendars import describe
from sandbox.calendar.entries import Entry, Manner, entry_of, instances_of, render, render_cancelled, span
from sandbox.calendar.errors import ApiError, empty_range, invalid
from sandbox.calendar.parameters import GLOBAL, MAX_RESULTS
from sandbox.calendar.tokens import seal, unseal
from sandbox.messages import Json, Pairs
from sandbox.store import Calendar, Event, Store

DEFAULT_RESULTS = 250
NOT_WITH_SYNC_TOKEN = (
    "iCalUID",
    "orderBy",
    "privateExtendedProperty",
    "q",
    "sharedExtendedProperty",
    "timeMax",
    "timeMin",
    "updatedMin",
)
# Lists narrowed or ordered by these give no sync token: changes could not be told from what was left out.
WITHOUT_SYNC_TOKEN = set(NOT_WITH_SYNC_TOKEN) - {"timeMin", "timeMax"}
SAME_IN_SYNC = ("singleEvents", "eventTypes", "showHiddenInvitations")
UPDATED_MIN_REACH = timedelta(days=28)

Query = dict[str, Any]


def list_events(store: Store, manner: Manner, query: Query, pairs: Pairs) -> Json:
    calendar = manner.calendar
    check(store, query)
    since = read_sync_token(store, calendar, query) if "syncToken" in query else None
    fingerprint = print_of(calendar, pairs)
    last_key, first_moment = read_page_token(store, query, fingerprint)
    if first_moment is None:
        first_moment = store.last_tick
    entries = sorted(select(store, manner, query, since), key=key_of(query, manner))
    left = [entry for entry in entries if last_key is None or key_of(query, manner)(entry) > last_key]
    size = min(query.get("maxResults", DEFAULT_RESULTS), store.settings.page_size or MAX_RESULTS)
    page = left[:size]
    is_sync = since is not None
    answer = describe(store, manner) | {"items": [show(entry, manner, is_sync=is_sync) for entry in page]}
    if len(left) > size:
        cursor = {"q": fingerprint, "k": key_of(query, manner)(page[-1]), "v": first_moment}
        return answer | {"nextPageToken": seal(store, "page", cursor)}
    if WITHOUT_SYNC_TOKEN & query.keys():
        return answer
    return answer | {"nextSyncToken": make_sync_token(store, calendar, query, first_moment)}


def check(store: Store, query: Query) -> None:
    if "syncToken" in query:
        for name in NOT_WITH_SYNC_TOKEN:
            if name in query:
                raise invalid(f"The parameter {name} cannot be used together with syncToken.", name)
        if query.get("showDeleted") is False:
            raise invalid("showDeleted cannot be false together with syncToken.", "showDeleted")
    if query.get("orderBy") == "startTime" and not query.get("singleEvents"):
        raise invalid("The requested ordering is not available for the particular query.", "orderBy")
    if "timeMin" in query and "timeMax" in query and query["timeMin"] >= query["timeMax"]:
        raise empty_range("timeMax")
    if "updatedMin" in query and store.clock() - query["updatedMin"].timestamp() > UPDATED_MIN_REACH.total_seconds():
        message = "The requested minimum modification time lies too far in the past."
        raise ApiError(410, "updatedMinTooLongAgo", message, domain="calendar", location="updatedMin")


def select(store: Store, manner: Manner, query: Query, since: int | None) -> list[Entry]:
    entries: list[Entry] = []
    for event in store.events_of(manner.calendar.id):
        if since is not None:
            is_wanted = event.updated_us > since
        else:
            is_wanted = query.get("showDeleted", False) or not event.is_deleted
        if is_wanted and matches(event, query):
            entries += expand(event, query)
    return [entry for entry in entries if in_window(entry, manner, query)]


def expand(event: Event, query: Query) -> list[Entry]:
    if query.get("singleEvents") and "recurrence" in event.resource and not event.is_deleted:
        return list(instances_of(event, after=query.get("timeMin"), before=query.get("timeMax")))
    return [entry_of(event)]


def in_window(entry: Entry, manner: Manner, query: Query) -> bool:
    """timeMin bounds the end and timeMax the start, both exclusively."""
    start, end = span(entry, ZoneInfo(manner.calendar.time_zone))
    return not ("timeMin" in query and end <= query["timeMin"]) and not (
        "timeMax" in query and start >= query["timeMax"]
    )


def matches(event: Event, query: Query) -> bool:
    resource = event.resource
    if "q" in query and query["q"].casefold() not in searchable(resource):
        return False
    if "iCalUID" in query and query["iCalUID"] != resource.get("iCalUID", f"{event.id}@google.com"):
        return False
    if "eventTypes" in query and resource.get("eventType", "default") not in query["eventTypes"]:
        return False
    if "updatedMin" in query and event.updated_us < query["updatedMin"].timestamp() * 1e6:
        return False
    properties = resource.get("extendedProperties", {})
    return all(
        properties.get(side, {}).get(name) == value
        for side in ("private", "shared")
        for name, value in query.get(f"{side}ExtendedProperty", [])
    )


def searchable(resource: dict[str, Any]) -> str:
    texts = [resource.get(name, "") for name in ("summary", "description", "location")]
    for attendee in resource.get("attendees", []):
        texts += [attendee["email"], attendee.get("displayName", "")]
    return "\n".join(texts).casefold()


def key_of(query: Query, manner: Manner) -> Callable[[Entry], list[Any]]:
    """A total order. Without orderBy it is that of creation: stable, and nobody's to rely on."""
    zone = ZoneInfo(manner.calendar.time_zone)
    if query.get("orderBy") == "startTime":
        return lambda entry: [span(entry, zone)[0].isoformat(), entry.id]
    if query.get("orderBy") == "updated":
        return lambda entry: [entry.event.updated_us, entry.id]
    return lambda entry: [entry.event.created_us, entry.id]


def show(entry: Entry, manner: Manner, *, is_sync: bool) -> Json:
    if is_sync and entry.event.is_deleted:
        return render_cancelled(entry)
    return render(entry, manner)


def print_of(calendar: Calendar, pairs: Pairs) -> str:
    """A page token fits only the query that it came from."""
    asked = sorted(pair for pair in pairs if pair[0] != "pageToken" and pair[0] not in GLOBAL)
    return sha256(repr((calendar.id, asked)).encode()).hexdigest()[:16]


def read_page_token(store: Store, query: Query, fingerprint: str) -> tuple[list[Any] | None, int | None]:
    if "pageToken" not in query:
        return None, None
    try:
        cursor = unseal(store, "page", query["pageToken"])
    except ValueError as wrong:
        raise invalid("Invalid page token value.", "pageToken") from wrong
    if cursor["q"] != fingerprint:
        raise invalid("The page token belongs to another query.", "pageToken")
    return cursor["k"], cursor["v"]


def make_sync_token(store: Store, calendar: Calendar, query: Query, moment: int) -> str:
    same = {name: query.get(name) for name in SAME_IN_SYNC}
    return seal(store, "sync", {"c": calendar.id, "v": moment, "e": store.meta.sync_epoch, "f": same})


def read_sync_token(store: Store, calendar: Calendar, query: Query) -> int:
    """The moment since which changes are wanted."""
    try:
        token = unseal(store, "sync", query["syncToken"])
    except ValueError as wrong:
        raise invalid("Invalid sync token value.", "syncToken") from wrong
    if token["c"] != calendar.id:
        raise invalid("Invalid sync token value.", "syncToken")
    if token["e"] != store.meta.sync_epoch:
        message = "Sync token is no longer valid, a full sync is required."
        raise ApiError(410, "fullSyncRequired", message, domain="calendar", location="syncToken")
    for name, value in token["f"].items():
        if query.get(name) != value:
            raise invalid(f"The parameter {name} differs from the list that gave the sync token.", name)
    moment: int = token["v"]
    return moment
