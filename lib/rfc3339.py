"""Dates and times of RFC 3339, exactly: `2020-12-31T21:45:00+03:00`, `2020-12-31T18:45:00Z`.

https://www.rfc-editor.org/rfc/rfc3339#section-5.6. Python's `fromisoformat` accepts far more (no offset, week dates,
`20201231T2145`), so the text is checked by a pattern first.
"""

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

from lib.errors import gettext_noop as _

EXAMPLE = "2020-12-31T21:45:00+03:00"

DATE_TIME = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]+))?"
    r"(?:[Zz]|([+-])([0-9]{2}):([0-9]{2}))"
)
# What people and tables write instead; only for a suggestion and for lenient reading.
ISO_LIKE = re.compile(
    r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})(?:(?:[Tt_]|\s+)([0-9]{1,2}):([0-9]{2})(?::([0-9]{2})(?:[.,]([0-9]+))?)?)?"
    r"\s*([Zz]|UTC|GMT|[+-][0-9]{2}(?::?[0-9]{2})?)?"
)
DOTTED = re.compile(
    r"([0-9]{1,2})[./]([0-9]{1,2})[./]([0-9]{4})(?:,?\s+(?:в\s+)?([0-9]{1,2})[:.]([0-9]{2})(?::([0-9]{2}))?)?"
    r"\s*([Zz]|UTC|GMT|[+-][0-9]{2}(?::?[0-9]{2})?)?"
)

REASONS = {
    "empty": _("Give a date and time, for example 2020-12-31T21:45:00+03:00."),
    "no_offset": _("The time zone is missing: end with +03:00 or Z, for example 2020-12-31T21:45:00+03:00."),
    "bad_offset": _("Write the time zone with a colon, at most 23:59: 2020-12-31T21:45:00+03:00."),
    "no_time": _("The time is missing, for example 2020-12-31T21:45:00+03:00."),
    "no_seconds": _("The seconds are missing, for example 2020-12-31T21:45:00+03:00."),
    "no_t": _("Put the letter T between date and time: 2020-12-31T21:45:00+03:00."),
    "no_such_date": _("There is no such day in the calendar."),
    "no_such_time": _("There is no such time: hours go to 23, minutes and seconds to 59."),
    "leap_second": _("A leap second (:60) cannot be used; write :59."),
    "not_a_date": _("Write the date and time as 2020-12-31T21:45:00+03:00."),
}


class NotRFC3339(ValueError):
    """A text that is not a date and time of RFC 3339.

    `reason` is a key of REASONS, `message` its English words (a msgid without parameters).
    """

    def __init__(self, reason: str, text: str) -> None:
        self.reason = reason
        self.message = REASONS[reason]
        self.text = text
        super().__init__(self.message)

    def suggestion(self, zone: tzinfo | str) -> str | None:
        """What was probably meant, for a clock in this zone."""
        return suggest(self.text, zone)


def parse(text: str) -> datetime:
    """An aware datetime, its fraction cut to microseconds. NotRFC3339."""
    found = DATE_TIME.fullmatch(text)
    if found is None:
        raise NotRFC3339(why_not(text), text)
    second = int(found[6])
    if second == 60:
        raise NotRFC3339("leap_second", text)
    offset = offset_of(found[8], found[9], found[10])
    if offset is None:
        raise NotRFC3339("bad_offset", text)
    year, month, day, hour, minute = (int(part) for part in found.groups()[:5])
    if hour > 23 or minute > 59 or second > 59:
        raise NotRFC3339("no_such_time", text)
    try:
        moment = datetime(year, month, day, hour, minute, second, microseconds(found[7]), offset)
        moment.astimezone(UTC)  # the first and the last day of time reach beyond it in some zones
    except (ValueError, OverflowError):
        raise NotRFC3339("no_such_date", text) from None
    return moment


def problem(text: str) -> str | None:
    """What is wrong with a text, as an English msgid without parameters; None if nothing is."""
    try:
        parse(text)
    except NotRFC3339 as error:
        return error.message
    return None


