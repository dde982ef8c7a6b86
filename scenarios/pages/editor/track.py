"""The track of the editor: what the cards of the trigger and of the steps show."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from actions.effects import Effect
from lib.errors import Json
from scenarios.document import Step
from scenarios.pages import wording
from scenarios.pages.editor.workbench import TRIGGER, Workbench, action_of, connector_of, title_of
from scenarios.triggers import TRIGGERS


@dataclass(frozen=True)
class Card:
    """A step on the track. `state_kind`: ok, warn, err; `policy` says what an unusual error handling does."""

    key: str
    title: str
    sub: str
    kind: str
    icon: str
    url: str
    number: int | str = ""
    state: str = ""
    state_kind: str = "ok"
    is_current: bool = False
    policy: str = ""
    inner: tuple["Card", ...] = ()  # the steps of its error handler
    next_at: datetime | None = None

    @property
    def id(self) -> str:
        return f"step-{self.key}"


def trigger_card(bench: Workbench, current: str) -> Card:
    trigger = bench.document.trigger
    kind = TRIGGERS.get(trigger.type)
    faults = bench.faults_at(TRIGGER)
    words = wording.trigger(bench.document)
    title = str(kind.title) if kind else trigger.type
    state, state_kind, next_at = "", "ok", None
    if faults:
        state, state_kind = to_mend(len(faults)), "err"
    elif trigger.type == "schedule":
        next_at = next(iter(bench.next_fires), None) if bench.scenario.status == "active" else None
    elif trigger.type == "webhook" and bench.has_sample(trigger.key):
        state = _("sample received")
    return Card(
        key=trigger.key,
        title=trigger.name or words,
        sub=f"{title} · {words}" if trigger.name and title != words else sub_of_trigger(bench, title),
        kind="trigger",
        icon=kind.icon if kind else "zap",
        url=bench.url_of(TRIGGER),
        state=state,
        state_kind=state_kind,
        is_current=current == TRIGGER,
        next_at=next_at,
    )


def sub_of_trigger(bench: Workbench, title: str) -> str:
    trigger = bench.document.trigger
    if trigger.type == "schedule":
        return f"{title} · {trigger.inputs.get('timezone') or bench.timezone}"
    if trigger.type == "webhook":
        methods = trigger.inputs.get("methods") or ["POST"]
        signature = trigger.inputs.get("signature")
        is_signed = isinstance(signature, dict) and signature.get("mode", "none") != "none"
        parts = [", ".join(map(str, methods)) if isinstance(methods, list) else "", _("signed") if is_signed else ""]
        return " · ".join(filter(None, parts))
    return _("The scenario waits for the button, or for a program")


def cards(bench: Workbench, current: str) -> list[Card]:
    return list(of_steps(bench, bench.document.steps, current))


def of_steps(bench: Workbench, steps: tuple[Step, ...], current: str) -> Iterator[Card]:
    for step in steps:
        action = action_of(step)
        state, state_kind = state_of(bench, step)
        handler = step.on_error if isinstance(step.on_error, tuple) else ()
        yield Card(
            key=step.key,
            title=title_of(step),
            sub=sub_of(bench, step),
            kind=action.kind if action else "err",
            icon=action.icon if action else "circle-x",
            url=reverse("scenarios:step", args=[bench.scenario.public_id, step.key]),
            number=bench.numbers[step.key],
            state=state,
            state_kind=state_kind,
            is_current=current == step.key,
            policy=policy_of(step),
            inner=tuple(of_steps(bench, handler, current)),
        )


def sub_of(bench: Workbench, step: Step) -> str:
    """«Google Календарь · Расписание школы»: module, action where the step has its own name, connection."""
    action, connector = action_of(step), connector_of(step.action)
    connection = bench.connections.get(step.connection)
    parts = [
        str(connector.title) if connector else "",
        str(action.title) if action and step.name else "",
        connection.name if connection else "",
    ]
    if action and not any(parts[1:]):
        parts.append(str(action.help).partition(".")[0])
    return " · ".join(filter(None, parts))


def state_of(bench: Workbench, step: Step) -> tuple[str, str]:
    faults = bench.faults_at(step.key)
    if faults:
        return to_mend(len(faults)), "err"
    if bench.has_sample(step.key):
        return counted(bench.samples[step.key]) or _("tested"), "ok"
    action = action_of(step)
    return ("", "ok") if action and action.effect == Effect.PURE else (_("not tested"), "warn")


def to_mend(count: int) -> str:
    return ngettext("{n} to mend", "{n} to mend", count).format(n=count)


def counted(result: Json) -> str:
    """How many items a tested step gave, where it gave a list."""
    body = result.get("body") if isinstance(result, dict) else None
    items = body.get("items") if isinstance(body, dict) else body
    if not isinstance(items, list):
        return ""
    return ngettext("{n} item", "{n} items", len(items)).format(n=len(items))


def policy_of(step: Step) -> str:
    if isinstance(step.on_error, tuple):
        return ngettext("{n} step of its own", "{n} steps of its own", len(step.on_error)).format(n=len(step.on_error))
    words = []
    if step.retry:
        words.append(ngettext("try {n} time", "try {n} times", step.retry.attempts).format(n=step.retry.attempts))
    if step.on_error == "continue":
        words.append(_("go on with the next step"))
    return _(", then ").join(words)
