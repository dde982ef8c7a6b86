"""A wall-clock time in a zone as RFC 3339."""

from datetime import UTC, datetime

import pytest
from django.test import Client

from apinita.cabinet.instants import NoSuchZone, instant, offset_label


def test_the_offset_is_that_of_the_zone_at_that_date() -> None:
    assert instant("2020-12-31T21:45", "Europe/Moscow").rfc3339 == "2020-12-31T21:45:00+03:00"
    assert instant("2026-07-01T10:00", "Europe/Berlin").rfc3339 == "2026-07-01T10:00:00+02:00"
    assert instant("2026-12-01T10:00", "Europe/Berlin").rfc3339 == "2026-12-01T10:00:00+01:00"


def test_a_time_that_the_clock_skips_moves_to_after_the_jump() -> None:
    found = instant("2026-03-29T02:30", "Europe/Berlin")
    assert (found.rfc3339, found.note) == ("2026-03-29T03:30:00+02:00", "skipped")


def test_a_time_that_happens_twice_is_the_first() -> None:
    found = instant("2026-10-25T02:30", "Europe/Berlin")
    assert (found.rfc3339, found.note) == ("2026-10-25T02:30:00+02:00", "repeated")


def test_what_is_not_a_wall_clock_time_is_refused() -> None:
    with pytest.raises(ValueError, match="Invalid isoformat"):
        instant("31.12.2020 21:45", "UTC")
    with pytest.raises(ValueError, match="2026"):
        instant("2026-03-29T02:30+03:00", "UTC")
    with pytest.raises(NoSuchZone):
        instant("2026-03-29T02:30", "../../etc/passwd")


def test_offsets_have_short_names() -> None:
    now = datetime(2026, 11, 23, tzinfo=UTC)
    names = [offset_label(zone, now=now) for zone in ("Europe/Moscow", "UTC", "Asia/Kolkata", "America/New_York")]
    assert names == ["UTC+3", "UTC", "UTC+5:30", "UTC−5"]


def test_the_page_answers_with_the_text_to_send_and_its_utc(client: Client) -> None:
    html = client.get("/cabinet/instant/?local=2020-12-31T21:45&zone=Europe/Moscow").content.decode()
    assert 'data-value="2020-12-31T21:45:00+03:00"' in html
    assert "Thu, 31 December · 18:45 UTC" in html


@pytest.mark.parametrize(
    "query", ["", "local=x&zone=UTC", "local=2020-12-31T21:45&zone=Nowhere", "local=0001-01-01T00:00&zone=Asia/Tokyo"]
)
def test_the_page_says_what_it_cannot_read(client: Client, query: str) -> None:
    answer = client.get(f"/cabinet/instant/?{query}")
    assert answer.status_code == 200
    assert "data-value" not in answer.content.decode() or "0001" in query
