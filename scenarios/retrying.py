"""Repeats an ended run: as a whole, or from a step on with what stands before it; and says first what that would do."""

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from django.db import connection, transaction
from django.db.models.fields.json import KeyTextTransform

from accounts import audit
from accounts.access import Actor
from accounts.roles import Role
from lib import safe_json
from lib.errors import Json, UserError
from scenarios import editing, payloads, retention, triggers
from scenarios.document import Document, Step, parse
from scenarios.models import ENDED, Run, Version
from scenarios.takeover import Fact, Takeover, stopped_at, take_over

STOPPED = "@stopped"  # in place of a step's path: where the run failed, or else came to
DOUBTFUL = frozenset({"unknown_outcome", "upstream_timeout", "upstream_invalid", "internal"})
ORDER = ("twice", "maybe_twice", "starts", "sent_again", "recognised", "reads")  # the worst first

COPY = """
INSERT INTO scenarios_steprun (run_id, path, position, status, attempt, attempts, fence, effect, inputs, exchange,
    result, error, started_at, finished_at, took_ms)
SELECT %s, path, position, status, attempt, attempts, 0, effect, inputs, exchange, result, error, started_at,
    finished_at, took_ms
FROM scenarios_steprun WHERE run_id = %s AND path = ANY(%s)
"""
# What stands around the step is entered anew, with what had been decided.
ENTER = """
INSERT INTO scenarios_steprun (run_id, path, position, status, attempt, fence, effect, inputs, started_at)
SELECT %s, step.path, position, 'running', attempt, 0, effect, COALESCE(given.inputs::jsonb, step.inputs),
    clock_timestamp()
FROM scenarios_steprun step JOIN unnest(%s::text[], %s::text[]) AS given(path, inputs) ON given.path = step.path
WHERE step.run_id = %s
"""


@dataclass(frozen=True)
class Again:
    """A step of which `count` executions would be done again, and what that means (one of ORDER)."""

    key: str
    title: str
    action: str
    effect: str
    consequence: str
    count: int


@dataclass(frozen=True)
class Plan:
    """What a repeat would do. `keeps`: results taken over; `pure`: steps that only compute, done again;

    `first`: steps that the run had not come to.
    """

    version: int
    start_at: str | None
    keeps: int
    pure: int
    first: int
    again: tuple[Again, ...] = ()

    @property
    def doubles(self) -> int:
        """How many requests would be sent a second time, or may be."""
        return sum(one.count for one in self.again if one.consequence in {"twice", "maybe_twice", "starts"})


@dataclass
class Documents:
    """The documents of versions, each read once."""

    known: dict[int, Document] = field(default_factory=dict)

    def of(self, version: Version) -> Document:
        if version.pk not in self.known:
            self.known[version.pk] = parse(version.document)
        return self.known[version.pk]


def plan(run: Run, start_at: str | None = None, version: str = "same", *, documents: Documents | None = None) -> Plan:
    """What a repeat would keep, and what it would do again. Raises as `retry` does; changes nothing."""
    chosen = version_of(run, version)
    check_ended(run)
    documents = documents or Documents()
    facts = facts_of(run)
    taken = taken_over(run, documents.of(chosen), documents.of(run.version), facts, start_at)
    return plan_of(documents.of(chosen), facts, taken, version=chosen.number)


def retry(actor: Actor, run: Run, *, start_at: str | None = None, version: str = "same") -> Run:
    """A new run with the old one's data. `start_at`: a step's path, or STOPPED; what precedes it is taken over.

    `version`: "same" or "current". Raises UserError `run_goes_on`, `no_such_step`, `not_published`.
    """
    actor.require(Role.EDITOR)
    with transaction.atomic():
        new = retry_locked(actor, run.pk, start_at=start_at, version=version, documents=Documents())
        audit.record(actor, "run.retry", run.id.hex, run=new.id.hex)
    return new


def retry_locked(
    actor: Actor, run_id: uuid.UUID, *, start_at: str | None, version: str, documents: Documents, once: bool = False
) -> Run:
    """Within a transaction. `once`: refuse a run whose repeat goes on or has succeeded (`already_retried`)."""
    # Locked: a decision or a worker must not set the old run going while a second one takes over its steps.
    rows = Run.objects.select_for_update(of=("self",)).select_related(
        "version__scenario", "scenario__published__scenario"
    )
    run = rows.get(pk=run_id)
    chosen = version_of(run, version)
    check_ended(run)
    if once and Run.objects.filter(replay_of=run_id).exclude(status__in=["failed", "cancelled"]).exists():
        raise UserError("already_retried")
    taken = Takeover(None)
    if start_at is not None:
        taken = taken_over(run, documents.of(chosen), documents.of(run.version), facts_of(run), start_at)
    is_begun = taken.start_at is not None
    new = triggers.start(chosen, trigger=run.trigger, user=actor.user, replay=run, begun=is_begun)
    copy_steps(run.pk, new.pk, taken)
    return new


