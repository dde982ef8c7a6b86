"""Moments, durations and numbers in two languages."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone, translation

from apinita.cabinet import moments

NOW = datetime(2026, 11, 23, 11, 6, tzinfo=UTC)  # 14:06 in Moscow


@pytest.fixture(autouse=True)
def moscow_afternoon(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(timezone, "now", lambda: NOW)
    with timezone.override(ZoneInfo("Europe/Moscow")):
        yield


@pytest.mark.parametrize(
    ("before", "english"),
    [
        (timedelta(minutes=8), "today, 13:58"),
        (timedelta(days=1, hours=5, minutes=6), "yesterday, 09:00"),
        (-timedelta(hours=18, minutes=24), "tomorrow, 08:30"),
        (timedelta(days=3), "20 November, 14:06"),
        (timedelta(days=365), "23 November 2025, 14:06"),
    ],
)
def test_a_moment_is_named_by_its_day_in_the_readers_zone(before: timedelta, english: str) -> None:
    with translation.override("en"):
        assert moments.moment(NOW - before) == english


def test_the_day_is_that_of_the_reader_not_of_utc() -> None:
    late = datetime(2026, 11, 22, 21, 30, tzinfo=UTC)
    with translation.override("en"):
        assert moments.moment(late) == "today, 00:30"
        with timezone.override(ZoneInfo("UTC")):
            assert moments.moment(late) == "yesterday, 21:30"


def test_a_zone_is_named_where_it_is_asked_for() -> None:
    with translation.override("en"):
        assert moments.moment(NOW, "zone") == "today, 14:06 (Europe/Moscow)"


@pytest.mark.parametrize(
    ("before", "english"),
    [
        (timedelta(seconds=5), "just now"),
        (timedelta(minutes=6), "6 min ago"),
        (-timedelta(minutes=9), "in 9 min"),
        (timedelta(hours=3), "11:06"),
        (timedelta(days=1), "yesterday, 14:06"),
        (timedelta(days=3), "20 November"),
    ],
)
def test_the_recent_is_counted_in_minutes(before: timedelta, english: str) -> None:
    with translation.override("en"):
        assert moments.ago(NOW - before) == english


def test_an_element_carries_the_exact_time_and_zone() -> None:
    with translation.override("en"):
        html = moments.when(NOW, "ago")
    assert 'datetime="2026-11-23T14:06:00+03:00"' in html
    assert 'title="23 November 2026, 14:06:00 Europe/Moscow"' in html
    assert ">just now</time>" in html


@pytest.mark.parametrize(
    ("milliseconds", "english"),
    [
        (0, "0 ms"),
        (412, "412 ms"),
        (2400, "2.4 s"),
        (3000, "3 s"),
        (59_990, "1 min"),
        (80_000, "1 min 20 s"),
        (7_500_000, "2 h 5 min"),
        (86_400_000, "1 day"),
        (3 * 86_400_000, "3 days"),
    ],
)
def test_durations_take_the_unit_that_fits(milliseconds: int, english: str) -> None:
    with translation.override("en"):
        assert moments.duration_ms(milliseconds) == english


def test_numbers_are_grouped_as_each_language_does() -> None:
    with translation.override("ru"):
        assert moments.number(3170) == "3\xa0170"
        assert moments.number(2.4) == "2,4"
    with translation.override("en"):
        assert moments.number(3170) == "3,170"
        assert moments.percent(98.6) == "98.6%"
        assert moments.percent(100.0) == "100%"


def test_what_is_not_there_is_a_dash() -> None:
    for words in (moments.moment, moments.ago, moments.clock, moments.day, moments.duration_ms, moments.number):
        assert words(None) == "—"
