"""The page of a run: what happened, why, what may be done, and the data of each step."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import User
from connections.models import Connection
from scenarios import editing
from scenarios.models import Delivery, Run
from tests.people import actor_of
from tests.scenarios.run_kit import POST, SET, failed_run, run_of, scenario_of, step_of

pytestmark = pytest.mark.django_db
ClientOf = Callable[[User], Client]
HTMX = {"HX-Request": "true"}
DOUBT = {"code": "unknown_outcome", "params": {}, "path": "s3"}


def page_of(client: Client, run: Run, query: str = "") -> str:
    answer = client.get(f"/runs/{run.id.hex}/{query}")
    assert answer.status_code == 200
    return str(answer.content.decode())


def post(client: Client, run: Run, verb: str, **data: str) -> Any:
    return client.post(f"/runs/{run.id.hex}/{verb}/", data)


def test_a_failed_run_says_what_happened_and_what_to_do(alice: User, client_of: ClientOf) -> None:
    run = failed_run(scenario_of(alice))
    page = page_of(client_of(alice), run)
    assert "The service answered 422: title is taken" in page
    assert "Step 2, “В CRM”" in page
    assert "attempt 1 of 5" in page
    assert "Retry from this step" in page
    assert "Retry the whole run" in page
    assert f"/scenarios/{run.scenario.public_id}/steps/s3/" in page
    assert "Answer of the service: 422" in page


def test_the_step_that_failed_is_the_one_shown(alice: User, client_of: ClientOf) -> None:
    page = page_of(client_of(alice), failed_run(scenario_of(alice)))
    assert '<h2 class="panel__title" id="panel-title">2. В CRM</h2>' in page
    assert page.count('aria-current="true"') == 1


def test_each_step_shows_what_it_got_gave_and_sent(alice: User, client_of: ClientOf) -> None:
    run = failed_run(scenario_of(alice))
    browser = client_of(alice)
    assert "{{ s2.name }}" in page_of(browser, run, "?step=s3&tab=input")
    assert "Аня" in page_of(browser, run, "?step=s2&tab=result")
    exchange = page_of(browser, run, "?step=s3&tab=http")
    assert "POST https://crm.example/deals" in exchange
    assert "422 Unprocessable" in exchange
    assert "••••••" in exchange
    assert "Not tried again" in page_of(browser, run, "?step=s3&tab=attempts")


def test_what_strangers_wrote_is_text_with_its_control_characters_visible(alice: User, client_of: ClientOf) -> None:
    run = run_of(scenario_of(alice))
    nasty = "<script>alert(1)</script>\u202etxt\u0007"
    step_of(run, "s2", effect="pure", inputs={nasty: nasty}, result={"body": nasty})
    step_of(
        run,
        "s3",
        inputs={"x": nasty},
        exchange={
            "request": {
                "method": "POST",
                "url": f"https://x.example/{nasty}",
                "headers": {nasty: nasty},
                "body": nasty,
            },
            "response": None,
            "took_ms": None,
        },
    )
    browser = client_of(alice)
    for query in ("?step=s2&tab=input", "?step=s2&tab=result", "?step=s3&tab=http"):
        page = page_of(browser, run, query)
        assert "<script>alert(1)" not in page, query
        assert "&lt;script&gt;" in page, query
        assert "\u202e" not in page, query
        assert "\u0007" not in page, query
        assert "␇" in page, query


def test_steps_that_were_not_executed_say_so(alice: User, client_of: ClientOf) -> None:
    run = run_of(scenario_of(alice), "failed", error={"code": "expression_failed", "params": {}, "path": "s2"})
    step_of(run, "s2", "failed", error={"code": "expression_failed", "params": {}, "path": "s2"})
    assert "was not executed" in page_of(client_of(alice), run)
    assert "did not come to this step" in page_of(client_of(alice), run, "?step=s3")


def test_steps_of_an_error_handler_stand_under_their_step(alice: User, client_of: ClientOf) -> None:
    told = {**SET, "key": "s4", "name": "Сообщить"}
    scenario = scenario_of(alice, steps=[SET, {**POST, "on_error": {"steps": [told]}}])
    run = run_of(scenario)
    step_of(run, "s2", effect="pure", result={})
    step_of(run, "s3", "failed", error=DOUBT)
    step_of(run, "s3!/s4", effect="pure", result={"said": 1})
    page = page_of(client_of(alice), run, "?step=s3!/s4&tab=result")
    assert 'id="panel-title">3. Сообщить</h2>' in page
    assert "said" in page
    assert "In case of an error" in page


def test_a_step_that_the_version_does_not_know_is_shown_all_the_same(alice: User, client_of: ClientOf) -> None:
    run = run_of(scenario_of(alice))
    step_of(run, "s9[3]/s8", result={"kept": True})
    assert "kept" in page_of(client_of(alice), run, "?step=s9[3]/s8&tab=result")


def test_a_run_that_waits_for_a_connection_names_it_and_goes_on_by_itself(alice: User, client_of: ClientOf) -> None:
    connection = Connection.objects.create(workspace=actor_of(alice).workspace, slug="crm", name="Наша CRM")
    scenario = scenario_of(alice, steps=[SET, {**POST, "connection": "crm"}])
    held = {
        "code": "reauthorization_needed",
        "params": {"connection": "crm", "name": "Наша CRM"},
        "path": "s3",
    }
    run = run_of(scenario, "waiting", error=held, wake_at=timezone.now(), waits_for=f"connection:{connection.pk}")
    step_of(run, "s3", "waiting", error=held)
    page = page_of(client_of(alice), run)
    assert "The connection “Наша CRM” needs to be authorized again." in page
    assert "goes on by itself" in page
    assert f"/connections/{connection.public_id}/" in page


def test_a_run_that_tries_again_says_when(alice: User, client_of: ClientOf) -> None:
    limited = {"code": "rate_limited", "params": {"status": 429, "message": "slow down"}, "path": "s3"}
    at = timezone.localtime(timezone.now() + timedelta(seconds=30))
    run = run_of(scenario_of(alice), "waiting", error=limited, wake_at=at)
    step_of(run, "s3", "waiting", attempt=2, error=limited)
    page = page_of(client_of(alice), run)
    assert "Tries again at " in page
    assert "attempt 2 of 5" in page


def test_a_queued_run_warns_where_no_worker_lives(alice: User, client_of: ClientOf) -> None:
    assert "No worker is running" in page_of(client_of(alice), run_of(scenario_of(alice), "queued"))


def test_the_trigger_shows_the_delivery_and_gives_its_body_as_a_file(
    alice: User, vera: User, client_of: ClientOf
) -> None:
    scenario = scenario_of(alice, trigger={"type": "webhook"})
    body = b'<html onload="alert(1)">'
    delivery = Delivery.objects.create(
        workspace_id=scenario.workspace_id,
        scenario=scenario,
        verdict="accepted",
        method="POST",
        query="page=2",
        headers={"x-source": "form"},
        content_type="text/html",
        body=body,
        size=len(body),
        source="203.0.113.9",
    )
    run = run_of(scenario, delivery=delivery, trigger="webhook", input=None)
    browser = client_of(alice)
    page = page_of(browser, run, "?step=trigger")
    assert "Webhook, POST" in page
    assert "203.0.113.9" in page
    assert "x-source" in page
    assert "<html onload" not in page
    answer = browser.get(f"/runs/{run.id.hex}/delivery/")
    assert answer.content == body
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    viewer = client_of(vera)
    assert viewer.get(f"/runs/{run.id.hex}/delivery/").status_code == 403
    assert "Download the body" not in page_of(viewer, run, "?step=trigger")


def test_values_can_be_saved_as_files(alice: User, client_of: ClientOf) -> None:
    run = failed_run(scenario_of(alice))
    browser = client_of(alice)
    answer = browser.get(f"/runs/{run.id.hex}/payload/result/?step=s2")
    assert "Аня" in answer.content.decode()
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert "name" in browser.get(f"/runs/{run.id.hex}/payload/input/?step=trigger").content.decode()
    assert browser.get(f"/runs/{run.id.hex}/payload/secrets/?step=s2").status_code == 404
    assert browser.get(f"/runs/{run.id.hex}/payload/result/?step=s99").status_code == 404


def test_a_live_run_is_asked_about_until_it_has_ended(alice: User, client_of: ClientOf) -> None:
    run = run_of(scenario_of(alice), "running")
    browser = client_of(alice)
    page = page_of(browser, run)
    assert 'hx-trigger="every 2s"' in page
    seen = page.split("seen=")[1].split('"')[0]
    url = f"/runs/{run.id.hex}/?seen={seen}"
    assert browser.get(url, headers=HTMX).status_code == 204
    step_of(run, "s2", effect="pure")
    answer = browser.get(url, headers=HTMX)
    assert answer.status_code == 200
    assert "<html" not in answer.content.decode()
    Run.objects.filter(pk=run.pk).update(status="succeeded", finished_at=timezone.now())
    answer = browser.get(url, headers=HTMX)
    assert answer.status_code == 286
    assert "every 2s" not in answer.content.decode()


def test_going_back_in_history_gets_the_whole_page(alice: User, client_of: ClientOf) -> None:
    run = failed_run(scenario_of(alice))
    headers = HTMX | {"HX-History-Restore-Request": "true"}
    assert "<html" in client_of(alice).get(f"/runs/{run.id.hex}/?step=s2", headers=headers).content.decode()
    assert "<html" in client_of(alice).get("/runs/?status=failed", headers=headers).content.decode()


def test_a_retry_leads_to_the_new_run_which_names_the_old_one(alice: User, client_of: ClientOf) -> None:
    run = failed_run(scenario_of(alice))
    answer = post(client_of(alice), run, "retry")
    new = Run.objects.exclude(pk=run.pk).get()
    assert answer.headers["Location"] == f"/runs/{new.id.hex}/"
    assert new.replay_of == run.id
    page = page_of(client_of(alice), new)
    assert f'href="/runs/{run.id.hex}/"' in page
    assert "Repeat, Alice" in page


def test_a_retry_from_a_step_takes_over_what_stands_before_it(alice: User, client_of: ClientOf) -> None:
    run = failed_run(scenario_of(alice))
    post(client_of(alice), run, "retry", **{"from": "s3"})
    new = Run.objects.exclude(pk=run.pk).get()
    assert list(new.steps.values_list("path", "status")) == [("s2", "succeeded")]


def test_a_retry_can_use_the_version_in_force(alice: User, client_of: ClientOf) -> None:
    scenario = scenario_of(alice)
    run = failed_run(scenario)
    browser = client_of(alice)
    assert "in force now" not in page_of(browser, run)
    editing.save(actor_of(alice), scenario, {**scenario.document, "name": "Новое имя"}, revision=None)
    editing.publish(actor_of(alice), scenario)
    assert "Retry the whole run with version 2, in force now" in page_of(browser, run)
    post(browser, run, "retry", version="current")
    assert Run.objects.exclude(pk=run.pk).get().version.number == 2


def test_a_run_can_be_stopped_after_a_question(alice: User, client_of: ClientOf) -> None:
    run = run_of(scenario_of(alice), "queued")
    browser = client_of(alice)
    question = browser.get(f"/runs/{run.id.hex}/cancel/", headers=HTMX).content.decode()
    assert "Stop this run?" in question
    assert "<html" not in question
    assert "<html" in browser.get(f"/runs/{run.id.hex}/cancel/").content.decode()
    post(browser, run, "cancel")
    run.refresh_from_db()
    assert run.status == "cancelled"
    again = browser.post(f"/runs/{run.id.hex}/cancel/", follow=True).content.decode()
    assert "The run has ended already." in again


@pytest.mark.parametrize(
    ("choice", "step", "words"),
    [
        ("done", "succeeded", "Consider it done"),
        ("repeat", "waiting", "Do it again"),
        ("failed", "failed", "Consider it failed"),
    ],
)
def test_a_doubtful_run_explains_three_ways_on(
    alice: User, client_of: ClientOf, choice: str, step: str, words: str
) -> None:
    run = run_of(scenario_of(alice), "needs_review", error=DOUBT)
    step_of(run, "s3", "needs_review", error=DOUBT)
    browser = client_of(alice)
    assert words in page_of(browser, run)
    post(browser, run, "resolve", path="s3", **{"as": choice})
    run.refresh_from_db()
    assert run.status == "queued"
    assert run.steps.get(path="s3").status == step


def test_a_nonsensical_decision_is_refused(alice: User, client_of: ClientOf) -> None:
    run = run_of(scenario_of(alice), "needs_review", error=DOUBT)
    assert post(client_of(alice), run, "resolve", path="s3", **{"as": "maybe"}).status_code == 404


def test_neighbours_are_runs_of_the_same_scenario(alice: User, client_of: ClientOf) -> None:
    scenario = scenario_of(alice)
    old, middle, new = (run_of(scenario, at=timezone.now() - timedelta(hours=hours)) for hours in (3, 2, 1))
    run_of(scenario_of(alice, "Другой"), at=timezone.now() - timedelta(minutes=90))
    page = page_of(client_of(alice), middle)
    assert f'href="/runs/{new.id.hex}/" aria-label="Newer' in page
    assert f'href="/runs/{old.id.hex}/" aria-label="Older' in page


def test_a_viewer_looks_and_does_nothing(alice: User, vera: User, client_of: ClientOf) -> None:
    scenario = scenario_of(alice)
    runs = [failed_run(scenario), run_of(scenario, "needs_review", error=DOUBT), run_of(scenario, "queued")]
    browser = client_of(vera)
    for run in runs:
        page = page_of(browser, run)
        for action in ("retry", "resolve", "cancel"):
            assert f"/{action}/" not in page
            assert post(browser, run, action).status_code == 403
    assert browser.post("/runs/start/", {"scenario": scenario.public_id}).status_code == 403
    assert Run.objects.count() == 3


@pytest.mark.parametrize("path", ["", "payload/input/", "delivery/", "cancel/"])
def test_charlie_gets_404(alice: User, charlie: User, client_of: ClientOf, path: str) -> None:
    run = failed_run(scenario_of(alice))
    assert client_of(charlie).get(f"/runs/{run.id.hex}/{path}").status_code == 404


@pytest.mark.parametrize("action", ["cancel", "retry", "resolve"])
def test_charlie_can_do_nothing_to_a_run(alice: User, charlie: User, client_of: ClientOf, action: str) -> None:
    run = failed_run(scenario_of(alice))
    assert post(client_of(charlie), run, action, path="s3", **{"as": "done"}).status_code == 404
    assert client_of(charlie).post("/runs/start/", {"scenario": run.scenario.public_id}).status_code == 404


def test_an_id_that_is_none_is_404(alice: User, client_of: ClientOf) -> None:
    assert client_of(alice).get("/runs/nonsense/").status_code == 404


def test_the_page_takes_a_fixed_number_of_queries(
    alice: User, client_of: ClientOf, django_assert_max_num_queries: Any
) -> None:
    run = failed_run(scenario_of(alice))
    for number in range(20):
        step_of(run, f"s9[{number}]/s8", result={"n": number})
    browser = client_of(alice)
    page_of(browser, run)
    with django_assert_max_num_queries(13):
        page_of(browser, run)
