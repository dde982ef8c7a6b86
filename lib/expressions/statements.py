"""Text with tags: `{% if %}`, `{% for %}`, `{% set %}` as closures that write into a list of texts."""

from collections.abc import Callable
from typing import Any

from jinja2 import nodes

from lib.errors import Json
from lib.expressions import calls, lookups, operators
from lib.expressions.budget import Budget
from lib.expressions.compiler import Compiler, Names, Run, unwrapped
from lib.expressions.errors import ExpressionError
from lib.expressions.values import kind_of, to_text


class Scope(dict[str, Json]):
    """The names that a template binds itself, over those around it."""

    __slots__ = ("outer",)

    def __init__(self, outer: Names) -> None:
        self.outer = outer

    def __missing__(self, name: str) -> Json:
        return self.outer[name]

    def assign(self, name: str, value: Json) -> None:
        """Bind a name where it is already known, as Twig does, so that a loop can add something up."""
        scope: Names = self
        while isinstance(scope, Scope):
            if name in scope or (not isinstance(scope.outer, Scope) and name in scope.outer):
                scope[name] = value
                return
            scope = scope.outer
        self[name] = value

    def __iter__(self) -> Any:
        """All the names that can be seen; for the message that names them."""
        return iter([*self.keys(), *self.outer])


TABLES = (calls, lookups, operators)  # imported for the builders they register

Write = Callable[[Scope, Budget, list[str]], None]


def compile_body(compiler: Compiler, body: list[nodes.Node]) -> Write:
    statements = [compile_statement(compiler, node) for node in body]
    if len(statements) == 1:
        return statements[0]

    def write(scope: Scope, budget: Budget, out: list[str]) -> None:
        for statement in statements:
            statement(scope, budget, out)

    return write


def compile_statement(compiler: Compiler, node: nodes.Node) -> Write:
    build = STATEMENTS.get(type(node))
    try:
        if build is None:
            raise ExpressionError("unknown_tag", asked=type(node).__name__.lower())
        with compiler.deeper():
            return build(compiler, node)
    except ExpressionError as error:
        error.piece = error.piece or node.lineno
        raise


def compile_output(compiler: Compiler, node: nodes.Output) -> Write:
    parts = compile_parts(compiler, node)
    return lambda scope, budget, out: out.append(join(parts, scope, budget))


def compile_parts(compiler: Compiler, node: nodes.Output) -> list[tuple[str | Run, int]]:
    """Texts and expressions in turn, each with the number of its piece."""
    return [
        (each.data if isinstance(each, nodes.TemplateData) else unwrapped(compiler.expression(each)), each.lineno)
        for each in node.nodes
    ]


def join(parts: list[tuple[str | Run, int]], names: Names, budget: Budget) -> str:
    texts = []
    number = 0
    try:
        for part, number in parts:  # noqa: B007 (read when something goes wrong)
            if part.__class__ is str:
                texts.append(part)
                continue
            value = part(names, budget)  # type: ignore[operator]
            texts.append(value if value.__class__ is str else to_text(value, budget))
    except ExpressionError as error:
        error.piece = error.piece or number
        raise
    text = "".join(texts)
    budget.weigh(text)
    return text


def compile_if(compiler: Compiler, node: nodes.If) -> Write:
    cases = [
        (located(compiler, each.test, each.lineno), compile_body(compiler, each.body)) for each in (node, *node.elif_)
    ]
    otherwise = compile_body(compiler, node.else_)

    def write(scope: Scope, budget: Budget, out: list[str]) -> None:
        for test, body in cases:
            budget.use()
            if test(scope, budget):
                body(scope, budget, out)
                return
        otherwise(scope, budget, out)

    return write