def version_of(run: Run, version: str) -> Version:
    chosen = run.version if version == "same" else run.scenario.published
    if chosen is None:
        raise UserError("not_published")
    return chosen


def check_ended(run: Run) -> None:
    if run.status not in ENDED:
        raise UserError("run_goes_on")
    retention.require_data(run)
    if run.status != "needs_review" or run.parent_id is None:
        return
    if Run.objects.filter(pk=run.parent_id).exclude(status__in=ENDED).exists():
        raise UserError("run_goes_on", "awaited")


def facts_of(run: Run) -> dict[str, Fact]:
    """What is known of the run's steps, by path. One query, and nothing large in it."""
    rows = run.steps.annotate(code=KeyTextTransform("code", "error")).order_by("position", "path")
    return {path: Fact(*rest) for path, *rest in rows.values_list("path", "status", "effect", "code")}


def taken_over(run: Run, new: Document, old: Document, facts: Mapping[str, Fact], start_at: str | None) -> Takeover:
    error = run.error or {}
    failed = str(error.get("path") or "")
    ended_at = failed if error.get("code") in {"filtered", "stopped"} else ""
    if start_at == STOPPED:
        start_at = stopped_at(old, facts, failed)
    if start_at is None:
        return Takeover(None)

    def inputs_of(path: str) -> Json:
        row = run.steps.filter(path=path).values_list("inputs", flat=True).first()
        return payloads.open_value(run.pk, path, "inputs") if payloads.is_cut(row) else row

    return take_over(new, old, facts, start_at, inputs_of=inputs_of, ended_at=ended_at, failed_at=failed)


def copy_steps(old_id: uuid.UUID, new_id: uuid.UUID, taken: Takeover) -> None:
    """Within the caller's transaction."""
    if not taken.kept and not taken.entered:
        return
    paths = list(taken.entered)
    given = [None if inputs is None else safe_json.dumps(inputs).decode() for inputs in taken.entered.values()]
    with connection.cursor() as cursor:
        cursor.execute(COPY, [new_id, old_id, list(taken.kept)])
        cursor.execute(ENTER, [new_id, paths, given, old_id])
    payloads.copy(old_id, new_id, [*taken.kept, *paths])


def plan_of(document: Document, facts: Mapping[str, Fact], taken: Takeover, *, version: int) -> Plan:
    steps = {step.key: step for _, step in document.walk()}
    begun = {path.rpartition("/")[2] for path in facts}
    kept = set(taken.kept)
    counts: dict[tuple[str, str, str], int] = {}
    for path, fact in facts.items():
        step = steps.get(path.rpartition("/")[2])
        if path in kept or path in taken.entered or step is None:
            continue
        word = "starts" if step.action == "flow.scenario" else consequence(fact)
        counts[step.key, fact.effect, word] = counts.get((step.key, fact.effect, word), 0) + 1
    again = [
        Again(key, title_of(steps[key]), steps[key].action, effect, word, count)
        for (key, effect, word), count in counts.items()
        if word
    ]
    return Plan(
        version=version,
        start_at=taken.start_at,
        keeps=len(kept),
        pure=sum(count for (_key, _effect, word), count in counts.items() if not word),
        first=len(steps.keys() - begun),
        again=tuple(sorted(again, key=lambda one: ORDER.index(one.consequence))),
    )


def title_of(step: Step) -> str:
    action = editing.known_action(step.action)
    return step.name or (str(action.title) if action else step.action)


def consequence(fact: Fact) -> str:
    """What doing a step again means; nothing for one that only computes."""
    if fact.effect == "read":
        return "reads"
    if fact.effect == "keyed":
        return "recognised"
    if fact.effect != "once":
        return ""
    if fact.status == "succeeded":
        return "twice"
    in_doubt = fact.status in {"running", "needs_review"} or fact.code in DOUBTFUL
    return "maybe_twice" if in_doubt else "sent_again"


def summed(plans: Iterable[Plan]) -> Plan:
    """The plans of many runs as one."""
    sums = Plan(version=0, start_at=None, keeps=0, pure=0, first=0)
    counts: dict[Again, int] = {}
    for one in plans:
        sums = Plan(one.version, None, sums.keeps + one.keeps, sums.pure + one.pure, sums.first + one.first)
        for step in one.again:
            same = replace(step, count=0)
            counts[same] = counts.get(same, 0) + step.count
    again = (replace(same, count=count) for same, count in counts.items())
    return replace(sums, again=tuple(sorted(again, key=lambda one: ORDER.index(one.consequence))))
