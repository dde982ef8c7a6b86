"""Decisions of a person about a run: cancelled with all that belongs to it, and each doubt decided once."""

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import User
from connections.models import Connection
from lib.errors import UserError
from scenarios import running
from scenarios.models import Run
from scenarios.retrying import retry
from tests.people import actor_of
from tests.scenarios.run_kit import run_of, scenario_of, step_of

pytestmark = pytest.mark.django_db
DOUBT = {"code": "unknown_outcome", "params": {}, "path": "s3"}
SOON = timezone.now() + timedelta(hours=1)


def fresh(run: Run) -> Run:
    return Run.objects.get(pk=run.pk)


def doubtful(user: User, **fields: Any) -> Run:
    run = run_of(scenario_of(user), "needs_review", error=DOUBT, **fields)
    step_of(run, "s3", "needs_review", error=DOUBT)
    return run


@pytest.mark.parametrize(
    ("status", "fields"),
    [
        ("queued", {"wake_at": timezone.now()}),
        ("queued", {"wake_at": None}),  # gated: it waits for a free place of its scenario
        ("waiting", {"wake_at": SOON, "waits_for": "rate:7"}),
    ],
)
def test_a_run_that_is_not_under_way_is_cancelled_at_once(alice: User, status: str, fields: dict[str, Any]) -> None:
    run = run_of(scenario_of(alice), status, **fields)
    step_of(run, "s2", "waiting", effect="once", resume_at=SOON)
    found = running.cancel(actor_of(alice), run)
    assert (found.status, found.wake_at, found.waits_for) == ("cancelled", None, "")
    assert found.finished_at is not None
    assert found.error is not None
    assert found.error["code"] == "cancelled"
    assert run.steps.get(path="s2").status == "cancelled"
    with pytest.raises(UserError, match="run_ended"):
        running.cancel(actor_of(alice), run)


def test_a_run_under_way_is_asked_to_stop_and_its_worker_ends_it(alice: User) -> None:
    run = running.cancel(actor_of(alice), run_of(scenario_of(alice), "running"))
    assert (run.status, run.cancel_requested_at is not None) == ("running", True)


def test_a_request_whose_outcome_nobody_knows_is_not_cancelled_away(alice: User) -> None:
    run = run_of(scenario_of(alice), "queued", wake_at=SOON, started_at=timezone.now())
    step_of(run, "s3", "running", effect="once")
    running.cancel(actor_of(alice), run)
    found = fresh(run)
    assert (found.status, found.cancel_requested_at is not None) == ("queued", True)
    assert found.wake_at is not None
    assert found.wake_at < SOON
    assert run.steps.get(path="s3").status == "running"


def test_cancelling_a_run_cancels_those_that_it_called_and_theirs(alice: User) -> None:
    scenario = scenario_of(alice)
    top = run_of(scenario, "waiting", waits_for="run:x")
    child = run_of(scenario, "waiting", parent_id=top.id, parent_path="s3", depth=1)
    queued = run_of(scenario, "queued", parent_id=child.id, parent_path="s3", depth=2)
    busy = run_of(scenario, "running", parent_id=child.id, parent_path="s4", depth=2)
    done = run_of(scenario, "succeeded", parent_id=child.id, parent_path="s2", depth=2)
    running.cancel(actor_of(alice), top)
    statuses = [fresh(run).status for run in (top, child, queued, busy, done)]
    assert statuses == ["cancelled", "cancelled", "cancelled", "running", "succeeded"]
    assert fresh(busy).cancel_requested_at is not None


def test_a_cancelled_run_tells_the_one_that_waits_for_it(alice: User) -> None:
    scenario = scenario_of(alice)
    child_id = uuid.uuid4()
    parent = run_of(scenario, "waiting", waits_for=f"run:{child_id.hex}", wake_at=SOON)
    child = run_of(scenario, "waiting", parent_id=parent.id, parent_path="s3")
    other = run_of(scenario, "waiting", waits_for="connection:1", wake_at=SOON)
    running.cancel(actor_of(alice), child)
    found = fresh(parent)
    assert (found.status, found.waits_for, found.wake_at < SOON if found.wake_at else None) == ("queued", "", True)
    assert fresh(other).status == "waiting"


