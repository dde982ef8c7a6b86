"""What the editor's pages know of one scenario, read once a request: its draft, its problems, its surroundings."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property

from django.urls import reverse
from django.utils.translation import gettext

from accounts.access import Actor
from accounts.roles import Role
from actions import registry
from actions.base import Action
from connections import access as connections_access
from connections.models import Connection
from lib.errors import InvalidInput, Json, UserError, describe
from scenarios import access, api_shapes, arranging, editing, triggers, trying
from scenarios.arranging import Home
from scenarios.checking import Surroundings
from scenarios.checking import problems as problems_of
from scenarios.document import Document, Problem, Step, parse
from scenarios.models import Scenario

TRIGGER = "trigger"  # stands for the trigger's panel where a step's key stands for a step's


@dataclass(frozen=True)
class Fault:
    """A problem in words. `place` is the key of its step, TRIGGER, or "" for the scenario as a whole.

    `inside` is the rest of the path there: "inputs.start".
    """

    place: str
    inside: str
    text: str
    hint: str = ""

    @property
    def words(self) -> str:
        return f"{self.text} {self.hint}".strip()


class Workbench:
    def __init__(self, actor: Actor, scenario: Scenario) -> None:
        self.actor = actor
        self.scenario = scenario
        self.document: Document = parse(scenario.document)
        self.may_edit = actor.may(Role.EDITOR)

    @cached_property
    def connections(self) -> dict[str, Connection]:
        return {row.slug: row for row in connections_access.visible(self.actor).order_by("name", "id")}

    @cached_property
    def faults(self) -> list[Fault]:
        around = Surroundings(
            action=editing.known_action, triggers=triggers.TRIGGERS, connections=frozenset(self.connections)
        )
        return [self.fault(found) for found in problems_of(self.document, around)]

    @cached_property
    def samples(self) -> dict[str, Json]:
        return trying.samples(self.scenario, self.document)

    @cached_property
    def scenarios(self) -> dict[str, Scenario]:
        """The scenarios that a step may call, by id: those of the workspace."""
        rows = access.scenarios(self.actor).select_related(None).only("public_id", "name", "published_id")
        return {row.public_id: row for row in rows.order_by("name", "id")}

    @cached_property
    def homes(self) -> dict[Home, tuple[Step, ...]]:
        """Every list of steps there is, by its place."""
        return dict(arranging.homes(self.document))

    @cached_property
    def numbers(self) -> dict[str, int]:
        """The steps' numbers in the order of execution."""
        return {step.key: number for number, (_, step) in enumerate(self.document.walk(), start=1)}

    @cached_property
    def timezone(self) -> str:
        return self.document.settings.timezone or self.scenario.workspace.timezone

    @property
    def is_published(self) -> bool:
        published = self.scenario.published
        return published is not None and editing.is_same(self.scenario, published)

    @cached_property
    def next_fires(self) -> list[datetime]:
        """Of a schedule: the next times by the clock that runs; by the draft's rule, as if on now, where it differs."""
        published = self.scenario.published
        in_force = published is not None and published.document.get("trigger") == self.scenario.document["trigger"]
        if self.scenario.status == "active" and in_force:
            return api_shapes.next_fires(self.scenario)
        now = datetime.now(UTC)
        try:
            rule = triggers.rule_of(self.document, self.scenario.workspace.timezone)
        except InvalidInput:
            return []
        return rule.upcoming(now, now, api_shapes.NEXT_FIRES) if rule else []

    def step(self, key: str) -> Step | None:
        return self.document.step(key)

    def has_sample(self, key: str) -> bool:
        """Whether a real result is known: of a trigger by hand there is nothing else to know."""
        return key in self.scenario.samples

    def before(self, key: str) -> list[Step]:
        """The steps whose results a step sees, nearest first."""
        way = arranging.way_to(self.document, key)
        found = [step for place in way for step in self.homes[place.home][: place.position]]
        return list(reversed(found))

    def loop_around(self, key: str) -> Step | None:
        """The innermost loop that a step stands in."""
        way = arranging.way_to(self.document, key)
        owners = [place.home.owner for place in way if place.home.owner and place.home.part == "steps"]
        return self.step(owners[-1]) if owners else None

    def is_handling(self, key: str) -> bool:
        """Whether a step stands in the steps for an error."""
        return any(place.home.part == "on_error.steps" for place in arranging.way_to(self.document, key))

    def names_at(self, key: str) -> dict[str, Json]:
        """What the expressions of a step see in a preview, but for `connection`."""
        return trying.names(self.scenario, self.document, self.samples, at=key)

    def faults_at(self, place: str) -> list[Fault]:
        return [fault for fault in self.faults if fault.place == place]

    def fault(self, found: Problem) -> Fault:
        told = describe(found.as_json(), gettext)
        text = found.params.get("message") if found.code == "invalid_input" else told["text"]
        place, inside = self.place_of(found.path)
        return Fault(place, inside, gettext(str(text)), told["hint"])

    def place_of(self, path: str) -> tuple[str, str]:
        if path == "trigger" or path.startswith("trigger."):
            return TRIGGER, path.removeprefix("trigger").removeprefix(".")
        inner = [(here, step) for here, step in self.document.walk() if f"{path}.".startswith(f"{here}.")]
        if not inner:
            return "", path
        here, step = inner[-1]
        return step.key, path.removeprefix(here).removeprefix(".")

    def url_of(self, place: str) -> str:
        """The page of the panel in which something can be mended."""
        if place == TRIGGER or place == self.document.trigger.key:
            return reverse("scenarios:trigger", args=[self.scenario.public_id])
        if place:
            return reverse("scenarios:step", args=[self.scenario.public_id, place])
        return reverse("scenarios:settings", args=[self.scenario.public_id])


def action_of(step: Step) -> type[Action] | None:
    return editing.known_action(step.action)


def connector_of(action: str) -> registry.Connector | None:
    return next((one for one in registry.connectors() if any(each.key == action for each in one.actions)), None)


def title_of(step: Step) -> str:
    """A step's own name, else its action's title."""
    action = action_of(step)
    return step.name or (str(action.title) if action else step.action)


def words_of(error: UserError) -> str:
    told = describe(error.as_json(), gettext)
    return f"{told['text']} {told['hint']}".strip()


def names_for(bench: Workbench, step: Step) -> Mapping[str, Json]:
    """The names of a step's previews."""
    connection = bench.connections.get(step.connection)
    described = {"name": connection.name, "account": connection.account} if connection else {}
    return {**bench.names_at(step.key), "connection": described}