def compile_for(compiler: Compiler, node: nodes.For) -> Write:
    if node.recursive:
        raise ExpressionError("not_allowed", asked="recursive")
    items_of = located(compiler, node.iter, node.lineno)
    targets = target_names(node.target)
    with compiler.scope(*targets, "loop"):
        test = located(compiler, node.test, node.lineno) if node.test else None
        body = compile_body(compiler, node.body)
    counted = "loop" in compiler.bound_read
    with compiler.scope():
        otherwise = compile_body(compiler, node.else_)

    def write(scope: Scope, budget: Budget, out: list[str]) -> None:
        passes = [bind(targets, item) for item in items(items_of(scope, budget), targets, budget)]
        if test is not None:
            passes = [bound for bound in passes if test(inside(scope, bound), budget)]
        if not passes:
            otherwise(Scope(scope), budget, out)
        for index, bound in enumerate(passes):
            budget.use(2)
            if counted:
                bound["loop"] = loop(index, len(passes))
            body(inside(scope, bound), budget, out)

    return write


def items(value: Json, targets: list[str], budget: Budget) -> list[Json]:
    """What a loop goes over: the items of a list, the keys of an object, or its pairs for `for key, value in …`."""
    if isinstance(value, dict):
        budget.use(len(value))
        return [[key, inner] for key, inner in value.items()] if len(targets) == 2 else list(value)
    if isinstance(value, list):
        budget.use(len(value))
        return value
    raise ExpressionError("not_a_list", helper="for", got=kind_of(value))


def bind(targets: list[str], item: Json) -> dict[str, Json]:
    if len(targets) == 1:
        return {targets[0]: item}
    parts = list(item.values()) if isinstance(item, dict) else item
    if not isinstance(parts, list) or len(parts) != len(targets):
        raise ExpressionError("not_a_list", helper=", ".join(targets), got=kind_of(item))
    return dict(zip(targets, parts, strict=True))


def inside(scope: Scope, bound: dict[str, Json]) -> Scope:
    inner = Scope(scope)
    inner.update(bound)
    return inner


def loop(index: int, length: int) -> dict[str, Json]:
    return {
        "index": index + 1,
        "index0": index,
        "revindex": length - index,
        "revindex0": length - index - 1,
        "first": index == 0,
        "last": index == length - 1,
        "length": length,
    }


def compile_set(compiler: Compiler, node: nodes.Assign) -> Write:
    targets = target_names(node.target)
    value_of = located(compiler, node.node, node.lineno)
    compiler.bind(*targets)

    def write(scope: Scope, budget: Budget, out: list[str]) -> None:
        budget.use()
        for name, value in bind(targets, value_of(scope, budget)).items():
            scope.assign(name, value)

    return write


def compile_set_block(compiler: Compiler, node: nodes.AssignBlock) -> Write:
    """`{% set x %}text{% endset %}`"""
    if node.filter is not None:
        raise ExpressionError("not_allowed", asked="|")
    targets = target_names(node.target)
    with compiler.scope():
        body = compile_body(compiler, node.body)
    compiler.bind(*targets)

    def write(scope: Scope, budget: Budget, out: list[str]) -> None:
        texts: list[str] = []
        body(Scope(scope), budget, texts)
        for name, value in bind(targets, "".join(texts)).items():
            scope.assign(name, value)

    return write


def target_names(target: nodes.Node) -> list[str]:
    targets = target.items if isinstance(target, nodes.Tuple) else [target]
    names = [each.name for each in targets if isinstance(each, nodes.Name)]
    if len(names) != len(targets) or len(set(names)) != len(names):
        raise ExpressionError("syntax")
    return names


def located(compiler: Compiler, node: nodes.Node, number: int) -> Run:
    """An expression of a tag, whose errors know the tag."""
    inner = unwrapped(compiler.expression(node))

    def run(names: Names, budget: Budget) -> Json:
        try:
            return inner(names, budget)
        except ExpressionError as error:
            error.piece = error.piece or number
            raise

    return run


STATEMENTS: dict[type[nodes.Node], Callable[[Compiler, Any], Write]] = {
    nodes.Output: compile_output,
    nodes.If: compile_if,
    nodes.For: compile_for,
    nodes.Assign: compile_set,
    nodes.AssignBlock: compile_set_block,
}
