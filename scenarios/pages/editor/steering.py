"""The steps that steer, in words: conditions on one line, what stands on their cards, what a test foresees."""

import re
from collections.abc import Mapping

from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from lib import rfc3339
from lib.errors import Json
from scenarios.document import BRANCH, FOR_EACH, Branch, Step
from scenarios.flow import DELAY, FILTER, SCENARIO, STOP
from scenarios.pages.editor.picking import LABELS, uncapitalized
from scenarios.pages.editor.step_inputs import as_text, inside_braces

DAY_S, HOUR_S, MINUTE_S = 86_400, 3600, 60
UNITS = (DAY_S, HOUR_S, MINUTE_S, 1)
TOKENS = re.compile(
    r"""(?P<text>'[^'\\]*(?:\\.[^'\\]*)*'|"[^"\\]*(?:\\.[^"\\]*)*")"""
    r"""|(?P<path>\b[a-z][a-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*|\[[^\]]*\])+)"""
    r"""|(?P<length>\s*\|\s*(?:length|count)\b)|(?P<sign>==|!=|>=|<=)|(?P<word>\b(?:and|or|not|in)\b)"""
)
SIGNS = {"==": "=", "!=": "≠", ">=": "≥", "<=": "≤"}


def condition(when: Json) -> str:
    """A condition on one line: «события: количество > 0»."""
    if not isinstance(when, str):
        return as_text(when)
    expression = inside_braces(when)
    return " ".join(when.split()) if expression is None else " ".join(TOKENS.sub(worded, expression).split())


def worded(found: re.Match[str]) -> str:
    if path := found["path"]:
        name = re.split(r"[.\[]", path.rstrip("]"))[-1].strip("'\"")
        last = path if name.isdigit() else name
        return uncapitalized(_(LABELS[last])) if last in LABELS else last
    if found["length"]:
        return _(": how many")
    if found["sign"]:
        return SIGNS[found["sign"]]
    words = {"and": _("and"), "or": _("or"), "not": _("not"), "in": _("in")}
    return words[found["word"]] if found["word"] else found[0]


def name_of(branch: Branch, number: int) -> str:
    if branch.name:
        return branch.name
    return _("Otherwise") if branch.when is None else _("Branch {n}").format(n=number + 1)


def of_branch(branch: Branch) -> str:
    if branch.when is None:
        return _("no other branch fits")
    return condition(branch.when) or _("no condition yet")


def of_step(step: Step, scenarios: Mapping[str, str]) -> list[str]:
    """What a card says of a step that steers, besides its name. `scenarios` are names by id."""
    inputs = step.inputs
    if step.action == BRANCH:
        return [_("the first branch that fits")]
    if step.action == FOR_EACH:
        return of_loop(inputs)
    if step.action == FILTER:
        return [condition(inputs.get("when", ""))]
    if step.action == DELAY:
        return [of_delay(inputs)]
    if step.action == STOP:
        message = as_text(inputs.get("message", ""))
        ends = _("with an error") if inputs.get("status") == "failed" else _("as succeeded")
        return [ends, _("“{text}”").format(text=message) if message else ""]
    if step.action == SCENARIO:
        wanted = as_text(inputs.get("scenario", ""))
        return [_("“{text}”").format(text=scenarios.get(wanted, wanted)) if wanted else ""]
    return []


def of_loop(inputs: Mapping[str, Json]) -> list[str]:
    many = inputs.get("parallel", 1)
    pace = _("one by one") if many == 1 else _("{n} at a time").format(n=many)
    return [pace, _("goes on at an error") if inputs.get("on_item_error") == "continue" else ""]


def of_delay(inputs: Mapping[str, Json]) -> str:
    seconds, until = inputs.get("seconds"), inputs.get("until")
    if isinstance(seconds, int):
        return duration(seconds)
    if seconds:
        return condition(seconds)
    if isinstance(until, str) and until:
        return _("until {moment}").format(moment=moment(until))
    return ""


def moment(text: str) -> str:
    if rfc3339.problem(text):
        return condition(text)
    return date_format(rfc3339.parse(text.upper()), "j E, H:i")


def duration(seconds: int) -> str:
    """«5 минут», «90 секунд»: in the largest unit that is whole."""
    amount, unit = split(seconds)
    words = {
        DAY_S: ngettext("{n} day", "{n} days", amount),
        HOUR_S: ngettext("{n} hour", "{n} hours", amount),
        MINUTE_S: ngettext("{n} minute", "{n} minutes", amount),
        1: ngettext("{n} second", "{n} seconds", amount),
    }
    return words[unit].format(n=amount)


def split(seconds: int) -> tuple[int, int]:
    """The amount and the unit in seconds: (5, 60) for 300."""
    unit = next(unit for unit in UNITS if seconds and seconds % unit == 0) if seconds else 1
    return seconds // unit, unit


def foreseen(step: Step, result: Json) -> str:
    """What the test of a step that steers says; "" for the others."""
    if step.action == BRANCH:
        number, name = result["branch"], result["name"]
        if number is None:
            return _("No branch would be taken")
        return _("It would take the branch “{name}”").format(name=name or number + 1)
    if step.action == FOR_EACH:
        return ngettext("{n} pass", "{n} passes", result["count"]).format(n=result["count"])
    if step.action == FILTER:
        return _("It would let through") if result["passed"] else _("It would let nothing through")
    if step.action == DELAY:
        return _("It would wait until {moment}").format(moment=moment(result["until"]))
    if step.action == STOP:
        return _("It would end the run")
    return _("It would start the other scenario") if step.action == SCENARIO else ""


def foreseen_briefly(step: Step, result: Json) -> str:
    """The sample of a step on its card: «12 проходов», «ветка «Иначе»», else that it was tested."""
    if step.action == FOR_EACH and isinstance(result, dict) and isinstance(result.get("count"), int):
        return ngettext("{n} pass", "{n} passes", result["count"]).format(n=result["count"])
    return _("tested")


def policy(step: Step) -> str:
    """How a step handles errors, where that is not as usual: «повторить 3 раза (5, 10 с), затем идти дальше»."""
    words = []
    if step.retry:
        tries = ngettext("try {n} time", "try {n} times", step.retry.attempts).format(n=step.retry.attempts)
        words.append(f"{tries} ({', '.join(step.retry.on)})" if step.retry.on else tries)
    if isinstance(step.on_error, tuple):
        words.append(_("do steps of its own and go on"))
    elif step.on_error == "continue":
        words.append(_("go on with the next step"))
    return _(", then ").join(words)
