"""Schedule rules as instants: when a scenario is due next, and which of the missed times still run.

Plain functions of a rule and a clock. Wall-clock rules (`cron`, `daily`) obey the zone: a time that the clocks skip in
spring is the first instant after the gap, one that comes twice in autumn is the first of both. An interval is an
anchor and a number of seconds, never a cron: "every 13 hours" means that on every day.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import ClassVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from lib.errors import InvalidInput, Json
from lib.errors import gettext_noop as _
from lib.rfc3339 import at_wall_clock

DAY_S = 86_400
SHORTEST_S = 1
LONGEST_S = 366 * DAY_S
MISFIRE = ("latest", "all", "skip")
MISFIRE_MOST = 1_000  # missed slots that one `all` catches up
GRACE_S = 60  # later than this, a slot counts as missed
KEYS = frozenset({"cron", "every_s", "daily", "timezone", "misfire", "misfire_window_s"})
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


@dataclass(frozen=True)
class Rule:
    """When a schedule is due. `anchor` is the instant of activation, from which intervals are counted."""

    timezone: str
    misfire: str = "latest"
    misfire_window_s: int = DAY_S
    kind: ClassVar[str]

    def next(self, after: datetime, anchor: datetime) -> datetime | None:
        """The first slot later than `after`, in UTC; None if there is none."""
        raise NotImplementedError

    def upcoming(self, after: datetime, anchor: datetime, count: int) -> list[datetime]:
        """The next slots, at most `count`."""
        slots: list[datetime] = []
        while len(slots) < count and (slot := self.next(slots[-1] if slots else after, anchor)):
            slots.append(slot)
        return slots


@dataclass(frozen=True)
class Interval(Rule):
    every_s: int = DAY_S
    kind: ClassVar[str] = "every_s"

    def next(self, after: datetime, anchor: datetime) -> datetime | None:
        """Anchor + n · every, n ≥ 1."""
        passed = (after - anchor) // timedelta(seconds=self.every_s)
        return later(anchor.astimezone(UTC), self.every_s * max(1, passed + 1))


@dataclass(frozen=True)
class Daily(Rule):
    at: tuple[time, ...] = ()  # in order
    weekdays: frozenset[int] = frozenset(range(1, 8))  # 1 = Monday
    kind: ClassVar[str] = "daily"

    def next(self, after: datetime, anchor: datetime) -> datetime | None:
        zone = ZoneInfo(self.timezone)
        today = after.astimezone(zone).date()
        for ahead in range(-1, 9):  # yesterday's, too: a skipped time moves on, past midnight in a few zones
            day = today + timedelta(days=ahead)
            slots = (at_wall_clock(datetime.combine(day, at), zone).astimezone(UTC) for at in self.at_on(day))
            if slot := min((slot for slot in slots if slot > after), default=None):
                return slot
        return None

    def at_on(self, day: date) -> tuple[time, ...]:
        return self.at if day.isoweekday() in self.weekdays else ()


@dataclass(frozen=True)
class Cron(Rule):
    cron: str = "* * * * *"
    kind: ClassVar[str] = "cron"

    def next(self, after: datetime, anchor: datetime) -> datetime | None:
        return next_cron(self.cron, self.timezone, after.astimezone(UTC).replace(microsecond=0))


@lru_cache(65_536)
def next_cron(expression: str, timezone: str, after: datetime) -> datetime | None:
    """The first slot of a cron expression later than an instant. Thousands of schedules share an answer."""
    zone = UTC if timezone == "UTC" else ZoneInfo(timezone)
    try:
        for slot in CronSim(expression, after.astimezone(zone)):
            # In an hour that comes twice cronsim always means the first, which may lie behind us.
            if slot.astimezone(UTC) > after:
                return slot.astimezone(UTC)
    except OverflowError:
        pass
    return None


def later(moment: datetime, seconds: int) -> datetime | None:
    try:
        return moment + timedelta(seconds=seconds)
    except OverflowError:
        return None


# Which slots run


def due(rule: Rule, next_at: datetime, now: datetime, anchor: datetime) -> tuple[list[datetime], datetime | None]:
    """The slots to run now, oldest first, and the next one after now, by the rule's misfire policy.

    `next_at` is the slot that the schedule waits for. `latest`: the last of the slots up to now runs, if it is
    within the window. `all`: every one within the window runs, the last thousand at most. `skip`: only one that is
    not late by more than a minute.
    """
    if next_at > now:
        return [], next_at
    late_by_most = GRACE_S if rule.misfire == "skip" else max(rule.misfire_window_s, GRACE_S)
    oldest = max(next_at, now - timedelta(seconds=late_by_most))
    count = MISFIRE_MOST if rule.misfire == "all" else 1
    return last_slots(rule, next_at, now, anchor, oldest=oldest, count=count), rule.next(now, anchor)


def last_slots(
    rule: Rule, next_at: datetime, now: datetime, anchor: datetime, *, oldest: datetime, count: int
) -> list[datetime]:
    """The last slots up to now, none before `oldest`: looks back ever further, not through a year of minutes."""
    back = timedelta(minutes=1)
    while True:
        start = max(oldest, now - back)
        slots = [next_at] if next_at == start else []
        slot = rule.next(start - timedelta(microseconds=1), anchor) if next_at != start else rule.next(start, anchor)
        while slot is not None and slot <= now:
            slots.append(slot)
            slot = rule.next(slot, anchor)
        if len(slots) >= count or start == oldest:
            return slots[-count:]
        back *= 2


# Reading a rule


def parse(inputs: Mapping[str, Json], default_timezone: str) -> Rule:
    """The rule that the inputs of a `schedule` trigger spell (docs/format.md). InvalidInput, keyed by field."""
    given = {key: value for key, value in inputs.items() if value is not None and value != ""}
    errors: dict[str, list[str]] = {key: [UNKNOWN] for key in given if key not in KEYS}
    common = Rule(
        timezone=read_timezone(given.get("timezone", default_timezone), errors),
        misfire=read_misfire(given.get("misfire", "latest"), errors),
        misfire_window_s=read_seconds(given.get("misfire_window_s", DAY_S), "misfire_window_s", 0, BAD_WINDOW, errors),
    )
    kinds = [kind for kind in READERS if kind in given]
    if len(kinds) != 1:
        errors |= {kind: [ONE_OF] for kind in kinds or ["cron"]}
        raise InvalidInput(errors)
    rule = READERS[kinds[0]](given[kinds[0]], common, errors)
    if errors or rule is None:
        raise InvalidInput(errors)
    return rule


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


def read_seconds(value: Json, field: str, least: int, message: str, errors: dict[str, list[str]]) -> int:
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,9}", value):
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and least <= value <= LONGEST_S:
        return value
    errors[field] = [message]
    return DAY_S


def read_interval(value: Json, common: Rule, errors: dict[str, list[str]]) -> Rule:
    every_s = read_seconds(value, "every_s", SHORTEST_S, BAD_INTERVAL, errors)
    return Interval(common.timezone, common.misfire, common.misfire_window_s, every_s)


def read_daily(value: Json, common: Rule, errors: dict[str, list[str]]) -> Rule | None:
    if not isinstance(value, Mapping) or not set(value) <= {"at", "weekdays"}:
        errors["daily"] = [BAD_DAILY]
        return None
    at = read_times(value.get("at"), errors)
    weekdays = read_weekdays(value.get("weekdays"), errors)
    return Daily(common.timezone, common.misfire, common.misfire_window_s, at, weekdays)


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
    rule = Cron(common.timezone, common.misfire, common.misfire_window_s, " ".join(fields))
    if not readable(*fields, any_month=False) or rule.next(SOME_DAY, SOME_DAY) is None:
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


SOME_DAY = datetime(2024, 1, 1, tzinfo=UTC)
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
