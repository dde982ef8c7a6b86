"""What a person does to runs: start one by hand, cancel it, decide on an unknown outcome, wait for the end.

Repeating one stands in retrying.py, doing it to many in bulk.py.
"""

import contextlib
import uuid
from datetime import datetime, timedelta
from typing import Any

import psycopg
from django.db import OperationalError, connection, transaction
from django.db.models import F, Q, QuerySet, Value
from django.db.models.functions import Greatest, Now

from accounts import audit
from accounts.access import Actor
from accounts.models import Workspace
from accounts.roles import Role
from connections.models import Connection
from lib.errors import Json, UserError
from scenarios import hints, triggers, waiting
from scenarios.models import ENDED, Run, Scenario, StepRun

MOST_TRIES = 4  # of a transaction that a deadlock ends
DECIDED = {"done": "succeeded", "failed": "failed", "repeat": "waiting"}
OVER: dict[str, Any] = {"status": "cancelled", "finished_at": Now(), "wake_at": None, "waits_for": ""}
WOKEN: dict[str, Any] = {"status": "queued", "wake_at": Now(), "waits_for": ""}
# A wait that a run is made of has moved its deadline by all that it might take; what it did not take is given back.
GIVEN_BACK = F("deadline_at") - Greatest(F("wake_at") - Now(), Value(timedelta(0)))


def start_by_hand(actor: Actor, scenario: Scenario, body: Json) -> Run:
    """Run the version in force. The body stands in the place of the trigger's. Raises UserError `not_published`."""
    actor.require(Role.EDITOR)
    if scenario.published is None:
        raise UserError("not_published")
    return triggers.start(scenario.published, trigger="manual", given={"body": body}, user=actor.user)


def cancel(actor: Actor, run: Run) -> Run:
    """Ends a queued or waiting run at once, a running one before its next step; with it the runs that it called.

    A run that waits for this one goes on. Raises UserError `run_ended`.
    """
    actor.require(Role.EDITOR)
    cancel_tree(run.pk)
    audit.record(actor, "run.cancel", run.id.hex)
    run.refresh_from_db()
    return run


class HasEnded(UserError):
    def __init__(self) -> None:
        super().__init__("run_ended")


def cancel_tree(run_id: uuid.UUID) -> None:
    """Raises UserError `run_ended`."""
    # A run that ends tells its caller, a caller that is cancelled tells its runs: the two may wait for each other.
    for left in reversed(range(MOST_TRIES)):
        try:
            with transaction.atomic():
                cancel_locked(run_id)
                transaction.on_commit(hints.shared().wake)
            return
        except OperationalError as error:
            is_deadlock = isinstance(error.__cause__, psycopg.errors.DeadlockDetected)
            if not is_deadlock or not left or connection.in_atomic_block:
                raise


def cancel_locked(run_id: uuid.UUID) -> None:
    run = Run.objects.select_for_update(of=("self",)).only("status", "parent_id").get(pk=run_id)
    if run.status in ENDED:
        raise HasEnded
    changes: dict[str, Any] = {"cancel_requested_at": Now()}
    if run.status != "running":
        # A request that was sent and never answered is for the engine to judge: it cannot be cancelled any more.
        in_doubt = run.steps.filter(Q(status="running", effect="once") | Q(status="needs_review")).exists()
        changes |= WOKEN if in_doubt else {**OVER, "error": UserError("cancelled").as_json()}
        if not in_doubt:
            run.steps.filter(status__in=["running", "waiting"]).update(
                status="cancelled", resume_at=None, finished_at=Now()
            )
            wake_caller(run)
    Run.objects.filter(pk=run_id).update(**changes)
    children = Run.objects.filter(parent_id=run_id).exclude(status__in=ENDED)
    for child_id in children.order_by("id").values_list("id", flat=True):
        with contextlib.suppress(HasEnded):
            cancel_locked(child_id)


def wake_caller(run: Run) -> None:
    """The run whose step called this one looks how it ended."""
    if run.parent_id is not None:
        wake(Run.objects.filter(pk=run.parent_id, waits_for__startswith="run:"), deadline_at=GIVEN_BACK)


def wake(runs: QuerySet[Run], **changes: Any) -> int:
    """Waiting runs go on now; answers how many."""
    return runs.filter(status="waiting").update(**WOKEN, **changes)


def resolve(actor: Actor, run: Run, *, path: str, outcome: str) -> Run:
    """Decide on a step whose outcome nobody knows: "done", "repeat" or "failed"; the run goes on accordingly.

    Where several steps of a parallel loop are in doubt, it goes on after the last decision.
    Raises UserError `not_under_review`, `no_such_step`.
    """
    actor.require(Role.EDITOR)
    with transaction.atomic():
        current = Run.objects.select_for_update(of=("self",)).get(pk=run.pk)
        # A retry has taken over: both going on would do the same steps twice.
        if current.status != "needs_review" or Run.objects.filter(replay_of=current.pk).exists():
            raise UserError("not_under_review")
        doubtful = current.steps.filter(status="needs_review")
        step = doubtful.filter(path=path).only("error").first()
        if step is None:
            there = ", ".join(doubtful.order_by("position", "path").values_list("path", flat=True)[:20])
            raise UserError("no_such_step", params={"name": path, "there": there})
        error = step.error if outcome == "failed" else None
        doubtful.filter(path=path).update(status=DECIDED[outcome], error=error, resume_at=None)
        go_on(current, current.steps.filter(status="needs_review").order_by("position", "path").first())
        audit.record(actor, "run.resolve", run.id.hex, path=path, outcome=outcome)
        transaction.on_commit(hints.shared().wake)
    run.refresh_from_db()
    return run


def go_on(run: Run, doubtful: StepRun | None) -> None:
    """After a decision: the next one is asked for, or the run goes on. Its time did not pass while it was asked."""
    rows = Run.objects.filter(pk=run.pk)
    if doubtful is not None:
        rows.update(error=doubtful.error)
    else:
        deadline: Any = F("deadline_at") + (Now() - F("finished_at"))
        rows.update(**WOKEN, error=None, finished_at=None, deadline_at=deadline)


def wait(run: Run, seconds: float) -> bool:
    """Wait for a run's end; answers whether it came in time (waiting.until sets limits to the waiting)."""
    return waiting.until(lambda: has_ended(run), run.id, seconds) is not None


def has_ended(run: Run) -> bool | None:
    return Run.objects.filter(pk=run.pk, status__in=ENDED).exists() or None


def wake_waiting(connected: Connection) -> None:
    """Runs that waited for this connection go on: connections.events calls it after a re-authorization."""
    if wake(Run.objects.filter(waits_for=f"connection:{connected.pk}"), deadline_at=GIVEN_BACK):
        hints.shared().wake()


def waiting_for(connected: Connection) -> int:
    return Run.objects.filter(status="waiting", waits_for=f"connection:{connected.pk}").count()


def wake_held(connected: Connection) -> None:
    """Runs that were held since the service asked to wait go on: connections.events calls it when it answers again."""
    if wake(Run.objects.filter(waits_for=f"rate:{connected.pk}")):
        hints.shared().wake()


def held_by(connected: Connection) -> int:
    return Run.objects.filter(status="waiting", waits_for=f"rate:{connected.pk}").count()


def counted(workspace: Workspace, since: datetime) -> dict[str, int]:
    """What a workspace has used since a moment: accounts.usage asks."""
    return {
        "runs": Run.objects.filter(workspace=workspace, created_at__gte=since).count(),
        "scenarios": Scenario.objects.filter(workspace=workspace, deleted_at=None).count(),
    }
