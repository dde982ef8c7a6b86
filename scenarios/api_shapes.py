"""What the API says of scenarios, runs and deliveries: rows as JSON, in docs/api.md's words."""

from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from django.db.models import Q
from django.utils.translation import gettext

from accounts.access import Actor
from accounts.roles import Role
from actions.base import Action
from lib.errors import InvalidInput, Json, describe
from lib.schedules import parse as parse_rule
from scenarios import editing, masked, payloads, retention, standing, triggers
from scenarios.document import parse
from scenarios.models import Delivery, Run, Scenario, Schedule, StepRun
from scenarios.retrying import Plan

STEPS_PER_PAGE = 200
NEXT_FIRES = 5
MOST_CHILDREN = 100


def scenario_in_list(row: Scenario, actor: Actor) -> dict[str, Json]:
    """Without its problems: finding them compiles every expression of the draft."""
    return {
        "id": row.public_id,
        "name": row.name,
        "status": row.status,
        "revision": row.revision,
        "version": row.published.number if row.published else None,
        "document": row.document,
        "trigger": trigger(row, actor),
        "created_at": moment(row.created_at),
        "updated_at": moment(row.updated_at),
    }


def scenario(row: Scenario, actor: Actor, *, is_sound: bool = False) -> dict[str, Json]:
    """`is_sound`: the draft has just been checked and has no problems."""
    found = [] if is_sound else editing.problems(row)
    return {**scenario_in_list(row, actor), "problems": [problem(one) for one in found]}


def problem(found: Any) -> dict[str, Json]:
    told = describe(found.as_json(), gettext)
    text = found.params.get("message") if found.code == "invalid_input" else told["text"]
    return {"path": found.path, "code": found.code, "text": text, "hint": told["hint"]}


def trigger(row: Scenario, actor: Actor) -> dict[str, Json]:
    """The trigger of the draft, with what stands behind it: its address, or its next times.

    Whoever knows the address starts runs with it, so that it is null for those who may not.
    """
    kind = parse(row.document).trigger.type
    if kind == "webhook":
        return {"type": kind, "url": triggers.url_of(row) if actor.may(Role.EDITOR) else None}
    if kind == "schedule":
        return {"type": kind, "next": [moment(at) for at in next_fires(row)]}
    return {"type": kind}


def next_fires(row: Scenario, count: int = NEXT_FIRES) -> list[datetime]:
    """The next times: of the clock that runs, or of the draft's rule as if it were switched on now."""
    document = parse(row.document)
    clock: Schedule | None = getattr(row, "schedule", None)
    now = datetime.now(UTC)
    if clock is not None and clock.next_at is not None:
        rule = parse_rule(clock.rule, row.workspace.timezone)
        return [clock.next_at, *rule.upcoming(clock.next_at, clock.anchor_at, count - 1)]
    try:
        drafted = triggers.rule_of(document, row.workspace.timezone)
    except InvalidInput:
        return []
    return drafted.upcoming(now, now, count) if drafted else []


def module(action: type[Action], connector: str = "") -> dict[str, Json]:
    is_trigger = issubclass(action, triggers.TriggerType)
    return {
        "key": action.key,
        "kind": "trigger" if is_trigger else "action",
        "module": connector,
        "title": str(action.title),
        "help": str(action.help),
        "connection": action.connection,
        "effect": str(action.effect),
        "inputs": action.schema(),
    }


def run(row: Run) -> dict[str, Json]:
    """A run without its steps."""
    return {
        "id": row.id.hex,
        "scenario": row.scenario.public_id,
        "version": row.version.number,
        "trigger": row.trigger,
        "status": row.status,
        "created_at": moment(row.created_at),
        "started_at": moment(row.started_at),
        "finished_at": moment(row.finished_at),
        "wake_at": moment(row.wake_at) if row.status == "waiting" else None,
        "deadline_at": moment(row.deadline_at),
        "waits_for": waits_for(row),
        "error": error(row.error),
        "replay_of": row.replay_of.hex if row.replay_of else None,
        "parent": {"run": row.parent_id.hex, "path": row.parent_path} if row.parent_id else None,
        "depth": row.depth,
    }


