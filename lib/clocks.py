"""Schedule rules as instants: the interval, the times of day and the cron rule, each by the clock of its zone.

Wall-clock rules (`cron`, `daily`) obey the zone: a time that the clocks skip in spring is the first instant after the
gap, one that comes twice in autumn is the first of both. A cron rule for every hour simply goes on hour by hour. An
interval is an anchor and a number of seconds, never a cron: "every 13 hours" means that on every day.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import ClassVar
from zoneinfo import ZoneInfo

from cronsim import CronSim

from lib import workdays
from lib.rfc3339 import at_wall_clock

DAY_S = 86_400
SOME_DAY = datetime(2024, 1, 1, tzinfo=UTC)
INSTANT = timedelta(microseconds=1)
# Where a rule and its kind of days meet this rarely, they never do ("1 January, on working days").
MISSES_MOST = 120
YEARS_MOST = 40


@dataclass(frozen=True)
class Rule:
    """When a schedule is due. `anchor` is the instant of activation, from which intervals are counted.

    `days` leaves out the slots on other days than those (lib.workdays); `jitter_s` is how much later than its slot a
    run may start.
    """

    timezone: str
    misfire: str = "latest"
    misfire_window_s: int = DAY_S
    days: str = ""
    jitter_s: int = 0
    kind: ClassVar[str]

    def next(self, after: datetime, anchor: datetime) -> datetime | None:
        """The first slot later than `after`, in UTC; None if there is none."""
        return self.chosen(after, anchor)

    def chosen(self, after: datetime, anchor: datetime) -> datetime | None:
        slot = self.following(after, anchor)
        return self.on_allowed_day(slot, anchor) if self.days else slot

    def following(self, after: datetime, anchor: datetime) -> datetime | None:
        """The same whatever the kind of the day."""
        raise NotImplementedError

    def on_allowed_day(self, slot: datetime | None, anchor: datetime) -> datetime | None:
        """This slot, or else the first later one on a day of the wished kind."""
        zone, first = ZoneInfo(self.timezone), slot
        try:
            for _miss in range(MISSES_MOST):
                if slot is None or first is None or slot.year > first.year + YEARS_MOST:
                    return None
                day = slot.astimezone(zone).date()
                if workdays.allows(self.days, day):
                    return slot
                allowed = workdays.next_allowed(self.days, day)
                slot = self.following(midnight(allowed, zone) - INSTANT, anchor) if allowed else None
        except OverflowError:
            pass  # the calendar ends
        return None

    def is_slot(self, slot: datetime) -> bool:
        """Whether a slot that was found earlier still is one: a newer calendar may know its day better."""
        return workdays.allows(self.days, slot.astimezone(ZoneInfo(self.timezone)).date())

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

    def following(self, after: datetime, anchor: datetime) -> datetime | None:
        """Anchor + n · every, n ≥ 1."""
        passed = (after - anchor) // timedelta(seconds=self.every_s)
        return later(anchor.astimezone(UTC), self.every_s * max(1, passed + 1))


class WallClock(Rule):
    """Its slots are whole minutes and depend on no anchor, so thousands of schedules share an answer."""

    def next(self, after: datetime, anchor: datetime) -> datetime | None:
        return next_by_the_wall(self, after.astimezone(UTC).replace(microsecond=0))


@lru_cache(65_536)
def next_by_the_wall(rule: WallClock, after: datetime) -> datetime | None:
    return rule.chosen(after, after)


@dataclass(frozen=True)
class Daily(WallClock):
    at: tuple[time, ...] = ()  # in order
    weekdays: frozenset[int] = frozenset(range(1, 8))  # 1 = Monday
    kind: ClassVar[str] = "daily"

    def following(self, after: datetime, anchor: datetime) -> datetime | None:
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
class Cron(WallClock):
    cron: str = "* * * * *"
    kind: ClassVar[str] = "cron"

    def following(self, after: datetime, anchor: datetime) -> datetime | None:
        return next_cron(self.cron, self.timezone, after)


def next_cron(expression: str, timezone: str, after: datetime) -> datetime | None:
    """The first slot of a cron expression later than an instant."""
    zone = UTC if timezone == "UTC" else ZoneInfo(timezone)
    try:
        for slot in CronSim(by_wall_clock(expression), after.astimezone(zone)):
            # In an hour that comes twice cronsim always means the first, which may lie behind us.
            if slot.astimezone(UTC) > after:
                return slot.astimezone(UTC)
    except OverflowError:
        pass
    return None


@lru_cache(4_096)
def by_wall_clock(expression: str) -> str:
    """The same rule, written so that cronsim keeps skipped and doubled times the way this module promises.

    To cronsim (as to Debian's cron) a star in minutes or hours means "just go by the clock". Only a rule for all 24
    hours may: */15 at two o'clock is four times of day, of which each runs once.
    """
    minute, _hour, days = expression.split(maxsplit=2)
    rule = CronSim(expression, SOME_DAY)
    if len(rule.hours) == 24:
        return f"{minute} * {days}"
    return f"{listed(rule.minutes)} {listed(rule.hours)} {days}"


def listed(numbers: Iterable[int]) -> str:
    return ",".join(str(number) for number in sorted(numbers))


def midnight(day: date, zone: ZoneInfo) -> datetime:
    return at_wall_clock(datetime.combine(day, time()), zone).astimezone(UTC)


def later(moment: datetime, seconds: int) -> datetime | None:
    try:
        return moment + timedelta(seconds=seconds)
    except OverflowError:
        return None
