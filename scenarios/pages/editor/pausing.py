"""Why we switched a scenario off ourselves, in words."""

from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _

from lib.errors import describe
from scenarios.models import Scenario


@dataclass(frozen=True)
class Pause:
    text: str
    hint: str
    at: datetime | None


def of_scenario(scenario: Scenario) -> Pause | None:
    """None where nobody but its people switched it."""
    reason = scenario.paused_reason
    if not reason or scenario.status == "active":
        return None
    told = describe(reason, _)
    return Pause(str(told["text"]), str(told["hint"]), moment(reason.get("at")))


def moment(text: object) -> datetime | None:
    try:
        return datetime.fromisoformat(str(text))
    except ValueError:
        return None
