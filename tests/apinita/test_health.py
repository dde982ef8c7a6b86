"""Probes: asked in any way, answered from what the parts have really done."""

import json
import urllib.request
from datetime import timedelta

from django.db.models.functions import Now

from scenarios.models import WorkerBeat
from tests.processes import Live, wait_until

WELL = {"database": "ok", "broker": "ok", "worker": "ok", "migrations": "ok"}


def test_all_is_well_when_all_parts_work(live: Live) -> None:
    wait_until(lambda: live.get_json("/readyz") == WELL)
    assert live.get_json("/healthz") == {"status": "ok"}


def test_a_worker_that_is_silent_is_named(live: Live) -> None:
    wait_until(lambda: live.get_json("/readyz") == WELL)
    live.worker.stop()
    WorkerBeat.objects.update(seen_at=Now() - timedelta(seconds=20))
    assert live.get_json("/readyz") == WELL | {"worker": "down"}


def test_a_probe_may_come_under_any_name(live: Live) -> None:
    request = urllib.request.Request(f"{live.url}/healthz", headers={"Host": "10.1.2.3"})
    with urllib.request.urlopen(request, timeout=10) as response:
        assert json.load(response) == {"status": "ok"}
