"""Operators and literals as closures: arithmetic, logic, comparison, `~`, lists and objects."""

from collections.abc import Callable

from jinja2 import nodes

from lib.errors import Json
from lib.expressions.budget import ITEMS, SIZE, Budget, too_large
from lib.expressions.compiler import Compiler, Names, Run, builds, constant, unwrapped
from lib.expressions.values import (
    add,
    contains,
    divide,
    divide_whole,
    equal,
    greater,
    greater_or_equal,
    multiply,
    negative,
    positive,
    power,
    remainder,
    smaller,
    smaller_or_equal,
    subtract,
    to_text,
)

BINARY: dict[type[nodes.Node], Callable[[Json, Json], Json]] = {
    nodes.Add: add,
    nodes.Sub: subtract,
    nodes.Mul: multiply,
    nodes.Div: divide,
    nodes.FloorDiv: divide_whole,
    nodes.Mod: remainder,
    nodes.Pow: power,
}


@builds(*BINARY)
def build_binary(compiler: Compiler, node: nodes.BinExpr, softly: bool) -> Run:
    """`a + b - c`: a chain is one closure, so that its length does not count as depth."""
    steps: list[tuple[Callable[[Json, Json], Json], Run]] = []
    left: nodes.Expr = node
    while type(left) in BINARY:
        assert isinstance(left, nodes.BinExpr)
        steps.append((BINARY[type(left)], unwrapped(compiler.expression(left.right))))
        left = left.left
    steps.reverse()
    first = unwrapped(compiler.expression(left))

    def run(names: Names, budget: Budget) -> Json:
        value = first(names, budget)
        for operate, right in steps:
            budget.use()
            value = operate(value, right(names, budget))
            if value.__class__ is str or value.__class__ is list:
                budget.use(len(value) // 64)
        return value

    return run


@builds(nodes.Neg)
def build_negative(compiler: Compiler, node: nodes.Neg, softly: bool) -> Run:
    inner = compiler.expression(node.node)
    return lambda names, budget: negative(inner(names, budget))


@builds(nodes.Pos)
def build_positive(compiler: Compiler, node: nodes.Pos, softly: bool) -> Run:
    inner = compiler.expression(node.node)
    return lambda names, budget: positive(inner(names, budget))


@builds(nodes.Not)
def build_not(compiler: Compiler, node: nodes.Not, softly: bool) -> Run:
    inner = compiler.expression(node.node)
    return lambda names, budget: not inner(names, budget)


@builds(nodes.And)
def build_and(compiler: Compiler, node: nodes.And, softly: bool) -> Run:
    operands = chain(compiler, node, nodes.And, softly)

    def run(names: Names, budget: Budget) -> Json:
        budget.use(len(operands))
        for operand in operands:
            value = operand(names, budget)
            if not value:
                break
        return value

    return run


@builds(nodes.Or)
def build_or(compiler: Compiler, node: nodes.Or, softly: bool) -> Run:
    operands = chain(compiler, node, nodes.Or, softly)

    def run(names: Names, budget: Budget) -> Json:
        budget.use(len(operands))
        for operand in operands:
            value = operand(names, budget)
            if value:
                break
        return value

    return run


def chain(compiler: Compiler, node: nodes.Expr, kind: type[nodes.BinExpr], softly: bool) -> list[Run]:
    operands: list[Run] = []
    while isinstance(node, kind):
        operands.append(compiler.expression(node.right, softly=softly))
        node = node.left
    return [compiler.expression(node, softly=softly), *reversed(operands)]


@builds(nodes.CondExpr)
def build_condition(compiler: Compiler, node: nodes.CondExpr, softly: bool) -> Run:
    """`a if test else b`; without else it is null."""
    test = unwrapped(compiler.expression(node.test))
    yes = compiler.expression(node.expr1, softly=softly)
    no = compiler.expression(node.expr2, softly=softly) if node.expr2 else constant(None)

    def run(names: Names, budget: Budget) -> Json:
        budget.use()
        return yes(names, budget) if test(names, budget) else no(names, budget)

    return run


COMPARISONS: dict[str, Callable[[Json, Json, Budget], bool]] = {
    "eq": equal,
    "ne": lambda left, right, budget: not equal(left, right, budget),
    "lt": smaller,
    "lteq": smaller_or_equal,
    "gt": greater,
    "gteq": greater_or_equal,
    "in": contains,
    "notin": lambda left, right, budget: not contains(left, right, budget),
}


@builds(nodes.Compare)
def build_compare(compiler: Compiler, node: nodes.Compare, softly: bool) -> Run:
    first = unwrapped(compiler.expression(node.expr))
    steps = [(COMPARISONS[operand.op], unwrapped(compiler.expression(operand.expr))) for operand in node.ops]

    def run(names: Names, budget: Budget) -> Json:
        left = first(names, budget)
        for compare, operand in steps:
            budget.use()
            right = operand(names, budget)
            if not compare(left, right, budget):
                return False
            left = right
        return True

    return run


@builds(nodes.Concat)
def build_concat(compiler: Compiler, node: nodes.Concat, softly: bool) -> Run:
    parts = compiler.all(node.nodes)

    def run(names: Names, budget: Budget) -> Json:
        budget.use(len(parts))
        texts = [to_text(part(names, budget), budget) for part in parts]
        size = sum(map(len, texts))
        if size > SIZE:
            raise too_large()
        budget.use(size // 64)
        return "".join(texts)

    return run


# Literals


@builds(nodes.List, nodes.Tuple)
def build_list(compiler: Compiler, node: nodes.List | nodes.Tuple, softly: bool) -> Run:
    if len(node.items) > ITEMS:
        raise too_large()
    items = compiler.all(node.items)

    def run(names: Names, budget: Budget) -> Json:
        budget.use(len(items))
        return [item(names, budget) for item in items]

    return run


@builds(nodes.Dict)
def build_dict(compiler: Compiler, node: nodes.Dict, softly: bool) -> Run:
    pairs = [(compiler.expression(pair.key), compiler.expression(pair.value)) for pair in node.items]

    def run(names: Names, budget: Budget) -> Json:
        budget.use(len(pairs))
        return {to_text(key(names, budget), budget): value(names, budget) for key, value in pairs}

    return run
