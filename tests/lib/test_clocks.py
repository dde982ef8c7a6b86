"""Rules against an oracle that knows neither cronsim nor zoneinfo's folds: only when a zone's offset changes."""

import calendar
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib import schedules

ZONES = [
    *("Europe/Moscow", "Europe/Kaliningrad", "Europe/Samara", "Europe/Volgograd", "Asia/Yekaterinburg"),
    *("Asia/Novosibirsk", "Asia/Magadan", "Asia/Kamchatka", "Europe/Kyiv", "Europe/Berlin", "Europe/London"),
    *("Europe/Dublin", "Europe/Istanbul", "Atlantic/Azores", "America/New_York", "America/St_Johns"),
    *("America/Sao_Paulo", "America/Santiago", "America/Caracas", "America/Havana", "America/Asuncion"),
    *("Australia/Lord_Howe", "Australia/Adelaide", "Pacific/Chatham", "Africa/Cairo", "Africa/Casablanca"),
    *("Asia/Tehran", "Asia/Beirut", "Asia/Kathmandu", "Asia/Gaza", "Asia/Amman", "America/Nuuk"),
]
YEARS = (2011, 2014, 2024, 2026)  # Moscow changed its hour for good in the first two; 2024 is a leap year
SPARSE = ["0 0 31 * *", "0 0 29 2 *", "59 23 * * 0", "0 0 1 1 *", "30 1,2,3 * 3,10 6,0"]  # by the year
CRONS = [
    *SPARSE,
    "30 2 * * *",
    "*/15 * * * *",
    "*/15 2 * * *",
    "*/4 1 * * *",
    "0 */2 * * *",
    "15 0-3 * * 1-5",
    "7 * * * *",
]
STEP = timedelta(hours=1)


@lru_cache(64)
def offsets(zone, year):
    """[(the first instant of an offset, the offset)], from a week before the year to a week after it."""
    at, end = datetime(year, 1, 1, tzinfo=UTC) - timedelta(days=7), datetime(year + 1, 1, 8, tzinfo=UTC)
    found = [(at, at.astimezone(zone).utcoffset())]
    while at < end:
        if at.astimezone(zone).utcoffset() != found[-1][1]:
            # To the second: some laws change the clocks at 00:01.
            change = at - STEP
            while change.astimezone(zone).utcoffset() == found[-1][1]:
                change += timedelta(seconds=1)
            found.append((change, change.astimezone(zone).utcoffset()))
        at += STEP
    return found


def instant(wall, changes):
    """The first instant at which a clock shows this, or the first one after the gap that swallows it."""
    for number, (start, offset) in enumerate(changes):
        end = changes[number + 1][0] if number + 1 < len(changes) else datetime.max.replace(tzinfo=UTC)
        candidate = (wall - offset).replace(tzinfo=UTC)
        if candidate < start and number:
            return start
        if candidate < end:
            return candidate
    raise AssertionError(wall)


def numbers(field, first, last):
    found = set()
    for part in field.split(","):
        span, _slash, step = part.partition("/")
        low, _dash, high = (f"{first}-{last}" if span == "*" else span).partition("-")
        found |= set(range(int(low), int(high or low) + 1, int(step or 1)))
    return found


def expected(cron, zone, year, start, end):
    """All slots from `start` up to `end`, moments of a year in UTC."""
    minute, hour, day, month, weekday = cron.split()
    minutes, hours, changes = numbers(minute, 0, 59), numbers(hour, 0, 23), offsets(zone, year)
    days = [
        wall
        for wall in (start.replace(tzinfo=None, hour=0) + timedelta(days=n) for n in range(-2, (end - start).days + 4))
        if wall.month in numbers(month, 1, 12)
        and wall.day in numbers(day, 1, 31)
        and wall.isoweekday() % 7 in {number % 7 for number in numbers(weekday, 0, 7)}
    ]
    walls = [wall.replace(hour=h, minute=m) for wall in days for h in sorted(hours) for m in sorted(minutes)]
    if len(hours) < 24:
        found = {instant(wall, changes) for wall in walls}
    else:  # by the clock: as often as it shows such a time
        ends = [change for change, _offset in changes[1:]] + [datetime.max.replace(tzinfo=UTC)]
        found = {
            at
            for (since, offset), until in zip(changes, ends, strict=True)
            for wall in walls
            if since <= (at := (wall - offset).replace(tzinfo=UTC)) < until
        }
    return sorted(at for at in found if start <= at < end)


