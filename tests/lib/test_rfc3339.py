"""Dates of RFC 3339: what is taken, what is refused with which reason, what is suggested instead."""

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib import rfc3339

MOSCOW = timezone(timedelta(hours=3))


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2020-12-31T21:45:00+03:00", datetime(2020, 12, 31, 18, 45, tzinfo=UTC)),
        ("2020-12-31T18:45:00Z", datetime(2020, 12, 31, 18, 45, tzinfo=UTC)),
        ("2020-12-31t18:45:00z", datetime(2020, 12, 31, 18, 45, tzinfo=UTC)),
        ("2020-12-31T18:45:00-00:00", datetime(2020, 12, 31, 18, 45, tzinfo=UTC)),
        ("2024-02-29T00:00:00.123456789Z", datetime(2024, 2, 29, 0, 0, 0, 123456, tzinfo=UTC)),
        ("1990-12-31T15:59:59-08:00", datetime(1990, 12, 31, 23, 59, 59, tzinfo=UTC)),
        ("2020-01-01T00:00:00+23:59", datetime(2019, 12, 31, 0, 1, tzinfo=UTC)),
    ],
)
def test_a_date_of_the_standard_is_read(text, moment):
    assert rfc3339.parse(text) == moment
    assert rfc3339.problem(text) is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        ("   ", "empty"),
        ("2020-12-31", "no_time"),
        ("2020-12-31T21:45:00", "no_offset"),
        ("2020-12-31T21:45+03:00", "no_seconds"),
        ("2020-12-31 21:45:00+03:00", "no_t"),
        ("2020-12-31T21:45:00+0300", "bad_offset"),
        ("2020-12-31T21:45:00+03", "bad_offset"),
        ("2020-12-31T21:45:00+24:00", "bad_offset"),
        ("2020-12-31T21:45:00+03:60", "bad_offset"),
        ("2020-02-30T00:00:00Z", "no_such_date"),
        ("2021-02-29T00:00:00Z", "no_such_date"),
        ("2020-13-01T00:00:00Z", "no_such_date"),
        ("0000-01-01T00:00:00Z", "no_such_date"),
        ("0001-01-01T00:00:00+03:00", "no_such_date"),
        ("9999-12-31T23:59:59-03:00", "no_such_date"),
        ("2020-12-31T24:00:00Z", "no_such_time"),
        ("2020-12-31T23:60:00Z", "no_such_time"),
        ("2020-12-31T23:59:61Z", "no_such_time"),
        ("2016-12-31T23:59:60Z", "leap_second"),
        ("2020-12-31T21:45:00Z ", "not_a_date"),
        ("2020-12-31T21:45:00Z\n", "not_a_date"),
        ("20201231T214500Z", "not_a_date"),
        ("2020-W53-4T21:45:00Z", "not_a_date"),
        ("2020-12-31T21:45:00.Z", "not_a_date"),
        ("2020-12-31T21:45:00,5Z", "not_a_date"),
        ("٢٠٢٠-12-31T21:45:00Z", "not_a_date"),
        ("2020-12-31T21:45:00 MSK", "not_a_date"),
        ("31.12.2020 21:45", "not_a_date"),
        ("tomorrow", "not_a_date"),
    ],
)
def test_what_is_not_of_the_standard_is_refused_with_its_reason(text, reason):
    with pytest.raises(rfc3339.NotRFC3339) as caught:
        rfc3339.parse(text)
    assert caught.value.reason == reason
    assert rfc3339.problem(text) == rfc3339.REASONS[reason]


@pytest.mark.parametrize(
    ("text", "suggestion"),
    [
        ("31.12.2020 21:45", "2020-12-31T21:45:00+03:00"),
        ("31.12.2020, 21:45:30", "2020-12-31T21:45:30+03:00"),
        ("1.2.2020 в 9:05", "2020-02-01T09:05:00+03:00"),
        ("2020-12-31 21:45", "2020-12-31T21:45:00+03:00"),
        ("2020-12-31", "2020-12-31T00:00:00+03:00"),
        ("2020-12-31T21:45:00+0500", "2020-12-31T21:45:00+05:00"),
        ("2020-12-31T21:45:00", "2020-12-31T21:45:00+03:00"),
        ("2020-12-31 18:45 UTC", "2020-12-31T18:45:00Z"),
        ("31.02.2020 21:45", None),
        ("завтра", None),
        ("", None),
    ],
)
def test_what_was_probably_meant_is_suggested(text, suggestion):
    assert rfc3339.suggest(text, ZoneInfo("Europe/Moscow")) == suggestion
    assert rfc3339.suggest(text, "Europe/Moscow") == suggestion


def test_a_suggestion_in_a_skipped_hour_is_the_end_of_the_gap():
    assert rfc3339.suggest("2026-03-29 02:30", "Europe/Berlin") == "2026-03-29T03:00:00+02:00"


def test_the_error_carries_its_suggestion():
    with pytest.raises(rfc3339.NotRFC3339) as caught:
        rfc3339.parse("31.12.2020 21:45")
    assert caught.value.suggestion("Europe/Moscow") == "2020-12-31T21:45:00+03:00"


def test_writing_keeps_the_offset_and_drops_an_empty_fraction():
    assert rfc3339.format(datetime(2020, 12, 31, 21, 45, tzinfo=MOSCOW)) == "2020-12-31T21:45:00+03:00"
    assert rfc3339.format(datetime(2020, 12, 31, 18, 45, tzinfo=UTC)) == "2020-12-31T18:45:00Z"
    assert rfc3339.format(datetime(2020, 1, 1, 0, 0, 0, 250_000, tzinfo=UTC)) == "2020-01-01T00:00:00.25Z"
    assert rfc3339.format(datetime(2020, 1, 1, tzinfo=timezone(-timedelta(hours=3, minutes=30)))).endswith("-03:30")
    assert rfc3339.format(datetime(1890, 1, 1, tzinfo=ZoneInfo("Europe/Moscow"))).endswith("Z")  # +02:30:17 then
    with pytest.raises(ValueError, match="zone"):
        rfc3339.format(datetime(2020, 1, 1))


OFFSETS = st.integers(-23 * 60 - 59, 23 * 60 + 59).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31), timezones=OFFSETS))
def test_what_is_written_is_read_back(moment):
    text = rfc3339.format(moment)
    assert rfc3339.parse(text) == moment
    assert rfc3339.parse(text).utcoffset() == moment.utcoffset()
    assert datetime.fromisoformat(text) == moment


@given(st.one_of(st.text(), st.from_regex(rfc3339.DATE_TIME), st.from_regex(rfc3339.ISO_LIKE, fullmatch=True)))
def test_any_text_is_read_or_refused_and_nothing_else(text):
    try:
        moment = rfc3339.parse(text)
    except rfc3339.NotRFC3339:
        rfc3339.suggest(text, "Europe/Moscow")
    else:
        assert moment.tzinfo is not None
        assert rfc3339.format(moment)
