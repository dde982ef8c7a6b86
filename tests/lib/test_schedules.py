"""Schedule rules against the clocks of the world, and what runs after an outage."""

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib import clocks, schedules, workdays
from lib.errors import InvalidInput

MINUTE = timedelta(minutes=1)
ANCHOR = datetime(2026, 1, 1, tzinfo=UTC)
# Ordinary and odd: half an hour of summer time, a gap at midnight, a whole day skipped, changes of the standard time.
TRANSITIONS = [
    ("America/New_York", date(2026, 3, 8)),
    ("America/New_York", date(2026, 11, 1)),
    ("Europe/Berlin", date(2026, 3, 29)),
    ("Europe/Berlin", date(2026, 10, 25)),
    ("Europe/London", date(2026, 3, 29)),
    ("Europe/Moscow", date(2011, 3, 27)),
    ("Europe/Moscow", date(2014, 10, 26)),
    ("Europe/Moscow", date(2026, 3, 29)),
    ("Australia/Lord_Howe", date(2026, 4, 5)),
    ("Australia/Lord_Howe", date(2026, 10, 4)),
    ("America/Santiago", date(2026, 9, 6)),
    ("America/Sao_Paulo", date(2018, 11, 4)),
    ("Africa/Cairo", date(2026, 4, 24)),
    ("Asia/Beirut", date(2026, 3, 29)),
    ("Asia/Kathmandu", date(2026, 3, 29)),
    ("Asia/Tehran", date(2022, 3, 22)),
    ("Pacific/Apia", date(2011, 12, 30)),
    ("Asia/Pyongyang", date(2018, 5, 5)),
    ("UTC", date(2026, 3, 8)),
]


def rule(zone="UTC", /, **inputs):
    return schedules.parse(inputs, zone)


def moment(text):
    return datetime.fromisoformat(text)


def local(slots, zone):
    return [slot.astimezone(ZoneInfo(zone)).isoformat(timespec="minutes") for slot in slots]


# Reading


def test_each_kind_of_rule_is_read():
    assert isinstance(rule(cron="0 9 * * 1-5"), clocks.Cron)
    assert isinstance(rule(every_s=300), clocks.Interval)
    daily = rule("Europe/Moscow", daily={"at": ["18:00", "9:00", "18:00"], "weekdays": [1, 3]})
    assert isinstance(daily, clocks.Daily)
    assert daily.at == (time(9), time(18))
    assert (daily.timezone, daily.misfire, daily.misfire_window_s) == ("Europe/Moscow", "latest", 86_400)


def test_the_zone_of_the_rule_wins_over_the_default_and_blank_means_left_out():
    assert rule("Europe/Moscow", every_s=60, timezone="Asia/Tokyo").timezone == "Asia/Tokyo"
    assert rule("Europe/Moscow", every_s=60, timezone="", cron=None).timezone == "Europe/Moscow"


