"""Points in time as Calendar takes and gives them: RFC 3339, and all-day dates."""

import re
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sandbox.calendar.errors import ApiError, invalid

RFC3339 = re.compile(
    r"(\d{4})-(\d{2})-(\d{2})[Tt](\d{2}):(\d{2}):(\d{2})(?:\.\d+)?(?P<offset>[Zz]|[+-]\d{2}:\d{2})?", re.ASCII
)
FULL_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
WHEN_MEMBERS = {"date", "dateTime", "timeZone"}
UTC_NAMES = {"UTC", "Etc/UTC", "GMT", "Etc/GMT"}

When = dict[
    str, str
]  # a cleaned EventDateTime: {"date"} or {"dateTime" with offset}, and "timeZone" where it was given


def parse_rfc3339(text: str) -> datetime | None:
    """The moment, fractions of a second dropped; naive where there is no offset; None for anything else."""
    match = RFC3339.fullmatch(text)
    if match is None:
        return None
    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    try:
        zone = offset_zone(match["offset"])
        moment = datetime(year, month, day, hour, minute, second, tzinfo=zone)
        if zone is not None:
            moment.astimezone(UTC)  # the first and the last hours of the calendar have no UTC
    except (ValueError, OverflowError):
        return None
    return moment


def offset_zone(offset: str | None) -> timezone | None:
    if offset is None:
        return None
    if offset in "Zz":
        return UTC
    hours, minutes = int(offset[1:3]), int(offset[4:6])
    if hours > 23 or minutes > 59:
        raise ValueError("no such offset")
    distance = timedelta(hours=hours, minutes=minutes)
    return timezone(-distance if offset[0] == "-" else distance)


def parse_date(text: str) -> date | None:
    if FULL_DATE.fullmatch(text) is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def find_zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def clean_when(value: Any, side: str, *, is_recurring: bool) -> When:
    """Check an EventDateTime of a body. `side` is `start` or `end`."""
    if value is None:
        raise invalid(f"Missing {side} time.", reason="required")
    if not isinstance(value, dict):
        raise invalid(f"Invalid value for: {side}")
    given = {name: part for name, part in value.items() if part is not None}
    if given.keys() - WHEN_MEMBERS or not all(isinstance(part, str) for part in given.values()):
        raise invalid(f"Invalid value for: {side}")
    if "timeZone" in given and find_zone(given["timeZone"]) is None:
        raise invalid(f"Invalid time zone definition for {side} time.")
    if "date" in given and "dateTime" in given:
        raise invalid(f"Invalid {side} time.")
    if "date" in given:
        return clean_date(given, side)
    if "dateTime" not in given:
        raise invalid(f"Missing {side} time.", reason="required")
    if is_recurring and "timeZone" not in given:
        raise missing_zone(side)
    return clean_moment(given, side)


def clean_date(given: When, side: str) -> When:
    if parse_date(given["date"]) is None:
        raise invalid(f'Invalid value for: Invalid format: "{given["date"]}"', side)
    return given


def clean_moment(given: When, side: str) -> When:
    moment = parse_rfc3339(given["dateTime"])
    if moment is None:
        raise invalid(f'Invalid value for: Invalid format: "{given["dateTime"]}"', side)
    if moment.tzinfo is None:
        zone = find_zone(given.get("timeZone", ""))
        if zone is None:
            raise missing_zone(side)
        moment = moment.replace(tzinfo=zone)
    try:
        moment.astimezone(UTC)
    except OverflowError as beyond:
        raise invalid(f'Invalid value for: Invalid format: "{given["dateTime"]}"', side) from beyond
    return given | {"dateTime": moment.isoformat()}


def missing_zone(side: str) -> ApiError:
    return invalid(f"Missing time zone definition for {side} time.", reason="required")


def same_when(one: When, other: When) -> bool:
    """The same day, or the same moment; a zone that is named on one side only does not count."""
    if "date" in one or "date" in other:
        return one.get("date") == other.get("date")
    zones = {when["timeZone"] for when in (one, other) if "timeZone" in when}
    return len(zones) < 2 and datetime.fromisoformat(one["dateTime"]) == datetime.fromisoformat(other["dateTime"])


def instant(when: When, zone: ZoneInfo) -> datetime:
    """The moment in UTC; an all-day date begins at midnight of the zone."""
    if "date" in when:
        day = date.fromisoformat(when["date"])
        try:
            return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)
        except OverflowError:
            return datetime(day.year, day.month, day.day, tzinfo=UTC)
    return datetime.fromisoformat(when["dateTime"]).astimezone(UTC)


def render_when(when: When, zone: ZoneInfo) -> When:
    """As an answer shows it: in the zone that was asked for, with its offset; the event's own zone is echoed."""
    if "date" in when:
        return {"date": when["date"]}
    moment = datetime.fromisoformat(when["dateTime"])
    try:
        text = moment.astimezone(zone).isoformat(timespec="seconds")
    except OverflowError:
        text = moment.isoformat(timespec="seconds")
    if zone.key in UTC_NAMES:
        text = text.removesuffix("+00:00") + "Z"
    return {"dateTime": text, "timeZone": when.get("timeZone", zone.key)}


def render_tick(tick_us: int) -> str:
    """Server times are in UTC with milliseconds."""
    moment = datetime.fromtimestamp(tick_us / 1_000_000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
