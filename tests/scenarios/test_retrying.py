"""Repeats of runs: what goes into the new run's journal, and what the plan says before."""

from typing import Any

import pytest

from accounts.models import AuditEntry, User
from lib.errors import Json, UserError
from scenarios import editing, payloads
from scenarios.models import Payload, Run, Scenario
from scenarios.retrying import STOPPED, Plan, plan, retry
from tests.people import actor_of
from tests.scenarios.run_kit import EXCHANGE, POST, REFUSED, SET, failed_run, run_of, scenario_of, step_of

pytestmark = pytest.mark.django_db
LOOP = {
    "key": "s4",
    "action": "flow.for_each",
    "inputs": {"items": "{{ s2.list }}"},
    "steps": [{**SET, "key": "s5"}, {**POST, "key": "s6", "inputs": {**POST["inputs"], "fields": {"n": "{{ item }}"}}}],
}
ITEMS = {"items": [1, 2, 3], "parallel": 1, "on_item_error": "stop"}


def looping(user: User) -> Run:
    """Its third pass failed."""
    error = REFUSED | {"path": "s4[2]/s6"}
    run = run_of(scenario_of(user, steps=[SET, LOOP]), "failed", error=error)
    step_of(run, "s2", effect="pure", result={"list": [1, 2, 3]})
    step_of(run, "s4", "failed", effect="pure", inputs=ITEMS, error=error, took_ms=900)
    for number in range(3):
        step_of(run, f"s4[{number}]/s5", effect="pure", result={"n": number})
        step_of(run, f"s4[{number}]/s6", "failed" if number == 2 else "succeeded", exchange=EXCHANGE)
    return run


def words(found: Plan) -> list[tuple[str, str, int]]:
    return [(one.key, one.consequence, one.count) for one in found.again]


def published(user: User, scenario: Scenario, **changes: Json) -> None:
    scenario.refresh_from_db()
    editing.save(actor_of(user), scenario, {**scenario.document, **changes}, revision=None)
    scenario.refresh_from_db()
    editing.publish(actor_of(user), scenario)


def test_from_a_pass_on_the_loop_is_entered_again_with_its_items(alice: User) -> None:
    run = looping(alice)
    new = retry(actor_of(alice), run, start_at="s4[2]/s6")
    rows = {row.path: row for row in new.steps.all()}
    assert set(rows) == {"s2", "s4", "s4[0]/s5", "s4[0]/s6", "s4[1]/s5", "s4[1]/s6", "s4[2]/s5"}
    loop = rows["s4"]
    assert (loop.status, loop.inputs, loop.result, loop.error, loop.took_ms) == ("running", ITEMS, None, None, None)
    assert loop.started_at is not None
    assert loop.started_at >= new.created_at
    assert (rows["s2"].result, rows["s4[1]/s6"].exchange) == ({"list": [1, 2, 3]}, EXCHANGE)
    assert {row.fence for row in rows.values()} == {0}
    assert (new.fence, new.key, new.replay_of) == (1, run.key, run.id)


def test_the_whole_run_takes_over_nothing(alice: User) -> None:
    new = retry(actor_of(alice), looping(alice))
    assert (new.steps.count(), new.fence) == (0, 0)


def test_where_it_stopped_is_a_place_to_go_on_from(alice: User) -> None:
    run = looping(alice)
    assert plan(run, STOPPED).start_at == "s4[2]/s6"
    Run.objects.filter(pk=run.pk).update(error={"code": "deadline", "params": {}, "path": ""})
    run.refresh_from_db()
    assert plan(run, STOPPED).start_at == "s4[2]/s6"
    assert retry(actor_of(alice), run, start_at=STOPPED).steps.count() == 7


@pytest.mark.parametrize(
    ("status", "code"),
    [("failed", "deadline"), ("failed", "poison"), ("cancelled", "cancelled"), ("failed", "internal")],
)
def test_a_run_that_ended_without_a_failed_step_is_repeated_from_where_it_came_to(
    alice: User, status: str, code: str
) -> None:
    run = run_of(scenario_of(alice), status, error={"code": code, "params": {}, "path": ""})
    step_of(run, "s2", effect="pure", result={"name": "Аня"})
    new = retry(actor_of(alice), run, start_at=STOPPED)
    assert list(new.steps.values_list("path", flat=True)) == ["s2"]