@pytest.mark.parametrize(
    ("inputs", "fields"),
    [
        ({}, {"cron"}),
        ({"cron": "* * * * *", "every_s": 60}, {"cron", "every_s"}),
        ({"cron": "* * * *"}, {"cron"}),
        ({"cron": "* * * * * *"}, {"cron"}),
        ({"cron": "61 * * * *"}, {"cron"}),
        ({"cron": "каждый день"}, {"cron"}),
        ({"cron": 5}, {"cron"}),
        ({"cron": "0 0 30 2 *"}, {"cron"}),
        ({"cron": "0 0 31 4,6 *"}, {"cron"}),
        ({"cron": "*/0 * * * *"}, {"cron"}),
        ({"cron": "1," * 5000 + "1 * * * *"}, {"cron"}),
        ({"every_s": 0}, {"every_s"}),
        ({"every_s": -5}, {"every_s"}),
        ({"every_s": 1.5}, {"every_s"}),
        ({"every_s": True}, {"every_s"}),
        ({"every_s": 10**12}, {"every_s"}),
        ({"every_s": "soon"}, {"every_s"}),
        ({"daily": "09:00"}, {"daily"}),
        ({"daily": {"at": ["09:00"], "wekdays": [1]}}, {"daily"}),
        ({"daily": {}}, {"daily.at"}),
        ({"daily": {"at": []}}, {"daily.at"}),
        ({"daily": {"at": ["25:00"]}}, {"daily.at"}),
        ({"daily": {"at": [9]}}, {"daily.at"}),
        ({"daily": {"at": ["09:00"] * 97}}, {"daily.at"}),
        ({"daily": {"at": ["09:00"], "weekdays": []}}, {"daily.weekdays"}),
        ({"daily": {"at": ["09:00"], "weekdays": [0]}}, {"daily.weekdays"}),
        ({"daily": {"at": ["24:00"], "weekdays": [8]}}, {"daily.at", "daily.weekdays"}),
        ({"every_s": 60, "timezone": "Mars/Phobos"}, {"timezone"}),
        ({"every_s": 60, "timezone": "../../etc/passwd"}, {"timezone"}),
        ({"every_s": 60, "timezone": 3}, {"timezone"}),
        ({"every_s": 60, "misfire": "run"}, {"misfire"}),
        ({"every_s": 60, "misfire": []}, {"misfire"}),
        ({"every_s": 60, "misfire_window_s": -1}, {"misfire_window_s"}),
        ({"every_s": 60, "evry_s": 60}, {"evry_s"}),
        ({"every_s": 60, "days": "weekdays"}, {"days"}),
        ({"every_s": 60, "days": ["working"]}, {"days"}),
        ({"every_s": 60, "jitter_s": -1}, {"jitter_s"}),
        ({"every_s": 60, "jitter_s": 3601}, {"jitter_s"}),
        ({"every_s": 60, "jitter_s": 0.5}, {"jitter_s"}),
        ({"cron": "0 9 1 1 *", "days": "working"}, {"days"}),
        ({"cron": "0 9 * * 6", "days": "working", "jitter_s": True}, {"jitter_s"}),
        ({"every_s": 0, "timezone": "x", "misfire": "y"}, {"every_s", "timezone", "misfire"}),
    ],
)
def test_a_wrong_rule_names_its_fields(inputs, fields):
    with pytest.raises(InvalidInput) as caught:
        schedules.parse(inputs, "UTC")
    assert set(caught.value.errors) == fields


def test_a_cron_that_never_comes_round_says_so():
    with pytest.raises(InvalidInput) as caught:
        rule(cron="0 0 30 2 *")
    assert caught.value.errors == {"cron": [schedules.NEVER]}


# Intervals


def test_an_interval_counts_from_its_anchor_and_is_never_a_cron():
    every_13_hours = rule("America/New_York", every_s=13 * 3600)
    slots = every_13_hours.upcoming(ANCHOR, ANCHOR, 200)
    assert slots == [ANCHOR + timedelta(hours=13 * n) for n in range(1, 201)]
    every_2_days = rule(every_s=172_800)
    assert every_2_days.next(ANCHOR + timedelta(days=9), ANCHOR) == ANCHOR + timedelta(days=10)


def test_an_interval_first_runs_one_interval_after_activation():
    assert rule(every_s=60).next(ANCHOR - timedelta(days=1), ANCHOR) == ANCHOR + MINUTE
    assert rule(every_s=60).next(ANCHOR, ANCHOR) == ANCHOR + MINUTE


@given(st.integers(1, 10**7), st.integers(-(10**9), 10**9))
def test_the_next_interval_is_the_first_later_one(every_s, offset):
    after = ANCHOR + timedelta(microseconds=offset)
    slot = rule(every_s=every_s).next(after, ANCHOR)
    assert slot > after
    assert (slot - ANCHOR) % timedelta(seconds=every_s) == timedelta(0)
    assert slot - timedelta(seconds=every_s) <= max(after, ANCHOR)


# Wall clocks


def reached(clock, zone):
    """An oracle that knows nothing of gaps: the first minute at which the clock on the wall shows this or more."""
    at = clock.replace(tzinfo=UTC) - timedelta(hours=30)
    while at.astimezone(zone).replace(tzinfo=None) < clock:
        at += MINUTE
    return at


