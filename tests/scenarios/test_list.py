"""The list of scenarios: what it shows, the switch, a new one, a copy, an import, the end."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from scenarios import editing, trying
from scenarios.models import Run, Scenario
from scenarios.pages import recent
from scenarios.triggers import start
from tests.people import actor_of

HTMX = {"HX-Request": "true"}
DOCUMENT: dict[str, Any] = {
    "format": 1,
    "name": "Morning",
    "trigger": {"key": "s1", "type": "schedule", "inputs": {"daily": {"at": ["09:00"], "weekdays": [1, 2, 3, 4, 5]}}},
    "steps": [{"key": "s2", "action": "data.set", "inputs": {"values": {"a": "1"}}}],
}


def made(user: User, *, published: bool = True, **changes: Any) -> Scenario:
    scenario = editing.create(actor_of(user), {**DOCUMENT, **changes}, draft=True)
    if published:
        editing.publish(actor_of(user), scenario)
    return scenario


@pytest.fixture
def alices(alice: User, client_of: Callable[[User], Client]) -> Client:
    return client_of(alice)


def test_an_empty_list_has_two_doors(alices: Client) -> None:
    page = alices.get("/scenarios/").content.decode()
    assert 'href="/scenarios/new/"' in page
    assert 'action="/scenarios/example/"' in page


def test_a_row_says_what_starts_the_scenario_and_when_next(alice: User, alices: Client) -> None:
    scenario = made(alice)
    editing.activate(actor_of(alice), scenario)
    page = alices.get("/scenarios/").content.decode()
    assert "On workdays at 09:00" in page
    assert "1 step" in page
    assert 'role="switch" name="on" value="true" checked' in page
    assert "<time datetime=" in page


def test_the_last_runs_are_shown_as_ticks_oldest_first(alice: User, alices: Client) -> None:
    scenario = made(alice)
    assert scenario.published is not None
    for status in ("succeeded", "failed"):
        run = start(scenario.published, trigger="manual", given={"body": {}})
        Run.objects.filter(pk=run.pk).update(status=status)
    found = recent.by_scenario([scenario.pk])[scenario.pk]
    assert found.statuses == ("succeeded", "failed")
    assert "Last runs: 2, failed: 1" in alices.get("/scenarios/").content.decode()


def test_the_list_asks_the_database_the_same_number_of_times(alice: User, alices: Client) -> None:
    made(alice)
    alices.get("/scenarios/")

    def queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as captured:
            assert alices.get("/scenarios/").status_code == 200
        return len(captured)

    few = queries()
    for number in range(12):
        editing.activate(actor_of(alice), made(alice, name=f"Scenario {number}"))
    assert queries() == few


def test_the_list_is_searched_by_name(alice: User, alices: Client) -> None:
    made(alice, name="Orders to CRM")
    made(alice, name="Lessons")
    fragment = alices.get("/scenarios/", {"q": "crm"}, headers=HTMX).content.decode()
    assert "Orders to CRM" in fragment
    assert "Lessons" not in fragment
    assert "<html" not in fragment
    assert "Nothing found" in alices.get("/scenarios/", {"q": "zzz"}).content.decode()


def test_a_new_scenario_opens_in_the_editor(alices: Client, alice: User) -> None:
    answer = alices.post("/scenarios/new/", {"name": "", "trigger": "schedule"})
    scenario = Scenario.objects.get()
    assert answer.headers["Location"] == f"/scenarios/{scenario.public_id}/"
    assert scenario.name == "New scenario"
    assert scenario.document["trigger"]["type"] == "schedule"
    assert editing.problems(scenario) == []


def test_the_new_scenarios_dialog_is_a_fragment_and_a_page(alices: Client) -> None:
    assert "<html" in alices.get("/scenarios/new/").content.decode()
    assert "<html" not in alices.get("/scenarios/new/", headers=HTMX).content.decode()


def test_a_scenario_is_switched_on_and_off(alice: User, alices: Client) -> None:
    scenario = made(alice)
    url = f"/scenarios/{scenario.public_id}/switch/"
    assert "checked" in alices.post(url, {"on": "true"}, headers=HTMX).content.decode()
    scenario.refresh_from_db()
    assert scenario.status == "active"
    assert alices.post(url, {}).status_code == 302
    scenario.refresh_from_db()
    assert scenario.status == "paused"


def test_an_unpublished_scenario_is_not_switched_on(alice: User, alices: Client) -> None:
    scenario = made(alice, published=False)
    answer = alices.post(f"/scenarios/{scenario.public_id}/switch/", {"on": "true"}, headers=HTMX)
    assert answer.status_code == 422
    assert "The scenario has not been published yet." in answer.content.decode()
    scenario.refresh_from_db()
    assert scenario.status == "draft"


def test_a_copy_is_a_draft_with_the_same_steps_samples_and_secrets(alice: User, alices: Client) -> None:
    signature = {"mode": "header", "name": "X-Secret", "secret": "s3cret"}
    scenario = made(alice, trigger={"key": "s1", "type": "webhook", "inputs": {"signature": signature}})
    trying.keep_sample(scenario, "s2", {"a": "1"})
    alices.post(f"/scenarios/{scenario.public_id}/copy/")
    copy = Scenario.objects.exclude(pk=scenario.pk).get()
    assert copy.name == "Morning (copy)"
    assert copy.document["steps"] == scenario.document["steps"]
    assert copy.samples == {"s2": {"a": "1"}}
    assert copy.status == "draft"
    assert editing.secrets_of(copy) == {"secret": "s3cret"}
    assert "s3cret" not in str(copy.document)


def test_deleting_asks_first_and_keeps_the_runs(alice: User, alices: Client) -> None:
    scenario = made(alice)
    url = f"/scenarios/{scenario.public_id}/delete/"
    assert "Delete the scenario?" in alices.get(url, headers=HTMX).content.decode()
    alices.post(url)
    assert alices.get(f"/scenarios/{scenario.public_id}/").status_code == 404
    assert Scenario.objects.filter(pk=scenario.pk).exists()


def test_a_document_is_exported_and_imported(alice: User, alices: Client) -> None:
    scenario = made(alice)
    exported = alices.get(f"/scenarios/{scenario.public_id}/export/")
    assert exported.headers["Content-Disposition"].startswith("attachment")
    alices.post("/scenarios/import/", {"document": exported.content.decode()})
    imported = Scenario.objects.exclude(pk=scenario.pk).get()
    assert imported.document == scenario.document


@pytest.mark.parametrize(
    ("document", "words"),
    [("{", "This is not JSON"), ('{"trigger": {"type": "manual"}, "stepz": []}', "There is no “stepz” here.")],
)
def test_a_wrong_document_is_told_where(alices: Client, document: str, words: str) -> None:
    answer = alices.post("/scenarios/import/", {"document": document})
    assert answer.status_code == 422
    assert words in answer.content.decode()
    assert not Scenario.objects.exists()


def test_charlie_finds_nothing_of_alices(alice: User, charlie: User, client_of: Callable[[User], Client]) -> None:
    scenario = made(alice)
    charlies = client_of(charlie)
    assert "Morning" not in charlies.get("/scenarios/").content.decode()
    for end in ("", "delete/", "export/", "versions/", "settings/", "run/", "trigger/", "steps/s2/", "add/"):
        assert charlies.get(f"/scenarios/{scenario.public_id}/{end}").status_code == 404, end
    for end in ("switch/", "copy/", "publish/", "name/", "delete/", "steps/s2/", "steps/s2/test/", "trigger/type/"):
        assert charlies.post(f"/scenarios/{scenario.public_id}/{end}").status_code == 404, end


def test_vera_looks_but_changes_nothing(alice: User, vera: User, client_of: Callable[[User], Client]) -> None:
    scenario = made(alice)
    veras = client_of(vera)
    page = veras.get("/scenarios/").content.decode()
    assert "Morning" in page
    assert "/scenarios/new/" not in page
    for end in ("", "trigger/", "steps/s2/", "versions/", "settings/"):
        shown = veras.get(f"/scenarios/{scenario.public_id}/{end}")
        assert shown.status_code == 200, end
        assert "panel-form" not in shown.content.decode(), end
    for end in ("switch/", "copy/", "publish/", "name/", "delete/", "steps/s2/", "steps/s2/test/", "settings/"):
        assert veras.post(f"/scenarios/{scenario.public_id}/{end}").status_code == 403, end
