"""The time zones to choose from, in the order of the clock."""

import zoneinfo
from datetime import datetime
from functools import lru_cache

from django.utils import timezone

AREAS = ("Africa", "America", "Antarctica", "Arctic", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific")


def choices() -> list[tuple[str, str]]:
    """[("Europe/Moscow", "Europe/Moscow (UTC+03:00)"), …] by today's offset, then by name."""
    return list(choices_of(timezone.now().replace(hour=0, minute=0, second=0, microsecond=0)))


@lru_cache(maxsize=2)
def choices_of(day: datetime) -> tuple[tuple[str, str], ...]:
    offsets = [(day.astimezone(zoneinfo.ZoneInfo(name)).strftime("%z"), name) for name in names()]
    offsets.sort(key=lambda pair: (int(pair[0]), pair[1]))
    return tuple((name, f"{name} (UTC{offset[:3]}:{offset[3:5]})") for offset, name in offsets)


@lru_cache(maxsize=1)
def names() -> frozenset[str]:
    known = zoneinfo.available_timezones()
    return frozenset(name for name in known if name.split("/")[0] in AREAS) | {"UTC"}


def exists(name: str) -> bool:
    return name in names()
