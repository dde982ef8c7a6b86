"""The tests that `is` knows: `x is defined`, `n is even`, `list is empty`."""

from collections.abc import Callable

from lib.errors import Json
from lib.expressions.budget import Budget
from lib.expressions.errors import ExpressionError, names_there
from lib.expressions.values import (
    MISSING,
    contains,
    equal,
    greater,
    greater_or_equal,
    is_number,
    number,
    smaller,
    smaller_or_equal,
)

Check = Callable[..., bool]

FORGIVING = frozenset({"defined", "undefined", "empty"})  # what they look at may be missing


def is_equal(budget: Budget, value: Json, other: Json) -> bool:
    return equal(value, other, budget)


def is_different(budget: Budget, value: Json, other: Json) -> bool:
    return not equal(value, other, budget)


def is_whole(budget: Budget, value: Json) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def is_even(budget: Budget, value: Json) -> bool:
    return number(value, "even") % 2 == 0


def is_odd(budget: Budget, value: Json) -> bool:
    return number(value, "odd") % 2 == 1


def is_divisible(budget: Budget, value: Json, by: Json) -> bool:
    if number(by, "divisibleby") == 0:
        raise ExpressionError("division_by_zero")
    return number(value, "divisibleby") % by == 0  # type: ignore[no-any-return]


def is_lower(budget: Budget, value: Json) -> bool:
    return isinstance(value, str) and value.islower()


def is_upper(budget: Budget, value: Json) -> bool:
    return isinstance(value, str) and value.isupper()


def is_empty(budget: Budget, value: Json) -> bool:
    """Missing, null, an empty text, list or object."""
    return value is MISSING or value is None or (isinstance(value, str | list | dict) and not value)


# name → (function, how many further arguments)
CHECKS: dict[str, tuple[Check, int]] = {
    "defined": (lambda budget, value: value is not MISSING, 0),
    "undefined": (lambda budget, value: value is MISSING, 0),
    "empty": (is_empty, 0),
    "none": (lambda budget, value: value is None, 0),
    "null": (lambda budget, value: value is None, 0),
    "boolean": (lambda budget, value: isinstance(value, bool), 0),
    "true": (lambda budget, value: value is True, 0),
    "false": (lambda budget, value: value is False, 0),
    "number": (lambda budget, value: is_number(value), 0),
    "integer": (is_whole, 0),
    "float": (lambda budget, value: isinstance(value, float), 0),
    "string": (lambda budget, value: isinstance(value, str), 0),
    "sequence": (lambda budget, value: isinstance(value, list), 0),
    "iterable": (lambda budget, value: isinstance(value, list | dict), 0),
    "mapping": (lambda budget, value: isinstance(value, dict), 0),
    "even": (is_even, 0),
    "odd": (is_odd, 0),
    "divisibleby": (is_divisible, 1),
    "lower": (is_lower, 0),
    "upper": (is_upper, 0),
    "in": (lambda budget, value, other: contains(value, other, budget), 1),
    "eq": (is_equal, 1),
    "equalto": (is_equal, 1),
    "sameas": (is_equal, 1),
    "ne": (is_different, 1),
    "lt": (lambda budget, value, other: smaller(value, other, budget), 1),
    "lessthan": (lambda budget, value, other: smaller(value, other, budget), 1),
    "le": (lambda budget, value, other: smaller_or_equal(value, other, budget), 1),
    "gt": (lambda budget, value, other: greater(value, other, budget), 1),
    "greaterthan": (lambda budget, value, other: greater(value, other, budget), 1),
    "ge": (lambda budget, value, other: greater_or_equal(value, other, budget), 1),
}


def find_check(name: str, arguments: int) -> Check:
    """The function of a test. ExpressionError unknown_test, wrong_arguments."""
    if name not in CHECKS:
        raise ExpressionError("unknown_test", asked=name, there=names_there(sorted(CHECKS), name))
    check, expected = CHECKS[name]
    if arguments != expected:
        raise ExpressionError("wrong_arguments", helper=name, signature=f"is {name}" + "(…)" * expected)
    return check
