"""A wall-clock time in a zone as an RFC 3339 instant; says what the clock change does to it."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones


class NoSuchZone(ValueError):
    """The zone is not in the IANA database."""


@dataclass(frozen=True)
class Instant:
    """`note`: "" | "skipped" (the clock jumps over it, moved forward) | "repeated" (happens twice, the first)."""

    at: datetime
    note: str = ""

    @property
    def rfc3339(self) -> str:
        return self.at.isoformat(timespec="seconds")

    @property
    def utc(self) -> datetime:
        return self.at.astimezone(UTC)


def instant(local: str, zone: str) -> Instant:
    """`local` is what <input type=datetime-local> gives: "2026-11-25T10:15". Raises ValueError, NoSuchZone."""
    if zone != "UTC" and zone not in available_timezones():
        raise NoSuchZone(zone)
    naive = datetime.fromisoformat(local)
    if naive.tzinfo is not None:
        raise ValueError(local)
    at = naive.replace(tzinfo=ZoneInfo(zone))
    there_and_back = at.astimezone(UTC).astimezone(at.tzinfo)
    if there_and_back.replace(tzinfo=None) != naive:
        return Instant(there_and_back, "skipped")
    if at.utcoffset() != at.replace(fold=1).utcoffset():
        return Instant(at, "repeated")
    return Instant(at)


def offset_label(zone: str, *, now: datetime) -> str:
    """ "UTC+3", "UTC−3:30": the offset of a zone at a moment."""
    offset = now.astimezone(ZoneInfo(zone)).utcoffset() or timedelta()
    minutes = round(offset.total_seconds() / 60)
    if not minutes:
        return "UTC"
    hours, rest = divmod(abs(minutes), 60)
    return f"UTC{'+' if minutes > 0 else '−'}{hours}{f':{rest:02}' if rest else ''}"
