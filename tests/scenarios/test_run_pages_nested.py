"""The page of a run with branches, loops, handlers and called runs: what is in sight, and how little is read for it."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from accounts.models import User
from connections.models import Connection
from scenarios.models import Run, Scenario, StepRun
from tests.people import actor_of
from tests.scenarios.run_kit import EXCHANGE, POST, REFUSED, SET, failed_run, run_of, scenario_of, step_of

pytestmark = pytest.mark.django_db
ClientOf = Callable[[User], Client]
HTMX = {"HX-Request": "true"}
LOOP = {
    "key": "s5",
    "action": "flow.for_each",
    "name": "Каждому",
    "inputs": {"items": "{{ s2.list }}"},
    "steps": [{**POST, "key": "s6", "name": "Записать"}, {**SET, "key": "s7", "name": "Отметить"}],
}
ROUTER = {
    "key": "s3",
    "action": "flow.branch",
    "name": "Есть кому?",
    "branches": [
        {"name": "Есть", "when": "{{ s2.list }}", "steps": [LOOP]},
        {"name": "Некому", "steps": [{**SET, "key": "s9", "name": "Промолчать"}]},
    ],
}
CALL = {"key": "s10", "action": "flow.scenario", "name": "Отчёт", "inputs": {"scenario": "x"}}
HANDLER = {"steps": [{**SET, "key": "s11", "name": "Позвать дежурного"}]}


def nested(user: User, passes: int = 3, *, failed: int | None = 2, total: int | None = None) -> Run:
    """A loop in a branch; its pass `failed` failed, and with it the run."""
    scenario = scenario_of(user, steps=[SET, ROUTER, CALL], on_error=HANDLER)
    error = None if failed is None else REFUSED | {"path": f"s3/s5[{failed}]/s6"}
    status = "succeeded" if failed is None else "failed"
    run = run_of(scenario, status, error=error)
    items = [{"name": f"Ученик {number}"} for number in range(total or passes)]
    step_of(run, "s2", effect="pure", result={})
    step_of(run, "s3", status, effect="pure", inputs={"branch": 0, "name": "Есть"}, error=error)
    step_of(run, "s3/s5", status, effect="pure", inputs={"items": items, "parallel": 1}, error=error)
    rows = []
    for number in range(passes):
        is_bad = number == failed
        bad = {"status": "failed", "error": error} if is_bad else {"status": "succeeded"}
        common = {"run": run, "fence": 1, "took_ms": 5, "started_at": run.started_at, "position": 10 + number}
        rows.append(StepRun(path=f"s3/s5[{number}]/s6", effect="once", exchange=EXCHANGE, **bad, **common))
        if not is_bad:
            rows.append(StepRun(path=f"s3/s5[{number}]/s7", effect="pure", status="succeeded", **common))
    StepRun.objects.bulk_create(rows)
    return run


def page_of(client: Client, run: Run, query: str = "") -> str:
    answer = client.get(f"/runs/{run.id.hex}/{query}")
    assert answer.status_code == 200
    return str(answer.content.decode())


def test_the_branch_taken_is_open_and_the_other_is_folded_away(alice: User, client_of: ClientOf) -> None:
    page = page_of(client_of(alice), nested(alice))
    assert "branch “Есть”" in page
    assert "Branch “Некому”: not taken" in page
    assert page.index("Каждому") < page.index("Branch “Некому”")


def test_passes_are_squares_and_the_failed_one_is_open(alice: User, client_of: ClientOf) -> None:
    page = page_of(client_of(alice), nested(alice))
    assert page.count('class="iter') == 3 + 1  # and the line that they stand in
    assert 'aria-label="Pass 3, failed">3</a>' in page
    assert 'aria-label="Pass 1, succeeded">1</a>' in page
    assert "Ученик 2" in page
    assert "Step 4, “Записать”, pass 3" in page
    assert '<h2 class="panel__title" id="panel-title">4. Записать</h2>' in page
    assert "pass 3 ·" in page


def test_another_pass_can_be_opened_and_asked_for_by_its_number(alice: User, client_of: ClientOf) -> None:
    run, browser = nested(alice), client_of(alice)
    page = page_of(browser, run, "?step=s3/s5[0]/s7")
    assert "pass 1 ·" in page
    assert 'id="panel-title">5. Отметить</h2>' in page
    assert "pass 2 ·" in page_of(browser, run, "?step=s3/s5&first=s6&pass=2")


@pytest.mark.parametrize("step", ["s3/s5[99]/s6", "s3/s9", "s99", "s3/s5[x]/s6", "s3/s5[" + "9" * 60 + "]/s6", "../.."])
def test_an_address_of_no_step_shows_the_run_all_the_same(alice: User, client_of: ClientOf, step: str) -> None:
    assert "Каждому" in page_of(client_of(alice), nested(alice), f"?step={step}&pass=0")


def test_of_a_long_loop_a_window_is_in_sight_with_ways_to_the_rest(alice: User, client_of: ClientOf) -> None:
    run = nested(alice, 130, failed=120, total=400)
    page = page_of(client_of(alice), run)
    assert page.count('class="iter') == 51 + 1  # the squares, their line, and the line of the ways
    assert "101–150 of 400" in page
    assert "s3/s5%5B50%5D%2Fs6" in page or "s3%2Fs5%5B50%5D%2Fs6" in page
    page = page_of(client_of(alice), run, "?step=s3/s5[0]/s6")
    assert "1–50 of 400" in page
    assert 'aria-label="Pass 121, failed">121</a>' in page  # named although it is out of sight


def test_a_page_over_ten_thousand_passes_reads_little_and_is_quick(
    alice: User, client_of: ClientOf, django_assert_max_num_queries: Any
) -> None:
    run = nested(alice, 10_000, failed=9_876)
    browser = client_of(alice)
    page_of(browser, run)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE scenarios_steprun")
    with django_assert_max_num_queries(16):
        page_of(browser, run)
    took = []
    for _ in range(5):
        begun = time.perf_counter()
        page_of(browser, run, "?step=s3/s5[5000]/s6")
        took.append(time.perf_counter() - begun)
    assert min(took) < 0.25  # far above what it takes, on a machine that many share


def test_the_number_of_queries_does_not_grow_with_the_passes(
    alice: User, client_of: ClientOf, django_assert_num_queries: Any
) -> None:
    few, many, browser = nested(alice, 3), nested(alice, 300, failed=200), client_of(alice)
    page_of(browser, few)
    with connection.execute_wrapper(Counter()) as _:
        page_of(browser, few)
    counter = Counter()
    with connection.execute_wrapper(counter):
        page_of(browser, few)
    with django_assert_num_queries(counter.number):
        page_of(browser, many)


class Counter:
    def __init__(self) -> None:
        self.number = 0

    def __call__(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        self.number += 1
        return execute(sql, params, many, context)


def test_the_run_wide_handler_stands_below(alice: User, client_of: ClientOf) -> None:
    run, browser = nested(alice), client_of(alice)
    assert "When the run fails: not needed" in page_of(browser, run).replace("\n", " ")
    step_of(run, "!/s11", effect="pure", result={"called": True})
    page = page_of(browser, run, "?step=!/s11&tab=result")
    assert "called" in page
    assert 'id="panel-title">8. Позвать дежурного</h2>' in page


def test_called_runs_and_callers_are_linked(alice: User, client_of: ClientOf) -> None:
    parent = nested(alice, failed=None)
    step_of(parent, "s10", "waiting", effect="keyed", inputs={"run": "x"})
    child = run_of(scenario_of(alice, "Отчёт"), parent_id=parent.id, parent_path="s10", depth=1)
    browser = client_of(alice)
    assert f'href="/runs/{child.id.hex}/"' in page_of(browser, parent, "?step=s10")
    page = page_of(browser, child)
    assert "Called by" in page
    assert f'href="/runs/{parent.id.hex}/?step=s10"' in page


def test_earlier_attempts_are_told_one_by_one(alice: User, client_of: ClientOf) -> None:
    run = failed_run(scenario_of(alice))
    busy = {"code": "upstream_status", "params": {"status": 503, "message": "busy"}, "path": "s3"}
    attempts = [
        {"attempt": 1, "status": "running", "started_at": "2026-01-31T09:00:00Z", "took_ms": None, "error": None},
        {"attempt": 2, "status": "waiting", "started_at": "2026-01-31T09:01:00Z", "took_ms": 70, "error": busy},
    ]
    run.steps.filter(path="s3").update(attempt=3, attempts=attempts)
    page = page_of(client_of(alice), run, "?step=s3&tab=attempts")
    assert "Attempt 1" in page
    assert "The worker died during it" in page
    assert "busy" in page
    assert "Attempt 3" in page


@pytest.mark.parametrize(
    ("status", "fields", "words"),
    [
        ("queued", {"wake_at": None}, "The scenario is set to at most 2 runs at a time."),
        ("waiting", {"waits_for": "", "wake_at": timezone.now()}, "The scenario asked for this pause"),
        ("waiting", {"waits_for": "run:" + "a" * 32}, "The run goes on by itself when that one has ended."),
        ("succeeded", {"error": {"code": "filtered", "params": {}, "path": "s2"}}, "that is no error"),
        ("succeeded", {"error": {"code": "stopped", "params": {"message": "Хватит"}, "path": "s2"}}, "Хватит"),
    ],
)
def test_why_a_run_stands_still_or_ended_early_is_said(
    alice: User, client_of: ClientOf, status: str, fields: dict[str, Any], words: str
) -> None:
    scenario = scenario_of(alice)
    Scenario.objects.filter(pk=scenario.pk).update(max_concurrent=2)
    page = page_of(client_of(alice), run_of(scenario, status, **fields))
    assert words in page
    assert 'class="oops"' not in page


def test_a_throttled_run_names_the_connection_that_asked_for_a_pause(alice: User, client_of: ClientOf) -> None:
    crm = Connection.objects.create(workspace=actor_of(alice).workspace, slug="crm", name="Наша CRM")
    error = {"code": "connection_throttled", "params": {}, "path": "s3"}
    run = run_of(scenario_of(alice), "waiting", error=error, waits_for=f"rate:{crm.pk}", wake_at=timezone.now())
    page = page_of(client_of(alice), run)
    assert "The service asked for a pause until" in page
    assert f"/connections/{crm.public_id}/" in page


def test_a_large_value_is_shown_cut_and_without_secrets(alice: User, client_of: ClientOf) -> None:
    run = run_of(scenario_of(alice))
    cut = {"_cut": {"bytes": 5_000_000, "start": '{"access_token": "tell-nobody", "list": ["one", "tw'}}
    step_of(run, "s2", effect="pure", result=cut)
    page = page_of(client_of(alice), run, "?step=s2&tab=result")
    assert "only the beginning is shown" in page
    assert "tell-nobody" not in page
    assert "one" in page
    assert "/payload/result/?step=s2" in page


def test_a_repeat_asks_first_what_it_does(alice: User, client_of: ClientOf) -> None:
    run, browser = nested(alice), client_of(alice)
    question = browser.get(f"/runs/{run.id.hex}/retry/?from=s3/s5[2]/s6", headers=HTMX).content.decode()
    assert "<html" not in question
    assert "Retry from this step?" in question
    assert "was refused; will be sent again" in question
    assert "6 steps are taken over" not in question
    assert "5 steps are taken over" in question
    whole = browser.get(f"/runs/{run.id.hex}/retry/").content.decode()
    assert "<html" in whole
    assert "will be sent a second time" in whole
    assert Run.objects.count() == 1
    browser.post(f"/runs/{run.id.hex}/retry/", {"from": "s3/s5[2]/s6"})
    new = Run.objects.exclude(pk=run.pk).get()
    page = page_of(browser, new)
    assert "from the earlier run" in page
    gone = browser.get(f"/runs/{run.id.hex}/retry/?from=s99", headers=HTMX)
    assert (gone.status_code, gone.headers["HX-Redirect"]) == (204, f"/runs/{run.id.hex}/")


def test_many_are_chosen_and_repeated_after_a_question(alice: User, client_of: ClientOf) -> None:
    scenario = scenario_of(alice)
    runs = [failed_run(scenario) for _ in range(3)]
    browser = client_of(alice)
    picking = browser.get("/runs/?pick=1&status=failed").content.decode()
    assert picking.count('name="run"') == 3
    assert "All that match: 3" in picking
    assert 'hx-trigger="every' not in picking
    one = {"verb": "retry", "run": runs[0].id.hex}
    assert "Retry 1 run?" in browser.get("/runs/many/", one, headers=HTMX).content.decode()
    browser.post("/runs/many/", one)
    answer = browser.post("/runs/many/", {"verb": "retry", "all": "1", "status": "failed"}, follow=True)
    assert "2 runs are repeated. 1 was left out." in answer.content.decode()
    assert Run.objects.count() == 6
    assert "Stop 3 runs?" in browser.get("/runs/many/?verb=stop&all=1").content.decode()
    browser.post("/runs/many/", {"verb": "stop", "all": "1"})
    assert Run.objects.filter(status="cancelled").count() == 3
    assert browser.get("/runs/many/?verb=erase").status_code == 404


def test_strangers_and_viewers_do_nothing_to_many(alice: User, vera: User, charlie: User, client_of: ClientOf) -> None:
    run = failed_run(scenario_of(alice))
    assert 'name="run"' not in client_of(vera).get("/runs/?pick=1").content.decode()
    assert client_of(vera).post("/runs/many/", {"verb": "retry", "all": "1"}).status_code == 403
    assert client_of(vera).get(f"/runs/{run.id.hex}/retry/").status_code == 403
    assert client_of(charlie).get(f"/runs/{run.id.hex}/retry/").status_code == 404
    client_of(charlie).post("/runs/many/", {"verb": "retry", "run": run.id.hex})
    assert Run.objects.count() == 1


def test_runs_are_listed_by_their_error(alice: User, client_of: ClientOf) -> None:
    scenario = scenario_of(alice)
    refused, other = failed_run(scenario), run_of(scenario, "failed", error={"code": "forbidden", "params": {}})
    browser = client_of(alice)
    assert "error=upstream_status" in page_of(browser, refused)
    page = browser.get("/runs/?error=upstream_status").content.decode()
    assert f"/runs/{refused.id.hex}/" in page
    assert f"/runs/{other.id.hex}/" not in page
