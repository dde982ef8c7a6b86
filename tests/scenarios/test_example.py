"""The ready-made example: made once, in the person's language, and run against the sandbox by three clicks."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.test import Client

from accounts.models import User
from connections.models import Connection
from scenarios.document import parse
from scenarios.models import Scenario, Schedule
from scenarios.pages.overview import examples
from scenarios.plans import compiled
from scenarios.trying import names
from tests.people import actor_of

pytestmark = pytest.mark.django_db
ClientOf = Callable[[User], Client]
HTMX = {"HX-Request": "true"}
SANDBOX = "http://127.0.0.1:8010"


@pytest.fixture
def sandbox_offered(settings: Any) -> None:
    settings.SANDBOX_URL = SANDBOX


def test_with_a_sandbox_one_click_makes_everything_and_asks_for_consent(
    alice: User, client_of: ClientOf, sandbox_offered: None
) -> None:
    answer = client_of(alice).post("/scenarios/example/", headers=HTMX)
    assert answer.headers["HX-Redirect"].startswith(f"{SANDBOX}/o/oauth2/v2/auth?")
    scenario = Scenario.objects.get()
    connection = Connection.objects.get()
    assert scenario.status == "active"
    assert connection.preset == "sandbox"
    assert Schedule.objects.get(scenario=scenario).rule["daily"] == {"at": ["09:00"]}
    assert {step.connection for step in parse(scenario.document).steps} == {connection.slug, ""}


def test_a_second_click_makes_nothing_new(alice: User, client_of: ClientOf, sandbox_offered: None) -> None:
    browser = client_of(alice)
    for _number in range(2):
        browser.post("/scenarios/example/", headers=HTMX)
    assert Scenario.objects.count() == 1
    assert Connection.objects.count() == 1


def test_it_runs_in_the_morning_of_the_person(alice: User, client_of: ClientOf, sandbox_offered: None) -> None:
    User.objects.filter(pk=alice.pk).update(timezone="Asia/Yekaterinburg")
    client_of(alice).post("/scenarios/example/", headers=HTMX)
    at = Schedule.objects.get().next_at
    assert at is not None
    assert at.astimezone(ZoneInfo("Asia/Yekaterinburg")).strftime("%H:%M") == "09:00"


@pytest.mark.parametrize(("language", "words"), [("ru", "Каждое утро"), ("en", "Every morning")])
def test_it_speaks_the_language_of_the_person(
    alice: User, client_of: ClientOf, sandbox_offered: None, language: str, words: str
) -> None:
    User.objects.filter(pk=alice.pk).update(language=language)
    client_of(alice).post("/scenarios/example/", headers=HTMX)
    assert Scenario.objects.get().name.startswith(words)


def test_its_text_has_a_line_for_each_event(alice: User, sandbox_offered: None) -> None:
    scenario = examples.make(actor_of(alice), timezone="Europe/Moscow").scenario
    document = parse(scenario.document)
    events = [
        {"summary": "Отпуск", "start": {"date": "2026-11-24"}},
        {"summary": "Планёрка", "start": {"dateTime": "2026-11-24T06:30:00Z"}},
        {"start": {"dateTime": "2026-11-24T11:00:00+03:00"}},
    ]
    known = names(scenario, document, {"s2": {"body": {"items": events}}})
    fields = compiled(document.steps[1])["fields"].evaluate(known)
    assert fields["text"].splitlines() == ["All day: Отпуск", "09:30 Планёрка", "11:00 Without a title"]
    assert fields["count"] == 3


def test_it_asks_for_the_events_of_today_and_no_other_day(alice: User, sandbox_offered: None) -> None:
    scenario = examples.make(actor_of(alice), timezone="Europe/Moscow").scenario
    document = parse(scenario.document)
    inputs = compiled(document.steps[0])
    known = names(scenario, document, {})
    least, most = (datetime.fromisoformat(inputs[name].evaluate(known)) for name in ("time_min", "time_max"))
    assert most - least == timedelta(days=1)
    assert least <= datetime.now(UTC) <= most
    assert least.strftime("%H:%M %z") == "00:00 +0300"


def test_without_a_sandbox_it_is_a_draft_on_google_that_asks_where_to_send(
    alice: User, client_of: ClientOf, settings: Any
) -> None:
    settings.SANDBOX_URL = ""
    browser = client_of(alice)
    answer = browser.post("/scenarios/example/")
    connection = Connection.objects.get()
    assert connection.preset == "google_calendar"
    assert answer.headers["Location"] == f"/connections/{connection.public_id}/edit/"
    assert browser.get(answer.headers["Location"]).status_code == 200
    scenario = Scenario.objects.get()
    assert scenario.status == "draft"
    assert parse(scenario.document).steps[1].inputs["url"] == ""
    Connection.objects.update(status="connected")
    answer = browser.post("/scenarios/example/")
    assert answer.headers["Location"] == f"/scenarios/{scenario.public_id}/"


def test_a_connected_account_is_offered_its_first_run(alice: User, client_of: ClientOf, sandbox_offered: None) -> None:
    example = examples.make(actor_of(alice), timezone="UTC")
    browser = client_of(alice)
    page = f"/connections/{example.connection.public_id}/"
    assert "Run it" not in browser.get(page).content.decode()
    Connection.objects.update(status="connected")
    assert "Run it" in browser.get(page).content.decode()
    answer = browser.post("/runs/start/", {"scenario": example.scenario.public_id})
    assert answer.headers["Location"].startswith("/runs/")
    assert "Run it" not in browser.get(page).content.decode()


def test_a_viewer_cannot_make_it(vera: User, client_of: ClientOf, sandbox_offered: None) -> None:
    assert client_of(vera).post("/scenarios/example/").status_code == 403
    assert not Scenario.objects.exists()
