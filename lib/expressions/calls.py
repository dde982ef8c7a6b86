"""Calls as closures: helpers, as filters and as functions, and tests. Nothing else can be called."""

from jinja2 import nodes

from lib.errors import Json
from lib.expressions.budget import Budget
from lib.expressions.checks import FORGIVING, find_check
from lib.expressions.compiler import Compiler, Names, Run, builds, constant, unwrapped
from lib.expressions.errors import ExpressionError
from lib.expressions.helpers.helper import Helper, arrange, find, name_in, wrong_arguments
from lib.expressions.values import MISSING


@builds(nodes.Filter)
def build_filter(compiler: Compiler, node: nodes.Filter, softly: bool) -> Run:
    if node.node is None:
        raise ExpressionError("not_allowed", asked=f"| {node.name}")
    return build_helper(compiler, find(node.name), node, [node.node, *node.args], softly)


@builds(nodes.Call)
def build_call(compiler: Compiler, node: nodes.Call, softly: bool) -> Run:
    if not isinstance(node.node, nodes.Name):
        asked = f"{node.node.attr}()" if isinstance(node.node, nodes.Getattr) else "()"
        raise ExpressionError("not_allowed", asked=asked)
    return build_helper(compiler, find(node.node.name, reason="unknown_function"), node, node.args, softly)


def build_helper(
    compiler: Compiler, made: Helper, node: nodes.Filter | nodes.Call, given: list[nodes.Expr], softly: bool
) -> Run:
    if node.dyn_args is not None or node.dyn_kwargs is not None:
        raise wrong_arguments(made)
    first = [unwrapped(compiler.expression(each, softly=made.forgiving)) for each in given[:1]]
    rest = [unwrapped(compiler.expression(each)) for each in given[1:]]
    named: dict[str, Run] = {str(keyword.key): unwrapped(compiler.expression(keyword.value)) for keyword in node.kwargs}
    if len(named) < len(node.kwargs):
        raise wrong_arguments(made)
    arguments, by_name = arrange(made, first + rest, named, constant)
    if by_name:
        return build_named_call(made, arguments, by_name)
    function = made.call

    def run(names: Names, budget: Budget) -> Json:
        budget.left -= 1
        if budget.left < 0:
            budget.use(0)
        values = [argument(names, budget) for argument in arguments]
        try:
            result = function(budget, *values)
        except ExpressionError as error:
            name_in(error, made)
            raise
        if result is MISSING and not softly:
            raise ExpressionError("nothing_found", helper=made.name)
        return result

    return run


def build_named_call(made: Helper, arguments: list[Run], by_name: dict[str, Run]) -> Run:
    def run(names: Names, budget: Budget) -> Json:
        budget.use()
        values = [argument(names, budget) for argument in arguments]
        named = {name: argument(names, budget) for name, argument in by_name.items()}
        try:
            return made.call(budget, *values, **named)
        except ExpressionError as error:
            name_in(error, made)
            raise

    return run


@builds(nodes.Test)
def build_test(compiler: Compiler, node: nodes.Test, softly: bool) -> Run:
    arguments = compiler.all(node.args)
    if node.kwargs or node.dyn_args is not None or node.dyn_kwargs is not None:
        raise ExpressionError("wrong_arguments", helper=node.name, signature=f"is {node.name}")
    check = find_check(node.name, len(arguments))
    subject = unwrapped(compiler.expression(node.node, softly=node.name in FORGIVING))

    def run(names: Names, budget: Budget) -> Json:
        budget.use()
        return check(budget, subject(names, budget), *[argument(names, budget) for argument in arguments])

    return run
