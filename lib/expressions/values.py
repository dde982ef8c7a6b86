"""JSON values as expressions see them: looking into them, their text form, arithmetic and comparison.

Only None, bool, int, float, str, list and dict are ever looked into; nothing here reads an attribute or calls a
method that a value could bring along.
"""

import json
import math
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Final

import orjson

from lib.errors import Json
from lib.errors import gettext_noop as _
from lib.expressions.budget import ITEMS, NUMBER_BITS, SIZE, Budget, too_large
from lib.expressions.errors import ExpressionError, names_there

Key = str | int


class Missing:
    """What a look-up gives where it found nothing, if the expression is prepared for that (`| default`)."""

    __slots__ = ()

    def __bool__(self) -> bool:
        return False


MISSING: Final = Missing()
JSON_TYPES = frozenset({str, int, float, bool, type(None), list, dict})
KINDS = {
    str: _("text"),
    int: _("number"),
    float: _("number"),
    bool: _("boolean"),
    type(None): _("null"),
    list: _("list"),
    dict: _("object"),
}
NOTHING = _("nothing")


def kind_of(value: Json) -> str:
    """The kind of a value in one word, for messages."""
    return KINDS.get(type(value), NOTHING)


# Looking up


def look_up(value: Json, key: Json) -> Json:
    """`value[key]`, or MISSING: keys of objects, positions of lists and texts (`.0` and `['0']` too)."""
    if isinstance(value, dict):
        return value.get(key, MISSING) if isinstance(key, str) else value.get(to_key(key), MISSING)
    if isinstance(value, list | str):
        position = position_of(key)
        if position is not None and -len(value) <= position < len(value):
            return value[position]
    return MISSING


def to_key(key: Json) -> str:
    """Keys of JSON objects are texts: `a[5]` looks for the key "5"."""
    return "" if isinstance(key, list | dict) else to_text(key)


def position_of(key: Json) -> int | None:
    if isinstance(key, int) and not isinstance(key, bool):
        return key
    if isinstance(key, str) and len(key) < 10 and key.lstrip("-").isdecimal() and key.isascii():
        return int(key) if key.count("-") <= 1 else None
    return None


def walk(names: Mapping[str, Json], root: str, keys: tuple[Key, ...]) -> Json:
    """The value at a path; ExpressionError says how far it got and what there is."""
    try:
        value = names[root]
    except KeyError:
        raise ExpressionError("no_such_name", asked=root, there=names_there(sorted(map(str, names)), root)) from None
    for depth, key in enumerate(keys):
        inner = look_up(value, key)
        if inner is MISSING:
            raise not_found(value, key, dotted(root, keys[:depth]), dotted(root, keys[: depth + 1]))
        value = inner
    return checked(value)


def walk_softly(names: Mapping[str, Json], root: str, keys: tuple[Key, ...]) -> Json:
    """The value at a path, or MISSING."""
    try:
        value = names[root]
    except KeyError:
        return MISSING
    for key in keys:
        value = look_up(value, key)
    return value if value is MISSING else checked(value)


def checked(value: Json) -> Json:
    if not isinstance(value, str | int | float | list | dict | None):
        raise ExpressionError("unforeseen")  # names hold JSON, this is not: our own mistake, but nothing of it gets out
    return value


def not_found(value: Json, key: Json, inside: str, asked: str) -> ExpressionError:
    if isinstance(value, dict):
        return ExpressionError("no_such_key", asked=asked, there=names_there([*map(str, value)], to_key(key)))
    if isinstance(value, list) and position_of(key) is not None:
        return ExpressionError("no_such_item", asked=asked, there=len(value))
    return ExpressionError("nothing_inside", asked=asked, inside=inside, got=kind_of(value))


def dotted(root: str, keys: tuple[Key, ...]) -> str:
    """A path as people write it: `s2.body.items[0]['my key']`."""
    return root + "".join(
        f"[{key}]" if isinstance(key, int) else f".{key}" if key.isidentifier() else f"['{key}']" for key in keys
    )


# Text


def to_text(value: Json, budget: Budget | None = None) -> str:
    """The text form: JSON for lists and objects, true and false, nothing for null."""
    if isinstance(value, str):
        return value
    if value is None or value is MISSING:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | dict):
        (budget or Budget()).measure(value)
        return to_json(value)
    if isinstance(value, int | float):
        return str(value)
    raise ExpressionError("unforeseen")


def to_json(value: Json) -> str:
    """Compact JSON. The caller has measured the value."""
    try:
        return orjson.dumps(value).decode()
    except TypeError:  # integers beyond 64 bits and lone surrogates: right in JSON, but not for orjson
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


# Arithmetic


