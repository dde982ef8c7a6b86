"""The track of the editor: what the cards of the trigger and of the steps show."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from actions.effects import Effect
from lib.errors import Json
from scenarios.arranging import Home, walk
from scenarios.document import BRANCH, FOR_EACH, Step
from scenarios.flow import DELAY, SCENARIO
from scenarios.foreseeing import STEERING
from scenarios.pages import wording
from scenarios.pages.editor import steering
from scenarios.pages.editor.workbench import TRIGGER, Workbench, action_of, connector_of, title_of
from scenarios.triggers import TRIGGERS

DEEPEST_OPEN = 3  # what lies deeper is folded at first


@dataclass(frozen=True)
class Lane:
    """A list of steps inside another step, or the run's failure handler. `kind`: branch, else, loop, error.

    `place` is where its first step is added, `number` that of a branch, from 0.
    """

    id: str
    kind: str
    place: str
    cards: tuple["Card", ...] = ()
    name: str = ""
    condition: str = ""
    number: int = 0
    is_last: bool = False
    is_open: bool = True
    is_deep: bool = False
    is_wrong: bool = False

    @property
    def count(self) -> int:
        return len(self.cards)


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
    is_first: bool = False
    is_last: bool = False
    policy: str = ""
    branches: tuple[Lane, ...] = ()
    body: Lane | None = None
    handler: Lane | None = None
    behind: str = ""  # how the track goes on: "wait" is dashed, "end" ends here
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
    if trigger.type == "scenario":
        return _("The scenario waits until another one calls it")
    return _("The scenario waits for the button, or for a program")


def cards(bench: Workbench, current: str) -> tuple[Card, ...]:
    return tuple(of_list(bench, Home(), current, 0))


def failure_lane(bench: Workbench, current: str) -> Lane:
    """What is done when a run fails."""
    return lane(bench, Home(part="on_error.steps"), current, 0)


def of_list(bench: Workbench, home: Home, current: str, depth: int) -> Iterator[Card]:
    steps = bench.homes[home]
    for step in steps:
        action = action_of(step)
        state, state_kind = state_of(bench, step)
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
            is_first=step is steps[0],
            is_last=step is steps[-1],
            policy=steering.policy(step),
            branches=tuple(branch_lanes(bench, step, current, depth)),
            body=lane(bench, Home(step.key, "steps"), current, depth + 1) if step.action == FOR_EACH else None,
            handler=lane(bench, Home(step.key, "on_error.steps"), current, depth + 1)
            if isinstance(step.on_error, tuple)
            else None,
            behind="end" if home != Home() and step is steps[-1] else "wait" if step.action == DELAY else "",
        )


def branch_lanes(bench: Workbench, step: Step, current: str, depth: int) -> Iterator[Lane]:
    for number, branch in enumerate(step.branches if step.action == BRANCH else ()):
        here = lane(bench, Home(step.key, f"branches[{number}].steps"), current, depth + 1)
        yield replace(
            here,
            kind="else" if branch.when is None else "branch",
            name=steering.name_of(branch, number),
            condition=steering.of_branch(branch),
            number=number,
            is_last=number == len(step.branches) - 1,
            is_wrong=any(fault.inside.startswith(f"branches[{number}]") for fault in bench.faults_at(step.key)),
        )


def lane(bench: Workbench, home: Home, current: str, depth: int) -> Lane:
    steps = bench.homes[home]
    is_error = home.part == "on_error.steps"
    number = home.branch
    # What is chosen or to be mended is never folded away.
    inner = {step.key for step in walk(steps)}
    is_needed = current in inner or any(fault.place in inner for fault in bench.faults)
    return Lane(
        id=f"lane-{home.owner or 'run'}-{'error' if is_error else 'body' if number is None else number}",
        kind="error" if is_error else "loop",
        place=str(home),
        cards=tuple(of_list(bench, home, current, depth)),
        is_open=depth <= DEEPEST_OPEN or is_needed,
        is_deep=depth > DEEPEST_OPEN,
    )


def sub_of(bench: Workbench, step: Step) -> str:
    """«Google Календарь · Расписание школы»: module, action where the step has its own name, connection."""
    action, connector = action_of(step), connector_of(step.action)
    if action and step.action in STEERING:
        names = {key: row.name for key, row in bench.scenarios.items()} if step.action == SCENARIO else {}
        own_name = [str(action.title)] if step.name else []
        return " · ".join(filter(None, [*own_name, *steering.of_step(step, names)])) or str(action.help)
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
        return counted(bench.samples[step.key]) or steering.foreseen_briefly(step, bench.samples[step.key]), "ok"
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