def test_large_values_come_along(alice: User) -> None:
    run = looping(alice)
    cut = {"_cut": {"bytes": 300_000, "start": "{"}}
    run.steps.filter(path="s4").update(inputs=cut)
    run.steps.filter(path="s2").update(result=cut)
    Payload.objects.create(run=run, path="s4", name="inputs", value='{"items": [1, 2, 3], "parallel": 1}')
    Payload.objects.create(run=run, path="s2", name="result", value='{"list": [1]}')
    Payload.objects.create(run=run, path="s4[2]/s6", name="exchange", value="{}")
    new = retry(actor_of(alice), run, start_at="s4[2]/s6")
    assert payloads.open_value(new.pk, "s2", "result") == {"list": [1]}
    assert payloads.open_value(new.pk, "s4", "inputs")["items"] == [1, 2, 3]
    assert new.payloads.count() == 2


def test_a_step_that_the_current_version_has_no_more_is_refused(alice: User) -> None:
    run = looping(alice)
    published(alice, run.scenario, steps=[SET, {**POST, "key": "s7"}])
    with pytest.raises(UserError, match="no_such_step"):
        retry(actor_of(alice), run, start_at="s4[2]/s6", version="current")
    assert plan(run, "s7", "current").keeps == 1
    assert Run.objects.count() == 1


def test_only_steps_that_still_do_the_same_are_taken_over(alice: User) -> None:
    run = failed_run(scenario_of(alice))
    published(
        alice,
        run.scenario,
        steps=[{**POST, "key": "s2", "inputs": {"method": "GET", "url": "https://a.example"}}, POST],
    )
    new = retry(actor_of(alice), run, start_at="s3", version="current")
    assert (new.steps.count(), new.version.number) == (0, 2)


def test_the_plan_says_what_is_kept_and_what_is_sent_again(alice: User) -> None:
    run = looping(alice)
    found = plan(run, "s4[2]/s6")
    assert (found.keeps, words(found), found.doubles) == (6, [("s6", "sent_again", 1)], 0)
    whole = plan(run)
    assert (whole.keeps, whole.pure, whole.first) == (0, 5, 0)
    assert words(whole) == [("s6", "twice", 2), ("s6", "sent_again", 1)]
    assert (whole.doubles, whole.again[0].title) == (2, "В CRM")
    assert Run.objects.count() == 1


@pytest.mark.parametrize(
    ("status", "fields", "consequence"),
    [
        ("succeeded", {}, "twice"),
        ("running", {}, "maybe_twice"),
        ("needs_review", {}, "maybe_twice"),
        ("failed", {"error": {"code": "upstream_timeout", "params": {}}}, "maybe_twice"),
        ("failed", {"error": {"code": "upstream_status", "params": {}}}, "sent_again"),
        ("succeeded", {"effect": "keyed"}, "recognised"),
        ("running", {"effect": "read"}, "reads"),
    ],
)
def test_each_effect_has_its_own_consequence(
    alice: User, status: str, fields: dict[str, Any], consequence: str
) -> None:
    run = run_of(scenario_of(alice), "failed")
    step_of(run, "s3", status, **fields)
    found = plan(run)
    assert (words(found), found.first) == ([("s3", consequence, 1)], 1)


def test_a_called_scenario_would_be_started_again(alice: User) -> None:
    call = {"key": "s4", "action": "flow.scenario", "inputs": {"scenario": "x"}}
    run = run_of(scenario_of(alice, steps=[SET, call]), "failed")
    step_of(run, "s4", effect="keyed")
    assert words(plan(run)) == [("s4", "starts", 1)]


def test_a_run_that_another_one_waits_for_is_decided_and_not_repeated(alice: User) -> None:
    scenario = scenario_of(alice)
    parent = run_of(scenario, "waiting", waits_for="run:x")
    child = run_of(scenario, "needs_review", parent_id=parent.id, parent_path="s3")
    with pytest.raises(UserError, match="run_goes_on") as refused:
        retry(actor_of(alice), child)
    assert refused.value.reason == "awaited"
    Run.objects.filter(pk=parent.pk).update(status="cancelled")
    assert retry(actor_of(alice), child).parent_id is None


def test_a_repeat_is_in_the_audit(alice: User) -> None:
    run = failed_run(scenario_of(alice))
    new = retry(actor_of(alice), run)
    entry = AuditEntry.objects.get(action="run.retry")
    assert (entry.subject, entry.details["run"]) == (run.id.hex, new.id.hex)


def test_a_plan_takes_a_fixed_number_of_queries(alice: User, django_assert_max_num_queries: Any) -> None:
    run = looping(alice)
    for number in range(3, 200):
        step_of(run, f"s4[{number}]/s5", effect="pure")
    with django_assert_max_num_queries(3):
        plan(run, "s4[2]/s6")
