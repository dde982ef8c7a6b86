"""Schedules: reading a rule, and which of the slots that are due or were missed still run.

Plain functions of a rule and a clock; lib.clocks knows when a rule comes round.
"""

import hashlib
import re
from collections.abc import Callable, Mapping
from datetime import datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from lib import safe_json, workdays
from lib.clocks import DAY_S, INSTANT, SOME_DAY, Cron, Daily, Interval
from lib.clocks import Rule as Rule
from lib.errors import InvalidInput, Json
from lib.errors import gettext_noop as _

SHORTEST_S = 1
LONGEST_S = 366 * DAY_S
MISFIRE = ("latest", "all", "skip")
AT_ONCE = 500  # missed slots that `all` catches up in one go; the rest follow in the next
GRACE_S = 60  # later than this, a slot counts as missed
JITTER_MOST_S = 3_600
KEYS = frozenset({"cron", "every_s", "daily", "timezone", "misfire", "misfire_window_s", "days", "jitter_s"})
CLOCK = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])")
TIMES_MOST = 96
CRON_LENGTH = 200
CRON_SIGNS = re.compile(r"[0-9A-Za-z*/,#\- ]+")

# Messages are msgids without parameters: whoever shows them translates them.
ONE_OF = _("Choose exactly one: an interval, days and times, or a cron expression.")
UNKNOWN = _("There is no such setting of a schedule.")
BAD_CRON = _("This is not a cron expression. Five fields are needed: minute, hour, day, month, day of week.")
NEVER = _("This cron expression never comes round.")
BAD_INTERVAL = _("Give a whole number of seconds, from 1 to 31622400 (366 days).")
BAD_DAILY = _("Give the times of day, and the days of the week if not all of them.")
NO_TIMES = _("Give at least one time of day, such as 09:00.")
MANY_TIMES = _("At most 96 times a day are possible.")
BAD_TIME = _("Write a time of day as 09:00.")
BAD_WEEKDAYS = _("Give days of the week as numbers from 1 (Monday) to 7 (Sunday), at least one.")
BAD_ZONE = _("There is no such time zone. Use a name like Europe/Moscow.")
BAD_MISFIRE = _("Choose latest, all or skip.")
BAD_WINDOW = _("Give a whole number of seconds, from 0 to 31622400 (366 days).")
BAD_DAYS = _("Choose working, holidays, or nothing for every day.")
BAD_JITTER = _("Give a whole number of seconds, from 0 to 3600 (an hour).")
NEVER_ON_DAYS = _("This rule never comes round on such days.")


# Which slots run


def due(
    rule: Rule, next_at: datetime, now: datetime, anchor: datetime, *, at_once: int = AT_ONCE
) -> tuple[list[datetime], datetime | None]:
    """The slots to run now, oldest first, and the slot to wait for then, by the rule's misfire policy.

    `next_at` is the slot that the schedule waits for. `latest`: the last of the slots up to now runs, if it is
    within the window. `all`: every one within the window runs, `at_once` of them at most; where more were missed, the
    slot to wait for is the next of those, and is due already. `skip`: only one that is not late by more than a minute.
    """
    if next_at > now:
        return [], next_at
    late_by_most = GRACE_S if rule.misfire == "skip" else max(rule.misfire_window_s, GRACE_S)
    oldest = max(next_at, now - timedelta(seconds=late_by_most))
    if rule.misfire == "all":
        return first_slots(rule, next_at, now, anchor, oldest=oldest, count=at_once)
    return last_slot(rule, next_at, now, anchor, oldest=oldest), rule.next(now, anchor)


def first_slots(
    rule: Rule, next_at: datetime, now: datetime, anchor: datetime, *, oldest: datetime, count: int
) -> tuple[list[datetime], datetime | None]:
    """The first slots from `oldest` up to now, and the one after them."""
    slots: list[datetime] = []
    slot: datetime | None = next_at
    if next_at < oldest or not rule.is_slot(next_at):
        slot = rule.next(oldest - INSTANT, anchor)
    while slot is not None and slot <= now and len(slots) < count:
        slots.append(slot)
        slot = rule.next(slot, anchor)
    return slots, slot


def last_slot(rule: Rule, next_at: datetime, now: datetime, anchor: datetime, *, oldest: datetime) -> list[datetime]:
    """The last slot up to now, not before `oldest`: looks back ever further, not through a year of minutes."""
    back = timedelta(minutes=1)
    while True:
        start = max(oldest, now - back)
        found = [next_at] if next_at == start and rule.is_slot(next_at) else []
        slot = rule.next(start - INSTANT, anchor) if next_at != start else rule.next(start, anchor)
        while slot is not None and slot <= now:
            found = [slot]
            slot = rule.next(slot, anchor)
        if found or start == oldest:
            return found
        back *= 2


def starts_at(rule: Rule, schedule: int, slot: datetime) -> datetime:
    """When the run of a slot starts: up to `jitter_s` later, the same whenever one asks, another for each slot."""
    if not rule.jitter_s:
        return slot
    digest = hashlib.blake2b(f"{schedule} {slot.timestamp():.6f}".encode(), digest_size=8).digest()
    return slot + timedelta(milliseconds=int.from_bytes(digest) % (rule.jitter_s * 1000 + 1))


# Reading a rule