@pytest.mark.parametrize(("zone", "day"), TRANSITIONS)
@pytest.mark.parametrize("at", ["00:00", "00:30", "01:30", "02:15", "03:00", "23:30"])
def test_a_daily_time_is_kept_on_the_day_the_clocks_change(zone, day, at):
    daily = rule(zone, daily={"at": [at]})
    clock = time.fromisoformat(at)
    days = [day + timedelta(days=ahead) for ahead in range(-1, 3)]
    expected = sorted({reached(datetime.combine(each, clock), ZoneInfo(zone)) for each in days})
    found = daily.upcoming(expected[0] - MINUTE, ANCHOR, len(expected))
    assert found == expected


@pytest.mark.parametrize(("zone", "day"), TRANSITIONS)
@pytest.mark.parametrize("at", ["00:30", "01:30", "02:30", "12:00"])
def test_a_cron_at_a_fixed_time_means_the_same_as_a_daily_time(zone, day, at):
    clock = time.fromisoformat(at)
    cron = rule(zone, cron=f"{clock.minute} {clock.hour} * * *")
    start = datetime.combine(day, time(), tzinfo=UTC) - timedelta(days=2)
    if zone == "Pacific/Apia":  # there was no 30 December 2011; cron moves it on, so does the daily rule
        start += timedelta(days=5)
    assert cron.upcoming(start, ANCHOR, 5) == rule(zone, daily={"at": [at]}).upcoming(start, ANCHOR, 5)


@pytest.mark.parametrize(("zone", "day"), TRANSITIONS)
@pytest.mark.parametrize("step", [15, 20])
def test_every_so_many_minutes_goes_on_through_the_change(zone, day, step):
    cron = rule(zone, cron=f"*/{step} * * * *")
    start = datetime.combine(day, time(), tzinfo=UTC) - timedelta(hours=14)
    minutes = [start + n * MINUTE for n in range(1, 38 * 60)]
    expected = [at for at in minutes if at.astimezone(ZoneInfo(zone)).minute % step == 0]
    assert cron.upcoming(start, ANCHOR, len(expected)) == expected


def test_half_past_two_in_new_york_runs_at_three_in_spring_and_half_past_one_once_in_autumn():
    assert local(
        rule("America/New_York", cron="30 2 * * *").upcoming(moment("2026-03-07T00:00:00-05:00"), ANCHOR, 3),
        "America/New_York",
    ) == ["2026-03-07T02:30-05:00", "2026-03-08T03:00-04:00", "2026-03-09T02:30-04:00"]
    assert local(
        rule("America/New_York", cron="30 1 * * *").upcoming(moment("2026-10-31T23:00:00-04:00"), ANCHOR, 2),
        "America/New_York",
    ) == ["2026-11-01T01:30-04:00", "2026-11-02T01:30-05:00"]


def test_nothing_is_found_behind_us_in_the_second_of_two_like_hours():
    between = moment("2026-11-01T06:40:00+00:00")  # 01:40 for the second time
    for inputs in ({"cron": "45 1 * * *"}, {"daily": {"at": ["01:45"]}}):
        assert local([rule("America/New_York", **inputs).next(between, ANCHOR)], "America/New_York") == [
            "2026-11-02T01:45-05:00"
        ]


def test_moscow_keeps_its_hour_all_year():
    slots = rule("Europe/Moscow", daily={"at": ["09:00"]}).upcoming(ANCHOR, ANCHOR, 365)
    assert {slot.hour for slot in slots} == {6}
    assert len(set(slots)) == 365


def test_weekdays_are_those_of_the_zone():
    daily = rule("Asia/Tokyo", daily={"at": ["01:00"], "weekdays": [1]})  # Sunday 16:00 in UTC
    assert {slot.isoweekday() for slot in daily.upcoming(ANCHOR, ANCHOR, 10)} == {7}


def test_a_leap_day_and_a_thirty_first_come_when_they_are_there():
    leap = rule(cron="0 0 29 2 *").upcoming(ANCHOR, ANCHOR, 2)
    assert [slot.date() for slot in leap] == [date(2028, 2, 29), date(2032, 2, 29)]
    months = [slot.month for slot in rule(cron="0 0 31 * *").upcoming(ANCHOR, ANCHOR, 7)]
    assert months == [1, 3, 5, 7, 8, 10, 12]
    last = rule(cron="0 0 L * *").upcoming(ANCHOR, ANCHOR, 3)
    assert [slot.day for slot in last] == [31, 28, 31]