def test_a_parent_that_waits_for_something_else_is_left_alone(alice: User) -> None:
    scenario = scenario_of(alice)
    parent = run_of(scenario, "waiting", waits_for="connection:1", wake_at=SOON)
    running.cancel(actor_of(alice), run_of(scenario, "queued", parent_id=parent.id, parent_path="s3"))
    assert fresh(parent).status == "waiting"


def test_a_reauthorization_queues_the_runs_that_waited_for_it(alice: User) -> None:
    connection = Connection.objects.create(workspace=actor_of(alice).workspace, slug="crm", name="CRM")
    scenario = scenario_of(alice)
    waiting = run_of(scenario, "waiting", waits_for=f"connection:{connection.pk}", wake_at=SOON)
    other = run_of(scenario, "waiting", waits_for=f"connection:{connection.pk}1", wake_at=SOON)
    assert running.waiting_for(connection) == 1
    running.wake_waiting(connection)
    assert [fresh(run).status for run in (waiting, other)] == ["queued", "waiting"]
    assert fresh(waiting).waits_for == ""


def test_a_doubtful_step_is_decided_once(alice: User) -> None:
    run = doubtful(alice)
    running.resolve(actor_of(alice), run, path="s3", outcome="done")
    assert (run.status, run.error, run.finished_at) == ("queued", None, None)
    assert run.steps.get(path="s3").status == "succeeded"
    with pytest.raises(UserError, match="not_under_review"):
        running.resolve(actor_of(alice), run, path="s3", outcome="repeat")


def test_a_doubt_deep_inside_is_decided_by_its_path(alice: User) -> None:
    run = run_of(scenario_of(alice), "needs_review", error=DOUBT | {"path": "s4/s5[7]/s6!/s9"})
    step_of(run, "s4", "running", effect="pure")
    step_of(run, "s4/s5[7]/s6!/s9", "needs_review", error=DOUBT)
    with pytest.raises(UserError, match="no_such_step"):
        running.resolve(actor_of(alice), run, path="s9", outcome="done")
    running.resolve(actor_of(alice), run, path="s4/s5[7]/s6!/s9", outcome="repeat")
    assert run.status == "queued"
    assert [step.status for step in run.steps.order_by("position")] == ["running", "waiting"]


def test_a_run_with_two_doubts_goes_on_after_the_second_decision(alice: User) -> None:
    run = run_of(scenario_of(alice), "needs_review", error=DOUBT | {"path": "s3[0]/s4"})
    for number in (0, 1):
        step_of(run, f"s3[{number}]/s4", "needs_review", error=DOUBT | {"path": f"s3[{number}]/s4"})
    running.resolve(actor_of(alice), run, path="s3[0]/s4", outcome="done")
    assert (run.status, run.error and run.error["path"]) == ("needs_review", "s3[1]/s4")
    running.resolve(actor_of(alice), run, path="s3[1]/s4", outcome="failed")
    assert run.status == "queued"


def test_the_time_in_which_a_person_decides_does_not_count(alice: User) -> None:
    ended = timezone.now() - timedelta(days=3)
    run = doubtful(alice, at=ended, took_ms=0, deadline_at=ended + timedelta(hours=5))
    running.resolve(actor_of(alice), run, path="s3", outcome="done")
    assert run.deadline_at is not None
    assert timedelta(hours=4) < run.deadline_at - timezone.now() < timedelta(hours=6)


def test_a_child_under_review_leaves_its_parent_waiting(alice: User) -> None:
    parent = run_of(scenario_of(alice), "waiting", waits_for="run:x", wake_at=SOON)
    child = doubtful(alice, parent_id=parent.id, parent_path="s3")
    running.resolve(actor_of(alice), child, path="s3", outcome="repeat")
    assert (fresh(parent).status, child.status) == ("waiting", "queued")


def test_a_run_that_a_retry_took_over_is_not_decided_any_more(alice: User) -> None:
    run = doubtful(alice)
    retry(actor_of(alice), run)
    with pytest.raises(UserError, match="not_under_review"):
        running.resolve(actor_of(alice), run, path="s3", outcome="repeat")
