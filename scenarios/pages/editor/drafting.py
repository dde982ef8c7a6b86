"""Writing a draft from the editor's forms: one place at a time, so that two people can work on one scenario.

A form sends the digest of what it was made from (`base`). Where that place has changed since, nothing is written.
"""

import hashlib
import json
from collections.abc import Callable, Collection
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from django.db import transaction

from accounts.access import Actor
from actions import registry
from lib.errors import Json, UserError
from scenarios import arranging, editing, trying
from scenarios.document import (
    BRANCH,
    FOR_EACH,
    Branch,
    Document,
    Step,
    Trigger,
    dump,
    dump_step,
    dump_trigger,
    next_key,
    parse,
)
from scenarios.models import Scenario
from scenarios.pages.editor import delays, likely, routing, step_inputs
from scenarios.pages.editor.policy_form import PolicyForm
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
        step = arranging.step_of(document, key)
        changes = step_changes(step, posted)
        if replace(step, **changes) != step:
            refuse_stale(posted, own_part(step))
        return arranging.change_step(document, key, **changes)

    change(actor, scenario, how)


def step_changes(step: Step, posted: "QueryDict") -> dict[str, Any]:
    action = action_of(step)
    changes: dict[str, Any] = {}
    if action is not None:
        changes["inputs"] = delays.read(posted, step_inputs.read(action, posted, step.inputs))
    if step.action == BRANCH:
        changes["branches"] = routing.read(posted, step.branches)
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
        drop_samples(scenario, {was.key})


def add_step(actor: Actor, scenario: Scenario, action_key: str, *, after: str) -> str:
    """A new step where `after` means (arranging.place_after), with the connection that it must mean.

    Answers its key. Raises UnknownAction and UserError `no_such_step`.
    """
    action = registry.get(action_key)
    connection = likely.connection(actor, scenario, action_key)
    branches = routing.first() if action_key == BRANCH else ()
    made: list[str] = []

    def how(document: Document) -> Document:
        made[:] = [next_key(document)]
        inputs = step_inputs.first(action)
        step = Step(key=made[0], action=action_key, connection=connection, inputs=inputs, branches=branches)
        added = arranging.add_step(document, step, after=after)
        items = likely.items(added, scenario.samples, step.key) if action_key == FOR_EACH else ""
        return arranging.change_step(added, step.key, inputs={"items": items}) if items else added

    change(actor, scenario, how)
    return made[0]


def copy_step(actor: Actor, scenario: Scenario, key: str) -> str:
    """The same step once more, right behind it, with all inside; answers the new key."""
    made: list[str] = []

    def how(document: Document) -> Document:
        document, copied = arranging.copy_step(document, key)
        made[:] = [copied]
        return document

    change(actor, scenario, how)
    return made[0]


def move_step(actor: Actor, scenario: Scenario, key: str, *, after: str) -> None:
    change(actor, scenario, lambda document: arranging.move_step(document, key, after=after))


def shift_step(actor: Actor, scenario: Scenario, key: str, by: int) -> None:
    change(actor, scenario, lambda document: arranging.shift_step(document, key, by))


def remove_step(actor: Actor, scenario: Scenario, key: str) -> None:
    """With all inside, and the samples of all."""
    step = arranging.step_of(parse(scenario.document), key)
    change(actor, scenario, lambda document: arranging.remove_step(document, key))
    drop_samples(scenario, {one.key for one in arranging.walk((step,))})


def remove_handler(actor: Actor, scenario: Scenario, key: str) -> None:
    """The steps that a step has for errors go; the run then fails there."""
    step = arranging.step_of(parse(scenario.document), key)
    change(actor, scenario, lambda document: arranging.change_step(document, key, on_error="stop"))
    handler = step.on_error if isinstance(step.on_error, tuple) else ()
    drop_samples(scenario, {one.key for one in arranging.walk(handler)})


def add_branch(actor: Actor, scenario: Scenario, key: str) -> None:
    """One more with a condition, which is still to be written."""
    change(actor, scenario, lambda document: arranging.add_branch(document, key, Branch(when="")))


def shift_branch(actor: Actor, scenario: Scenario, key: str, number: int, by: int) -> None:
    change(actor, scenario, lambda document: arranging.shift_branch(document, key, number, by))


def remove_branch(actor: Actor, scenario: Scenario, key: str, number: int) -> None:
    """With its steps and their samples."""
    branches = arranging.step_of(parse(scenario.document), key).branches
    change(actor, scenario, lambda document: arranging.remove_branch(document, key, number))
    gone = branches[number].steps if number < len(branches) else ()
    drop_samples(scenario, {one.key for one in arranging.walk(gone)})


def rename_key(actor: Actor, scenario: Scenario, old: str, new: str) -> None:
    """Raises UserError: see arranging.rename_key."""
    with transaction.atomic():
        change(actor, scenario, lambda document: arranging.rename_key(document, old, new))
        if old in scenario.samples and old != new:
            trying.keep_sample(scenario, new, scenario.samples[old])
            drop_samples(scenario, {old})


def drop_samples(scenario: Scenario, keys: Collection[str]) -> None:
    before = Scenario.objects.values_list("samples", flat=True).get(pk=scenario.pk)
    samples = {key: value for key, value in before.items() if key not in keys}
    if samples != before:
        Scenario.objects.filter(pk=scenario.pk).update(samples=samples)
    scenario.samples = samples


def refuse_stale(posted: "QueryDict", current: dict[str, Json]) -> None:
    base = posted.get("base", "")
    if base and base != digest(current):
        raise UserError("stale_revision")


def own_part(step: Step) -> dict[str, Json]:
    """The JSON of a step without the steps inside it: those have panels of their own."""
    return dump_step(arranging.emptied(step))


def digest(part: dict[str, Json]) -> str:
    # jsonb gives keys back in an order of its own.
    return hashlib.sha256(json.dumps(part, sort_keys=True).encode()).hexdigest()[:16]