def number(value: Json, what: str) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ExpressionError("not_a_number", helper=what, got=kind_of(value))
    return value


def bounded(value: int | float) -> int | float:
    """A number that JSON can carry and that stays cheap to work with."""
    if isinstance(value, int):
        if value.bit_length() > NUMBER_BITS:
            raise ExpressionError("number_too_large")
    elif not math.isfinite(value):
        raise ExpressionError("number_too_large")
    return value


def add(left: Json, right: Json) -> Json:
    if isinstance(left, str) and isinstance(right, str):
        if len(left) + len(right) > SIZE:
            raise too_large()
        return left + right
    if isinstance(left, list) and isinstance(right, list):
        if len(left) + len(right) > ITEMS:
            raise too_large()
        return left + right
    if is_number(left) and is_number(right):
        return bounded(left + right)
    raise ExpressionError("cannot_add", left=kind_of(left), right=kind_of(right))


def is_number(value: Json) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def subtract(left: Json, right: Json) -> Json:
    return bounded(number(left, "-") - number(right, "-"))


def multiply(left: Json, right: Json) -> Json:
    return bounded(bounded(number(left, "*")) * bounded(number(right, "*")))


def divide(left: Json, right: Json) -> Json:
    """A whole number where it comes out even: 10 / 2 is 5, as people write it."""
    above, below = bounded(number(left, "/")), bounded(number(right, "/"))
    if isinstance(above, int) and isinstance(below, int) and below and above % below == 0:
        return above // below
    return bounded(above / below)


def divide_whole(left: Json, right: Json) -> Json:
    return bounded(bounded(number(left, "//")) // bounded(number(right, "//")))


def remainder(left: Json, right: Json) -> Json:
    return bounded(bounded(number(left, "%")) % bounded(number(right, "%")))


def power(left: Json, right: Json) -> Json:
    base, exponent = bounded(number(left, "**")), bounded(number(right, "**"))
    if isinstance(base, int) and isinstance(exponent, int) and exponent >= 0:
        if abs(base) > 1 and base.bit_length() * exponent > 2 * NUMBER_BITS:
            raise ExpressionError("number_too_large")
        return bounded(base**exponent)
    result = float(base) ** float(exponent)
    if isinstance(result, complex):
        raise ExpressionError("not_a_number", helper="**", got="nothing")
    return bounded(result)


def negative(value: Json) -> Json:
    return -number(value, "-")


def positive(value: Json) -> Json:
    return number(value, "+")


def from_text(text: str) -> int | float | None:
    """The number that a text spells (`12`, `-1.5`, `1 234,5`), or None."""
    spelled = "".join(text.split()).replace("\u2212", "-")
    if re.fullmatch(r"[+-]?\d+,(\d{1,2}|\d{4,})", spelled):  # 1,234 could be either; it is not guessed at
        spelled = spelled.replace(",", ".")
    if not spelled or len(spelled) > 80 or not set(spelled) <= set("0123456789+-.eE"):
        return None
    try:
        value = Decimal(spelled)
        if abs(value.adjusted()) > 308:
            return None
        return int(value) if value == value.to_integral_value() and not set(spelled) & set(".eE") else float(value)
    except ArithmeticError:
        return None


# Comparison


def equal(left: Json, right: Json, budget: Budget) -> bool:
    if isinstance(left, list | dict) and isinstance(right, list | dict):
        budget.measure(left)
        budget.measure(right)
    return bool(left == right)


def contains(left: Json, right: Json, budget: Budget) -> bool:
    """`left in right`: a part of a text, an item of a list, a key of an object."""
    if isinstance(right, str):
        budget.read(right)
        return to_text(left, budget) in right
    if isinstance(right, dict):
        return isinstance(left, str) and left in right
    if not isinstance(right, list):
        raise ExpressionError("not_a_list", helper="in", got=kind_of(right))
    budget.use(len(right))
    if isinstance(left, list | dict):
        return any(equal(left, item, budget) for item in right)
    return left in right


def ordered(compare: Callable[[Json, Json], bool]) -> Callable[[Json, Json, Budget], bool]:
    """One of < <= > >=, for two numbers or two texts."""

    def run(left: Json, right: Json, budget: Budget) -> bool:
        alike = (is_number(left) and is_number(right)) or (isinstance(left, str) and isinstance(right, str))
        if not alike:
            raise ExpressionError("cannot_compare", left=kind_of(left), right=kind_of(right))
        return compare(left, right)

    return run


smaller = ordered(lambda left, right: bool(left < right))
smaller_or_equal = ordered(lambda left, right: bool(left <= right))
greater = ordered(lambda left, right: bool(left > right))
greater_or_equal = ordered(lambda left, right: bool(left >= right))