def parse(inputs: Mapping[str, Json], default_timezone: str) -> Rule:
    """The rule that the inputs of a `schedule` trigger spell (docs/format.md). InvalidInput, keyed by field."""
    given = {key: value for key, value in inputs.items() if value is not None and value != ""}
    errors: dict[str, list[str]] = {key: [UNKNOWN] for key in given if key not in KEYS}
    common = Rule(
        timezone=read_timezone(given.get("timezone", default_timezone), errors),
        misfire=read_misfire(given.get("misfire", "latest"), errors),
        misfire_window_s=read_seconds(given.get("misfire_window_s", DAY_S), "misfire_window_s", 0, BAD_WINDOW, errors),
        days=read_days(given.get("days", ""), errors),
        jitter_s=read_seconds(given.get("jitter_s", 0), "jitter_s", 0, BAD_JITTER, errors, most=JITTER_MOST_S),
    )
    kinds = [kind for kind in READERS if kind in given]
    if len(kinds) != 1:
        errors |= {kind: [ONE_OF] for kind in kinds or ["cron"]}
        raise InvalidInput(errors)
    rule = READERS[kinds[0]](given[kinds[0]], common, errors)
    if errors or rule is None:
        raise InvalidInput(errors)
    if rule.days and rule.kind != "every_s" and rule.next(SOME_DAY, SOME_DAY) is None:
        raise InvalidInput({"days": [NEVER_ON_DAYS]})
    return rule


def stored(rule: Json) -> Rule:
    """A rule as the database has it, its zone filled in; read once for all that are alike. Raises as `parse`."""
    return parse_text(safe_json.dumps(rule))


@lru_cache(8_192)
def parse_text(text: bytes) -> Rule:
    return parse(safe_json.loads(text), "UTC")


def read_timezone(value: Json, errors: dict[str, list[str]]) -> str:
    try:
        if isinstance(value, str) and ZoneInfo(value):
            return value
    except (ZoneInfoNotFoundError, ValueError, OSError):
        pass
    errors["timezone"] = [BAD_ZONE]
    return "UTC"


def read_misfire(value: Json, errors: dict[str, list[str]]) -> str:
    if value in MISFIRE:
        return str(value)
    errors["misfire"] = [BAD_MISFIRE]
    return "latest"


def read_days(value: Json, errors: dict[str, list[str]]) -> str:
    if value in ("", *workdays.CHOICES):
        return str(value)
    errors["days"] = [BAD_DAYS]
    return ""


def read_seconds(
    value: Json, field: str, least: int, message: str, errors: dict[str, list[str]], *, most: int = LONGEST_S
) -> int:
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,9}", value):
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and least <= value <= most:
        return value
    errors[field] = [message]
    return least


def read_interval(value: Json, common: Rule, errors: dict[str, list[str]]) -> Rule:
    every_s = read_seconds(value, "every_s", SHORTEST_S, BAD_INTERVAL, errors)
    return Interval(**vars(common), every_s=every_s)


def read_daily(value: Json, common: Rule, errors: dict[str, list[str]]) -> Rule | None:
    if not isinstance(value, Mapping) or not set(value) <= {"at", "weekdays"}:
        errors["daily"] = [BAD_DAILY]
        return None
    at = read_times(value.get("at"), errors)
    weekdays = read_weekdays(value.get("weekdays"), errors)
    return Daily(**vars(common), at=at, weekdays=weekdays)


def read_times(value: Json, errors: dict[str, list[str]]) -> tuple[time, ...]:
    if not isinstance(value, list) or not value:
        errors["daily.at"] = [NO_TIMES]
        return ()
    if len(value) > TIMES_MOST:
        errors["daily.at"] = [MANY_TIMES]
        return ()
    found = [CLOCK.fullmatch(each) if isinstance(each, str) else None for each in value]
    if None in found:
        errors["daily.at"] = [BAD_TIME]
        return ()
    return tuple(sorted({time(int(each[1]), int(each[2])) for each in found if each}))


def read_weekdays(value: Json, errors: dict[str, list[str]]) -> frozenset[int]:
    if value is None:
        return frozenset(range(1, 8))
    numbers = value if isinstance(value, list) else []
    if not numbers or not all(type(each) is int and 1 <= each <= 7 for each in numbers):
        errors["daily.weekdays"] = [BAD_WEEKDAYS]
        return frozenset()
    return frozenset(numbers)


def read_cron(value: Json, common: Rule, errors: dict[str, list[str]]) -> Rule | None:
    cron = NICKNAMES.get(value, value) if isinstance(value, str) else ""
    fields = cron.split()
    if len(cron) > CRON_LENGTH or len(fields) != 5 or not CRON_SIGNS.fullmatch(cron) or not readable(*fields):
        errors["cron"] = [BAD_CRON]
        return None
    rule = Cron(**vars(common), cron=" ".join(fields))
    if not readable(*fields, any_month=False) or rule.following(SOME_DAY, SOME_DAY) is None:
        errors["cron"] = [NEVER]
        return None
    return rule


def readable(minute: str, hour: str, day: str, month: str, weekday: str, *, any_month: bool = True) -> bool:
    """Whether each field can be read; without `any_month` also whether the months have the days."""
    expressions = [f"{minute} {hour} {day} {month} {weekday}"]
    if any_month:
        expressions = [f"{minute} {hour} {day} * {weekday}", f"{minute} {hour} * {month} {weekday}"]
    try:
        for expression in expressions:
            CronSim(expression, SOME_DAY)
    except (CronSimError, ValueError, RecursionError):
        return False
    return True


NICKNAMES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
READERS: dict[str, Callable[[Json, Rule, dict[str, list[str]]], Rule | None]] = {
    "cron": read_cron,
    "every_s": read_interval,
    "daily": read_daily,
}
