"""The schedule's panel in the editor: working days, the delay, and the next times that obey them."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.test import Client

from accounts.models import User
from lib import workdays
from scenarios import editing
from scenarios.models import Scenario
from tests.people import actor_of
from tests.scenarios.making import document

HTMX = {"HX-Request": "true"}
SENT: dict[str, Any] = {"panel": "trigger", "rhythm": "daily", "at": "09:00", "timezone": "Europe/Moscow"}


@pytest.fixture
def scenario(alice: User) -> Scenario:
    return editing.create(actor_of(alice), document("schedule", daily={"at": ["09:00"]}), draft=True)


@pytest.fixture
def save(
    scenario: Scenario, bob: User, client_of: Callable[[User], Client]
) -> Callable[..., tuple[dict[str, Any], str]]:
    def post(**sent: Any) -> tuple[dict[str, Any], str]:
        """Answers the trigger's inputs then, and the page."""
        client, url = client_of(bob), f"/scenarios/{scenario.public_id}/trigger/"
        answer = client.post(url, SENT | sent, headers=HTMX)
        assert answer.status_code == 200
        scenario.refresh_from_db()
        return scenario.document["trigger"]["inputs"], client.get(url).content.decode()

    return post


Save = Callable[..., tuple[dict[str, Any], str]]


def test_working_days_and_the_delay_are_stored_and_shown(save: Save) -> None:
    inputs, html = save(days="working", jitter="300")
    assert (inputs["days"], inputs["jitter_s"]) == ("working", 300)
    assert "on working days only" in html
    assert "Random delay of each run: Up to 5 minutes." in html
    assert '<details class="fold" id="schedule-more" open>' in html


def test_nothing_chosen_leaves_nothing_in_the_document(save: Save) -> None:
    save(days="holidays", jitter="30")
    inputs, html = save(days="", jitter="0")
    assert inputs == {"daily": {"at": ["09:00"]}, "timezone": "Europe/Moscow"}
    assert '<details class="fold" id="schedule-more">' in html
    assert "Random delay of each run" not in html


def test_the_next_times_obey_the_working_days(save: Save, scenario: Scenario) -> None:
    save(days="holidays")
    now = datetime.now(UTC)
    html = save(days="holidays")[1]
    day, expected = now.astimezone(ZoneInfo("Europe/Moscow")).date(), []
    while len(expected) < 4:
        day += timedelta(days=1)
        if not workdays.is_working(day):
            expected.append(day)
    assert html.count("<li><span>") == 5
    for each in expected:
        assert f"<small>{each:%A}</small>" in html


def test_a_rule_that_never_meets_its_days_says_so_and_stays_in_the_draft(save: Save) -> None:
    inputs, html = save(rhythm="cron", cron="0 9 1 1 *", days="working")
    assert inputs["days"] == "working"
    assert "This rule never comes round on such days." in html
    assert html.count("<li><span>") == 0


def test_the_preview_says_where_the_calendar_is_not_decreed_yet(save: Save) -> None:
    year = workdays.DECREED_UNTIL + 1
    html = save(rhythm="cron", cron="0 9 15 6 *", days="working")[1]
    assert f"The moved days off are known to the end of {year - 1}." in html
    assert "The moved days off are known" not in save(rhythm="cron", cron="0 9 15 6 *", days="")[1]


def test_a_delay_that_a_program_has_set_is_kept(save: Save, scenario: Scenario, alice: User) -> None:
    data = document("schedule", daily={"at": ["09:00"]}, jitter_s=45)
    editing.save(actor_of(alice), scenario, data, revision=None, draft=True)
    inputs, html = save(jitter="45")
    assert inputs["jitter_s"] == 45
    assert "Up to 45 seconds" in html