def waits_for(row: Run) -> Json:
    """{"reason", "text", "run"}: why a run does not go on, and the one it waits for; null where nothing holds it."""
    reason = standing.reason(row)
    return {"reason": reason, "text": standing.words(row), "run": standing.child(row) or None} if reason else None


def children(row: Run) -> list[dict[str, Json]]:
    """The runs that its steps called, oldest first."""
    rows = Run.objects.filter(parent_id=row.pk).order_by("id").values_list("id", "parent_path", "status")
    return [{"run": key.hex, "path": path, "status": status} for key, path, status in rows[:MOST_CHILDREN]]


def run_with_steps(row: Run, steps_url: str) -> dict[str, Json]:
    steps, after = steps_after(row)
    return {
        **run(row),
        "run": row.id.hex,
        "input": input_of(row),
        "reply": masked.for_reading(row.reply),
        "data_kept": retention.has_data(row),
        "children": children(row),
        "steps": steps,
        "steps_next": f"{steps_url}?after={quote(after)}" if after else None,
    }


def steps_after(row: Run, position: int = 0, path: str = "") -> tuple[list[dict[str, Json]], str | None]:
    """One page of a run's steps in the order of execution, and after what the next page starts: `7 s4[3]/s5`."""
    later = Q(position__gt=position)
    if path:  # passes may share a position
        later |= Q(position=position, path__gt=path)
    rows = list(row.steps.filter(later).order_by("position", "path")[: STEPS_PER_PAGE + 1])
    last = rows[STEPS_PER_PAGE - 1] if len(rows) > STEPS_PER_PAGE else None
    return [step(one) for one in rows[:STEPS_PER_PAGE]], f"{last.position} {last.path}" if last else None


def step(row: StepRun) -> dict[str, Json]:
    return {
        "path": row.path,
        "position": row.position,
        "status": row.status,
        "attempt": row.attempt,
        "attempts": [{**one, "error": error(one.get("error"))} for one in row.attempts or []],
        "effect": row.effect,
        "inputs": masked.for_reading(row.inputs),
        "result": masked.for_reading(row.result),
        "exchange": masked.for_reading(row.exchange) if payloads.is_cut(row.exchange) else row.exchange,
        "error": error(row.error),
        "started_at": moment(row.started_at),
        "finished_at": moment(row.finished_at),
        "resume_at": moment(row.resume_at),
        "took_ms": row.took_ms,
    }


def whole(row: StepRun, name: str) -> Json:
    """One value of a step (payloads.NAMES), also where it is too large for the row; secrets masked."""
    value = getattr(row, name)
    return masked.for_reading(payloads.open_value(row.run_id, row.path, name) if payloads.is_cut(value) else value)


def input_of(row: Run) -> Json:
    """The trigger's result, as the run's expressions saw it but for its secrets."""
    delivery = Delivery.objects.filter(pk=row.delivery_id).first() if row.delivery_id else None
    if delivery is None:
        return masked.for_reading(row.input)
    if delivery.body is None:  # no longer kept
        return None
    facts = ("method", "query", "headers", "content_type", "body", "received_at")
    return masked.for_reading(triggers.delivered(tuple(getattr(delivery, name) for name in facts)))


def plan(found: Plan) -> dict[str, Json]:
    return {
        "version": found.version,
        "from": found.start_at,
        "keeps": found.keeps,
        "pure": found.pure,
        "first": found.first,
        "doubles": found.doubles,
        "again": [vars(step) for step in found.again],
    }


def error(stored: Json) -> Json:
    """{"code", "text", "hint", "params", "path"}; which button goes with a code, GET errors/ says."""
    if not stored:
        return None
    told = describe(masked.for_reading(stored), gettext)
    return {name: told[name] for name in ("code", "text", "hint", "params", "path")}


def moment(at: datetime | None) -> str | None:
    """RFC 3339 in UTC."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z") if at else None
