"""Helpers for regular expressions, by RE2: its time grows with the length of the text, never faster."""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import re2

from lib.errors import Json
from lib.errors import gettext_noop as _
from lib.expressions.budget import SIZE, Budget, too_large
from lib.expressions.errors import ExpressionError
from lib.expressions.helpers.helper import helper, list_within, text_of
from lib.expressions.values import MISSING

PATTERN_LENGTH = 1_000
MEMORY = 1 << 20  # bytes of a compiled pattern and its automaton
LINEAR = 1_024  # characters searched at the price of one node


@lru_cache(256)
def compiled(pattern: str) -> Any:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = MEMORY
    try:
        return re2.compile(pattern, options)
    except (re2.error, UnicodeError):
        raise ExpressionError("bad_pattern", asked=pattern[:100]) from None


def found_in(budget: Budget, text: Json, pattern: Json) -> Iterator[Any]:
    """The matches in turn. One search may look through all the rest of the text, so each is paid for by its length."""
    whole, wanted = text_of(text, budget), text_of(pattern, budget)
    if len(wanted) > PATTERN_LENGTH:
        raise ExpressionError("bad_pattern", asked=wanted[:100])
    if not whole.isascii():  # RE2 works on UTF-8, which has no lone surrogates
        whole = whole.encode("utf-8", "replace").decode()
    budget.use(len(whole) // LINEAR + 20)
    for match in compiled(wanted).finditer(whole):
        yield match
        budget.use((len(whole) - match.end()) // LINEAR + 5)


def value_of(match: Any) -> Json:
    """What a match gives: the whole, its only group, or the list of its groups."""
    groups = match.groups()
    if not groups:
        return match.group()
    return groups[0] if len(groups) == 1 else list(groups)


@helper(
    "regex_match(text, pattern)",
    kind="pattern",
    example="{{ 'A-17' | regex_match('^[A-Z]-\\d+$') }}",
    result=True,
    text=_("Whether a text has something that fits the pattern (RE2 syntax)."),
    aliases=("regex_test",),
)
def regex_match(budget: Budget, text: Json, pattern: Json) -> Json:
    return next(found_in(budget, text, pattern), None) is not None


@helper(
    "regex_find(text, pattern)",
    kind="pattern",
    example="{{ 'Заказ №415 принят' | regex_find('№(\\d+)') }}",
    result="415",
    text=_("The first fit: the group in brackets if there is one, a list if there are several."),
    aliases=("regex_search",),
)
def regex_find(budget: Budget, text: Json, pattern: Json) -> Json:
    match = next(found_in(budget, text, pattern), None)
    return MISSING if match is None else value_of(match)


@helper(
    "regex_find_all(text, pattern)",
    kind="pattern",
    example="{{ 'a1 b22' | regex_find_all('\\d+') }}",
    result=["1", "22"],
    text=_("All the fits as a list."),
    aliases=("regex_findall",),
)
def regex_find_all(budget: Budget, text: Json, pattern: Json) -> Json:
    return list_within([value_of(match) for match in found_in(budget, text, pattern)])


@helper(
    "regex_replace(text, pattern, new)",
    kind="pattern",
    example="{{ 'Ильина Анна' | regex_replace('(\\pL+) (\\pL+)', '\\2 \\1') }}",
    result="Анна Ильина",
    text=_("Every fit replaced; \\1 stands for the first group in brackets."),
)
def regex_replace(budget: Budget, text: Json, pattern: Json, new: Json) -> Json:
    parts, position, size = [], 0, 0
    replacement = text_of(new, budget)
    whole = ""
    for match in found_in(budget, text, pattern):
        whole = match.string
        filled = fill(replacement, match)
        parts += [whole[position : match.start()], filled]
        position = match.end()
        budget.read(filled)
        size += len(filled)
        if size > SIZE:
            raise too_large()
    return "".join([*parts, whole[position:]]) if parts else text_of(text, budget)


def fill(replacement: str, match: Any) -> str:
    """`\\1` … `\\9` and `\\0`, or `$1`-like forms of other languages left alone."""
    if "\\" not in replacement:
        return replacement
    groups = (match.group(), *match.groups(default=""))
    result, position = [], 0
    while (at := replacement.find("\\", position)) >= 0 and at + 1 < len(replacement):
        sign = replacement[at + 1]
        known = sign in "0123456789" and int(sign) < len(groups)
        result += [replacement[position:at], groups[int(sign)] if known else "" if sign.isdecimal() else sign]
        position = at + 2
    return "".join([*result, replacement[position:]])
