"""What a helper is, and the table of them: the only things that an expression can call.

A helper is a function of a budget and JSON values. `{{ x | upper }}` and `{{ upper(x) }}` call it alike.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lib.errors import Json
from lib.errors import gettext_noop as _
from lib.expressions.budget import ITEMS, SIZE, Budget, too_large
from lib.expressions.errors import ExpressionError, names_there
from lib.expressions.values import from_text, is_number, kind_of, to_text

# The headings of the expression help, in its order.
KINDS = {
    "text": _("Text"),
    "number": _("Numbers"),
    "list": _("Lists and objects"),
    "date": _("Dates"),
    "encoding": _("Encoding and hashes"),
    "pattern": _("Regular expressions"),
    "logic": _("Logic and random values"),
}
REQUIRED = inspect.Parameter.empty


@dataclass(frozen=True)
class Helper:
    """One helper. `example` is a template and `result` what it gives; "" where that differs every time."""

    name: str
    kind: str
    signature: str
    example: str
    result: Json
    text: str
    call: Callable[..., Json]
    parameters: dict[str, Json]  # after the budget, with their defaults (REQUIRED where there is none)
    by_name: dict[str, Json]  # those that can only be given by name
    aliases: tuple[str, ...] = ()
    open_ended: bool = False  # takes any number of further values
    forgiving: bool = False  # its first value may be missing


TABLE: dict[str, Helper] = {}


def helper(
    signature: str,
    *,
    kind: str,
    example: str,
    result: Json,
    text: str,
    aliases: tuple[str, ...] = (),
    forgiving: bool = False,
) -> Callable[[Callable[..., Json]], Callable[..., Json]]:
    """Put a function into the table. `signature` is what people read: `replace(text, old, new)`."""

    def enter(call: Callable[..., Json]) -> Callable[..., Json]:
        name = signature.partition("(")[0]
        found = list(inspect.signature(call).parameters.values())[1:]
        made = Helper(
            name=name,
            kind=kind,
            signature=signature,
            example=example,
            result=result,
            text=text,
            call=call,
            parameters={
                each.name.rstrip("_"): each.default for each in found if each.kind is each.POSITIONAL_OR_KEYWORD
            },
            by_name={each.name: each.default for each in found if each.kind is each.KEYWORD_ONLY},
            aliases=aliases,
            open_ended=any(each.kind is each.VAR_POSITIONAL for each in found),
            forgiving=forgiving,
        )
        for each in (name, *aliases):
            if each in TABLE:
                raise ValueError(f"two helpers are called {each}")
            TABLE[each] = made
        return call

    return enter


def find(name: str, *, reason: str = "unknown_filter") -> Helper:
    made = TABLE.get(name)
    if made is None:
        raise ExpressionError(reason, asked=name, there=names_there(sorted(TABLE), name))
    return made


def arrange(
    made: Helper, given: list[Any], named: dict[str, Any], constant: Callable[[Json], Any]
) -> tuple[list[Any], dict[str, Any]]:
    """The arguments in the order of the parameters and those by name, defaults filled in by `constant`.

    ExpressionError wrong_arguments. The arguments may be values, or closures that give them.
    """
    names = list(made.parameters)
    waiting = dict(named)
    arranged = list(given)
    if len(given) > len(names) and not made.open_ended:
        raise wrong_arguments(made)
    for name in names[len(given) :]:
        value = waiting.pop(name) if name in waiting else constant(made.parameters[name])
        if name not in named and made.parameters[name] is REQUIRED:
            raise wrong_arguments(made)
        arranged.append(value)
    by_name = {name: waiting.pop(name) for name in made.by_name if name in waiting}
    if waiting:
        raise wrong_arguments(made)
    return arranged, by_name


def wrong_arguments(made: Helper) -> ExpressionError:
    return ExpressionError("wrong_arguments", helper=made.name, signature=made.signature)


def call(made: Helper, budget: Budget, given: list[Json], named: dict[str, Json] | None = None) -> Json:
    """Call a helper with values; its errors name it."""
    budget.use()
    try:
        arranged, by_name = arrange(made, given, named or {}, lambda value: value)
        return made.call(budget, *arranged, **by_name)
    except ExpressionError as error:
        name_in(error, made)
        raise


def name_in(error: ExpressionError, made: Helper) -> None:
    error.params.setdefault("helper", made.name)
    error.params.setdefault("signature", made.signature)


# What the functions need of their arguments


def text_of(value: Json, budget: Budget) -> str:
    """The text form, with a pass over it paid."""
    text = value if isinstance(value, str) else to_text(value, budget)
    budget.read(text)
    return text


def number_of(value: Json) -> int | float:
    """A number, or a text that spells one: forms and tables give numbers as texts."""
    if is_number(value):
        return value  # type: ignore[no-any-return]
    spelled = from_text(value) if isinstance(value, str) else None
    if spelled is None:
        raise ExpressionError("not_a_number", got=kind_of(value))
    return spelled


def whole_of(value: Json, *, least: int, most: int) -> int:
    """A whole number between the limits."""
    number = number_of(value)
    if number != int(number) or not least <= number <= most:
        raise ExpressionError("bad_argument", asked=str(number)[:20])
    return int(number)


def list_of(value: Json, budget: Budget) -> list[Json]:
    """A list, with a pass over it paid."""
    if not isinstance(value, list):
        raise ExpressionError("not_a_list", got=kind_of(value))
    budget.use(len(value))
    return value


def object_of(value: Json, budget: Budget) -> dict[str, Json]:
    if not isinstance(value, dict):
        raise ExpressionError("not_an_object", got=kind_of(value))
    budget.use(len(value))
    return value


def text_within(text: str) -> str:
    if len(text) > SIZE:
        raise too_large()
    return text


def list_within(items: list[Json]) -> list[Json]:
    if len(items) > ITEMS:
        raise too_large()
    return items


def choice_of(value: Json, there: dict[str, Any]) -> Any:
    """One of the named choices."""
    if not isinstance(value, str) or value not in there:
        raise ExpressionError("unknown_choice", asked=str(value)[:40], there=", ".join(there))
    return there[value]
