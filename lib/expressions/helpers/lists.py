"""Helpers for lists and objects."""

from collections.abc import Callable

from lib.errors import Json
from lib.errors import gettext_noop as _
from lib.expressions.budget import Budget
from lib.expressions.checks import find_check
from lib.expressions.errors import ExpressionError
from lib.expressions.helpers.helper import (
    call,
    find,
    helper,
    list_of,
    list_within,
    object_of,
    text_of,
    whole_of,
)
from lib.expressions.values import MISSING, is_number, kind_of, look_up, not_found, to_json, to_key, to_text

PEOPLE = "[{'name': 'Анна', 'age': 30}, {'name': 'Пётр', 'age': 25}]"


def fields(budget: Budget, items: list[Json], attribute: Json) -> list[Json]:
    """`item.a.b` of each item for the attribute 'a.b'; ExpressionError no_such_key."""
    path = steps(budget, items, attribute)
    found = []
    for item in items:
        for key in path:
            inner = look_up(item, key)
            if inner is MISSING:
                raise not_found(item, key, "…", to_key(attribute))
            item = inner
        found.append(item)
    return found


def fields_or(budget: Budget, items: list[Json], attribute: Json, otherwise: Json) -> list[Json]:
    """The same, with another value for the items that have no such field; the items themselves for no attribute."""
    if attribute is None:
        return items
    path = steps(budget, items, attribute)
    found = []
    for item in items:
        for key in path:
            item = look_up(item, key)
        found.append(otherwise if item is MISSING else item)
    return found


def steps(budget: Budget, items: list[Json], attribute: Json) -> list[Json]:
    path = keys_of(attribute)
    budget.use(len(items) * len(path))
    return path


def keys_of(attribute: Json) -> list[Json]:
    if isinstance(attribute, str) and len(attribute) <= 1000:
        return attribute.split(".")
    if isinstance(attribute, int) and not isinstance(attribute, bool):
        return [attribute]
    raise ExpressionError("bad_argument", asked=kind_of(attribute))


@helper(
    "length(value)",
    kind="list",
    example="{{ ['a', 'b'] | length }}",
    result=2,
    text=_("How many items a list, keys an object or characters a text has."),
    aliases=("count",),
)
def length(budget: Budget, value: Json) -> Json:
    if value is None:
        return 0
    if not isinstance(value, str | list | dict):
        raise ExpressionError("not_a_list", got=kind_of(value))
    return len(value)


@helper(
    "list(value)",
    kind="list",
    example="{{ 'abc' | list }}",
    result=["a", "b", "c"],
    text=_("A list as it is, the keys of an object, the characters of a text."),
)
def list_from(budget: Budget, value: Json) -> Json:
    if not isinstance(value, str | list | dict):
        raise ExpressionError("not_a_list", got=kind_of(value))
    budget.use(len(value))
    return value if isinstance(value, list_type) else list_within([*value])


@helper(
    "first(list)",
    kind="list",
    example="{{ ['a', 'b'] | first }}",
    result="a",
    text=_("The first item of a list or character of a text."),
)
def first(budget: Budget, list: Json) -> Json:
    return look_up(sequence(list), 0)


@helper(
    "last(list)",
    kind="list",
    example="{{ ['a', 'b'] | last }}",
    result="b",
    text=_("The last item of a list or character of a text."),
)
def last(budget: Budget, list: Json) -> Json:
    return look_up(sequence(list), -1)


def sequence(value: Json) -> Json:
    if not isinstance(value, list | str):
        raise ExpressionError("not_a_list", got=kind_of(value))
    return value


