"""What the panel beside the track shows: of a step, of the trigger, or why the draft cannot be published."""

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext as _

from actions.base import Action
from actions.registry import Connector
from connections.models import Connection
from lib import safe_json
from lib.errors import Json
from scenarios import access, arranging, triggers
from scenarios.document import BRANCH, Step, dump_trigger
from scenarios.flow import DELAY, SCENARIO
from scenarios.foreseeing import STEERING
from scenarios.models import Delivery, Scenario
from scenarios.pages import wording
from scenarios.pages.editor import delays, outputs, picking, previews, routing, steering
from scenarios.pages.editor.drafting import digest, own_part, trigger_form
from scenarios.pages.editor.outputs import Output
from scenarios.pages.editor.policy_form import PolicyForm
from scenarios.pages.editor.previews import Entry, Look
from scenarios.pages.editor.trigger_forms import ScheduleForm, WebhookForm
from scenarios.pages.editor.workbench import TRIGGER, Fault, Workbench, action_of, connector_of, names_for, title_of
from scenarios.triggers import TRIGGERS, TriggerType

if TYPE_CHECKING:
    from django.http import QueryDict

DELIVERIES = 8
SAMPLE_ROWS = 12
IN_BRANCH = re.compile(r"branches\[([0-9]+)\]")


@dataclass(frozen=True)
class StepPanel:
    bench: Workbench
    step: Step
    entries: list[Entry]
    policy: PolicyForm
    output: Output | None
    is_new: bool = False
    is_strict: bool = False
    tab: str = "fields"
    template: str = "scenarios/panels/step.html"

    @property
    def place(self) -> str:
        return self.step.key

    @property
    def number(self) -> int:
        return self.bench.numbers[self.step.key]

    @property
    def title(self) -> str:
        return title_of(self.step)

    @property
    def action(self) -> type[Action] | None:
        return action_of(self.step)

    @property
    def connector(self) -> Connector | None:
        return connector_of(self.step.action)

    @property
    def base(self) -> str:
        return digest(own_part(self.step))

    @property
    def fields_template(self) -> str:
        """What the panel asks for: by the declaration, but for two steps that have controls of their own."""
        own = {BRANCH: "scenarios/panels/router.html", DELAY: "scenarios/panels/delay.html"}
        return own.get(self.step.action, "scenarios/panels/fields.html")

    @property
    def is_steering(self) -> bool:
        """Whether its test only foresees."""
        return self.step.action in STEERING

    @cached_property
    def branches(self) -> list[routing.Shown]:
        faults = self.bench.faults_at(self.step.key)
        look = Look(self.bench, self.step, names_for(self.bench, self.step), faults, self.is_strict)
        return routing.shown(look) if self.step.action == BRANCH else []

    @property
    def delay(self) -> delays.Shown:
        return delays.shown(self.step)

    @property
    def entry(self) -> dict[str, Entry]:
        return {entry.shown.field.name: entry for entry in self.entries}

    @property
    def called(self) -> Scenario | None:
        """The scenario that the step calls."""
        wanted = self.step.inputs.get("scenario") if self.step.action == SCENARIO else None
        return self.bench.scenarios.get(wanted) if isinstance(wanted, str) else None

    @cached_property
    def at(self) -> arranging.Place:
        return arranging.place_of(self.bench.document, self.step.key)

    @property
    def is_first(self) -> bool:
        return self.at.position == 0

    @property
    def is_last(self) -> bool:
        return self.at.position == len(self.bench.homes[self.at.home]) - 1

    @property
    def usual(self) -> list[Entry]:
        return [entry for entry in self.entries if not entry.shown.field.advanced]

    @property
    def advanced(self) -> list[Entry]:
        return [entry for entry in self.entries if entry.shown.field.advanced]

    @property
    def is_advanced_used(self) -> bool:
        return any(entry.shown.field.name in self.step.inputs or entry.errors for entry in self.advanced)

    @property
    def picker_groups(self) -> list[dict[str, Any]]:
        return picking.groups(self.bench, self.step)

    @property
    def connection(self) -> Connection | None:
        return self.bench.connections.get(self.step.connection)

    @property
    def connection_choices(self) -> list[tuple[str, str]]:
        found = [
            (slug, f"{row.name} · {row.account}" if row.account else row.name)
            for slug, row in self.bench.connections.items()
        ]
        gone = self.step.connection and self.step.connection not in self.bench.connections
        return (
            [*found, (self.step.connection, _("{slug}: there is no such connection").format(slug=self.step.connection))]
            if gone
            else found
        )

    @property
    def connection_errors(self) -> list[str]:
        return [fault.words for fault in self.bench.faults_at(self.step.key) if fault.inside == "connection"]

    @property
    def other_faults(self) -> list[Fault]:
        """What belongs to no field: an unknown action, an input that the action does not have."""
        action = self.action
        known = ("branches[", *(f"inputs.{name}" for name in action.fields)) if action else ()
        return [
            fault
            for fault in self.bench.faults_at(self.step.key)
            if fault.inside != "connection" and not fault.inside.startswith(known)
        ]