def format(moment: datetime) -> str:
    """RFC 3339 with the offset of the datetime (which must be aware); UTC as Z, a fraction only where there is one."""
    if moment.tzinfo is None:
        raise ValueError("a date without a zone is not a moment")
    offset = moment.utcoffset() or timedelta()
    if offset % timedelta(minutes=1):  # zones before 1900 had seconds, RFC 3339 has none
        moment = moment.astimezone(UTC)
        offset = timedelta()
    text = moment.replace(tzinfo=None).isoformat()
    if moment.microsecond:
        text = text.rstrip("0")
    if not offset:
        return text + "Z"
    minutes = int(offset.total_seconds()) // 60
    sign = "-" if minutes < 0 else "+"
    return f"{text}{sign}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"


def read(text: str, zone: tzinfo | str = UTC) -> datetime | None:
    """A datetime out of what people write (`31.12.2020 21:45`, `2020-12-31`), a missing offset taken from the zone."""
    text = text.strip()
    try:
        return parse(text)
    except NotRFC3339:
        pass
    if found := ISO_LIKE.fullmatch(text):
        year, month, day, hour, minute, second, fraction, offset = found.groups()
    elif found := DOTTED.fullmatch(text):
        day, month, year, hour, minute, second, offset = found.groups()
        fraction = None
    else:
        return None
    try:
        clock = datetime(
            int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0), microseconds(fraction)
        )
        where = named_offset(offset) if offset else ZoneInfo(zone) if isinstance(zone, str) else zone
        return at_wall_clock(clock, where) if where else None
    except (ValueError, OverflowError):
        return None


def suggest(text: str, zone: tzinfo | str) -> str | None:
    """The text as it should have been written, for a clock in this zone; None if nobody can tell."""
    moment = read(text, zone)
    return format(moment) if moment else None


def at_wall_clock(clock: datetime, zone: tzinfo) -> datetime:
    """The instant at which a clock in the zone shows this time.

    A time that is skipped in spring gives the first instant after the gap, one that comes twice
    in autumn the first of both.
    """
    moment = clock.replace(tzinfo=zone, fold=0)
    shown = moment.astimezone(UTC).astimezone(zone)
    if shown.replace(tzinfo=None) == clock:
        return moment
    # Inside a gap fold=0 takes the offset before the change and fold=1 the one after it.
    before, after = moment.utcoffset(), clock.replace(tzinfo=zone, fold=1).utcoffset()
    assert before is not None
    assert after is not None
    return first_after_gap(clock, zone, before, after)


def first_after_gap(clock: datetime, zone: tzinfo, before: timedelta, after: timedelta) -> datetime:
    """Searches the change of offset between the two readings of a skipped time, to the second."""
    low = int((clock - after).replace(tzinfo=UTC).timestamp())  # still before the change
    high = int((clock - before).replace(tzinfo=UTC).timestamp())  # certainly after it
    while high - low > 1:
        middle = (low + high) // 2
        if datetime.fromtimestamp(middle, zone).utcoffset() == before:
            low = middle
        else:
            high = middle
    return datetime.fromtimestamp(high, zone)


def microseconds(fraction: str | None) -> int:
    return int(fraction[:6].ljust(6, "0")) if fraction else 0


def offset_of(sign: str | None, hours: str | None, minutes: str | None) -> tzinfo | None:
    """The offset as a zone; None if its hours or minutes are out of range."""
    if sign is None or hours is None or minutes is None:
        return UTC
    if int(hours) > 23 or int(minutes) > 59:
        return None
    delta = timedelta(hours=int(hours), minutes=int(minutes))
    if not delta:
        return UTC
    return timezone(-delta if sign == "-" else delta)


def named_offset(text: str) -> tzinfo | None:
    if text[0] not in "+-":
        return UTC
    figures = text[1:].replace(":", "").ljust(4, "0")
    return offset_of(text[0], figures[:2], figures[2:])


def why_not(text: str) -> str:
    """The likeliest mistake in a text that the pattern refuses."""
    if not text.strip():
        return "empty"
    if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        return "no_time"
    date_time = re.fullmatch(r"([0-9]{4}-[0-9]{2}-[0-9]{2})([Tt ])([0-9:.]+)\s*([^0-9:.].*)?", text)
    if date_time is None:
        return "not_a_date"
    if date_time[2] == " ":
        return "no_t"
    if re.fullmatch(r"[0-9]{2}:[0-9]{2}", date_time[3]):
        return "no_seconds"
    if not re.fullmatch(r"[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?", date_time[3]):
        return "not_a_date"
    if date_time[4] is None:
        return "no_offset"
    return "bad_offset" if date_time[4][0] in "+-" else "not_a_date"
