"""The steps of a version as its runs' pages show them: numbered, titled, with the steps of their error handlers."""

from collections.abc import Iterator
from dataclasses import dataclass

from actions.base import Action
from scenarios.document import Document, Step
from scenarios.editing import known_action


@dataclass(frozen=True)
class Node:
    """A step at its path in a run (`s3`, `s3!/s9` in the handler of s3). `number` counts as the editor's track does."""

    path: str
    step: Step
    number: int
    inner: tuple["Node", ...] = ()

    @property
    def action(self) -> type[Action] | None:
        return known_action(self.step.action)

    @property
    def title(self) -> str:
        return self.step.name or (str(self.action.title) if self.action else self.step.action)

    @property
    def kind(self) -> str:
        return self.action.kind if self.action else "err"

    @property
    def icon(self) -> str:
        return self.action.icon if self.action else "circle-x"


def nodes_of(document: Document) -> tuple[Node, ...]:
    """The steps in the order of execution, nested as they are."""
    numbers = {step.key: number for number, (_path, step) in enumerate(document.walk(), start=1)}
    return placed(document.steps, "", numbers)


def placed(steps: tuple[Step, ...], prefix: str, numbers: dict[str, int]) -> tuple[Node, ...]:
    found = []
    for step in steps:
        path = f"{prefix}{step.key}"
        handler = step.on_error if isinstance(step.on_error, tuple) else ()
        found.append(Node(path, step, numbers[step.key], placed(handler, f"{path}!/", numbers)))
    return tuple(found)


def walk(nodes: tuple[Node, ...]) -> Iterator[Node]:
    for node in nodes:
        yield node
        yield from walk(node.inner)


def by_path(nodes: tuple[Node, ...]) -> dict[str, Node]:
    return {node.path: node for node in walk(nodes)}
