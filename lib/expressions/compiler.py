"""Turns the expressions of the syntax tree into Python closures over JSON values."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from jinja2 import nodes

from lib.errors import Json
from lib.expressions.budget import DEPTH, Budget
from lib.expressions.errors import ExpressionError
from lib.expressions.values import Key

Names = Mapping[str, Json]
Run = Callable[[Names, Budget], Json]
Builder = Callable[["Compiler", Any, bool], Run]


# Node type → what builds its closure; `lookups`, `operators` and `calls` fill it in. What is not here does not exist.
BUILDERS: dict[type[nodes.Node], Builder] = {}


def builds(*kinds: type[nodes.Node]) -> Callable[[Builder], Builder]:
    def enter(builder: Builder) -> Builder:
        BUILDERS.update(dict.fromkeys(kinds, builder))
        return builder

    return enter


class Compiler:
    """Compiles the expressions of one template and notes what they read."""

    def __init__(self) -> None:
        self.references: set[str] = set()
        self.required: set[str] = set()
        self.paths: set[str] = set()
        self.bound: list[set[str]] = [set()]  # names that the template binds itself, innermost scope last
        self.all_bound: set[str] = set()
        self.bound_read: set[str] = set()
        self.depth = 0

    def expression(self, node: nodes.Node, *, softly: bool = False) -> Run:
        """A closure for a node. `softly`: a missing name or key gives MISSING, not an error."""
        try:
            with self.deeper():
                builder = BUILDERS.get(type(node))
                if builder is None:
                    raise ExpressionError("not_allowed", asked=type(node).__name__.lower())
                return builder(self, node, softly)
        except ExpressionError as error:
            error.piece = error.piece or node.lineno
            raise

    @contextlib.contextmanager
    def deeper(self) -> Iterator[None]:
        self.depth += 1
        try:
            if self.depth > DEPTH:
                raise ExpressionError("too_deep")
            yield
        finally:
            self.depth -= 1

    @contextlib.contextmanager
    def scope(self, *names: str) -> Iterator[None]:
        self.bound.append(set())
        self.bind(*names)
        try:
            yield
        finally:
            self.bound.pop()

    def bind(self, *names: str) -> None:
        self.bound[-1].update(names)
        self.all_bound.update(names)

    def read(self, root: str, keys: tuple[Key, ...], *, softly: bool) -> None:
        if any(root in scope for scope in self.bound):
            self.bound_read.add(root)
        else:
            self.references.add(root)
            self.required.update(() if softly else (root,))
            self.paths.add(".".join([root, *map(str, keys)]))

    def all(self, expressions: list[nodes.Expr]) -> list[Run]:
        return [self.expression(each) for each in expressions]


class Path:
    """Marks a closure that only looks something up: it costs nothing and makes nothing new."""

    __slots__ = ("run",)

    def __init__(self, run: Callable[[Names, Budget | None], Json]) -> None:
        self.run = run

    def __call__(self, names: Names, budget: Budget | None) -> Json:
        return self.run(names, budget)


def constant(value: Json) -> Run:
    return lambda names, budget: value


def unwrapped(run: Run) -> Run:
    """Inside a larger expression the mark of `Path` is of no use, and calling through it costs."""
    return run.run if isinstance(run, Path) else run
