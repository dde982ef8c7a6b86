"""Helpers for numbers."""

from collections.abc import Callable
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Context, Decimal, localcontext

from lib.errors import Json
from lib.errors import gettext_noop as _
from lib.expressions.budget import ITEMS, Budget, too_large
from lib.expressions.errors import ExpressionError
from lib.expressions.helpers.helper import choice_of, helper, list_of, number_of, text_of, whole_of
from lib.expressions.helpers.lists import fields
from lib.expressions.values import MISSING, bounded, from_text, is_number, kind_of, smaller

ROUNDING = {"common": ROUND_HALF_UP, "ceil": ROUND_CEILING, "floor": ROUND_FLOOR}
DIGITS = 15


@helper("abs(number)", kind="number", example="{{ -5 | abs }}", result=5, text=_("Without the sign."))
def absolute(budget: Budget, number: Json) -> Json:
    return abs(number_of(number))


@helper(
    "round(number, precision=0, method='common')",
    kind="number",
    example="{{ 2.5 | round }}",
    result=3,
    text=_("Rounded to a number of digits after the point: common (half up), ceil or floor."),
)
def rounded(budget: Budget, number: Json, precision: Json = 0, method: Json = "common") -> Json:
    places = whole_of(precision, least=-DIGITS, most=DIGITS)
    return round_to(number_of(number), places, choice_of(method, ROUNDING))


def round_to(number: int | float, places: int, rounding: str) -> int | float:
    with localcontext(Context(prec=400)):
        exact = Decimal(repr(bounded(number))).quantize(Decimal(1).scaleb(-places), rounding=rounding)
        return int(exact) if places <= 0 else float(exact)


@helper("ceil(number)", kind="number", example="{{ 2.1 | ceil }}", result=3, text=_("Rounded up."))
def ceil(budget: Budget, number: Json) -> Json:
    return round_to(number_of(number), 0, ROUND_CEILING)


@helper("floor(number)", kind="number", example="{{ 2.9 | floor }}", result=2, text=_("Rounded down."))
def floor(budget: Budget, number: Json) -> Json:
    return round_to(number_of(number), 0, ROUND_FLOOR)


@helper(
    "int(value, default=0)",
    kind="number",
    example="{{ '42' | int }}",
    result=42,
    text=_("A whole number out of a text or a number; the default where there is none."),
)
def whole(budget: Budget, value: Json, default: Json = 0) -> Json:
    number = spelled(value)
    return default if number is None else int(bounded(number))


@helper(
    "float(value, default=0.0)",
    kind="number",
    example="{{ '1 234,5' | float }}",
    result=1234.5,
    text=_("A number out of a text; the default where there is none."),
    aliases=("number",),
)
def fraction(budget: Budget, value: Json, default: Json = 0.0) -> Json:
    number = spelled(value)
    return default if number is None else float(bounded(number))


def spelled(value: Json) -> int | float | None:
    if isinstance(value, bool):
        return int(value)
    if is_number(value):
        return value  # type: ignore[no-any-return]
    return from_text(value) if isinstance(value, str) else None


@helper(
    "number_format(number, decimals=0, point='.', thousands=',')",
    kind="number",
    example="{{ 1234567.891 | number_format(2, ',', ' ') }}",
    result="1 234 567,89",
    text=_("A number as text, with digits after the point and separated thousands."),
)
def number_format(budget: Budget, number: Json, decimals: Json = 0, point: Json = ".", thousands: Json = ",") -> Json:
    places = whole_of(decimals, least=0, most=DIGITS)
    with localcontext(Context(prec=400)):
        exact = Decimal(repr(bounded(number_of(number))))
        shown = f"{exact.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP):,f}"
    above, _point, below = shown.partition(".")
    above = above.replace(",", text_of(thousands, budget)[:5])
    return above + text_of(point, budget)[:5] + below if below else above


@helper(
    "min(list, …)",
    kind="number",
    example="{{ [3, 1, 2] | min }}",
    result=1,
    text=_("The smallest of the items, or of the given values."),
)
def least(budget: Budget, first: Json, *others: Json) -> Json:
    return best(budget, first, others, lambda item, chosen: smaller(item, chosen, budget))


@helper(
    "max(list, …)",
    kind="number",
    example="{{ max(3, 7) }}",
    result=7,
    text=_("The largest of the items, or of the given values."),
)
def most(budget: Budget, first: Json, *others: Json) -> Json:
    return best(budget, first, others, lambda item, chosen: smaller(chosen, item, budget))


def best(budget: Budget, first: Json, others: tuple[Json, ...], better: Callable[[Json, Json], bool]) -> Json:
    items = [first, *others] if others else list_of(first, budget)
    chosen: Json = MISSING
    for item in items:
        if chosen is MISSING or better(item, chosen):
            chosen = item
    return chosen


@helper(
    "sum(list, attribute=null, start=0)",
    kind="number",
    example="{{ [{'price': 10}, {'price': 5}] | sum('price') }}",
    result=15,
    text=_("All the numbers of a list, or one field of each item, added up."),
)
def total(budget: Budget, list: Json, attribute: Json = None, start: Json = 0) -> Json:
    result = number_of(start)
    for number in numbers(budget, list, attribute):
        result = bounded(result + number)
    return result


@helper(
    "avg(list, attribute=null)",
    kind="number",
    example="{{ [2, 3, 4] | avg }}",
    result=3,
    text=_("The average of the numbers of a list, or of one field of each item."),
)
def average(budget: Budget, list: Json, attribute: Json = None) -> Json:
    found = numbers(budget, list, attribute)
    if not found:
        return MISSING
    added: int | float = 0
    for number in found:
        added = bounded(added + number)
    return added // len(found) if isinstance(added, int) and added % len(found) == 0 else added / len(found)


def numbers(budget: Budget, list: Json, attribute: Json) -> list[int | float]:
    items = list_of(list, budget)
    return [number_of(item) for item in (items if attribute is None else fields(budget, items, attribute))]


@helper(
    "range(stop) · range(start, stop, step=1)",
    kind="number",
    example="{{ range(1, 4) }}",
    result=[1, 2, 3],
    text=_("Whole numbers in a row; the last one is not included."),
)
def span(budget: Budget, start: Json, stop: Json = None, step: Json = 1) -> Json:
    if stop is None:
        start, stop = 0, start
    edge = 10**15
    first, last = whole_of(start, least=-edge, most=edge), whole_of(stop, least=-edge, most=edge)
    by = whole_of(step, least=-edge, most=edge)
    if by == 0:
        raise ExpressionError("bad_argument", asked="0")
    row = range(first, last, by)
    if len(row) > ITEMS:
        raise too_large()
    budget.use(len(row))
    return [*row]


@helper(
    "filesizeformat(bytes)",
    kind="number",
    example="{{ 1500000 | filesizeformat }}",
    result="1.5 MB",
    text=_("A size in bytes for people."),
)
def filesizeformat(budget: Budget, bytes: Json) -> Json:
    size = float(bounded(number_of(bytes)))
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if abs(size) < 1000 or unit == "TB":
            return f"{round_to(size, 1, ROUND_HALF_UP):g} {unit}"
        size /= 1000
    raise ExpressionError("not_a_number", got=kind_of(bytes))
