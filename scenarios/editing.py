"""Changes to scenarios: make, save and change the draft, publish, switch on and off, delete.

Changes of the steps themselves are functions from document to document: arranging.py.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from django.db import transaction
from django.db.models import F

from accounts import audit, vault
from accounts.access import Actor
from accounts.roles import Role
from actions import registry
from actions.base import Action
from connections.models import Connection
from lib.errors import InvalidInput, Json, UserError, describe
from scenarios import signatures, triggers
from scenarios.checking import Surroundings
from scenarios.checking import problems as problems_of
from scenarios.document import (
    LONGEST_NAME,
    Document,
    InvalidDocument,
    Problem,
    check_size,
    dump,
    parse,
)
from scenarios.models import Scenario, Version


def surroundings(workspace_id: int) -> Surroundings:
    """What a document of this workspace may refer to."""
    slugs = Connection.objects.filter(workspace_id=workspace_id).values_list("slug", flat=True)
    return Surroundings(action=known_action, triggers=triggers.TRIGGERS, connections=frozenset(slugs))


def known_action(key: str) -> type[Action] | None:
    try:
        return registry.get(key)
    except registry.UnknownAction:
        return None


def problems(scenario: Scenario) -> list[Problem]:
    return problems_of(parse(scenario.document), surroundings(scenario.workspace_id))


def create(actor: Actor, data: Json, *, draft: bool = False) -> Scenario:
    """A new scenario. Raises InvalidDocument; `draft` takes a document that has the right shape but cannot run yet."""
    actor.require(Role.EDITOR)
    document = readable(actor, data, draft=draft)
    inputs, secrets = signatures.part(document.trigger.inputs, {})
    document = with_trigger_inputs(document, inputs)
    with transaction.atomic():
        scenario = Scenario.objects.create(
            workspace=actor.workspace, name=document.name, document=dump(document), created_by=actor.user
        )
        keep_secrets(scenario, secrets)
        triggers.make_hook(scenario)
        audit.record(actor, "scenario.create", scenario.public_id, name=scenario.name)
    return scenario


def copy(actor: Actor, scenario: Scenario, *, name: str) -> Scenario:
    """A draft of its own with the same steps, samples and secrets; it was never published, so it is off."""
    document = replace(parse(scenario.document), name=name[:LONGEST_NAME])
    inputs = document.trigger.inputs
    if isinstance(inputs.get("signature"), dict):
        document = with_trigger_inputs(document, {**inputs, "signature": inputs["signature"] | secrets_of(scenario)})
    with transaction.atomic():
        made = create(actor, dump(document), draft=True)
        made.samples = scenario.samples
        made.save(update_fields=["samples"])
    return made


def save(actor: Actor, scenario: Scenario, data: Json, *, revision: int | None, draft: bool = False) -> Scenario:
    """Replace the draft. Raises InvalidDocument, and UserError `stale_revision` where somebody was quicker."""
    actor.require(Role.EDITOR)
    document = readable(actor, data, draft=draft)
    inputs, secrets = signatures.part(document.trigger.inputs, secrets_of(scenario))
    return store(scenario, with_trigger_inputs(document, inputs), revision=revision, secrets=secrets)


def change(
    actor: Actor, scenario: Scenario, how: Callable[[Document], Document], *, revision: int | None = None
) -> Scenario:
    """Change the draft by a function from document to document; its problems may stay, but not those of its shape.

    Raises UserError `invalid_document`: too many steps, too deep, too large.
    """
    actor.require(Role.EDITOR)
    document = how(parse(scenario.document))
    data = dump(document)
    check_size(data)
    try:
        parse(data)
    except InvalidDocument as error:
        worst = error.problems[0]
        params = {name: value for name, value in worst.params.items() if name != "reason"}
        raise UserError("invalid_document", str(worst.params["reason"]), params=params, path=worst.path) from None
    return store(scenario, document, revision=revision)


def store(
    scenario: Scenario, document: Document, *, revision: int | None, secrets: Mapping[str, str] | None = None
) -> Scenario:
    with transaction.atomic():
        current = Scenario.objects.select_for_update(no_key=True).get(pk=scenario.pk)
        if revision is not None and revision != current.revision:
            raise UserError("stale_revision", params={"revision": current.revision})
        current.document, current.name, current.revision = dump(document), document.name, current.revision + 1
        current.save(update_fields=["document", "name", "revision", "updated_at"])
        if secrets is not None:
            keep_secrets(current, secrets)
    return current


def readable(actor: Actor, data: Json, *, draft: bool) -> Document:
    check_size(data)
    document = parse(data)
    found = [] if draft else problems_of(document, surroundings(actor.workspace.pk))
    if found:
        raise InvalidDocument(found)
    return document


def with_trigger_inputs(document: Document, inputs: Mapping[str, Json]) -> Document:
    return replace(document, trigger=replace(document.trigger, inputs=inputs))


def secrets_of(scenario: Scenario, version: Version | None = None) -> dict[str, str]:
    """What the trigger's signature needs: of the draft, or of a version."""
    sealed = version.trigger_secrets if version else scenario.trigger_secrets
    if not sealed:
        return {}
    opened: dict[str, str] = vault.open_json(bytes(sealed), **place(scenario))
    return opened


