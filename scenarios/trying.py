"""«Test step»: executes one step of a draft, on results that are given, remembered from earlier tests, or samples.

A step that steers (router, loop, delay, …) is not executed: its test says what it would do (foreseeing.py).
"""

import time
from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any

from django.db import close_old_connections, connection

from accounts import seats
from accounts.access import Actor
from accounts.roles import Role
from actions import registry
from lib import safe_json
from lib.errors import InvalidInput, Json, UserError
from lib.ids import uuid7
from scenarios import foreseeing, masked, triggers
from scenarios.document import Document, Step, parse
from scenarios.engine_terms import Attempt
from scenarios.models import Scenario
from scenarios.performing import StepPerformer
from scenarios.plans import Plan, compiled, compiled_conditions

LARGEST_SAMPLE = 200_000  # bytes of JSON


def try_step(
    actor: Actor, scenario: Scenario, key: str, *, results: Mapping[str, Json] | None = None, send: bool = True
) -> dict[str, Any]:
    """{"status", "inputs", "request", "result" | "error", "took_ms"}; the error as it is stored, secrets masked.

    `send=False` stops before anything leaves. Raises UserError `no_such_step`, and `too_many_requests` where
    as many others wait as may. A success is kept as a sample, as it is.
    """
    actor.require(Role.EDITOR)
    document = parse(scenario.document)
    step = document.step(key)
    if step is None:
        there = ", ".join(step.key for _, step in document.walk())
        raise UserError("no_such_step", params={"name": key, "there": there})
    known = {**samples(scenario, document), **(results or {})}
    with seats.seat() if send and step.action not in foreseeing.STEERING else nullcontext():
        answer = attempt(scenario, document, step, known, send=send)
    if send and "result" in answer:
        keep_sample(scenario, key, answer["result"])
    return {name: masked.for_reading(value) for name, value in answer.items()}


def attempt(
    scenario: Scenario, document: Document, step: Step, known: Mapping[str, Json], *, send: bool
) -> dict[str, Any]:
    started = time.monotonic()
    answer: dict[str, Any] = {"status": "failed", "inputs": None, "request": None}
    try:
        performer = performer_of(scenario, document, step)
        given = names(scenario, document, known, at=step.key)
        inputs = answer["inputs"] = performer.resolve(step, given)
        if foresee := foreseeing.STEERING.get(step.action):
            around = foreseeing.Around(scenario.workspace_id, performer, known)
            return answer | {"status": "succeeded", "result": foresee(around, step, given), "took_ms": took(started)}
        # What is prepared keeps no secrets in its inputs: the request is made of those worked out here.
        prepared = performer.prepare(step, given, inputs)
        action = registry.get(step.action).clean(inputs)
        answer["request"] = performer.preview(step, action, step.key)
        if not send:
            answer["status"] = "succeeded"
        else:
            performed = prepared.perform(Attempt(step.key, 1, repeated=False))
            if performed.put_back:
                raise UserError("internal")
            if performed.error is not None:
                raise performed.error
            answer |= {"status": "succeeded", "result": performed.result}
    except UserError as error:
        answer["error"] = {**error.as_json(), "path": step.key}
        if isinstance(error, InvalidInput):
            answer["error"]["errors"] = error.errors
    answer["took_ms"] = took(started)
    return answer


def took(started: float) -> int:
    return round((time.monotonic() - started) * 1000)


def names(scenario: Scenario, document: Document, known: Mapping[str, Json], *, at: str = "") -> dict[str, Json]:
    """The names that a step's expressions see in a test; `at` a step inside a loop or a handler also theirs."""
    facts = {"id": "test", "key": "test", "started_at": "", "scenario": scenario.public_id}
    trigger = known.get(document.trigger.key)
    found = {**triggers.names(document, trigger, facts), **known}
    if not at:
        return found
    given = {name: known[name] for name in ("item", "index", "error") if name in known}
    return {**foreseeing.with_inner_names(document, found, at), **given}


def samples(scenario: Scenario, document: Document) -> dict[str, Json]:
    """What is known of earlier results: step key → value. The trigger always has one."""
    kind = triggers.TRIGGERS.get(document.trigger.type)
    return {document.trigger.key: kind.sample if kind else {}, **scenario.samples}


def performer_of(scenario: Scenario, document: Document, step: Step) -> StepPerformer:
    # Each test is a run of its own to whoever sees it: a keyed step tested twice acts twice, as the person expects.
    run = uuid7().hex
    return StepPerformer(
        plan=Plan(
            document,
            {step.key: compiled(step)},
            replies=False,
            conditions={step.key: compiled_conditions(step)},
        ),
        workspace_id=scenario.workspace_id,
        run_id=run,
        run_key=run,
        timezone=document.settings.timezone or scenario.workspace.timezone,
        before_send=let_go,
    )


def let_go() -> None:
    """Give the connection back to the pool: the other side may take long to answer."""
    if not connection.in_atomic_block:
        close_old_connections()


def keep_sample(scenario: Scenario, key: str, result: Json) -> None:
    """Remember a result for pickers and previews; too large a one is not kept."""
    stored = safe_json.storable(result)
    if len(safe_json.dumps(stored)) > LARGEST_SAMPLE:
        return
    samples = {**Scenario.objects.values_list("samples", flat=True).get(pk=scenario.pk), key: stored}
    Scenario.objects.filter(pk=scenario.pk).update(samples=samples)
    scenario.samples = samples
