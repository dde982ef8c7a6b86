"""Calendar v3's doors: the route, the token, its scope, the parameters, then the method."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from sandbox.calendar import changes, parameters
from sandbox.calendar.calendars import as_calendar, as_list_entry, check_writable, find_calendar, list_calendars
from sandbox.calendar.entries import Entry, Manner, entry_of, find_entry, render
from sandbox.calendar.errors import (
    ApiError,
    bad_credentials,
    insufficient_scope,
    invalid,
    login_required,
    not_found,
)
from sandbox.calendar.listing import list_events
from sandbox.messages import Json, Request, Response, Unreadable, html_response, json_response
from sandbox.oauth.grants import live_access_token
from sandbox.oauth.scopes import PREFIX
from sandbox.store import AccessToken, Account, Event, Store

READS_EVENTS = (
    "calendar",
    "calendar.readonly",
    "calendar.events",
    "calendar.events.readonly",
    "calendar.events.owned",
    "calendar.events.owned.readonly",
    "calendar.events.freebusy",
    "calendar.events.public.readonly",
    "calendar.app.created",
)
WRITES_EVENTS = ("calendar", "calendar.events", "calendar.events.owned", "calendar.app.created")
READS_CALENDARS = (
    "calendar",
    "calendar.readonly",
    "calendar.calendars",
    "calendar.calendars.readonly",
    "calendar.app.created",
)
READS_LIST = ("calendar", "calendar.readonly", "calendar.calendarlist", "calendar.calendarlist.readonly")

NOT_A_PAGE = "<!DOCTYPE html><html lang=en><title>Error 404 (Not Found)!!1</title><p><b>404.</b> That’s an error."


@dataclass(frozen=True)
class Call:
    """One request to one method, signed in. `path` holds the path's variables, `query` typed values."""

    store: Store
    request: Request
    account: Account
    path: tuple[str, ...]
    query: Mapping[str, Any]

    def manner(self) -> Manner:
        calendar = find_calendar(self.store, self.account, self.path[0])
        zone = self.query.get("timeZone") or ZoneInfo(calendar.time_zone)
        return Manner(calendar, self.account, zone, self.request.origin, self.query.get("maxAttendees"))

    def body(self) -> Json:
        if self.request.content_type != "application/json":
            content_type = self.request.content_type or "none"
            raise ApiError(400, "badContent", f"Unsupported content with type: {content_type}")
        try:
            return self.request.json()
        except Unreadable as unreadable:
            raise ApiError(400, "parseError", "Parse Error") from unreadable


@dataclass(frozen=True)
class Method:
    """`name` as the discovery document has it; any one of `scopes` suffices."""

    name: str
    run: Callable[[Call], Response]
    scopes: tuple[str, ...]
    query: Mapping[str, parameters.Parameter]


def serve(store: Store, request: Request, segments: tuple[str, ...]) -> Response:
    """`segments` is the path after /calendar/v3/. Callers hold the store's lock."""
    method, path = route(request.method, segments)
    if method is None:
        return html_response(404, NOT_A_PAGE)
    try:
        token = authenticate(store, request)
        needed = [PREFIX + scope for scope in method.scopes]
        if not set(needed) & set(token.scope.split()):
            raise insufficient_scope(method.name, needed)
        query = parameters.read_query(request.query_pairs, method.query)
        return method.run(Call(store, request, store.account(token.email), path, query))
    except ApiError as error:
        return error.response()


def route(verb: str, segments: tuple[str, ...]) -> tuple[Method | None, tuple[str, ...]]:
    match segments:
        case ("calendars", calendar_id):
            return CALENDAR.get(verb), (calendar_id,)
        case ("calendars", calendar_id, "events"):
            return EVENTS.get(verb), (calendar_id,)
        case ("calendars", calendar_id, "events", event_id) if event_id:
            return EVENT.get(verb), (calendar_id, event_id)
        case ("users", "me", "calendarList"):
            return CALENDAR_LIST.get(verb), ()
        case ("users", "me", "calendarList", calendar_id):
            return CALENDAR_LIST_ENTRY.get(verb), (calendar_id,)
    return None, ()


