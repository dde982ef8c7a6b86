"""Writing a draft from the editor's forms: one place at a time, so that two people can work on one scenario.

A form sends the digest of what it was made from (`base`). Where that place has changed since, nothing is written.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from django.db import transaction

from accounts.access import Actor
from actions import registry
from connections import access as connections_access
from lib.errors import Json, UserError
from scenarios import editing, trying
from scenarios.document import Document, Step, Trigger, dump, dump_step, dump_trigger, next_key, parse
from scenarios.models import Scenario
from scenarios.pages.editor import step_inputs
from scenarios.pages.editor.forms import PolicyForm
from scenarios.pages.editor.trigger_forms import ScheduleForm, WebhookForm, first_inputs
from scenarios.pages.editor.workbench import TRIGGER, action_of

if TYPE_CHECKING:
    from django.http import QueryDict

TRIES = 3
How = Callable[[Document], Document]


def change(actor: Actor, scenario: Scenario, how: How) -> None:
    """Change the draft; what somebody else changed elsewhere in the meantime is kept.

    `how` may raise UserError. Nothing is written where nothing changes.
    """
    for tries_left in reversed(range(TRIES)):
        if dump(how(parse(scenario.document))) == scenario.document:
            return
        try:
            take_over(scenario, editing.change(actor, scenario, how, revision=scenario.revision))
            return
        except UserError as error:
            if error.code != "stale_revision" or not tries_left:
                raise
            scenario.refresh_from_db(fields=["document", "name", "revision"])


def take_over(scenario: Scenario, stored: Scenario) -> None:
    scenario.document, scenario.name, scenario.revision = stored.document, stored.name, stored.revision


def save_posted(actor: Actor, scenario: Scenario, posted: "QueryDict") -> None:
    """Save the panel that came along with another request (publishing, say); nothing where none came."""
    place = posted.get("panel", "")
    if place == TRIGGER:
        save_trigger(actor, scenario, posted)
    elif place:
        save_step(actor, scenario, place, posted)


def save_step(actor: Actor, scenario: Scenario, key: str, posted: "QueryDict") -> None:
    """Raises UserError `stale_revision`, `no_such_step`."""

    def how(document: Document) -> Document:
        step = editing.checked(document, key).step(key)
        assert step is not None
        changes = step_changes(step, posted)
        if replace(step, **changes) != step:
            refuse_stale(posted, dump_step(step))
        return editing.change_step(document, key, **changes)

    change(actor, scenario, how)


def step_changes(step: Step, posted: "QueryDict") -> dict[str, Any]:
    action = action_of(step)
    changes: dict[str, Any] = {}
    if action is not None:
        changes["inputs"] = step_inputs.read(action, posted, step.inputs)
    if "title" in posted:
        title = posted.get("title", "").strip()[:200]
        changes["name"] = "" if action and title == str(action.title) else title
    if "connection" in posted:
        changes["connection"] = posted.get("connection", "")
    if "retries" in posted:
        changes |= PolicyForm(posted, step=step).changes()
    return changes


def save_trigger(actor: Actor, scenario: Scenario, posted: "QueryDict") -> dict[str, list[str]]:
    """Answers what is wrong with the form itself; then nothing is written."""
    document = parse(scenario.document)
    form = trigger_form(scenario, document, posted)
    if form is None or not form.is_valid():
        return (
            {} if form is None else {name: [str(message) for message in found] for name, found in form.errors.items()}
        )
    changed = replace(document.trigger, name=form.cleaned_data["name"], inputs=form.inputs())
    if changed == document.trigger:
        return {}
    refuse_stale(posted, dump_trigger(document.trigger))
    data = dump(replace(document, trigger=changed))
    take_over(scenario, editing.save(actor, scenario, data, revision=scenario.revision, draft=True))
    return {}


def trigger_form(
    scenario: Scenario, document: Document, posted: "QueryDict | None" = None
) -> WebhookForm | ScheduleForm | None:
    trigger = document.trigger
    if trigger.type == "webhook":
        return WebhookForm(posted, inputs=trigger.inputs, name=trigger.name)
    if trigger.type == "schedule":
        zone = document.settings.timezone or scenario.workspace.timezone
        return ScheduleForm(posted, inputs=trigger.inputs, name=trigger.name, scenario_zone=zone)
    return None


def choose_trigger(actor: Actor, scenario: Scenario, kind: str) -> None:
    """Another way to start. The sample of the old one goes: its data looks different."""

    def how(document: Document) -> Document:
        if document.trigger.type == kind:
            return document
        return replace(document, trigger=Trigger(document.trigger.key, kind, inputs=first_inputs(kind)))

    was = parse(scenario.document).trigger
    change(actor, scenario, how)
    if was.type != kind:
        drop_sample(scenario, was.key)


def add_step(actor: Actor, scenario: Scenario, action_key: str, *, after: str) -> str:
    """A new step behind another one, with the connection that it must mean; answers its key. Raises UnknownAction."""
    action = registry.get(action_key)
    connection = likely_connection(actor, scenario, action_key)
    made: list[str] = []

    def how(document: Document) -> Document:
        if after not in ("", document.trigger.key):
            editing.checked(document, after)
        made[:] = [next_key(document)]
        step = Step(key=made[0], action=action_key, connection=connection, inputs=step_inputs.first(action))
        return editing.add_step(document, step, after=after)

    change(actor, scenario, how)
    return made[0]


def likely_connection(actor: Actor, scenario: Scenario, action_key: str) -> str:
    """The connection that steps of the same module use here already, or the only one that fits."""
    if registry.get(action_key).connection != "required":
        return ""
    module = action_key.partition(".")[0]
    document = parse(scenario.document)
    used = [step.connection for _, step in document.walk() if step.action.partition(".")[0] == module]
    if any(used):
        return next(slug for slug in reversed(used) if slug)
    slugs = list(connections_access.visible(actor).exclude(status="new").values_list("slug", flat=True)[:2])
    return slugs[0] if len(slugs) == 1 else ""


def copy_step(actor: Actor, scenario: Scenario, key: str) -> str:
    """The same step once more, right behind it; answers the new key."""
    made: list[str] = []

    def how(document: Document) -> Document:
        step = editing.checked(document, key).step(key)
        assert step is not None
        made[:] = [next_key(document)]
        handler = "stop" if isinstance(step.on_error, tuple) else step.on_error  # its keys would be taken
        return editing.add_step(document, replace(step, key=made[0], on_error=handler), after=key)

    change(actor, scenario, how)
    return made[0]


def remove_step(actor: Actor, scenario: Scenario, key: str) -> None:
    change(actor, scenario, lambda document: editing.remove_step(document, key))
    drop_sample(scenario, key)


def rename_key(actor: Actor, scenario: Scenario, old: str, new: str) -> None:
    """Raises UserError: see editing.rename_key."""
    with transaction.atomic():
        change(actor, scenario, lambda document: editing.rename_key(document, old, new))
        if old in scenario.samples and old != new:
            trying.keep_sample(scenario, new, scenario.samples[old])
            drop_sample(scenario, old)


def drop_sample(scenario: Scenario, key: str) -> None:
    samples = dict(Scenario.objects.values_list("samples", flat=True).get(pk=scenario.pk))
    if samples.pop(key, None) is not None:
        Scenario.objects.filter(pk=scenario.pk).update(samples=samples)
    scenario.samples = samples


def refuse_stale(posted: "QueryDict", current: dict[str, Json]) -> None:
    base = posted.get("base", "")
    if base and base != digest(current):
        raise UserError("stale_revision")


def digest(part: dict[str, Json]) -> str:
    # jsonb gives keys back in an order of its own.
    return hashlib.sha256(json.dumps(part, sort_keys=True).encode()).hexdigest()[:16]