def test_day_of_month_and_day_of_week_are_either_or():
    slots = rule(cron="0 0 13 * 5").upcoming(ANCHOR, ANCHOR, 30)
    assert all(slot.day == 13 or slot.isoweekday() == 5 for slot in slots)
    assert any(slot.day == 13 and slot.isoweekday() != 5 for slot in slots)


def test_nicknames_and_names_are_known():
    assert rule(cron="@daily").upcoming(ANCHOR, ANCHOR, 1) == [ANCHOR + timedelta(days=1)]
    assert rule(cron="0 9 * jan MON-fri").next(ANCHOR, ANCHOR) == moment("2026-01-01T09:00:00+00:00")


ZONES = st.sampled_from(sorted({zone for zone, _day in TRANSITIONS}))
MOMENTS = st.datetimes(datetime(2011, 1, 1), datetime(2037, 1, 1), timezones=st.just(UTC))
RULES = st.one_of(
    st.builds(lambda every: {"every_s": every}, st.integers(1, 10**6)),
    st.builds(
        lambda at, days: {"daily": {"at": [f"{each:%H:%M}" for each in at], "weekdays": sorted(days)}},
        st.lists(st.times(), min_size=1, max_size=4),
        st.sets(st.integers(1, 7), min_size=1),
    ),
    st.builds(
        lambda minute, hour, day, weekday: {"cron": f"{minute} {hour} {day} * {weekday}"},
        st.sampled_from(["0", "30", "*/15", "59", "0,20", "*"]),
        st.sampled_from(["*", "0", "1", "2", "3", "1-3", "*/5", "23"]),
        st.sampled_from(["*", "1", "31", "L", "8-14"]),
        st.sampled_from(["*", "0", "1-5", "7"]),
    ),
)


@settings(max_examples=100, deadline=None)
@given(RULES, ZONES, MOMENTS)
def test_slots_go_strictly_forward_and_do_not_depend_on_where_one_looks_from(inputs, zone, start):
    any_rule = rule(zone, **inputs)
    slots = any_rule.upcoming(start, start, 6)
    assert slots == sorted(set(slots))
    assert slots[0] > start
    assert all(slot.utcoffset() == timedelta(0) for slot in slots)
    for earlier, later in pairwise(slots):
        assert any_rule.next(earlier + (later - earlier) / 2, start) == later
        assert any_rule.next(later - timedelta(microseconds=1), start) == later


# After an outage


NOON = moment("2026-06-01T12:00:00+00:00")


def test_a_slot_that_is_not_due_waits():
    assert schedules.due(rule(every_s=60), NOON, NOON - MINUTE, ANCHOR) == ([], NOON)


@pytest.mark.parametrize("misfire", schedules.MISFIRE)
def test_a_slot_on_time_runs_whatever_the_policy(misfire):
    hourly = rule(cron="0 * * * *", misfire=misfire, misfire_window_s=0)
    late = NOON + timedelta(seconds=3)
    assert schedules.due(hourly, NOON, late, ANCHOR) == ([NOON], NOON + timedelta(hours=1))


def test_latest_runs_the_last_missed_slot_once():
    hourly = rule(cron="0 * * * *")
    now = NOON + timedelta(hours=5, minutes=20)
    assert schedules.due(hourly, NOON, now, ANCHOR) == ([NOON + timedelta(hours=5)], NOON + timedelta(hours=6))


def test_all_runs_every_missed_slot_in_order():
    three_minutes = rule(every_s=12, misfire="all")
    slots, following = schedules.due(three_minutes, NOON, NOON + timedelta(minutes=3), NOON - timedelta(seconds=12))
    assert slots == [NOON + timedelta(seconds=12 * n) for n in range(16)]
    assert following == NOON + timedelta(seconds=192)


def test_all_keeps_to_its_window():
    now = NOON + timedelta(days=30)
    slots, _next = schedules.due(rule(cron="0 * * * *", misfire="all", misfire_window_s=7200), NOON, now, ANCHOR)
    assert slots == [now - timedelta(hours=2), now - timedelta(hours=1), now]


