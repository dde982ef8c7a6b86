"""Helpers for dates. A date is a text of RFC 3339 wherever one comes out, and much more where one goes in."""

import re
from datetime import UTC, datetime, timedelta, tzinfo
from email.utils import parsedate_to_datetime
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from lib import rfc3339
from lib.errors import Json
from lib.errors import gettext_noop as _
from lib.expressions.budget import Budget
from lib.expressions.errors import ExpressionError
from lib.expressions.helpers.helper import choice_of, helper, text_of
from lib.expressions.values import is_number, kind_of

EVENT = "'2026-11-24T09:30:00+03:00'"
MILLISECONDS_FROM = 10**11  # a larger timestamp is one in milliseconds: in seconds it would be the year 5138
LATEST = 253_402_300_799  # the last second of the year 9999

# Letters of PHP's and so Twig's date(), for those who know them; a format with % is one of strftime.
PHP = {
    "d": "%d", "j": "%-d", "D": "%a", "l": "%A", "N": "%u", "m": "%m", "n": "%-m", "M": "%b", "F": "%B", "Y": "%Y",
    "y": "%y", "H": "%H", "G": "%-H", "h": "%I", "g": "%-I", "i": "%M", "s": "%S", "A": "%p", "P": "%:z", "O": "%z",
    "T": "%Z", "e": "%Z", "W": "%V", "o": "%G", "z": "%j", "U": "%s", "u": "%f", "v": "%L", "c": "%+", "a": "%P",
}  # fmt: skip
DIRECTIVE = re.compile(r"%(-?[a-zA-Z%+]|:z)")
PLAIN = frozenset("aAbBdHIjmMpSuUVGwWyYzf")
PARTS = {"-d": "day", "-m": "month", "-H": "hour", "-M": "minute", "-S": "second"}

UNITS = {
    "second": "seconds", "sec": "seconds", "minute": "minutes", "min": "minutes", "hour": "hours", "day": "days",
    "week": "weeks", "fortnight": "fortnights", "month": "months", "year": "years", "weekday": "weekdays",
}  # fmt: skip
SECONDS = {"seconds": 1, "minutes": 60, "hours": 3600}
DAYS = {"days": 1, "weeks": 7, "fortnights": 14}
MONTHS = {"months": 1, "years": 12}
WEEKDAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
AMOUNT = re.compile(r"([+-]?)\s*([0-9]{1,9}|an?|next|last)\s*([a-z]+)", re.IGNORECASE)
CLOCK = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])(?::([0-5][0-9]))?")
WORDS = re.compile(
    r"(?P<edge>first|last) day of (?P<which>this|next|last|previous) ?month|(?P<only>first|last) day of month"
    r"|(?P<word>now|today|midnight|noon|tomorrow|yesterday)"
    r"|(?P<next>next |last )?(?P<weekday>monday|tuesday|wednesday|thursday|friday|saturday|sunday)",
    re.IGNORECASE,
)
CHANGE_LENGTH = 200
DIFFERENCES = {"seconds": 1, "minutes": 60, "hours": 3600, "days": 86_400, "weeks": 604_800, "milliseconds": 0.001}


@helper(
    "now(timezone=null)",
    kind="date",
    example="{{ now('Europe/Moscow') | length }}",
    result=25,
    text=_("The present moment, to the second."),
)
def now(budget: Budget, timezone: Json = None) -> Json:
    return rfc3339.format(present(budget).astimezone(zone_of(timezone, budget)).replace(microsecond=0))


