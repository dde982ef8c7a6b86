"""What can be wrong with an expression, in words."""

from lib.errors import Json, UserError, Words, describe, register
from lib.errors import gettext_noop as _

CODE = "expression_failed"
NAMES_SHOWN = 20
NAME_LENGTH = 60
SOURCE_SHOWN = 200


class ExpressionError(UserError):
    """An expression that cannot be read or evaluated.

    `params`: `expression` and `line` say where, `asked` what was asked for, `there` what there is. Values are never in
    it, only names: a message must not carry a secret. `path` is the place inside the template (`fields.title`, `a[0]`).
    """

    def __init__(self, reason: str, **params: Json) -> None:
        super().__init__(CODE, reason, params=params)
        self.piece = 0  # which piece of the template, counted from 1; `locate` turns it into words

    def locate(self, expression: str, *, line: int) -> None:
        """Say where it happened, unless that is known already."""
        self.params.setdefault("expression", shorten(expression.strip(), SOURCE_SHOWN))
        self.params.setdefault("line", line)

    def under(self, key: str | int) -> None:
        """Put the place one level down: the template was the value of `key`."""
        step = f"[{key}]" if isinstance(key, int) else key
        joint = "." if self.path and not self.path.startswith("[") else ""
        self.path = f"{step}{joint}{self.path}"

    def __str__(self) -> str:
        return str(describe(self.as_json())["text"])


def shorten(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


def names_there(names: list[str], asked: str) -> str:
    """The names there are, in one line: those that look like the asked one first."""
    from difflib import get_close_matches  # used only when something is wrong

    known = [shorten(name, NAME_LENGTH) for name in names[:200]]
    close = get_close_matches(asked[:NAME_LENGTH], known, n=3, cutoff=0.7)
    ordered = close + [name for name in known if name not in close]
    more = ", …" if len(names) > NAMES_SHOWN else ""
    return ", ".join(ordered[:NAMES_SHOWN]) + more or "—"


WORDS = {
    "": Words(_("The expression “{expression}” could not be evaluated."), _("Check it in the step's settings.")),
    "syntax": Words(_("“{expression}” is not an expression."), _("Check brackets, quotes and commas.")),
    "unexpected": Words(
        _("“{expression}”: did not expect “{got}” here."), _("Check brackets, quotes, commas and operators.")
    ),
    "unfinished": Words(_("“{expression}”: something is missing at the end."), _("Finish the expression.")),
    "empty": Words(
        _("There is nothing between the brackets of the expression."), _("Put a name in, or remove the brackets.")
    ),
    "not_closed": Words(_("Line {line}: “{mark}” is not closed."), _("Close it with “{closing}”.")),
    "tag_not_closed": Words(_("“{expression}”: the block is not closed."), _("Add “{closing}” where it ends.")),
    "tag_not_opened": Words(
        _("“{asked}” closes a block that was not opened."), _("Remove it, or open the block before it.")
    ),
    "unknown_tag": Words(_("There is no tag “{asked}”."), _("There are: if, for, set.")),
    "unknown_filter": Words(_("There is no helper “{asked}”."), _("There is: {there}.")),
    "unknown_function": Words(_("There is no function “{asked}”."), _("There is: {there}.")),
    "unknown_test": Words(_("There is no test “{asked}”."), _("There is: {there}.")),
    "wrong_arguments": Words(_("“{expression}”: wrong arguments of {helper}."), _("Write it as {signature}.")),
    "not_allowed": Words(
        _("“{expression}”: {asked} is not allowed in expressions."), _("Only look-ups, operators and helpers are.")
    ),
    "name_taken": Words(_("The name {asked} is already used inside “{expression}”."), _("Choose another name.")),
    "too_long": Words(_("The expressions of this text are too long."), _("At most {limit} characters are allowed.")),
    "too_deep": Words(_("“{expression}” is nested too deep."), _("Split it with set, or into several steps.")),
    "over_budget": Words(
        _("“{expression}” takes too much work."), _("Make the list or the text smaller before this step.")
    ),
    "too_large": Words(
        _("“{expression}” gives more than {limit} bytes."), _("Take only the part of the data that is needed.")
    ),
    "no_such_name": Words(_("{asked}: no such name; there is: {there}"), _("Choose a value of an earlier step.")),
    "no_such_key": Words(
        _("{asked}: no such key; there is: {there}"),
        _("Correct the key, or add | default('') where it may be missing."),
    ),
    "no_such_item": Words(
        _("{asked}: no such item; the list has {there}"), _("Add | default('') where the item may be missing.")
    ),
    "nothing_inside": Words(
        _("{asked}: nothing can be taken from {inside}, it is {got}"),
        _("Look at the result of that step, or add | default('') where it may be missing."),
    ),
    "nothing_found": Words(_("“{expression}”: {helper} found nothing."), _("Add | default('') after it.")),
    "not_a_number": Words(
        _("“{expression}”: {helper} needs a number, got {got}."), _("Turn a text into a number: | float")
    ),
    "not_text": Words(_("“{expression}”: {helper} needs a text, got {got}."), _("Take a single value from it.")),
    "not_a_list": Words(_("“{expression}”: {helper} needs a list, got {got}."), _("Check which value is a list.")),
    "not_an_object": Words(
        _("“{expression}”: {helper} needs an object, got {got}."), _("Check which value is an object.")
    ),
    "not_a_date": Words(
        _("“{expression}”: {helper} needs a date and time."), _("For example 2020-12-31T21:45:00+03:00.")
    ),
    "cannot_add": Words(
        _("“{expression}”: {left} and {right} cannot be added."),
        _("Join texts with ~, turn a text into a number with | float."),
    ),
    "cannot_compare": Words(
        _("“{expression}”: {left} and {right} cannot be compared."), _("Turn a text into a number with | float.")
    ),
    "division_by_zero": Words(_("“{expression}”: division by zero."), _("Check the divisor first.")),
    "number_too_large": Words(_("“{expression}”: the number is too large."), _("Use smaller numbers.")),
    "bad_argument": Words(_("“{expression}”: {helper} cannot use “{asked}”."), _("Write it as {signature}.")),
    "unknown_choice": Words(_("“{expression}”: {helper} does not know “{asked}”."), _("There is: {there}.")),
    "unknown_zone": Words(_("There is no time zone “{asked}”."), _("Use a name like Europe/Moscow.")),
    "bad_change": Words(
        _("“{expression}”: “{asked}” is not a change of date."),
        _("For example +45 minutes, -1 day, first day of month."),
    ),
    "bad_pattern": Words(
        _("“{asked}” is not a regular expression."), _("RE2 syntax is used: no look-around, no back-references.")
    ),
    "bad_data": Words(_("“{expression}”: {helper} cannot read this text."), _("Check what the text is encoded with.")),
    "unforeseen": Words(_("“{expression}” could not be evaluated."), _("Simplify the expression.")),
}

register({f"{CODE}.{reason}".rstrip("."): words for reason, words in WORDS.items()}, button="edit_step")
