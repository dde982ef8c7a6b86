"""Scenarios for tests, made the way that people make them: through editing."""

from typing import Any

from accounts.access import Actor
from accounts.models import User
from lib.errors import Json
from scenarios import editing
from scenarios.models import Scenario
from tests.people import actor_of

STEP: dict[str, Json] = {"key": "s2", "action": "data.set", "inputs": {"values": {"said": "{{ trigger.body }}"}}}


def document(trigger: str = "manual", *steps: dict[str, Json], name: str = "Проба", **inputs: Json) -> dict[str, Json]:
    return {
        "name": name,
        "trigger": {"key": "s1", "type": trigger, "inputs": inputs},
        "steps": list(steps or (STEP,)),
    }


def made(user: User, data: dict[str, Any] | None = None) -> Scenario:
    """Published and switched on."""
    actor: Actor = actor_of(user)
    scenario = editing.create(actor, data or document())
    editing.publish(actor, scenario)
    return editing.activate(actor, scenario)