@helper(
    "timestamp(date='now')",
    kind="date",
    example=f"{{{{ {EVENT} | timestamp }}}}",
    result=1795501800,
    text=_("A moment as seconds since 1970."),
)
def timestamp(budget: Budget, date: Json = "now") -> Json:
    return int(moment_of(date, budget).timestamp() // 1)


@helper(
    "date(date='now', format='rfc3339', timezone=null)",
    kind="date",
    example=f"{{{{ {EVENT} | date('%d.%m.%Y %H:%M') }}}}",
    result="24.11.2026 09:30",
    text=_("A date in another form: %Y-%m-%d and the like, 'rfc3339', 'iso', or PHP letters (d.m.Y); in another zone."),
)
def date(budget: Budget, date: Json = "now", format: Json = "rfc3339", timezone: Json = None) -> Json:
    return formatted(in_zone(moment_of(date, budget), timezone, budget), text_of(format, budget))


@helper(
    "date_modify(date, change, timezone=null)",
    kind="date",
    example=f"{{{{ {EVENT} | date_modify('+45 minutes') }}}}",
    result="2026-11-24T10:15:00+03:00",
    text=_(
        "A date moved: '+45 minutes', '-1 day', 'first day of month', 'next monday 9:00'. Days keep the clock's time."
    ),
    aliases=("add", "date_add"),
)
def date_modify(budget: Budget, date: Json, change: Json, timezone: Json = None) -> Json:
    budget.use(10)
    moment = in_zone(moment_of(date, budget), timezone, budget)
    return rfc3339.format(changed(moment, text_of(change, budget)))


@helper(
    "to_tz(date, timezone)",
    kind="date",
    example=f"{{{{ {EVENT} | to_tz('Asia/Yekaterinburg') }}}}",
    result="2026-11-24T11:30:00+05:00",
    text=_("The same moment on the clock of another zone."),
    aliases=("timezone",),
)
def to_tz(budget: Budget, date: Json, timezone: Json) -> Json:
    return rfc3339.format(moment_of(date, budget).astimezone(zone_of(timezone, budget)))


@helper(
    "rfc3339(date, timezone=null)",
    kind="date",
    example="{{ '24.11.2026 09:30' | rfc3339('Europe/Moscow') }}",
    result="2026-11-24T09:30:00+03:00",
    text=_("A date as Google Calendar wants it; a date without a zone is taken as one of the given zone."),
    aliases=("iso",),
)
def as_rfc3339(budget: Budget, date: Json, timezone: Json = None) -> Json:
    zone = zone_of(timezone, budget)
    moment = moment_of(date, budget, zone)
    return rfc3339.format(moment if timezone is None else moment.astimezone(zone))


@helper(
    "date_diff(start, end, unit='seconds')",
    kind="date",
    example=f"{{{{ date_diff({EVENT}, '2026-11-24T11:00:00+03:00', 'minutes') }}}}",
    result=90,
    text=_("How long it is from one date to another, in seconds, minutes, hours, days or weeks."),
)
def date_diff(budget: Budget, start: Json, end: Json, unit: Json = "seconds") -> Json:
    apart = (moment_of(end, budget) - moment_of(start, budget)).total_seconds()
    result = apart / choice_of(unit, DIFFERENCES)
    return int(result) if result == int(result) else result


def present(budget: Budget) -> datetime:
    return budget.clock().astimezone(UTC)


def zone_of(value: Json, budget: Budget) -> tzinfo:
    """A zone by its IANA name or an offset such as +03:00; the budget's own for null."""
    name = budget.timezone if value is None else text_of(value, budget)
    try:
        return zone(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ExpressionError("unknown_zone", asked=name[:60]) from None


@lru_cache(1024)
def zone(name: str) -> tzinfo:
    if name[:1] in ("+", "-"):
        offset = re.fullmatch(r"([+-])([0-9]{2}):?([0-9]{2})", name)
        found = rfc3339.offset_of(*offset.groups()) if offset else None
        if found is None:
            raise ValueError(name)
        return found
    return UTC if name in ("UTC", "Z", "utc") else ZoneInfo(name)


def moment_of(value: Json, budget: Budget, zone: tzinfo | None = None) -> datetime:
    """A moment out of RFC 3339, a date, a timestamp in seconds or milliseconds, a header's date, words (`tomorrow`)."""
    if is_number(value):
        seconds = value / 1000 if abs(value) >= MILLISECONDS_FROM else value
        if not -62_135_596_800 <= seconds <= LATEST:
            raise ExpressionError("not_a_date", got=kind_of(value))
        return datetime.fromtimestamp(0, UTC) + timedelta(seconds=seconds)
    if not isinstance(value, str) or len(value) > CHANGE_LENGTH:
        raise ExpressionError("not_a_date", got=kind_of(value))
    budget.use(10)
    where = zone or zone_of(None, budget)
    moment = rfc3339.read(value, where) or mail_date(value)
    if moment is not None:
        return moment
    if re.fullmatch(r"-?[0-9]{9,13}", value):
        return moment_of(int(value), budget)
    try:
        return changed(present(budget).astimezone(where).replace(microsecond=0), value)
    except ExpressionError:
        raise ExpressionError("not_a_date", got=kind_of(value)) from None


def mail_date(text: str) -> datetime | None:
    """`Thu, 07 Dec 2023 07:05:02 GMT`, as headers of HTTP and mail have it (RFC 9110, RFC 5322)."""
    if not re.match(r"[A-Za-z]{3}, *[0-9]", text):
        return None
    try:
        moment = parsedate_to_datetime(text)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def in_zone(moment: datetime, timezone: Json, budget: Budget) -> datetime:
    return moment if timezone is None else moment.astimezone(zone_of(timezone, budget))


# Formats


def formatted(moment: datetime, format: str) -> str:
    if format in ("rfc3339", "iso", "c"):
        return rfc3339.format(moment)
    if len(format) > CHANGE_LENGTH:
        raise ExpressionError("bad_argument", asked=format[:20])
    return DIRECTIVE.sub(lambda found: directive(moment, found[1]), format if "%" in format else from_php(format))


def from_php(format: str) -> str:
    result, literal = [], False
    for letter in format:
        if literal or letter != "\\":
            result.append(letter if literal else PHP.get(letter, letter))
        literal = letter == "\\" and not literal
    return "".join(result)


def directive(moment: datetime, sign: str) -> str:
    if sign in PARTS:
        return str(getattr(moment, PARTS[sign]))  # an attribute of ours, by a table of ours
    if sign in PLAIN:
        return moment.strftime(f"%{sign}").rjust(4 if sign in "YG" else 0, "0")
    if sign == "%":
        return "%"
    special = {
        "-I": lambda: str(moment.hour % 12 or 12),
        "P": lambda: moment.strftime("%p").lower(),
        "e": lambda: str(moment.day),
        "F": lambda: f"{moment.year:04}-{moment.month:02}-{moment.day:02}",
        "T": lambda: f"{moment.hour:02}:{moment.minute:02}:{moment.second:02}",
        "R": lambda: f"{moment.hour:02}:{moment.minute:02}",
        "L": lambda: f"{moment.microsecond // 1000:03}",
        "s": lambda: str(int(moment.timestamp() // 1)),
        "Z": lambda: moment.tzname() or "",
        ":z": lambda: "+00:00" if not moment.utcoffset() else rfc3339.format(moment)[-6:],
        "+": lambda: rfc3339.format(moment),
    }
    if sign not in special:
        raise ExpressionError("bad_argument", asked=f"%{sign}")
    return special[sign]()


# Changes


def changed(moment: datetime, change: str) -> datetime:
    """A moment moved by words: `+1 day`, `-2 hours 30 minutes`, `tomorrow 9:00`, `first day of next month`."""
    rest = change.strip()
    if not rest or len(rest) > CHANGE_LENGTH:
        raise bad_change(change)
    direction = "+"
    try:
        while rest:
            found: re.Match[str] | None
            if found := WORDS.match(rest):
                moment = to_word(moment, {key: (value or "").lower() for key, value in found.groupdict().items()})
            elif found := CLOCK.match(rest):
                moment = at_clock(moment, int(found[1]), int(found[2]), int(found[3] or 0))
            elif found := AMOUNT.match(rest):
                direction = found[1] or direction
                moment = moved(moment, amount(found[2].lower(), direction), found[3].lower(), change)
            else:
                raise bad_change(change)
            rest = rest[found.end() :].lstrip(" ,")
        rfc3339.format(moment.astimezone(UTC))
    except (OverflowError, ValueError):
        raise bad_change(change) from None
    return moment


def bad_change(change: str) -> ExpressionError:
    return ExpressionError("bad_change", asked=change[:40])


def amount(word: str, direction: str) -> int:
    count = {"a": 1, "an": 1, "next": 1, "last": -1}.get(word)
    count = int(word) if count is None else count
    return -count if direction == "-" else count


def moved(moment: datetime, count: int, word: str, change: str) -> datetime:
    unit = UNITS.get(word) or UNITS.get(word.removesuffix("s"))
    if unit is None:
        raise bad_change(change)
    if unit in SECONDS:  # time that passes, whatever the clocks do
        return (moment.astimezone(UTC) + timedelta(seconds=count * SECONDS[unit])).astimezone(moment.tzinfo)
    clock = moment.replace(tzinfo=None, fold=0)
    if unit in DAYS:
        clock += timedelta(days=count * DAYS[unit])
    elif unit in MONTHS:
        clock = months_later(clock, count * MONTHS[unit])
    else:
        clock = weekdays_later(clock, count)
    return on_clock(clock, moment)


def on_clock(clock: datetime, moment: datetime) -> datetime:
    assert moment.tzinfo is not None
    return rfc3339.at_wall_clock(clock, moment.tzinfo)


def months_later(clock: datetime, count: int) -> datetime:
    """The same day so many months later, or the last one of a shorter month."""
    year, month = divmod(clock.year * 12 + clock.month - 1 + count, 12)
    for day in range(clock.day, clock.day - 4, -1):
        try:
            return clock.replace(year=year, month=month + 1, day=day)
        except ValueError:
            continue
    raise OverflowError


def weekdays_later(clock: datetime, count: int) -> datetime:
    """So many days later, Saturdays and Sundays not counted."""
    if abs(count) > 100_000:
        raise OverflowError
    step = 1 if count > 0 else -1
    weeks, days = divmod(abs(count), 5)
    clock += timedelta(days=7 * weeks * step)
    while days:
        clock += timedelta(days=step)
        days -= clock.weekday() < 5
    return clock


def at_clock(moment: datetime, hour: int, minute: int, second: int = 0) -> datetime:
    clock = moment.replace(tzinfo=None, fold=0, hour=hour, minute=minute, second=second, microsecond=0)
    return on_clock(clock, moment)


def to_word(moment: datetime, words: dict[str, str]) -> datetime:
    word = words["word"]
    if word == "now":
        return moment
    if word:
        days = {"tomorrow": 1, "yesterday": -1}.get(word, 0)
        clock = moment.replace(tzinfo=None, fold=0) + timedelta(days=days)
        return at_clock(on_clock(clock, moment), 12 if word == "noon" else 0, 0)
    clock = moment.replace(tzinfo=None, fold=0)
    if weekday := words["weekday"]:
        return at_clock(on_clock(to_weekday(clock, WEEKDAYS.index(weekday), words["next"].strip()), moment), 0, 0)
    month = months_later(clock.replace(day=1), {"next": 1, "last": -1, "previous": -1}.get(words["which"], 0))
    if (words["edge"] or words["only"]) == "last":
        month = months_later(month, 1) - timedelta(days=1)
    return on_clock(month, moment)


def to_weekday(clock: datetime, weekday: int, which: str) -> datetime:
    """The coming such day: today counts for `monday`, not for `next monday` and `last monday`."""
    if which == "last":
        return clock - timedelta(days=(clock.weekday() - weekday - 1) % 7 + 1)
    ahead = (weekday - clock.weekday()) % 7
    return clock + timedelta(days=7 if which == "next" and ahead == 0 else ahead)
