"""The list of runs: rows in words, filters in the address, pages, and what appears by itself."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import User
from scenarios.pages.runs import run_listing
from tests.scenarios.run_kit import failed_run, run_of, scenario_of, step_of

pytestmark = pytest.mark.django_db
ClientOf = Callable[[User], Client]
HTMX = {"HX-Request": "true"}


def text_of(response: Any) -> str:
    return str(response.content.decode())


def test_a_workspace_without_runs_is_told_what_will_be_here(alice: User, client_of: ClientOf) -> None:
    page = text_of(client_of(alice).get("/runs/"))
    assert "No runs yet" in page
    assert "<table" not in page


def test_a_row_says_in_words_how_a_run_stands(alice: User, client_of: ClientOf) -> None:
    run = failed_run(scenario_of(alice))
    page = text_of(client_of(alice).get("/runs/"))
    assert "Step 2, “В CRM”: The service answered 422: title is taken" in page
    assert f'href="/runs/{run.id.hex}/"' in page
    assert "By hand" in page
    assert "1.5 s" in page


def test_runs_stand_under_their_days(alice: User, client_of: ClientOf) -> None:
    scenario = scenario_of(alice)
    run_of(scenario)
    run_of(scenario, at=timezone.now() - timedelta(days=1))
    run_of(scenario, at=timezone.now() - timedelta(days=9))
    page = text_of(client_of(alice).get("/runs/"))
    assert page.count("table__group") == 3
    assert "Today, " in page
    assert "Yesterday, " in page


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("", {"failed", "succeeded", "waiting", "old"}),
        ("status=failed", {"failed"}),
        ("status=waiting", {"waiting"}),
        ("period=7", {"failed", "succeeded", "waiting"}),
        ("q=Другой", {"waiting"}),
        ("status=nonsense&period=x&before=zz", {"failed", "succeeded", "waiting", "old"}),
    ],
)
def test_filters_stand_in_the_address(alice: User, client_of: ClientOf, query: str, shown: set[str]) -> None:
    scenario, other = scenario_of(alice), scenario_of(alice, "Другой")
    runs = {
        "failed": failed_run(scenario),
        "succeeded": run_of(scenario),
        "waiting": run_of(other, "waiting", wake_at=timezone.now() + timedelta(minutes=9)),
        "old": run_of(scenario, at=timezone.now() - timedelta(days=20)),
    }
    page = text_of(client_of(alice).get(f"/runs/?{query}"))
    assert {name for name, run in runs.items() if f"/runs/{run.id.hex}/" in page} == shown


def test_a_run_is_found_by_either_end_of_its_id(alice: User, client_of: ClientOf) -> None:
    scenario = scenario_of(alice)
    wanted, other = run_of(scenario), run_of(scenario, at=timezone.now() - timedelta(days=2))
    browser = client_of(alice)
    for piece in (wanted.id.hex, str(wanted.id), wanted.id.hex[:12], f"…{wanted.id.hex[-8:]}"):
        page = text_of(browser.get("/runs/", {"q": piece}))
        assert f"/runs/{wanted.id.hex}/" in page, piece
        assert f"/runs/{other.id.hex}/" not in page, piece


def test_nothing_found_offers_to_reset_the_filters(alice: User, client_of: ClientOf) -> None:
    run_of(scenario_of(alice))
    page = text_of(client_of(alice).get("/runs/?status=failed"))
    assert "No such runs" in page
    assert "Reset the filters" in page


def test_pages_go_on_without_gaps_in_both_directions(
    alice: User, client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_listing, "PAGE", 2)
    scenario = scenario_of(alice)
    runs = [run_of(scenario, at=timezone.now() - timedelta(minutes=number)) for number in range(5)]
    browser = client_of(alice)

    def ids(url: str) -> list[str]:
        page = text_of(browser.get(url))
        return [run.id.hex for run in runs if f'href="/runs/{run.id.hex}/"' in page]

    assert ids("/runs/") == [run.id.hex for run in runs[:2]]
    assert ids(f"/runs/?before={runs[1].id.hex}") == [run.id.hex for run in runs[2:4]]
    assert ids(f"/runs/?before={runs[3].id.hex}") == [runs[4].id.hex]
    assert ids(f"/runs/?after={runs[4].id.hex}") == [run.id.hex for run in runs[2:4]]


def test_the_number_of_queries_does_not_grow_with_the_runs(
    alice: User, client_of: ClientOf, django_assert_max_num_queries: Any
) -> None:
    browser = client_of(alice)
    scenario = scenario_of(alice)
    for _number in range(30):
        step_of(run_of(scenario), "s2")
    run_of(scenario_of(alice, "Другой"), "running")
    browser.get("/runs/")
    with django_assert_max_num_queries(10):
        browser.get("/runs/")


def test_a_poll_that_finds_nothing_new_changes_nothing(alice: User, client_of: ClientOf) -> None:
    scenario = scenario_of(alice)
    run_of(scenario)
    browser = client_of(alice)
    seen = text_of(browser.get("/runs/")).split("seen=")[1].split('"')[0]
    assert browser.get(f"/runs/?seen={seen}", headers=HTMX).status_code == 204
    new = run_of(scenario, "queued")
    answer = browser.get(f"/runs/?seen={seen}", headers=HTMX)
    assert answer.status_code == 200
    assert new.id.hex in text_of(answer)
    assert "<html" not in text_of(answer)
    assert "HX-Push-Url" not in answer.headers


def test_an_older_page_asks_no_more_once_all_its_runs_have_ended(alice: User, client_of: ClientOf) -> None:
    scenario = scenario_of(alice)
    newer = run_of(scenario)
    run_of(scenario, at=timezone.now() - timedelta(days=1))
    answer = client_of(alice).get(f"/runs/?before={newer.id.hex}&seen=before", headers=HTMX)
    assert answer.status_code == 286
    assert "every" not in text_of(answer)


def test_a_filter_that_htmx_sends_gets_a_clean_address(alice: User, client_of: ClientOf) -> None:
    answer = client_of(alice).get("/runs/?q=&scenario=&period=7&status=failed", headers=HTMX)
    assert answer.headers["HX-Push-Url"] == "/runs/?status=failed&period=7"


def test_other_peoples_runs_are_not_there(alice: User, charlie: User, client_of: ClientOf) -> None:
    run = run_of(scenario_of(alice))
    for query in ("", f"?q={run.id.hex}", f"?scenario={run.scenario.public_id}", f"?before={'f' * 32}"):
        page = text_of(client_of(charlie).get(f"/runs/{query}"))
        assert f"/runs/{run.id.hex}/" not in page
        assert run.scenario.name not in page


def test_a_viewer_gets_no_button_to_retry(alice: User, vera: User, client_of: ClientOf) -> None:
    failed_run(scenario_of(alice))
    assert "/retry/" in text_of(client_of(alice).get("/runs/"))
    assert "/retry/" not in text_of(client_of(vera).get("/runs/"))
