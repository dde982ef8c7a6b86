"""The working days of Russia against the decrees of its government, written here by hand."""

from datetime import date, timedelta
from pathlib import Path

import pytest

from lib import workdays

# Non-working days from Monday to Friday, and working days at the weekend. 2024: decree 1314 of 10 August 2023.
# 2025: decree 1335 of 4 October 2024. 2026: decree 1466 of 24 September 2025. 2027: as the package `holidays` has it.
DAYS_OFF = {
    2024: "0101 0102 0103 0104 0105 0108 0223 0308 0429 0430 0501 0509 0510 0612 1104 1230 1231",
    2025: "0101 0102 0103 0106 0107 0108 0501 0502 0508 0509 0612 0613 1103 1104 1231",
    2026: "0101 0102 0105 0106 0107 0108 0109 0223 0309 0501 0511 0612 1104 1231",
    2027: "0101 0104 0105 0106 0107 0108 0222 0223 0308 0503 0510 0614 1104 1105 1231",
}
WORKING_WEEKENDS = {2024: "0427 1102 1228", 2025: "1101", 2026: "", 2027: "0220"}
LENGTHS = {2024: 248, 2025: 247, 2026: 247, 2027: 247}  # of the production calendar


def days_of(year):
    return [date(year, 1, 1) + timedelta(days=number) for number in range(workdays.length_of(year))]


def written(days):
    return " ".join(f"{day:%m%d}" for day in days)


@pytest.mark.parametrize("year", DAYS_OFF)
def test_the_decrees_are_kept(year):
    days = days_of(year)
    assert written(day for day in days if day.isoweekday() < 6 and not workdays.is_working(day)) == DAYS_OFF[year]
    assert written(day for day in days if day.isoweekday() > 5 and workdays.is_working(day)) == WORKING_WEEKENDS[year]
    assert len(workdays.working_days(year)) == LENGTHS[year]


def test_a_year_without_a_decree_has_its_weekdays_and_fixed_holidays():
    fixed = {(1, day) for day in range(1, 9)} | {(2, 23), (3, 8), (5, 1), (5, 9), (6, 12), (11, 4)}
    year = workdays.DECREED_UNTIL + 1
    expected = [day for day in days_of(year) if day.isoweekday() < 6 and (day.month, day.day) not in fixed]
    # Fails where the package has learnt of a decree: then DECREED_UNTIL, the documents and this file move on.
    assert sorted(workdays.working_days(year)) == expected


def test_the_calendar_ends_without_a_fault():
    assert len(workdays.working_days(9999)) == 261
    assert workdays.next_allowed("working", date.max) is None
    assert workdays.next_allowed("holidays", date(9999, 12, 29)) is None


def test_the_next_allowed_day_jumps_over_the_new_year():
    assert workdays.next_allowed("working", date(2026, 12, 30)) == date(2027, 1, 11)
    assert workdays.next_allowed("holidays", date(2027, 2, 15)) == date(2027, 2, 21)


@pytest.mark.parametrize("choice", workdays.CHOICES)
def test_no_rest_and_no_stretch_of_work_is_longer_than_the_search(choice):
    day = date(2020, 1, 1)
    while day.year < 2060:
        following = workdays.next_allowed(choice, day)
        assert following is not None
        day = following


def test_every_day_is_allowed_where_nothing_was_chosen():
    assert workdays.allows("", date(2027, 1, 1))
    assert not workdays.allows("working", date(2027, 1, 1))
    assert workdays.allows("holidays", date(2027, 1, 1))


@pytest.mark.parametrize("page", ["format.md", "format.ru.md"])
def test_the_documents_name_the_last_year_that_is_known(page):
    text = (Path(__file__).parents[2] / "docs" / page).read_text(encoding="utf-8")
    assert str(workdays.DECREED_UNTIL) in text[text.index("\n`days` ") :].partition("\n\n")[0]
