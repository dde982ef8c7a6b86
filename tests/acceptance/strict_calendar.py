"""A Calendar v3 that takes nothing but what Google's reference allows, at an address nobody expects.

https://developers.google.com/workspace/calendar/api/v3/reference/events
"""

import re
import threading
from collections.abc import Callable
from copy import deepcopy
from typing import Any
from urllib.parse import unquote

from tests.acceptance.http_server import Reply, Seen, Server, hang_up, reply

BASE = "/odd%20path/v3x"
DATE_TIME = re.compile(
    r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])[Tt]([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d+)?([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)"
)
BOOLEANS = {"singleEvents", "showDeleted", "showHiddenInvitations", "alwaysIncludeEmail", "supportsAttachments"}
TIMES = {"timeMin", "timeMax", "updatedMin"}
LIST_PARAMETERS = BOOLEANS | TIMES | {
    "orderBy", "pageToken", "syncToken", "maxResults", "q", "iCalUID", "timeZone", "eventTypes", "maxAttendees",
    "privateExtendedProperty", "sharedExtendedProperty", "fields", "alt", "prettyPrint",
}  # fmt: skip
NOT_WITH_SYNC = {
    "iCalUID", "orderBy", "privateExtendedProperty", "q", "sharedExtendedProperty", "timeMin", "timeMax", "updatedMin",
}  # fmt: skip
WRITE_PARAMETERS = {
    "sendUpdates", "conferenceDataVersion", "maxAttendees", "supportsAttachments", "eventLabelVersion", "alt", "fields",
    "prettyPrint", "alwaysIncludeEmail", "sendNotifications",
}  # fmt: skip
GET_PARAMETERS = {"timeZone", "maxAttendees", "alwaysIncludeEmail", "fields", "alt", "prettyPrint"}


def problem(code: int, reason: str, message: str, *, domain: str = "global", **headers: str) -> Reply:
    error = {"domain": domain, "reason": reason, "message": message}
    return reply({"error": {"errors": [error], "code": code, "message": message}}, code, **headers)


class StrictCalendar(Server):
    def __init__(self, knows: Callable[[str], bool]) -> None:
        super().__init__()
        self.knows = knows
        self.base = self.url + BASE
        self.calendars: dict[str, dict[str, dict[str, Any]]] = {"primary": {}}
        self.version = 1000
        self.sync_token = "sync+1/="
        self.page_size = 250
        self.refusals: list[str] = []  # every 400 that we had to give, in words
        self.lose_next_insert_reply = False
        self.change_before_next_put: dict[str, Any] | None = None
        self.writing = threading.Lock()

    def add(self, calendar: str = "primary", **event: Any) -> dict[str, Any]:
        event = {"id": f"ev{len(self.calendars.get(calendar, {})):05d}", "status": "confirmed"} | event
        event.setdefault("start", {"dateTime": "2026-03-01T10:00:00+03:00"})
        event.setdefault("end", {"dateTime": "2026-03-01T11:00:00+03:00"})
        return self.store(calendar, event)

    def store(self, calendar: str, event: dict[str, Any]) -> dict[str, Any]:
        self.version += 1
        event = {name: value for name, value in event.items() if value not in ("", None)}
        event["etag"] = f'"{self.version}"'
        self.calendars.setdefault(calendar, {})[event["id"]] = event
        return event

    @property
    def api_calls(self) -> list[Seen]:
        return [seen for seen in self.seen if seen.path.startswith(BASE)]

    def bad(self, reason: str, message: str, seen: Seen) -> Reply:
        self.refusals.append(f"{seen.method} {seen.target}: {message}")
        return problem(400, reason, message)

    def answer(self, seen: Seen) -> Reply:
        if not seen.path.startswith(BASE + "/"):
            return Reply(404, b"<html>Not Found</html>", {"Content-Type": "text/html"})
        if not self.knows(seen.headers.get("authorization", "")):
            return problem(401, "authError", "Invalid Credentials", WWW_Authenticate='Bearer error="invalid_token"')
        parts = [unquote(part) for part in seen.path.removeprefix(BASE + "/").split("/")]
        if parts[0] == "users" or parts == ["calendars", "primary"]:
            return reply({"kind": "calendar#calendar", "id": "alice@example.com", "summary": "Alice"})
        if len(parts) < 3 or parts[0] != "calendars" or parts[2] != "events" or len(parts) > 4:
            return problem(404, "notFound", "Not Found")
        calendar = self.calendars.get(parts[1])
        if calendar is None:
            return problem(404, "notFound", f"Not Found: {parts[1]}")
        for name, value in seen.pairs:
            if value == "":
                return self.bad("invalidParameter", f"the parameter {name} is empty", seen)
            if name in BOOLEANS and value not in {"true", "false"}:
                return self.bad("invalidParameter", f"{name}={value} is not a boolean", seen)
            if name in TIMES and not DATE_TIME.fullmatch(value):
                return self.bad("invalidParameter", f"{name}={value} is not RFC 3339", seen)
        actions = {("GET", 3): self.list, ("POST", 3): self.insert, ("GET", 4): self.get, ("PUT", 4): self.update}
        actions[("PATCH", 4)] = self.patch
        action = actions.get((seen.method, len(parts)))
        if action is None:
            return Reply(405, b"", {"Allow": "GET"})
        return action(seen, parts[1], parts[-1])

    def list(self, seen: Seen, name: str, _: str) -> Reply:
        asked = seen.query
        if unknown := set(asked) - LIST_PARAMETERS:
            return self.bad("invalidParameter", f"unknown parameters: {unknown}", seen)
        if asked.get("orderBy") not in (None, "startTime", "updated"):
            return self.bad("invalidParameter", f"orderBy={asked['orderBy']}", seen)
        if asked.get("orderBy") == "startTime" and asked.get("singleEvents") != "true":
            message = "The requested ordering is not available for the particular query."
            return self.bad("invalid", message, seen)
        if "syncToken" in asked:
            if clash := NOT_WITH_SYNC & set(asked):
                return self.bad("badRequest", f"syncToken together with {clash}", seen)
            if asked["syncToken"] != self.sync_token:
                message = "Sync token is no longer valid, a full sync is required."
                return problem(410, "fullSyncRequired", message, domain="calendar")
        events = list(self.calendars[name].values())
        if asked.get("orderBy") == "startTime":
            events.sort(key=lambda event: event["start"].get("dateTime", ""))
        if "q" in asked:
            events = [event for event in events if asked["q"] in event.get("summary", "")]
        start = 0
        if "pageToken" in asked:
            match = re.fullmatch(r"p/(\d+)\+=", asked["pageToken"])
            if match is None:
                return self.bad("invalid", "Invalid page token value.", seen)
            start = int(match[1])
        size = min(self.page_size, int(asked.get("maxResults", 250)))
        answer: dict[str, Any] = {"kind": "calendar#events", "summary": name, "items": events[start : start + size]}
        if start + size < len(events):
            answer["nextPageToken"] = f"p/{start + size}+="
        elif "orderBy" not in asked:
            answer["nextSyncToken"] = self.sync_token
        return reply(answer)

    def get(self, seen: Seen, name: str, key: str) -> Reply:
        if unknown := set(seen.query) - GET_PARAMETERS:
            return self.bad("invalidParameter", f"unknown parameters: {unknown}", seen)
        event = self.calendars[name].get(key)
        return reply(event, ETag=event["etag"]) if event else problem(404, "notFound", "Not Found")

    def insert(self, seen: Seen, name: str, _: str) -> Reply:
        if unknown := set(seen.query) - WRITE_PARAMETERS:
            return self.bad("invalidParameter", f"unknown parameters: {unknown}", seen)
        event = seen.json
        if refused := self.refused_times(seen, event):
            return refused
        key = event.get("id", f"srv{self.version}")
        if not re.fullmatch(r"[a-v0-9]{5,1024}", key):
            return self.bad("invalid", f"Invalid resource id value: {key}", seen)
        with self.writing:
            if key in self.calendars[name]:
                return problem(409, "duplicate", "The requested identifier already exists.")
            stored = self.store(name, {"status": "confirmed", "kind": "calendar#event"} | event | {"id": key})
            if self.lose_next_insert_reply:
                self.lose_next_insert_reply = False
                return hang_up()
        return reply(stored)

    def update(self, seen: Seen, name: str, key: str) -> Reply:
        if unknown := set(seen.query) - WRITE_PARAMETERS:
            return self.bad("invalidParameter", f"unknown parameters: {unknown}", seen)
        with self.writing:
            event = self.calendars[name].get(key)
            if event is None:
                return problem(404, "notFound", "Not Found")
            if self.change_before_next_put:
                event = self.store(name, event | self.change_before_next_put)
                self.change_before_next_put = None
            if "if-match" in seen.headers and seen.headers["if-match"] != event["etag"]:
                return problem(412, "conditionNotMet", "Precondition Failed")
            if refused := self.refused_times(seen, seen.json):
                return refused
            return reply(self.store(name, deepcopy(seen.json) | {"id": key, "status": "confirmed"}))

    def patch(self, seen: Seen, name: str, key: str) -> Reply:
        self.refusals.append("PATCH: the contract says PUT")
        return problem(403, "quotaExceeded", "patch costs 3 units")

    def refused_times(self, seen: Seen, event: dict[str, Any]) -> Reply | None:
        for end in ("start", "end"):
            value = event.get(end)
            if not value:
                return self.bad("required", f"Missing {end} time.", seen)
            given = set(value) & {"date", "dateTime"}
            if len(given) != 1:
                return self.bad("invalid", f"{end} has {given}", seen)
            if "dateTime" in value and not DATE_TIME.fullmatch(value["dateTime"]):
                return self.bad("invalid", f"{end}: {value['dateTime']}", seen)
        return None