def slots(rule, start, end):
    found, slot = [], rule.next(start - timedelta(seconds=1), start)
    while slot is not None and slot < end:
        found.append(slot)
        slot = rule.next(slot, start)
    return found


def whole(year):
    return datetime(year, 1, 1, tzinfo=UTC), datetime(year + 1, 1, 1, tzinfo=UTC)


def windows(zone, year):
    """Three days around each change of the clocks, and an ordinary one."""
    first, last = whole(year)
    marks = [change.replace(minute=0, second=0) for change, _offset in offsets(zone, year)[1:]]
    for mark in [*marks, datetime(year, 7, 14, tzinfo=UTC)]:
        yield max(first, mark - timedelta(hours=30)), min(last, mark + timedelta(hours=42))


@pytest.mark.parametrize("year", YEARS)
@pytest.mark.parametrize("zone", ZONES)
def test_crons_of_the_world_keep_to_its_clocks(zone, year):
    for cron in CRONS:
        rule, there = schedules.parse({"cron": cron}, zone), ZoneInfo(zone)
        for start, end in [whole(year)] if cron in SPARSE else windows(there, year):
            assert slots(rule, start, end) == expected(cron, there, year, start, end), cron


@pytest.mark.parametrize("zone", ZONES)
def test_a_daily_time_means_the_same_as_its_cron(zone):
    daily = schedules.parse({"daily": {"at": ["02:30"]}}, zone)
    for year in YEARS:
        assert slots(daily, *whole(year)) == expected("30 2 * * *", ZoneInfo(zone), year, *whole(year))


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(sorted(available_timezones())),
    st.integers(2008, 2036),
    st.integers(0, 59),
    st.sets(st.integers(0, 23), min_size=1, max_size=3),
)
def test_any_time_of_day_comes_once_a_day_in_any_zone(name, year, minute, hours):
    cron = f"{minute} {','.join(map(str, sorted(hours)))} * * *"
    rule, there = schedules.parse({"cron": cron}, name), ZoneInfo(name)
    for start, end in windows(there, year):
        assert slots(rule, start, end) == expected(cron, there, year, start, end)


def test_moscow_gave_up_summer_time_in_2011_and_winter_time_in_2014():
    moscow = ZoneInfo("Europe/Moscow")
    assert [f"{change:%F %T} {offset}" for change, offset in offsets(moscow, 2011)[1:]] == [
        "2011-03-26 23:00:00 4:00:00"
    ]
    assert [f"{change:%F %T} {offset}" for change, offset in offsets(moscow, 2014)[1:]] == [
        "2014-10-25 22:00:00 3:00:00"
    ]
    rule = schedules.parse({"cron": "30 2 * * *"}, "Europe/Moscow")
    spring = rule.next(datetime(2011, 3, 26, 12, tzinfo=UTC), datetime(2011, 1, 1, tzinfo=UTC))
    assert spring.astimezone(moscow).isoformat() == "2011-03-27T03:00:00+04:00"
    autumn = schedules.parse({"cron": "30 1 * * *"}, "Europe/Moscow").upcoming(
        datetime(2014, 10, 25, 12, tzinfo=UTC), datetime(2014, 1, 1, tzinfo=UTC), 2
    )
    assert [slot.astimezone(moscow).isoformat() for slot in autumn] == [
        "2014-10-26T01:30:00+04:00",
        "2014-10-27T01:30:00+03:00",
    ]


def test_leap_days_and_thirty_firsts_are_those_of_the_calendar():
    every = schedules.parse({"cron": "0 0 29 2 *"}, "Europe/Moscow").upcoming(
        datetime(2096, 1, 1, tzinfo=UTC), datetime(2096, 1, 1, tzinfo=UTC), 2
    )
    moscow = ZoneInfo("Europe/Moscow")
    assert [f"{slot.astimezone(moscow):%F}" for slot in every] == ["2096-02-29", "2104-02-29"]
    months = [
        slot.astimezone(moscow).month
        for slot in slots(schedules.parse({"cron": "0 0 31 * *"}, moscow.key), *whole(2024))
    ]
    assert sorted(months) == [month for month in range(1, 13) if calendar.monthrange(2024, month)[1] == 31]