def test_all_goes_on_with_the_rest_of_a_day_of_seconds_in_the_next_transactions():
    every_second, now = rule(every_s=1, misfire="all"), NOON + timedelta(days=1)
    waits_for, found, rounds = NOON, [], 0
    while waits_for <= now:
        slots, waits_for = schedules.due(every_second, waits_for, now, NOON - timedelta(seconds=1))
        assert len(slots) <= schedules.AT_ONCE
        found, rounds = found + slots, rounds + 1
    assert found == [NOON + timedelta(seconds=n) for n in range(86_401)]
    assert rounds == 173


def test_skip_runs_nothing_that_is_more_than_a_minute_late():
    hourly = rule(cron="0 * * * *", misfire="skip")
    assert schedules.due(hourly, NOON, NOON + timedelta(minutes=20), ANCHOR) == ([], NOON + timedelta(hours=1))
    on_the_hour = NOON + timedelta(hours=3, seconds=30)
    assert schedules.due(hourly, NOON, on_the_hour, ANCHOR)[0] == [NOON + timedelta(hours=3)]


def test_latest_does_not_run_what_fell_out_of_its_window():
    daily = rule(daily={"at": ["12:00"]}, misfire_window_s=3600)
    assert schedules.due(daily, NOON, NOON + timedelta(hours=2), ANCHOR) == ([], NOON + timedelta(days=1))


def test_a_long_outage_of_a_rule_of_seconds_is_caught_up_at_once():
    every_second = rule(every_s=1, misfire_window_s=366 * 86_400)
    now = NOON + timedelta(days=365)
    assert schedules.due(every_second, NOON, now, ANCHOR) == ([now], now + timedelta(seconds=1))


@settings(max_examples=80, deadline=None)
@given(RULES, ZONES, MOMENTS, st.integers(0, 200_000), st.sampled_from(schedules.MISFIRE), st.integers(1, 50))
def test_what_runs_is_what_was_missed_within_the_window(inputs, zone, start, late_s, misfire, at_once):
    any_rule = rule(zone, misfire=misfire, **inputs)
    next_at = any_rule.next(start, start)
    now = next_at + timedelta(seconds=late_s)
    slots, following = schedules.due(any_rule, next_at, now, start, at_once=at_once)
    missed = [next_at]
    while len(missed) < 3000 and (later := any_rule.next(missed[-1], start)) <= now:
        missed.append(later)
    if len(missed) == 3000:
        return
    window = 60 if misfire == "skip" else 86_400
    within = [slot for slot in missed if slot >= now - timedelta(seconds=window)]
    if misfire == "all" and len(within) > at_once:
        assert (slots, following) == (within[:at_once], within[at_once])
        return
    assert slots == (within if misfire == "all" else within[-1:])
    assert following == any_rule.next(now, start)


# Working days


MOSCOW = ZoneInfo("Europe/Moscow")
NEW_YEAR = datetime(2026, 12, 29, 12, tzinfo=MOSCOW)


@pytest.mark.parametrize("inputs", [{"cron": "0 9 * * *"}, {"daily": {"at": ["09:00"]}}])
def test_working_days_leave_out_the_holidays_and_take_in_the_working_saturday(inputs):
    daily = rule("Europe/Moscow", days="working", **inputs)
    assert local(daily.upcoming(NEW_YEAR, NEW_YEAR, 3), "Europe/Moscow") == [
        "2026-12-30T09:00+03:00",
        "2027-01-11T09:00+03:00",
        "2027-01-12T09:00+03:00",
    ]
    february = daily.upcoming(datetime(2027, 2, 18, 12, tzinfo=MOSCOW), NEW_YEAR, 3)
    assert [f"{slot.astimezone(MOSCOW):%a %d}" for slot in february] == ["Fri 19", "Sat 20", "Wed 24"]


def test_days_off_are_all_the_others():
    noon = rule("Europe/Moscow", days="holidays", daily={"at": ["12:00"]})
    may = noon.upcoming(datetime(2026, 5, 1, tzinfo=MOSCOW), NEW_YEAR, 6)
    assert [slot.astimezone(MOSCOW).day for slot in may] == [1, 2, 3, 9, 10, 11]


