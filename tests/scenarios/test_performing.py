"""What a repeated attempt sends: the same as before, and the headers that were not kept."""

from typing import Any

import pytest

from accounts.models import User
from connections.masking import MASK
from lib.errors import Json
from scenarios.document import Step, parse
from scenarios.performing import StepPerformer
from scenarios.plans import plan_of
from tests.people import actor_of
from tests.scenarios.making import document

pytestmark = pytest.mark.django_db

INPUTS: dict[str, Json] = {
    "url": "http://127.0.0.1:9/",
    "method": "POST",
    "fields": {"n": "{{ uuid() }}", "seen": "{{ trigger.headers.authorization }}"},
    "headers": {"Authorization": "Bearer literal-key", "Idempotency-Key": "{{ uuid() }}"},
}


def test_a_repeat_keeps_what_was_random_and_restores_what_was_masked(alice: User) -> None:
    data = document("manual", {"key": "s2", "action": "http.request", "inputs": INPUTS})
    plan = plan_of(parse(data))
    step: Step | None = plan.document.step("s2")
    assert step is not None
    performer = StepPerformer(plan, actor_of(alice).workspace.pk, "run", "key", "UTC")
    names: dict[str, Any] = {"trigger": {"headers": {"authorization": MASK}}}
    first = performer.prepare(step, names, None).inputs
    assert first["headers"]["Authorization"] == MASK
    again = performer.resolved_again(step, names, first)
    assert again["headers"]["Authorization"] == "Bearer literal-key"
    assert again["headers"]["Idempotency-Key"] == first["headers"]["Idempotency-Key"]
    assert again["fields"] == first["fields"]
