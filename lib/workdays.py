"""Working days and days off of Russia, with the days that the government moves and the Saturdays it makes working.

Labour Code, article 112: the public holidays are fixed, and each autumn a decree says which days off of the next year
are moved. The package `holidays` keeps these decrees. For a year after the last one that it knows, Monday to Friday
are working days but for the fixed holidays.
"""

from datetime import MAXYEAR, date, timedelta
from functools import lru_cache

WORKING, DAYS_OFF = "working", "holidays"
CHOICES = (WORKING, DAYS_OFF)
DECREED_UNTIL = 2027  # the last year whose decree the locked version of `holidays` has; a test watches it
LONGEST_REST = 31  # no run of working days or days off is longer


def is_working(day: date) -> bool:
    return day in working_days(day.year)


def allows(choice: str, day: date) -> bool:
    """Whether a day is one of those that a schedule asks for; "" asks for every day."""
    return not choice or is_working(day) == (choice == WORKING)


def next_allowed(choice: str, after: date) -> date | None:
    """The first day of a kind later than `after`; None at the end of the calendar."""
    for ahead in range(1, LONGEST_REST + 1):
        if after.toordinal() + ahead > date.max.toordinal():
            return None
        if allows(choice, day := after + timedelta(days=ahead)):
            return day
    return None


@lru_cache(64)
def working_days(year: int) -> frozenset[date]:
    # Imported where it is needed: most processes never ask, and it takes a tenth of a second.
    from holidays import country_holidays

    calendar = country_holidays("RU", years=year)
    days = (date(year, 1, 1) + timedelta(days=number) for number in range(length_of(year)))
    return frozenset(day for day in days if calendar.is_working_day(day))


def length_of(year: int) -> int:
    return (date.max if year == MAXYEAR else date(year + 1, 1, 1) - timedelta(days=1)).timetuple().tm_yday