@dataclass(frozen=True)
class TriggerPanel:
    bench: Workbench
    form: WebhookForm | ScheduleForm | None
    form_errors: Mapping[str, list[str]] = field(default_factory=dict)
    template: str = "scenarios/panels/trigger.html"

    @property
    def place(self) -> str:
        return TRIGGER

    @property
    def start(self) -> str:
        return self.bench.document.trigger.type

    @property
    def key(self) -> str:
        return self.bench.document.trigger.key

    @property
    def kind(self) -> type[TriggerType] | None:
        return TRIGGERS.get(self.start)

    @property
    def kinds(self) -> list[type[TriggerType]]:
        return list(TRIGGERS.values())

    @property
    def words(self) -> str:
        return wording.trigger(self.bench.document)

    @property
    def base(self) -> str:
        return digest(dump_trigger(self.bench.document.trigger))

    @property
    def faults(self) -> list[str]:
        own = [message for messages in self.form_errors.values() for message in messages]
        return own or [fault.words for fault in self.bench.faults_at(TRIGGER)]

    @property
    def url(self) -> str:
        return triggers.url_of(self.bench.scenario)

    @property
    def next_fires(self) -> list[Any]:
        return [] if self.faults else self.bench.next_fires

    @property
    def zone(self) -> str:
        return str(self.bench.document.trigger.inputs.get("timezone") or self.bench.timezone)

    @property
    def deliveries(self) -> list[Delivery]:
        rows = access.deliveries(self.bench.actor).filter(scenario=self.bench.scenario).order_by("-id")
        return list(rows.defer("body", "headers")[:DELIVERIES])

    @property
    def has_sample(self) -> bool:
        return self.bench.has_sample(self.key)

    @property
    def sample(self) -> Json:
        return self.bench.samples.get(self.key)

    @property
    def sample_body(self) -> Json:
        return self.sample.get("body") if isinstance(self.sample, dict) else None

    @property
    def sample_rows(self) -> list[dict[str, Any]]:
        return list(picking.picks(self.sample_body, "body"))[:SAMPLE_ROWS] if self.sample_body else []

    @property
    def curl(self) -> str:
        methods = self.bench.document.trigger.inputs.get("methods") or ["POST"]
        return curl(str(methods[0]), self.url, self.sample_body)


@dataclass(frozen=True)
class FaultsPanel:
    """Why publishing was refused: each problem with the way to its place."""

    bench: Workbench
    template: str = "scenarios/panels/faults.html"

    @property
    def place(self) -> str:
        return ""

    @property
    def groups(self) -> list[dict[str, Any]]:
        places = dict.fromkeys(fault.place for fault in self.bench.faults)
        return [
            {
                "title": self.title_of(place),
                "url": self.bench.url_of(place) + ("" if place in ("", TRIGGER) else "?strict=1"),
                "is_panel": place != "",
                "faults": [(self.label_of(fault), fault.words) for fault in self.bench.faults_at(place)],
            }
            for place in places
        ]

    def label_of(self, fault: Fault) -> str:
        """The field's name where the problem is in a field; "" where the words say enough."""
        step = self.bench.step(fault.place)
        action = action_of(step) if step else None
        labels = {name: str(one.label) for name, one in action.fields.items()} if action else {}
        if step and (found := IN_BRANCH.match(fault.inside)):
            number = int(found[1])
            return steering.name_of(step.branches[number], number)
        inside = fault.inside.removeprefix("inputs.")
        return outputs.labelled(inside, labels) if fault.inside.startswith("inputs.") else ""

    def title_of(self, place: str) -> str:
        if place == TRIGGER:
            return _("What starts it")
        step = self.bench.step(place)
        return f"{self.bench.numbers[place]}. {title_of(step)}" if step else _("The scenario")


def of_step(
    bench: Workbench,
    step: Step,
    *,
    strict: bool = False,
    output: Output | None = None,
    is_new: bool = False,
    tab: str = "fields",
    posted: "QueryDict | None" = None,
) -> StepPanel:
    action = action_of(step)
    found = previews.entries(bench, step, action.fields, strict=strict, posted=posted) if action else []
    policy = PolicyForm(posted, step=step) if posted is not None and "retries" in posted else PolicyForm(step=step)
    if output is None and bench.has_sample(step.key):
        output = outputs.known(bench.samples[step.key])
    return StepPanel(bench, step, found, policy, output, is_new, strict, tab)


def of_trigger(bench: Workbench, errors: Mapping[str, list[str]] | None = None) -> TriggerPanel:
    return TriggerPanel(bench, trigger_form(bench.scenario, bench.document), errors or {})


def curl(method: str, url: str, body: Json) -> str:
    if method == "GET":
        return f"curl {shlex.quote(url)}"
    data = safe_json.dumps(body if body is not None else {}).decode()
    return f"curl -X {method} {shlex.quote(url)} -H 'Content-Type: application/json' -d {shlex.quote(data)}"
