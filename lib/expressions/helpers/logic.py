"""Helpers for choices and for values that differ every time."""

import uuid as uuids

from lib.errors import Json
from lib.errors import gettext_noop as _
from lib.expressions.budget import Budget
from lib.expressions.helpers.helper import helper, list_of, whole_of
from lib.expressions.values import MISSING

RANDOM_MOST = 2**31 - 1  # as Twig's random() gives it


@helper(
    "default(value, default_value='', boolean=false)",
    kind="logic",
    example="{{ nowhere.at.all | default('нет') }}",
    result="нет",
    text=_("Another value where this one is missing or null; with boolean=true, where it is empty too."),
    aliases=("d",),
    forgiving=True,
)
def default(budget: Budget, value: Json, default_value: Json = "", boolean: Json = False) -> Json:
    if value is MISSING or value is None or (boolean and not value):
        return default_value
    return value


@helper(
    "coalesce(value, …)",
    kind="logic",
    example="{{ coalesce(null, '', 'да') }}",
    result="да",
    text=_("The first of the values that is not empty."),
    forgiving=True,
)
def coalesce(budget: Budget, value: Json, *others: Json) -> Json:
    filled = (each for each in (value, *others) if each is not MISSING and each is not None and each != "")
    return next(filled, None)


@helper(
    "choose(test, yes, no='')",
    kind="logic",
    example="{{ (5 > 3) | choose('да', 'нет') }}",
    result="да",
    text=_("One of two values, by whether the first is true."),
    aliases=("iif",),
)
def choose(budget: Budget, test: Json, yes: Json, no: Json = "") -> Json:
    return yes if test else no


@helper(
    "bool(value)",
    kind="logic",
    example="{{ 'false' | bool }}",
    result=False,
    text=_("True or false out of a text such as yes, 1, on, no, 0, off, or an empty value."),
)
def boolean(budget: Budget, value: Json) -> Json:
    if isinstance(value, str):
        return value.strip().lower() not in ("", "0", "false", "no", "off", "none", "null", "нет")
    return bool(value)


@helper(
    "random() · random(most) · random(least, most) · random(list)",
    kind="logic",
    example="{{ random(7, 7) }}",
    result=7,
    text=_("A random whole number, or any item of a list."),
)
def random(budget: Budget, least: Json = None, most: Json = None) -> Json:
    if isinstance(least, list):
        items = list_of(least, budget)
        return budget.random.choice(items) if items else MISSING
    edge = 2**63 - 1
    if least is None:
        return budget.random.randint(0, RANDOM_MOST)
    first = 0 if most is None else whole_of(least, least=-edge, most=edge)
    last = whole_of(least if most is None else most, least=first, most=edge)
    return budget.random.randint(first, last)


@helper(
    "uuid()",
    kind="logic",
    example="{{ uuid() | length }}",
    result=36,
    text=_("A random identifier, such as 3f2b8c1e-5a7d-4e0b-9c6f-1d2e3a4b5c6d."),
)
def uuid(budget: Budget) -> Json:
    return str(uuids.UUID(int=budget.random.getrandbits(128), version=4))
