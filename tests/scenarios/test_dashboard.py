"""The overview: what needs a person, the day in figures, scenarios, runs; and the first steps of a newcomer."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import User
from connections.models import Connection
from scenarios import editing
from scenarios.models import Scenario
from scenarios.pages.overview import dashboard_data
from scenarios.pages.overview.dashboard import greeting
from scenarios.pages.overview.dashboard_data import Dashboard, rounded_up
from tests.people import actor_of
from tests.scenarios.run_kit import failed_run, run_of, scenario_of

pytestmark = pytest.mark.django_db
ClientOf = Callable[[User], Client]


def page_of(client: Client) -> str:
    answer = client.get("/")
    assert answer.status_code == 200
    return str(answer.content.decode())


def test_a_newcomer_has_three_doors(alice: User, client_of: ClientOf) -> None:
    page = page_of(client_of(alice))
    assert "Try the example" in page
    assert "/connections/new/" in page
    assert "/scenarios/new/" in page
    assert "Runs in the last 24 hours" not in page


def test_a_viewer_has_no_doors(vera: User, client_of: ClientOf) -> None:
    page = page_of(client_of(vera))
    assert "Try the example" not in page
    assert "/scenarios/new/" not in page


def test_what_needs_a_person_stands_first(alice: User, client_of: ClientOf, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = actor_of(alice).workspace
    broken = Connection.objects.create(workspace=workspace, slug="crm", name="Наша CRM", status="needs_reauthorization")
    scenario = scenario_of(alice)
    for _number in range(2):
        run_of(scenario, "waiting", waits_for=f"connection:{broken.pk}", wake_at=timezone.now())
    doubt = run_of(scenario, "needs_review", at=timezone.now() - timedelta(days=40))
    failed_run(scenario)
    failed_run(scenario)
    monkeypatch.setattr(dashboard_data, "TROUBLES_READ", 2)  # a doubt is not hidden by many newer failures
    page = page_of(client_of(alice))
    assert "“Наша CRM” lets nobody in" in page
    assert "2 runs wait and go on by themselves" in page
    assert "1 run needs your decision" in page
    assert f"/runs/{doubt.id.hex}/" in page
    assert "The service answered 422: title is taken" in page
    assert page.index("lets nobody in") < page.index("Runs in the last 24 hours")


def test_the_figures_are_those_of_the_last_day(alice: User) -> None:
    scenario = scenario_of(alice)
    now = timezone.now()
    for hours in (0, 1, 1, 5, 30):
        run_of(scenario, at=now - timedelta(hours=hours, minutes=1))
    failed_run(scenario, at=now - timedelta(hours=2, minutes=1))
    run_of(scenario, "running", at=now)
    data = Dashboard(actor_of(alice))
    assert (data.figures.total, data.figures.succeeded, data.figures.failed) == (6, 4, 1)
    assert data.figures.share == 80
    assert data.usual_ms == 1500
    assert len(data.chart.bars) == 24
    assert sum(bar.ok + bar.failed for bar in data.chart.bars) == 6
    assert data.chart.bars[-1].is_last
    assert "6, of them failed 1" in data.chart_words


def test_each_hour_of_the_chart_leads_to_its_runs(alice: User, client_of: ClientOf) -> None:
    scenario = scenario_of(alice)
    inside = run_of(scenario, at=timezone.now() - timedelta(hours=3))
    outside = run_of(scenario, at=timezone.now() - timedelta(hours=5))
    bar = next(bar for bar in Dashboard(actor_of(alice)).chart.bars if bar.start <= inside.created_at < bar.end)
    page = client_of(alice).get(f"/runs/{bar.query}").content.decode()
    assert f"/runs/{inside.id.hex}/" in page
    assert f"/runs/{outside.id.hex}/" not in page
    assert "Show all times" in page


def test_scenarios_show_their_cause_their_last_runs_and_the_next_one(alice: User, client_of: ClientOf) -> None:
    every = {"type": "schedule", "inputs": {"every_s": 900}}
    scenario = scenario_of(alice, trigger=every)
    editing.activate(actor_of(alice), scenario)
    run_of(scenario)
    page = page_of(client_of(alice))
    assert "Every 15 minutes" in page
    assert "1 of 1 are on" in page
    assert "Soon to run" in page
    assert f"/scenarios/{scenario.public_id}/switch/" in page


def test_first_steps_go_away_with_the_first_success(alice: User, client_of: ClientOf) -> None:
    scenario = scenario_of(alice)
    browser = client_of(alice)
    assert "First steps" in page_of(browser)
    run_of(scenario)
    assert "First steps" not in page_of(browser)


def test_nothing_of_others_is_shown(alice: User, charlie: User, client_of: ClientOf) -> None:
    failed_run(scenario_of(alice))
    Connection.objects.create(workspace=actor_of(alice).workspace, slug="crm", name="Наша CRM", status="misconfigured")
    page = page_of(client_of(charlie))
    assert "Заявки" not in page
    assert "Наша CRM" not in page


def test_the_overview_takes_ten_queries(alice: User, client_of: ClientOf, django_assert_max_num_queries: Any) -> None:
    for number in range(12):
        scenario = scenario_of(alice, f"Сценарий {number}")
        failed_run(scenario)
        run_of(scenario)
        Connection.objects.create(workspace=actor_of(alice).workspace, slug=f"c{number}", name="C", status="connected")
    browser = client_of(alice)
    page_of(browser)
    with django_assert_max_num_queries(10):
        page_of(browser)


@pytest.mark.parametrize(("most", "top"), [(0, 3), (3, 3), (4, 6), (22, 30), (31, 60), (200, 210), (1000, 1500)])
def test_the_axis_ends_at_a_round_number_that_three_divides(most: int, top: int) -> None:
    assert rounded_up(most) == top


@pytest.mark.parametrize(
    ("hour", "words"),
    [(8, "Good morning, Anna"), (13, "Good afternoon, Anna"), (20, "Good evening, Anna"), (2, "Hello, Anna")],
)
def test_the_greeting_follows_the_clock(hour: int, words: str) -> None:
    assert greeting(hour, "Anna") == words


def test_a_scenario_that_was_paused_for_its_own_good_says_why_and_what_to_do(alice: User, client_of: ClientOf) -> None:
    scenario = scenario_of(alice, "Заявки")
    reason = {"code": "loop_detected", "params": {}, "at": "2026-01-31T09:00:00Z"}
    Scenario.objects.filter(pk=scenario.pk).update(status="paused", paused_reason=reason)
    page = str(client_of(alice).get("/").content.decode())
    assert "“Заявки” was paused" in page
    assert "The scenario kept starting itself and was paused." in page
    assert f'href="/scenarios/{scenario.public_id}/"' in page
