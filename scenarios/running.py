"""What a person does to runs: start one by hand, cancel, retry, decide on an unknown outcome, wait for the end."""

from datetime import datetime

from django.db import transaction
from django.db.models.functions import Now

from accounts import audit
from accounts.access import Actor
from accounts.models import Workspace
from accounts.roles import Role
from connections.models import Connection
from lib.errors import Json, UserError
from scenarios import hints, payloads, triggers, waiting
from scenarios.models import ENDED, Run, Scenario, StepRun


def start_by_hand(actor: Actor, scenario: Scenario, body: Json) -> Run:
    """Run the version in force. The body stands in the place of the trigger's. Raises UserError `not_published`."""
    actor.require(Role.EDITOR)
    if scenario.published is None:
        raise UserError("not_published")
    return triggers.start(scenario.published, trigger="manual", given={"body": body}, user=actor.user)


def cancel(actor: Actor, run: Run) -> Run:
    """Ends a queued or waiting run at once, a running one before its next step. Raises UserError `run_ended`."""
    actor.require(Role.EDITOR)
    with transaction.atomic():
        current = Run.objects.select_for_update(of=("self",)).get(pk=run.pk)
        if current.status in ENDED:
            raise UserError("run_ended")
        changes: dict[str, Json] = {"cancel_requested_at": Now()}
        if current.status != "running":
            error = UserError("cancelled").as_json()
            changes |= {"status": "cancelled", "error": error, "finished_at": Now(), "wake_at": None, "waits_for": ""}
        Run.objects.filter(pk=run.pk).update(**changes)
    audit.record(actor, "run.cancel", run.id.hex)
    run.refresh_from_db()
    return run


def retry(actor: Actor, run: Run, *, start_at: str | None = None, version: str = "same") -> Run:
    """A new run with the old one's data. `start_at`: a step's path; the results before it are taken over.

    `version`: "same" or "current". Raises UserError `run_goes_on`, `no_such_step`, `not_published`.
    """
    actor.require(Role.EDITOR)
    chosen = run.version if version == "same" else run.scenario.published
    if chosen is None:
        raise UserError("not_published")
    with transaction.atomic():
        # Locked: a decision or a worker must not set the old run going while a second one takes over its steps.
        current = Run.objects.select_for_update(of=("self",)).get(pk=run.pk)
        if current.status not in ENDED:
            raise UserError("run_goes_on")
        new = triggers.start(chosen, trigger=run.trigger, user=actor.user, replay=run, begun=start_at is not None)
        if start_at is not None:
            copy_steps(run, new, before=start_at)
        audit.record(actor, "run.retry", run.id.hex, run=new.id.hex)
    return new


def copy_steps(old: Run, new: Run, *, before: str) -> None:
    """Take over the results of the steps that ended before a path."""
    steps = list(old.steps.order_by("position"))
    first = next((step for step in steps if step.path == before), None)
    if first is None:
        there = ", ".join(step.path for step in steps)
        raise UserError("no_such_step", params={"name": before, "there": there})
    kept = [
        step for step in steps if step.position < first.position and step.status in {"succeeded", "failed", "skipped"}
    ]
    for step in kept:
        step.run, step.fence = new, 0
    StepRun.objects.bulk_create(kept)
    payloads.copy(old.pk, new.pk, [step.path for step in kept])


def resolve(actor: Actor, run: Run, *, path: str, outcome: str) -> Run:
    """Decide on a step whose outcome nobody knows: "done", "repeat" or "failed"; the run goes on accordingly.

    Raises UserError `not_under_review`, `no_such_step`.
    """
    actor.require(Role.EDITOR)
    with transaction.atomic():
        current = Run.objects.select_for_update(of=("self",)).get(pk=run.pk)
        # A retry has taken over: both going on would do the same steps twice.
        if current.status != "needs_review" or Run.objects.filter(replay_of=current.pk).exists():
            raise UserError("not_under_review")
        step = current.steps.filter(path=path, status="needs_review").first()
        if step is None:
            raise UserError("no_such_step", params={"name": path, "there": (current.error or {}).get("path", "")})
        step.status = {"done": "succeeded", "failed": "failed", "repeat": "waiting"}[outcome]
        step.error = step.error if outcome == "failed" else None
        step.save(update_fields=["status", "error"])
        Run.objects.filter(pk=run.pk).update(status="queued", error=None, finished_at=None, wake_at=Now())
        audit.record(actor, "run.resolve", run.id.hex, path=path, outcome=outcome)
        transaction.on_commit(hints.shared().wake)
    run.refresh_from_db()
    return run


def wait(run: Run, seconds: float) -> bool:
    """Wait for a run's end; answers whether it came in time (waiting.until sets limits to the waiting)."""
    return waiting.until(lambda: has_ended(run), run.id, seconds) is not None


def has_ended(run: Run) -> bool | None:
    return Run.objects.filter(pk=run.pk, status__in=ENDED).exists() or None


def wake_waiting(connected: Connection) -> None:
    """Runs that waited for this connection go on: connections.events calls it after a re-authorization."""
    woken = Run.objects.filter(status="waiting", waits_for=f"connection:{connected.pk}").update(
        wake_at=Now(), waits_for=""
    )
    if woken:
        hints.shared().wake()


def waiting_for(connected: Connection) -> int:
    return Run.objects.filter(status="waiting", waits_for=f"connection:{connected.pk}").count()


def counted(workspace: Workspace, since: datetime) -> dict[str, int]:
    """What a workspace has used since a moment: accounts.usage asks."""
    return {
        "runs": Run.objects.filter(workspace=workspace, created_at__gte=since).count(),
        "scenarios": Scenario.objects.filter(workspace=workspace, deleted_at=None).count(),
    }
