"""Recurring events: their rules checked, their instances counted out."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

from dateutil.rrule import rruleset, rrulestr  # type: ignore[import-untyped]

from sandbox.calendar.errors import invalid
from sandbox.calendar.times import When

LINE = re.compile(r"(RRULE|EXRULE|RDATE|EXDATE)[:;].+")
MAX_INSTANCES = 730
HORIZON = timedelta(days=731)  # how far ahead instances go where the reader names no end


def check(lines: list[Any], start: When) -> None:
    """Raises ApiError 400 for anything but RFC 5545 rules without DTSTART and DTEND."""
    for line in lines:
        if not isinstance(line, str) or not LINE.fullmatch(line):
            raise invalid("Invalid recurrence rule.", "recurrence")
    try:
        next(iter(rules(lines, start)), None)
    except (ValueError, TypeError, OverflowError) as wrong:
        raise invalid("Invalid recurrence rule.", "recurrence") from wrong


def starts(lines: list[str], start: When, *, after: datetime | None, before: datetime | None) -> Iterator[datetime]:
    """The instances' starts in the event's own zone (naive for all-day events), from `after` to `before`."""
    first = local_start(start)
    end = min(before, datetime.now(UTC) + HORIZON) if before else datetime.now(UTC) + HORIZON
    low = in_its_terms(after, first) if after else first
    yield from islice(rules(lines, start).between(low, in_its_terms(end, first), inc=True), MAX_INSTANCES)


def rules(lines: list[str], start: When) -> rruleset:
    return rrulestr("\n".join(lines), dtstart=local_start(start), forceset=True)


def local_start(start: When) -> datetime:
    if "date" in start:
        return datetime.fromisoformat(start["date"])
    return moment(start).astimezone(ZoneInfo(start["timeZone"]))


def moment(when: When) -> datetime:
    return datetime.fromisoformat(when["dateTime"])


def in_its_terms(bound: datetime, first: datetime) -> datetime:
    return bound.astimezone(first.tzinfo) if first.tzinfo else bound.replace(tzinfo=None)


def instance_id(master_id: str, start: datetime) -> str:
    """`<master>_YYYYMMDDTHHMMSSZ`, or `<master>_YYYYMMDD` for an all-day event."""
    if start.tzinfo is None:
        return f"{master_id}_{start:%Y%m%d}"
    return f"{master_id}_{start.astimezone(UTC):%Y%m%dT%H%M%SZ}"