def keep_secrets(scenario: Scenario, secrets: Mapping[str, str]) -> None:
    sealed = vault.seal_json(dict(secrets), **place(scenario)) if secrets else None
    Scenario.objects.filter(pk=scenario.pk).update(trigger_secrets=sealed)
    scenario.trigger_secrets = sealed


def place(scenario: Scenario) -> dict[str, Any]:
    return {
        "table": "scenario",
        "column": "trigger_secrets",
        "row": scenario.pk,
        "workspace": scenario.workspace_id,
    }


def publish(actor: Actor, scenario: Scenario) -> Version:
    """Make the draft an immutable version, in force at once. Raises InvalidDocument.

    A draft that equals the version in force makes no new one.
    """
    actor.require(Role.EDITOR)
    with transaction.atomic():
        current = (
            Scenario.objects.select_for_update(of=("self",), no_key=True)
            .select_related("workspace")
            .get(pk=scenario.pk)
        )
        document = parse(current.document)
        found = problems_of(document, surroundings(current.workspace_id))
        if found:
            raise InvalidDocument(found)
        version = current.published
        if version is None or not is_same(current, version):
            last = current.versions.order_by("-number").values_list("number", flat=True).first() or 0
            version = Version.objects.create(
                scenario=current,
                number=last + 1,
                document=current.document,
                trigger_secrets=current.trigger_secrets,
                published_by=actor.user,
            )
            engine = triggers.least_engine(document)
            limits = {"max_concurrent": document.settings.max_concurrent_runs, "engine": engine}
            Scenario.objects.filter(pk=current.pk).update(published=version, **limits)
            current.published = version
            audit.record(actor, "scenario.publish", current.public_id, version=version.number)
        if current.status == "active":
            triggers.set_clock(current, document, now=datetime.now(UTC))
    scenario.published = version
    return version


def is_same(scenario: Scenario, version: Version) -> bool:
    """Whether a version says what the draft says, secrets included."""
    return version.document == scenario.document and secrets_of(scenario) == secrets_of(scenario, version)


def activate(actor: Actor, scenario: Scenario) -> Scenario:
    """Switch on: its trigger fires from now on. Raises UserError `not_published`."""
    actor.require(Role.EDITOR)
    with transaction.atomic():
        current = (
            Scenario.objects.select_for_update(of=("self",), no_key=True)
            .select_related("published", "workspace")
            .get(pk=scenario.pk)
        )
        if current.published is None:
            raise UserError("not_published")
        if current.status != "active":
            Scenario.objects.filter(pk=current.pk).update(status="active", paused_reason=None)
            triggers.set_clock(current, parse(current.published.document), now=datetime.now(UTC))
            audit.record(actor, "scenario.activate", current.public_id)
    scenario.status, scenario.paused_reason = "active", None
    return scenario


def deactivate(actor: Actor, scenario: Scenario) -> Scenario:
    """Switch off: nothing fires any more; runs under way go on."""
    actor.require(Role.EDITOR)
    with transaction.atomic():
        changed = Scenario.objects.filter(pk=scenario.pk, status="active").update(status="paused")
        triggers.set_clock(scenario, None, now=datetime.now(UTC))
        if changed:
            audit.record(actor, "scenario.deactivate", scenario.public_id)
    scenario.status = "paused" if changed else scenario.status
    return scenario


def delete(actor: Actor, scenario: Scenario) -> None:
    """Take the scenario away; runs under way go on, and its history stays readable."""
    actor.require(Role.EDITOR)
    with transaction.atomic():
        now = datetime.now(UTC)
        Scenario.objects.filter(pk=scenario.pk).update(
            deleted_at=now, status="paused", revision=F("revision") + 1, published=F("published")
        )
        triggers.set_clock(scenario, None, now=now)
        audit.record(actor, "scenario.delete", scenario.public_id, name=scenario.name)


def used_by(connection: Connection) -> list[dict[str, Json]]:
    """The scenarios whose draft or version in force names a connection: connections.usage asks."""
    found = Scenario.objects.filter(workspace_id=connection.workspace_id, deleted_at=None).select_related("published")
    return [
        {"id": scenario.public_id, "name": scenario.name} for scenario in found if connection.slug in slugs_of(scenario)
    ]


def slugs_of(scenario: Scenario) -> set[str]:
    documents = [scenario.document, scenario.published.document if scenario.published else None]
    return {step.connection for data in documents if data for _, step in parse(data).walk() if step.connection}


def in_words(error: InvalidDocument | InvalidInput, translate: Callable[[str], str]) -> dict[str, list[str]]:
    """Problems by path, for people: {"steps[0].inputs.start": ["…"]}."""
    if isinstance(error, InvalidInput):
        return error.errors
    words: dict[str, list[str]] = {}
    for problem in error.problems:
        told = describe(problem.as_json(), translate)
        message = problem.params.get("message") if problem.code == "invalid_input" else None
        words.setdefault(problem.path, []).append(message or " ".join(filter(None, (told["text"], told["hint"]))))
    return words
