"""Scenarios and runs as rows, for tests of pages that look at them."""

import uuid
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from accounts.models import User
from scenarios import editing
from scenarios.models import ENDED, Run, Scenario, StepRun
from tests.people import actor_of

SET = {"key": "s2", "action": "data.set", "name": "Имя", "inputs": {"values": {"name": "{{ trigger.body.name }}"}}}
POST = {
    "key": "s3",
    "action": "http.request",
    "name": "В CRM",
    "inputs": {"method": "POST", "url": "https://crm.example/deals", "fields": {"title": "{{ s2.name }}"}},
}
EXCHANGE = {
    "request": {
        "method": "POST",
        "url": "https://crm.example/deals",
        "headers": {"authorization": "••••••", "content-type": "application/json"},
        "body": '{"title": "Аня"}',
    },
    "response": {"status": 422, "headers": {"x-note": "a\u202eb\x07"}, "body": '{"message": "title is taken"}'},
    "took_ms": 80,
}
REFUSED = {"code": "upstream_status", "params": {"status": 422, "message": "title is taken"}, "path": "s3"}


def scenario_of(user: User, name: str = "Заявки → CRM", **document: Any) -> Scenario:
    """Published, not switched on."""
    actor = actor_of(user)
    given = {"name": name, "trigger": {"type": "manual"}, "steps": [SET, POST], **document}
    scenario = editing.create(actor, given, draft=True)
    editing.publish(actor, scenario)
    return Scenario.objects.select_related("published").get(pk=scenario.pk)


def run_of(
    scenario: Scenario, status: str = "succeeded", *, at: datetime | None = None, took_ms: int = 1500, **fields: Any
) -> Run:
    assert scenario.published is not None
    at = at or timezone.now() - timedelta(minutes=1)
    end = at + timedelta(milliseconds=took_ms)
    given = {
        "id": uuid.UUID(int=(int(at.timestamp() * 1000) << 80) | (7 << 76) | (2 << 62) | (uuid.uuid4().int >> 68)),
        "trigger": "manual",
        "input": {"body": {"name": "Аня"}},
        "created_at": at,
        "started_at": None if status == "queued" else at,
        "finished_at": end if status in ENDED else None,
        "wake_at": at if status == "queued" else None,
        **fields,
    }
    return Run.objects.create(
        workspace_id=scenario.workspace_id,
        scenario=scenario,
        version=scenario.published,
        key=given["id"],
        status=status,
        **given,
    )


def step_of(run: Run, path: str, status: str = "succeeded", **fields: Any) -> StepRun:
    position = run.steps.count() + 1
    begun = run.started_at or run.created_at
    given = {"effect": "once", "fence": 1, "started_at": begun, "finished_at": begun, "took_ms": 120, **fields}
    return StepRun.objects.create(run=run, path=path, position=position, status=status, **given)


def failed_run(scenario: Scenario, **fields: Any) -> Run:
    """Its second step was refused with 422."""
    run = run_of(scenario, "failed", error=REFUSED, **fields)
    step_of(run, "s2", effect="pure", inputs={"values": {"name": "Аня"}}, result={"name": "Аня"})
    step_of(run, "s3", "failed", inputs=POST["inputs"], exchange=EXCHANGE, error=REFUSED)
    return run
