"""The panel of a delay: so many seconds, minutes, hours or days, or until a moment.

A form posts `delay.mode` (for | until), `delay.amount` and `delay.unit` (seconds); `in-until` is read like any input.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy as _

from lib.errors import Json
from scenarios.document import Step
from scenarios.pages.editor import steering
from scenarios.pages.editor.step_inputs import as_text

if TYPE_CHECKING:
    from django.http import QueryDict

UNITS = [(1, _("seconds")), (60, _("minutes")), (3600, _("hours")), (86_400, _("days"))]
WHOLE = re.compile(r"\s*([0-9]{1,9})\s*")
PART = re.compile(r"\s*([0-9]{1,9})[.,]([0-9]{1,3})\s*")


@dataclass(frozen=True)
class Shown:
    mode: str
    amount: str
    unit: int
    units = UNITS


def shown(step: Step) -> Shown:
    seconds = step.inputs.get("seconds")
    mode = "until" if step.inputs.get("until") and seconds is None else "for"
    if isinstance(seconds, int) and not isinstance(seconds, bool) and seconds > 0:
        amount, unit = steering.split(seconds)
        return Shown(mode, str(amount), unit)
    return Shown(mode, as_text(seconds), 1 if seconds is not None else 60)


def read(posted: "QueryDict", inputs: Mapping[str, Json]) -> dict[str, Json]:
    """The inputs with what the delay's own controls say; as they are where the form has none of them."""
    if "delay.mode" not in posted:
        return dict(inputs)
    rest = {name: value for name, value in inputs.items() if name not in ("seconds", "until")}
    if posted.get("delay.mode") == "until":
        return {**rest, **({"until": inputs["until"]} if inputs.get("until") else {})}
    seconds = seconds_of(posted.get("delay.amount", ""), posted.get("delay.unit", ""))
    return rest if seconds is None else {**rest, "seconds": seconds}


def seconds_of(amount: str, unit: str) -> Json:
    """A number of units as seconds; an expression, or what is no number, as it is. None for nothing."""
    size = int(unit) if unit in {str(size) for size, _word in UNITS} else 1
    if whole := WHOLE.fullmatch(amount):
        return int(whole[1]) * size
    if part := PART.fullmatch(amount):
        return round(float(f"{part[1]}.{part[2]}") * size)
    return amount.strip() or None
