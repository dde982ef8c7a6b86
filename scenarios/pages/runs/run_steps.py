"""The steps of a version as its runs' pages show them: numbered, titled, nested as the scenario is."""

from collections.abc import Iterator
from dataclasses import dataclass

from actions.base import Action
from scenarios.document import FOR_EACH, Document, Step
from scenarios.editing import known_action

BRANCH, LOOP, HANDLER = "branch", "loop", "handler"


@dataclass(frozen=True)
class Group:
    """Steps inside a step: a branch (with its number and name), the body of a loop, or an error handler."""

    kind: str
    nodes: tuple["Node", ...]
    number: int = 0
    name: str = ""

    def prefix(self, path: str, pass_number: int = 0) -> str:
        """What stands before the keys of its steps, in a run."""
        return {BRANCH: f"{path}/", LOOP: f"{path}[{pass_number}]/", HANDLER: f"{path}!/"}[self.kind]


@dataclass(frozen=True)
class Node:
    """A step, and its path without the numbers of passes: `s4[]/s5`. `number` counts as the editor's track does."""

    path: str
    step: Step
    number: int
    groups: tuple[Group, ...] = ()

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


@dataclass(frozen=True)
class Tree:
    """All steps: those of the walk, and those of the handler of the whole run."""

    nodes: tuple[Node, ...]
    handler: tuple[Node, ...] = ()


def tree_of(document: Document) -> Tree:
    numbers = {step.key: number for number, (_path, step) in enumerate(document.walk(), start=1)}
    return Tree(placed(document.steps, "", numbers), placed(document.on_error, "!/", numbers))


def placed(steps: tuple[Step, ...], prefix: str, numbers: dict[str, int]) -> tuple[Node, ...]:
    return tuple(
        Node(f"{prefix}{step.key}", step, numbers[step.key], groups_of(step, f"{prefix}{step.key}", numbers))
        for step in steps
    )


def groups_of(step: Step, path: str, numbers: dict[str, int]) -> tuple[Group, ...]:
    found = [
        Group(BRANCH, placed(branch.steps, f"{path}/", numbers), number, branch.name)
        for number, branch in enumerate(step.branches)
    ]
    if step.action == FOR_EACH:
        found.append(Group(LOOP, placed(step.steps, f"{path}[]/", numbers)))
    if isinstance(step.on_error, tuple):
        found.append(Group(HANDLER, placed(step.on_error, f"{path}!/", numbers)))
    return tuple(found)


def walk(nodes: tuple[Node, ...]) -> Iterator[Node]:
    for node in nodes:
        yield node
        for group in node.groups:
            yield from walk(group.nodes)


def by_path(tree: Tree) -> dict[str, Node]:
    return {node.path: node for node in (*walk(tree.nodes), *walk(tree.handler))}