def authenticate(store: Store, request: Request) -> AccessToken:
    header = request.headers.get("authorization")
    by_query = request.query.get("oauth_token")
    if header is None and by_query is None:
        raise login_required()
    scheme, _, value = (header or f"Bearer {by_query}").partition(" ")
    token = live_access_token(store, value.strip()) if scheme.lower() in ("bearer", "oauth") else None
    if token is None:
        raise bad_credentials()
    return token


def events_list(call: Call) -> Response:
    return answer(list_events(call.store, call.manner(), dict(call.query), call.request.query_pairs))


def events_insert(call: Call) -> Response:
    manner = call.manner()
    check_writable(manner.calendar)
    event = changes.insert(call.store, manner.calendar, call.body(), call.query)
    return answer(render(entry_of(event), manner))


def events_get(call: Call) -> Response:
    manner = call.manner()
    entry = existing(call, manner)
    wanted = call.request.headers.get("if-none-match")
    if wanted is not None and names_etag(wanted, entry.event.etag):
        return Response(304, b"", (("ETag", entry.event.etag),))
    return answer(render(entry, manner))


def events_update(call: Call) -> Response:
    return change(call, changes.update)


def events_patch(call: Call) -> Response:
    return change(call, changes.patch)


def change(call: Call, apply: Callable[[Store, Event, Json, Mapping[str, Any]], Event]) -> Response:
    manner = call.manner()
    check_writable(manner.calendar)
    event = writable_event(call, manner)
    return answer(render(entry_of(apply(call.store, event, call.body(), call.query)), manner))


def events_delete(call: Call) -> Response:
    manner = call.manner()
    check_writable(manner.calendar)
    changes.delete(call.store, writable_event(call, manner))
    return Response(204)


def calendars_get(call: Call) -> Response:
    return answer(as_calendar(find_calendar(call.store, call.account, call.path[0])))


def calendar_list_list(call: Call) -> Response:
    return answer(list_calendars(call.store, call.account, call.query.get("minAccessRole")))


def calendar_list_get(call: Call) -> Response:
    return answer(as_list_entry(find_calendar(call.store, call.account, call.path[0]), call.account))


def existing(call: Call, manner: Manner) -> Entry:
    entry = find_entry(call.store, manner.calendar, call.path[1])
    if entry is None:
        raise not_found()
    return entry


def writable_event(call: Call, manner: Manner) -> Event:
    entry = existing(call, manner)
    if entry.original is not None:
        raise invalid("The sandbox does not keep exceptions of a recurring event; change the event itself.")
    wanted = call.request.headers.get("if-match")
    if wanted is not None and not names_etag(wanted, entry.event.etag, is_strong=True):
        raise ApiError(412, "conditionNotMet", "Precondition Failed", location="If-Match", location_type="header")
    return entry.event


def names_etag(header: str, etag: str, *, is_strong: bool = False) -> bool:
    """RFC 9110 §13.1: `*` or a list; a weak one matches weakly only."""
    named = [part.strip() for part in header.split(",")]
    return "*" in named or etag in named or (not is_strong and f"W/{etag}" in named)


def answer(body: Json) -> Response:
    headers = [("Cache-Control", "no-cache, no-store, max-age=0, must-revalidate")]
    if "etag" in body:
        headers.append(("ETag", body["etag"]))
    return json_response(200, body, headers)


CALENDAR = {"GET": Method("Calendars.Get", calendars_get, READS_CALENDARS, parameters.NONE)}
CALENDAR_LIST = {"GET": Method("CalendarList.List", calendar_list_list, READS_LIST, parameters.CALENDAR_LIST)}
CALENDAR_LIST_ENTRY = {"GET": Method("CalendarList.Get", calendar_list_get, READS_LIST, parameters.NONE)}
EVENTS = {
    "GET": Method("Events.List", events_list, READS_EVENTS, parameters.LIST),
    "POST": Method("Events.Insert", events_insert, WRITES_EVENTS, parameters.INSERT),
}
EVENT = {
    "GET": Method("Events.Get", events_get, READS_EVENTS, parameters.GET),
    "PUT": Method("Events.Update", events_update, WRITES_EVENTS, parameters.UPDATE),
    "PATCH": Method("Events.Patch", events_patch, WRITES_EVENTS, parameters.UPDATE),
    "DELETE": Method("Events.Delete", events_delete, WRITES_EVENTS, parameters.NOTIFY),
}
