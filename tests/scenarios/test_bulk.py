"""Many runs at once: each with its own outcome, and nothing done twice however often it is asked for."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import AuditEntry, User
from scenarios import bulk
from scenarios.bulk import Chosen
from scenarios.models import Run
from scenarios.selecting import Selection
from tests.people import actor_of
from tests.scenarios.run_kit import failed_run, run_of, scenario_of

pytestmark = pytest.mark.django_db
DENIED = {"code": "forbidden", "params": {}}


def everything(**narrow: Any) -> Chosen:
    return Chosen(filter=Selection(**narrow))


def test_all_failed_runs_of_a_filter_are_repeated_once(alice: User) -> None:
    scenario = scenario_of(alice)
    failed = [failed_run(scenario) for _ in range(3)]
    run_of(scenario, "succeeded")
    run_of(scenario_of(alice, "Другой"), "failed")
    chosen = everything(scenario=scenario.public_id)
    outcome = bulk.retry_many(actor_of(alice), chosen, from_failed=True)
    assert (len(outcome.done), outcome.skipped, outcome.left) == (3, {}, False)
    new = Run.objects.get(pk=outcome.done[0])
    assert list(new.steps.values_list("path", flat=True)) == ["s2"]
    again = bulk.retry_many(actor_of(alice), chosen, from_failed=True)
    assert (again.done, again.skipped) == ([], {run.id.hex: "already_retried" for run in failed})
    Run.objects.filter(pk=outcome.done[0]).update(status="failed")
    Run.objects.filter(pk=outcome.done[1]).update(status="succeeded")
    third = bulk.retry_many(actor_of(alice), Chosen(ids=tuple(run.id for run in failed)), from_failed=False)
    assert len(third.done) == 1


def test_each_run_has_its_own_outcome(alice: User, charlie: User) -> None:
    scenario = scenario_of(alice)
    able, busy = run_of(scenario, "cancelled"), run_of(scenario, "running")
    foreign = run_of(scenario_of(charlie), "failed")
    chosen = Chosen(ids=(able.id, busy.id, foreign.id))
    outcome = bulk.retry_many(actor_of(alice), chosen, from_failed=False)
    assert len(outcome.done) == 1
    assert outcome.skipped == {busy.id.hex: "run_goes_on", foreign.id.hex: "not_found"}
    assert Run.objects.filter(replay_of=foreign.id).count() == 0
    entry = AuditEntry.objects.get(action="run.retry")
    assert (entry.details["runs"], entry.details["chosen"]) == (1, 3)


def test_no_more_than_so_many_are_taken_and_the_oldest_first(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "MOST", 2)
    scenario = scenario_of(alice)
    runs = [run_of(scenario, "failed", at=timezone.now() - timedelta(hours=hours)) for hours in (1, 3, 2)]
    outcome = bulk.retry_many(actor_of(alice), everything(), from_failed=False)
    repeated = set(Run.objects.filter(replay_of__isnull=False).values_list("replay_of", flat=True))
    assert (repeated, outcome.left) == ({runs[1].id, runs[2].id}, True)


@pytest.mark.parametrize(
    ("narrow", "found"),
    [
        ({"error": "forbidden"}, {"denied"}),
        ({"error": "upstream_status"}, {"refused"}),
        ({"statuses": ("cancelled",)}, {"stopped"}),
        ({"statuses": ("failed", "cancelled")}, {"denied", "refused", "stopped"}),
        ({"since": timezone.now() - timedelta(hours=2)}, {"refused"}),
        ({"until": timezone.now() - timedelta(hours=2)}, {"denied"}),
    ],
)
def test_filters_choose(alice: User, narrow: dict[str, Any], found: set[str]) -> None:
    scenario = scenario_of(alice)
    runs = {
        "denied": run_of(scenario, "failed", error=DENIED, at=timezone.now() - timedelta(hours=5)),
        "refused": failed_run(scenario),
        "stopped": run_of(scenario, "cancelled"),
    }
    ids, _left = everything(**narrow).taken(actor_of(alice), ("failed",))
    assert {name for name, run in runs.items() if run.id in ids} == found


def test_the_plan_adds_up_what_would_be_done(alice: User) -> None:
    scenario = scenario_of(alice)
    runs = [failed_run(scenario) for _ in range(3)]
    bulk.retry_many(actor_of(alice), Chosen(ids=(runs[0].id,)), from_failed=True)
    found = bulk.plan_many(actor_of(alice), everything(), from_failed=True)
    assert (found.runs, found.skipped, found.left) == (2, {"already_retried": 1}, False)
    assert (found.sums.keeps, [(one.key, one.consequence, one.count) for one in found.sums.again]) == (
        2,
        [("s3", "sent_again", 2)],
    )


def test_runs_are_cancelled_by_filter(alice: User) -> None:
    scenario = scenario_of(alice)
    run_of(scenario, "queued")
    run_of(scenario, "waiting")
    ended = run_of(scenario, "failed")
    outcome = bulk.cancel_many(actor_of(alice), everything())
    assert len(outcome.done) == 2
    assert Run.objects.filter(status="cancelled").count() == 2
    outcome = bulk.cancel_many(actor_of(alice), Chosen(ids=(ended.id,)))
    assert (outcome.done, outcome.skipped) == ([], {ended.id.hex: "run_ended"})


def test_somebody_who_only_looks_changes_nothing(alice: User, vera: User) -> None:
    run_of(scenario_of(alice), "failed")
    for act in (
        lambda who: bulk.retry_many(who, everything(), from_failed=False),
        lambda who: bulk.cancel_many(who, everything()),
    ):
        with pytest.raises(Exception, match="forbidden"):
            act(actor_of(vera))
    assert Run.objects.count() == 1
