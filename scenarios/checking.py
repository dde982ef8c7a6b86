"""What is wrong in meaning with a document of the right shape: actions, connections, inputs, references.

Plain Python: which actions, triggers and connections there are is handed in.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from lib import expressions
from lib.errors import Json, UserError
from scenarios.document import ALWAYS_THERE, BRANCH, FOR_EACH, KEY, RESERVED, Document, Problem, Step, joined, wrong


class ActionType(Protocol):
    """What a document asks of an action: the class `actions.base.Action` is one."""

    @property
    def connection(self) -> str: ...

    @property
    def only_under(self) -> Collection[str]: ...

    def check(self, inputs: Mapping[str, Json]) -> Mapping[str, list[str]]: ...


class TriggerType(Protocol):
    def check(self, inputs: Mapping[str, Json]) -> Mapping[str, list[str]]: ...


@dataclass(frozen=True)
class Surroundings:
    """What a document may refer to."""

    action: Callable[[str], ActionType | None]
    triggers: Mapping[str, TriggerType]
    connections: Collection[str]


def problems(document: Document, around: Surroundings) -> list[Problem]:
    """What is wrong in meaning: actions, connections, inputs, references. Empty for a document that can run."""
    return list(Checker(document, around).check())


class Checker:
    """Walks a document in the order of execution and knows at each step which names there are."""

    def __init__(self, document: Document, around: Surroundings) -> None:
        self.document = document
        self.around = around
        self.keys = {step.key for _, step in document.walk()} | {document.trigger.key}
        self.taken: set[str] = set()

    def check(self) -> Iterator[Problem]:
        trigger = self.document.trigger
        self.taken.add(trigger.key)
        kind = self.around.triggers.get(trigger.type)
        if kind is None:
            there = ", ".join(self.around.triggers)
            yield from [wrong("trigger.type", "unknown_trigger", name=trigger.type, there=there)]
        else:
            yield from input_problems(kind.check(trigger.inputs), "trigger.inputs")
        for name in self.document.variables:
            if not KEY.fullmatch(name):
                yield wrong(f"variables.{name}", "bad_key", name=name)
            elif name in RESERVED or name in self.keys:
                yield wrong(f"variables.{name}", "reserved_key", name=name)
        before = {trigger.key, *ALWAYS_THERE, *self.document.variables}
        yield from self.steps(self.document.steps, "steps", before)
        yield from self.steps(self.document.on_error, "on_error.steps", {*before, "error"})

    def steps(self, steps: tuple[Step, ...], path: str, before: set[str]) -> Iterator[Problem]:
        seen = set(before)
        for number, step in enumerate(steps):
            here = f"{path}[{number}]"
            yield from self.step(step, here, seen)
            if isinstance(step.on_error, tuple):
                yield from self.steps(step.on_error, f"{here}.on_error.steps", {*seen, "error"})
            seen.add(step.key)

    def step(self, step: Step, path: str, before: set[str]) -> Iterator[Problem]:
        if step.key in self.taken:
            yield wrong(f"{path}.key", "repeated_key", name=step.key)
        self.taken.add(step.key)
        action = self.around.action(step.action)
        if action is None:
            yield wrong(f"{path}.action", "unknown_action", name=step.action)
        else:
            yield from self.connection(step, action, path)
            if action.only_under and self.document.trigger.type not in action.only_under:
                yield wrong(f"{path}.action", "wrong_trigger", there=", ".join(sorted(action.only_under)))
            yield from input_problems(action.check(step.inputs), f"{path}.inputs")
        yield from self.expressions(step.inputs, f"{path}.inputs", before)
        if step.action == BRANCH:
            yield from self.branches(step, path, before)
        elif step.action == FOR_EACH:
            yield from self.steps(step.steps, f"{path}.steps", {*before, "item", "index"})

    def branches(self, step: Step, path: str, before: set[str]) -> Iterator[Problem]:
        if not step.branches:
            yield wrong(f"{path}.branches", "no_branches")
        for number, branch in enumerate(step.branches):
            here = f"{path}.branches[{number}]"
            if number and step.branches[number - 1].when in (None, True):
                yield wrong(here, "never_reached")
            if isinstance(branch.when, str) and not branch.when.strip():  # it would never be taken, unlike one without
                yield wrong(f"{here}.when", "not_a_condition")
            yield from self.expressions(branch.when, f"{here}.when", before)
            yield from self.steps(branch.steps, f"{here}.steps", before)

    def connection(self, step: Step, action: ActionType, path: str) -> Iterator[Problem]:
        if step.connection and action.connection == "none":
            yield wrong(f"{path}.connection", "connection_unused")
        elif step.connection and step.connection not in self.around.connections:
            yield wrong(f"{path}.connection", "unknown_connection", name=step.connection)
        elif not step.connection and action.connection == "required":
            yield wrong(f"{path}.connection", "connection_needed")

    def expressions(self, value: Json, path: str, before: set[str]) -> Iterator[Problem]:
        if isinstance(value, dict):
            for name, inner in value.items():
                yield from self.expressions(inner, joined(path, name), before)
        elif isinstance(value, list):
            for number, inner in enumerate(value):
                yield from self.expressions(inner, f"{path}[{number}]", before)
        elif isinstance(value, str):
            try:
                compiled = expressions.compile_value(value)
            except UserError as error:
                yield Problem(path, error.code, error.as_json()["params"])
                return
            for name in sorted((compiled.required | compiled.references & self.keys) - before):
                yield wrong(path, "not_before", name=name, there=", ".join(sorted(before - ALWAYS_THERE)))


def input_problems(errors: Mapping[str, list[str]], path: str) -> Iterator[Problem]:
    for name, messages in errors.items():
        for message in messages:
            yield Problem(joined(path, name), "invalid_input", {"field": name, "message": message})
