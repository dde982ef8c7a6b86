"""What a person does to many runs at once: repeats or cancels them, so many at a time, each with its own outcome."""

import uuid
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from itertools import islice
from typing import Protocol

from django.db import transaction
from django.db.models import QuerySet

from accounts import audit
from accounts.access import Actor
from accounts.roles import Role
from lib.errors import Json, UserError
from scenarios import access, retrying, running
from scenarios.models import ENDED, Run
from scenarios.retrying import STOPPED, Documents, Plan

MOST = 1000  # runs at a time
MOST_PLANNED = 200  # whose steps a plan sums up
MOST_TOLD = 100  # refused runs that the audit names
GOING = ("queued", "running", "waiting")


@dataclass
class Outcome:
    """`done`: the runs that were cancelled, or those that repeat others; `skipped`: run → the code that says why.

    `left`: more runs fit than may be taken at a time.
    """

    done: list[str] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    left: bool = False


@dataclass(frozen=True)
class BulkPlan:
    """What repeating many would do. `sums` has the steps of the first `planned` of them, added up."""

    runs: int
    left: bool
    skipped: dict[str, int]
    planned: int
    sums: Plan


class Filter(Protocol):
    """What narrows a list of runs: the API's selection, or the filters of the page."""

    @property
    def statuses(self) -> tuple[str, ...]:
        """Those that it asks for; none where any will do."""

    def narrowed(self, rows: QuerySet[Run]) -> QuerySet[Run]: ...

    def facts(self) -> dict[str, Json]:
        """For the audit."""


@dataclass(frozen=True)
class Chosen:
    """The runs that are meant: those that fit a filter, or those that are named."""

    filter: Filter | None = None
    ids: tuple[uuid.UUID, ...] = ()

    def rows(self, actor: Actor, default: Collection[str]) -> QuerySet[Run]:
        """`default`: the statuses that a filter without one means."""
        rows = access.runs(actor).select_related(None).order_by("id")
        if self.filter is None:
            return rows.filter(id__in=self.ids)
        return self.filter.narrowed(rows if self.filter.statuses else rows.filter(status__in=default))

    def taken(self, actor: Actor, default: Collection[str]) -> tuple[list[uuid.UUID], bool]:
        """The oldest of them, and whether there are more than may be taken at a time."""
        found = list(self.rows(actor, default).values_list("id", flat=True)[: MOST + 1])
        return found[:MOST], len(found) > MOST

    def unknown(self, found: Collection[uuid.UUID]) -> list[str]:
        return [one.hex for one in self.ids if one not in set(found)]


def retry_many(actor: Actor, chosen: Chosen, *, from_failed: bool, version: str = "same") -> Outcome:
    """Repeat them, oldest first; one whose repeat goes on or has succeeded is skipped, so that asking twice is safe."""
    documents = Documents()

    def again(run_id: uuid.UUID) -> str:
        start_at = STOPPED if from_failed else None
        with transaction.atomic():
            new = retrying.retry_locked(
                actor, run_id, start_at=start_at, version=version, documents=documents, once=True
            )
        return new.id.hex

    return for_many(actor, chosen, "run.retry", again, default=("failed",))


def cancel_many(actor: Actor, chosen: Chosen) -> Outcome:
    """Cancel them, with the runs that they called."""

    def end(run_id: uuid.UUID) -> str:
        running.cancel_tree(run_id)
        return run_id.hex

    return for_many(actor, chosen, "run.cancel", end, default=GOING)


def for_many(
    actor: Actor, chosen: Chosen, verb: str, act: Callable[[uuid.UUID], str], *, default: Collection[str]
) -> Outcome:
    actor.require(Role.EDITOR)
    ids, left = chosen.taken(actor, default)
    outcome = Outcome(left=left)
    for run_id in ids:
        try:
            outcome.done.append(act(run_id))
        except UserError as error:
            outcome.skipped[run_id.hex] = error.code
    outcome.skipped |= dict.fromkeys(chosen.unknown(ids), "not_found") if not left else {}
    if ids:
        skipped = dict(islice(outcome.skipped.items(), MOST_TOLD))
        audit.record(actor, verb, "", runs=len(outcome.done), skipped=skipped, **told(chosen))
    return outcome


def plan_many(actor: Actor, chosen: Chosen, *, from_failed: bool, version: str = "same") -> BulkPlan:
    """What `retry_many` would do now; changes nothing."""
    ids, left = chosen.taken(actor, ("failed",))
    rows = {
        run.pk: run
        for run in access.runs(actor).filter(pk__in=ids).defer("input", "reply").select_related("scenario__published")
    }
    taken = set(
        Run.objects.filter(replay_of__in=ids)
        .exclude(status__in=["failed", "cancelled"])
        .values_list("replay_of", flat=True)
    )
    skipped: dict[str, int] = {}
    able: list[Run] = []
    for run_id in ids:
        run = rows[run_id]
        code = "already_retried" if run_id in taken else "" if run.status in ENDED else "run_goes_on"
        if code:
            skipped[code] = skipped.get(code, 0) + 1
        else:
            able.append(run)
    plans, refused = plans_of(able[:MOST_PLANNED], from_failed=from_failed, version=version)
    for code in refused:
        skipped[code] = skipped.get(code, 0) + 1
    return BulkPlan(len(able) - len(refused), left, skipped, len(plans), retrying.summed(plans))


def cancel_count(actor: Actor, chosen: Chosen) -> int:
    """How many runs `cancel_many` would cancel now."""
    ids, _left = chosen.taken(actor, GOING)
    return Run.objects.filter(pk__in=ids, status__in=GOING).count()


def plans_of(runs: Iterable[Run], *, from_failed: bool, version: str) -> tuple[list[Plan], list[str]]:
    documents, plans, refused = Documents(), [], []
    for run in runs:
        try:
            plans.append(retrying.plan(run, STOPPED if from_failed else None, version, documents=documents))
        except UserError as error:
            refused.append(error.code)
    return plans, refused


def told(chosen: Chosen) -> dict[str, Json]:
    """The choice for the audit."""
    return {"chosen": len(chosen.ids)} if chosen.filter is None else {"filter": chosen.filter.facts()}