@helper(
    "slice(list, start, length=null)",
    kind="list",
    example="{{ [1, 2, 3, 4] | slice(1, 2) }}",
    result=[2, 3],
    text=_("A part of a list or a text: from a position (from 0, negative from the end), so many items."),
)
def cut(budget: Budget, list: Json, start: Json, length: Json = None) -> Json:
    whole = sequence(list)
    budget.use(len(whole) // 16 + 1)
    begin = whole_of(start, least=-(10**9), most=10**9)
    begin = max(0, len(whole) + begin) if begin < 0 else begin
    if length is None:
        return whole[begin:]
    count = whole_of(length, least=-(10**9), most=10**9)
    return whole[begin : begin + count] if count >= 0 else whole[begin:count]


@helper(
    "reverse(list)",
    kind="list",
    example="{{ [1, 2, 3] | reverse }}",
    result=[3, 2, 1],
    text=_("A list or a text the other way round."),
)
def reverse(budget: Budget, list: Json) -> Json:
    whole = sequence(list)
    budget.use(len(whole) // 16 + 1)
    return whole[::-1]


@helper(
    "sort(list, attribute=null, reverse=false, case_sensitive=false)",
    kind="list",
    example=f"{{{{ {PEOPLE} | sort('age') | map(attribute='name') }}}}",
    result=["Пётр", "Анна"],
    text=_("A list in order, or ordered by one field of the items; empty values last."),
)
def sort(
    budget: Budget, list: Json, attribute: Json = None, reverse: Json = False, case_sensitive: Json = False
) -> Json:
    if isinstance(attribute, bool):  # Jinja's order of arguments: sort(reverse, case_sensitive, attribute)
        attribute, reverse = None, attribute
    items = list_of(list, budget)
    keys = [sort_key(budget, key, case_sensitive) for key in fields_or(budget, items, attribute, None)]
    keyed = [*zip(keys, items, strict=True)]
    filled = [pair for pair in keyed if pair[0] is not None]
    check_alike([key for key, _item in filled])
    budget.use(4 * len(filled))
    filled.sort(key=lambda pair: pair[0], reverse=bool(reverse))
    return [item for _key, item in filled] + [item for key, item in keyed if key is None]


def check_alike(keys: list[Json]) -> None:
    """Only numbers have an order among each other, and only texts."""
    for key in keys:
        alike = (is_number(key) and is_number(keys[0])) or (isinstance(key, str) and isinstance(keys[0], str))
        if not alike:
            raise ExpressionError("cannot_compare", left=kind_of(keys[0]), right=kind_of(key))


def sort_key(budget: Budget, key: Json, case_sensitive: Json) -> Json:
    if isinstance(key, bool):
        return int(key)
    if isinstance(key, str):
        budget.read(key)
        return key if case_sensitive else key.lower()
    return key


@helper(
    "unique(list, attribute=null)",
    kind="list",
    example="{{ ['a', 'b', 'a'] | unique }}",
    result=["a", "b"],
    text=_("Each value once, or each value of one field once."),
)
def unique(budget: Budget, list: Json, attribute: Json = None) -> Json:
    seen: dict[Json, Json] = {}
    items = list_of(list, budget)
    for key, item in zip(fields_or(budget, items, attribute, None), items, strict=True):
        seen.setdefault(identity(budget, key), item)
    return [*seen.values()]


def identity(budget: Budget, value: Json) -> Json:
    """Something hashable that is the same for the same value."""
    if isinstance(value, list | dict):
        budget.measure(value)
        return "json", to_json(value)
    return (value,)


@helper(
    "batch(list, size, fill=null)",
    kind="list",
    example="{{ [1, 2, 3] | batch(2) }}",
    result=[[1, 2], [3]],
    text=_("A list cut into lists of so many items; the last one filled up if a filling is given."),
)
def batch(budget: Budget, list: Json, size: Json, fill: Json = None) -> Json:
    items, count = list_of(list, budget), whole_of(size, least=1, most=100_000)
    parts = [items[start : start + count] for start in range(0, len(items), count)]
    if parts and fill is not None:
        budget.use(count)
        parts[-1] = parts[-1] + [fill] * (count - len(parts[-1]))
    return parts


@helper(
    "flatten(list, levels=1)",
    kind="list",
    example="{{ [[1, 2], [3]] | flatten }}",
    result=[1, 2, 3],
    text=_("Lists inside a list put into one."),
)
def flatten(budget: Budget, list: Json, levels: Json = 1) -> Json:
    items = list_of(list, budget)
    for _level in range(whole_of(levels, least=0, most=20)):
        flat: Json = []
        for item in items:
            budget.use(len(item) if isinstance(item, list_type) else 1)
            flat += item if isinstance(item, list_type) else [item]
        items = list_within(flat)
    return items


list_type = list


@helper(
    "merge(first, second)",
    kind="list",
    example="{{ {'a': 1} | merge({'b': 2}) }}",
    result={"a": 1, "b": 2},
    text=_("Two objects or two lists put together; of equal keys the second wins."),
)
def merge(budget: Budget, first: Json, second: Json) -> Json:
    if isinstance(first, dict):
        return {**object_of(first, budget), **object_of(second, budget)}
    return list_within(list_of(first, budget) + list_of(second, budget))


@helper(
    "keys(object)",
    kind="list",
    example="{{ {'a': 1, 'b': 2} | keys }}",
    result=["a", "b"],
    text=_("The keys of an object."),
)
def keys(budget: Budget, object: Json) -> Json:
    return [*object_of(object, budget)]


@helper(
    "values(object)",
    kind="list",
    example="{{ {'a': 1, 'b': 2} | values }}",
    result=[1, 2],
    text=_("The values of an object."),
)
def values(budget: Budget, object: Json) -> Json:
    return [*object_of(object, budget).values()]


@helper(
    "items(object)",
    kind="list",
    example="{{ {'a': 1} | items }}",
    result=[["a", 1]],
    text=_("The pairs of key and value of an object."),
)
def items(budget: Budget, object: Json) -> Json:
    return [[key, value] for key, value in object_of(object, budget).items()]


@helper(
    "object(pairs)",
    kind="list",
    example="{{ [['a', 1], ['b', 2]] | object }}",
    result={"a": 1, "b": 2},
    text=_("An object out of pairs of key and value."),
    aliases=("dict",),
)
def object_from(budget: Budget, pairs: Json) -> Json:
    made = {}
    for pair in list_of(pairs, budget):
        if not isinstance(pair, list) or len(pair) != 2:
            raise ExpressionError("not_a_list", got=kind_of(pair))
        made[text_of(pair[0], budget)] = pair[1]
    return made


@helper(
    "map(list, attribute='a.b') · map(list, 'helper', …)",
    kind="list",
    example=f"{{{{ {PEOPLE} | map(attribute='name') }}}}",
    result=["Анна", "Пётр"],
    text=_("One field of each item (default= for those without it), or each item through a helper."),
)
def map_(
    budget: Budget, list: Json, helper: Json = None, *values: Json, attribute: Json = None, default: Json = MISSING
) -> Json:
    items = list_of(list, budget)
    if attribute is None and helper is None:
        raise ExpressionError("wrong_arguments", helper="map", signature="map(attribute='a.b')")
    if attribute is None:
        made = find(to_text(helper))
        return [call(made, budget, [item, *values]) for item in items]
    if default is MISSING:
        return fields(budget, items, attribute)
    return fields_or(budget, items, attribute, default)


@helper(
    "column(list, attribute)",
    kind="list",
    example=f"{{{{ {PEOPLE} | column('age') }}}}",
    result=[30, 25],
    text=_("One field of each item that has it."),
)
def column(budget: Budget, list: Json, attribute: Json) -> Json:
    found = fields_or(budget, list_of(list, budget), attribute, MISSING)
    return [value for value in found if value is not MISSING]


@helper(
    "select(list, test=null, …)",
    kind="list",
    example="{{ [1, 2, 3, 4] | select('even') }}",
    result=[2, 4],
    text=_("The items that pass a test; without a test, those that are not empty."),
)
def select(budget: Budget, list: Json, test: Json = None, *values: Json) -> Json:
    return [item for item in list_of(list, budget) if passes(budget, item, test, values)]


@helper(
    "reject(list, test=null, …)",
    kind="list",
    example="{{ [1, 2, 3, 4] | reject('even') }}",
    result=[1, 3],
    text=_("The items that do not pass a test."),
)
def reject(budget: Budget, list: Json, test: Json = None, *values: Json) -> Json:
    return [item for item in list_of(list, budget) if not passes(budget, item, test, values)]


@helper(
    "selectattr(list, attribute, test=null, …)",
    kind="list",
    example=f"{{{{ {PEOPLE} | selectattr('age', 'gt', 26) | map(attribute='name') }}}}",
    result=["Анна"],
    text=_("The items one field of which passes a test: 'eq', 'ne', 'gt', 'lt', 'in', 'defined', …"),
    aliases=("where",),
)
def selectattr(budget: Budget, list: Json, attribute: Json, test: Json = None, *values: Json) -> Json:
    return with_field(budget, list, attribute, lambda value: passes(budget, value, test, values))


@helper(
    "rejectattr(list, attribute, test=null, …)",
    kind="list",
    example=f"{{{{ {PEOPLE} | rejectattr('age', 'gt', 26) | map(attribute='name') }}}}",
    result=["Пётр"],
    text=_("The items one field of which does not pass a test."),
)
def rejectattr(budget: Budget, list: Json, attribute: Json, test: Json = None, *values: Json) -> Json:
    return with_field(budget, list, attribute, lambda value: not passes(budget, value, test, values))


def with_field(budget: Budget, list: Json, attribute: Json, wanted: Callable[[Json], bool]) -> Json:
    items = list_of(list, budget)
    found = fields_or(budget, items, attribute, MISSING)
    return [item for value, item in zip(found, items, strict=True) if wanted(value)]


def passes(budget: Budget, value: Json, test: Json, values: tuple[Json, ...]) -> bool:
    budget.use()
    if test is None:
        return bool(value)
    name = to_text(test)
    if value is MISSING and name not in ("defined", "undefined", "empty"):
        return False
    comparison = {"==": "eq", "!=": "ne", "<": "lt", "<=": "le", ">": "gt", ">=": "ge"}.get(name, name)
    return find_check(comparison, len(values))(budget, value, *values)


@helper(
    "group_by(list, attribute)",
    kind="list",
    example="{{ [{'day': 1, 'n': 5}, {'day': 1, 'n': 6}] | group_by('day') | map(attribute='list') | first | length }}",
    result=2,
    text=_("The items in groups of one value of a field: a list of objects with `grouper` and `list`."),
    aliases=("groupby",),
)
def group_by(budget: Budget, list: Json, attribute: Json) -> Json:
    groups: dict[Json, Json] = {}
    items = list_of(list, budget)
    for value, item in zip(fields_or(budget, items, attribute, None), items, strict=True):
        groups.setdefault(identity(budget, value), {"grouper": value, "list": []})["list"].append(item)
    return [*groups.values()]


@helper(
    "random_item(list)",
    kind="list",
    example="{{ ['a'] | random_item }}",
    result="a",
    text=_("Any one of the items."),
)
def random_item(budget: Budget, list: Json) -> Json:
    items = list_of(list, budget)
    return budget.random.choice(items) if items else MISSING


@helper(
    "without(list, values)",
    kind="list",
    example="{{ [1, 2, 3] | without([2]) }}",
    result=[1, 3],
    text=_("The items of a list that are not in another, or an object without some keys."),
)
def without(budget: Budget, list: Json, values: Json) -> Json:
    unwanted = list_of(values, budget)
    if isinstance(list, dict):
        return {key: value for key, value in object_of(list, budget).items() if key not in unwanted}
    hidden = {identity(budget, value) for value in unwanted}
    return [item for item in list_of(list, budget) if identity(budget, item) not in hidden]