def test_weekdays_and_working_days_must_both_be_right():
    mondays = rule("Europe/Moscow", days="working", daily={"at": ["09:00"], "weekdays": [1]})
    days = [f"{slot.astimezone(MOSCOW):%d.%m}" for slot in mondays.upcoming(NEW_YEAR, NEW_YEAR, 3)]
    assert days == ["11.01", "18.01", "25.01"]


def test_an_interval_skips_the_days_off_and_keeps_its_beat():
    seconds = rule("Europe/Moscow", days="working", every_s=7)
    last = datetime(2026, 12, 30, 23, 59, 59, tzinfo=MOSCOW)
    anchor = datetime(2026, 12, 1, tzinfo=MOSCOW)
    slot = seconds.next(last, anchor)
    assert timedelta(0) <= slot - datetime(2027, 1, 11, tzinfo=MOSCOW) < timedelta(seconds=7)
    assert (slot - anchor) % timedelta(seconds=7) == timedelta(0)


def test_the_day_is_that_of_the_zone():
    early = rule("Asia/Kamchatka", days="working", daily={"at": ["01:00"]})  # still Sunday in UTC
    first = early.next(datetime(2027, 3, 14, 3, tzinfo=UTC), NEW_YEAR)
    assert first == datetime(2027, 3, 14, 13, tzinfo=UTC)


def test_a_slot_that_a_newer_calendar_makes_a_day_off_does_not_run():
    day_off = datetime(2027, 2, 22, 9, tzinfo=MOSCOW)  # found while 2027 was not decreed
    for misfire in schedules.MISFIRE:
        daily = rule("Europe/Moscow", days="working", daily={"at": ["09:00"]}, misfire=misfire)
        slots, following = schedules.due(daily, day_off.astimezone(UTC), day_off + MINUTE, NEW_YEAR)
        assert slots == []
        assert following == datetime(2027, 2, 24, 9, tzinfo=MOSCOW)


def test_a_rule_that_meets_its_days_no_more_ends():
    saturdays = rule("Europe/Moscow", cron="0 9 * * 6", days="working")
    assert saturdays.upcoming(NEW_YEAR, NEW_YEAR, 3) == [datetime(2027, 2, 20, 9, tzinfo=MOSCOW)]
    assert rule(every_s=7 * 86_400, days="working").next(ANCHOR, datetime(2026, 1, 3, tzinfo=UTC)) is not None


@settings(max_examples=60, deadline=None)
@given(RULES, ZONES, MOMENTS, st.sampled_from(workdays.CHOICES))
def test_days_only_leave_out_slots(inputs, zone, start, days):
    everyday = rule(zone, **inputs)
    try:
        chosen = rule(zone, days=days, **inputs)
    except InvalidInput:
        return  # they never meet
    found = chosen.next(start, start)
    slots = everyday.upcoming(start, start, 300)
    allowed = [slot for slot in slots if workdays.allows(days, slot.astimezone(ZoneInfo(zone)).date())]
    if allowed:
        assert found == allowed[0]
    else:
        assert found is None or found > slots[-1]


# Jitter


def test_a_jittered_run_is_never_early_and_always_the_same():
    jittered = rule(every_s=60, jitter_s=600)
    slots = jittered.upcoming(ANCHOR, ANCHOR, 500)
    delays = [schedules.starts_at(jittered, 7, slot) - slot for slot in slots]
    assert min(delays) >= timedelta(0)
    assert max(delays) <= timedelta(seconds=600)
    assert delays == [schedules.starts_at(jittered, 7, slot) - slot for slot in slots]
    tenths = {delay // timedelta(seconds=60) for delay in delays}
    assert tenths >= set(range(10)), "spread over the whole"
    assert schedules.starts_at(jittered, 8, slots[0]) != schedules.starts_at(jittered, 7, slots[0])


def test_jitter_moves_no_slot():
    assert rule(every_s=60, jitter_s=600).upcoming(ANCHOR, ANCHOR, 5) == rule(every_s=60).upcoming(ANCHOR, ANCHOR, 5)
    assert schedules.starts_at(rule(every_s=60), 7, ANCHOR) == ANCHOR
