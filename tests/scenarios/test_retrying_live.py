"""Repeats and cancels with a real worker: what was done is not done again, and every run comes to one end."""

from typing import Any

import pytest

from accounts.models import User
from scenarios import running
from scenarios.models import ENDED, Run
from scenarios.retrying import STOPPED, plan, retry
from tests.people import actor_of
from tests.processes import Live, wait_until
from tests.scenarios.making import document, made
from tests.scenarios.test_end_to_end import Upstream, upstream

__all__ = ["upstream"]


def post(upstream: Upstream, key: str, **fields: Any) -> dict[str, Any]:
    inputs = {"method": "POST", "url": upstream.url, "fields": {"n": "{{ item }}"}, **fields}
    return {"key": key, "action": "http.request", "inputs": inputs}


def ended(run: Run) -> Run:
    wait_until(lambda: Run.objects.filter(pk=run.pk, status__in=ENDED).exists(), timeout_s=30)
    return Run.objects.get(pk=run.pk)


def bodies(upstream: Upstream) -> list[bytes]:
    return [seen["body"] for seen in upstream.seen]


@pytest.mark.parametrize("parallel", [1, 3])
def test_a_loop_goes_on_from_the_pass_that_failed(alice: User, live: Live, upstream: Upstream, parallel: int) -> None:
    loop = {
        "key": "s3",
        "action": "flow.for_each",
        "inputs": {"items": [1, 2, 3, 4], "parallel": parallel},
        "steps": [post(upstream, "s4")],
    }
    router = {"key": "s2", "action": "flow.branch", "branches": [{"name": "Да", "steps": [loop]}]}
    refuses = [True]
    upstream.answer = lambda seen: (400 if refuses[0] and b"3" in seen["body"] else 200, {}, b"{}")
    run = ended(running.start_by_hand(actor_of(alice), made(alice, document("manual", router)), {}))
    assert (run.status, run.error and run.error["path"]) == ("failed", "s2/s3[2]/s4")
    refuses[0] = False
    found = plan(run, STOPPED)
    assert found.doubles == 0
    again = ended(retry(actor_of(alice), run, start_at=STOPPED))
    assert again.status == "succeeded"
    assert sorted(bodies(upstream)) == sorted([b'{"n":1}', b'{"n":2}', b'{"n":3}', b'{"n":3}', b'{"n":4}'])
    assert again.steps.get(path="s2/s3").result["count"] == 4
    assert again.steps.get(path="s2").took_ms < 60_000


def test_cancelling_the_caller_ends_the_called_run(alice: User, live: Live) -> None:
    called = made(alice, document("scenario", {"key": "s2", "action": "flow.delay", "inputs": {"seconds": 3600}}))
    call = {"key": "s2", "action": "flow.scenario", "inputs": {"scenario": called.public_id}}
    run = running.start_by_hand(actor_of(alice), made(alice, document("manual", call)), {})
    wait_until(lambda: Run.objects.filter(parent_id=run.pk, status="waiting").exists(), timeout_s=30)
    wait_until(lambda: Run.objects.get(pk=run.pk).status == "waiting", timeout_s=30)
    running.cancel(actor_of(alice), run)
    assert {one.status for one in Run.objects.all()} == {"cancelled"}


def test_cancelling_the_called_run_lets_its_caller_go_on(alice: User, live: Live) -> None:
    called = made(alice, document("scenario", {"key": "s2", "action": "flow.delay", "inputs": {"seconds": 3600}}))
    call = {"key": "s2", "action": "flow.scenario", "inputs": {"scenario": called.public_id}}
    run = running.start_by_hand(actor_of(alice), made(alice, document("manual", call)), {})
    wait_until(lambda: Run.objects.filter(parent_id=run.pk, status="waiting").exists(), timeout_s=30)
    running.cancel(actor_of(alice), Run.objects.get(parent_id=run.pk))
    assert ended(run).status == "succeeded"
    assert run.steps.get(path="s2").result["status"] == "cancelled"
