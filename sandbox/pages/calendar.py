"""The page of one event, where its htmlLink leads, and the day's events as lines of a table."""

import base64
import binascii
from datetime import datetime
from html import escape
from zoneinfo import ZoneInfo

from sandbox.calendar.entries import Entry, entry_of, find_entry, instances_of, span
from sandbox.messages import Request, Response
from sandbox.pages.shell import language_of, page
from sandbox.state import State
from sandbox.store import Calendar

WORDS = {
    "en": {
        "untitled": "(No title)",
        "all_day": "all day",
        "gone": "There is no such event",
        "deleted": "This event has been deleted.",
        "repeats": "Repeats",
    },
    "ru": {
        "untitled": "(Без названия)",
        "all_day": "весь день",
        "gone": "Такого события нет",
        "deleted": "Это событие удалено.",
        "repeats": "Повторяется",
    },
}


def event_page(state: State, request: Request) -> Response:
    language = language_of(request.headers)
    words = WORDS[language]
    event_id, calendar_id = read_link(request.query.get("eid"))
    calendar = state.store.calendars.get(calendar_id)
    entry = find_entry(state.store, calendar, event_id) if calendar else None
    if calendar is None or entry is None:
        return page(language, words["gone"], f"<h1>{escape(words['gone'])}</h1>", status=404)
    title = title_of(entry, language)
    resource = entry.event.resource
    lines = [time_text(entry, calendar, language, with_day=True), resource.get("location"), resource.get("description")]
    if "recurrence" in resource and entry.original is None:
        lines.append(f"{words['repeats']}: {', '.join(resource['recurrence'])}")
    lines += [guest.get("displayName") or guest["email"] for guest in resource.get("attendees", [])]
    content = "".join(
        [
            f"<h1>{escape(title)}</h1>",
            f'<p class="error">{escape(words["deleted"])}</p>' if entry.event.is_deleted else "",
            *(f"<p>{escape(line)}</p>" for line in lines if line),
            f'<p class="dim small">{escape(calendar.summary)} · <code>{escape(entry.id)}</code></p>',
        ]
    )
    return page(language, title, content)


def read_link(eid: object) -> tuple[str, str]:
    try:
        text = base64.urlsafe_b64decode(f"{eid}===").decode()
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    event_id, _, calendar_id = text.partition(" ")
    return event_id, calendar_id


def todays_table(state: State, calendar: Calendar, language: str) -> str:
    """The entries of today in the calendar's zone, by start."""
    zone = ZoneInfo(calendar.time_zone)
    today = datetime.fromtimestamp(state.store.clock(), zone).date()
    entries = [entry for entry in live_entries(state, calendar) if falls_on(entry, zone, today.isoformat())]
    entries.sort(key=lambda entry: span(entry, zone)[0])
    rows = [
        f"<tr><td>{escape(time_text(entry, calendar, language))}</td><td>{escape(title_of(entry, language))}</td></tr>"
        for entry in entries
    ]
    return f"<table>{''.join(rows)}</table>" if rows else ""


def live_entries(state: State, calendar: Calendar) -> list[Entry]:
    entries: list[Entry] = []
    for event in state.store.events_of(calendar.id):
        if event.is_deleted:
            continue
        entries += instances_of(event) if "recurrence" in event.resource else [entry_of(event)]
    return entries


def falls_on(entry: Entry, zone: ZoneInfo, day: str) -> bool:
    start, end = span(entry, zone)
    first, last = start.astimezone(zone).date().isoformat(), end.astimezone(zone).date().isoformat()
    return first <= day < last if "date" in entry.start else first <= day <= last


def title_of(entry: Entry, language: str) -> str:
    title: str = entry.event.resource.get("summary", WORDS[language]["untitled"])
    return title


def time_text(entry: Entry, calendar: Calendar, language: str, *, with_day: bool = False) -> str:
    zone = ZoneInfo(calendar.time_zone)
    start, end = (moment.astimezone(zone) for moment in span(entry, zone))
    day = f"{start:%d.%m.%Y}, " if with_day else ""
    if "date" in entry.start:
        return day + WORDS[language]["all_day"]
    return f"{day}{start:%H:%M}–{end:%H:%M}"
