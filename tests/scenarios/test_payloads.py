"""Values too large for a step's row stand apart, and come back as they were."""

import contextlib
import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from rest_framework.test import APIClient

from accounts.models import User
from lib import safe_json
from scenarios import payloads
from scenarios.hot_sql import connect
from scenarios.models import Payload, Run
from tests.scenarios.run_kit import run_of, scenario_of, step_of

LARGE = {"text": "Привет, «мир» " * 30_000, "n": 12345678901234567890123}


def keep(run: Run, path: str, name: str, value: Any) -> dict[str, Any]:
    """As the journal does; answers what the row holds."""
    whole = safe_json.dumps(safe_json.storable(value)).decode()
    Payload.objects.create(run=run, path=path, name=name, value=whole)
    held: dict[str, Any] = json.loads(payloads.cut(whole))
    return held


@pytest.fixture
def run(alice: User) -> Run:
    run = run_of(scenario_of(alice))
    step_of(run, "s2", result=keep(run, "s2", "result", LARGE), inputs={"small": True})
    return run


def test_the_row_holds_how_large_it_is_and_how_it_starts() -> None:
    whole = safe_json.dumps(LARGE).decode()
    held = json.loads(payloads.cut(whole))
    assert held == {"_cut": {"bytes": len(whole.encode()), "start": whole[:2000]}}
    assert payloads.is_cut(held)


@pytest.mark.parametrize("value", [None, 1, "_cut", {}, {"_cut": 1}, {"_cut": {"bytes": 1}}, {"_cut": {}, "a": 1}, []])
def test_other_values_are_not_cut(value: Any) -> None:
    assert not payloads.is_cut(value)


@pytest.mark.django_db
def test_a_value_comes_back_whole(run: Run) -> None:
    assert payloads.open_value(run.pk, "s2", "result") == LARGE


@pytest.mark.django_db(transaction=True)
def test_the_engine_opens_many_at_once(run: Run) -> None:
    step_of(run, "s4[3]/s5", inputs=keep(run, "s4[3]/s5", "inputs", [LARGE]))
    places = [("s2", "result"), ("s4[3]/s5", "inputs"), ("s2", "inputs")]
    with contextlib.closing(connect()) as hot:
        assert payloads.open_many(hot, run.pk, places) == dict(
            zip(places, [LARGE, [LARGE], {"small": True}], strict=True)
        )
        assert payloads.open_many(hot, run.pk, []) == {}


@pytest.mark.django_db
def test_a_service_cannot_pretend_that_its_answer_is_kept_apart(run: Run) -> None:
    forged = {"_cut": {"bytes": 9, "start": "{"}}
    step_of(run, "s3", result=forged)
    assert payloads.is_cut(forged)
    assert payloads.open_value(run.pk, "s3", "result") == forged
    assert payloads.open_value(run.pk, "s9", "result") is None


@pytest.mark.django_db
def test_a_retry_takes_large_values_along(run: Run, alice: User) -> None:
    other = run_of(scenario_of(alice))
    payloads.copy(run.pk, other.pk, ["s2"])
    assert payloads.open_value(other.pk, "s2", "result") == LARGE


@pytest.mark.django_db
def test_the_api_shows_the_start_and_gives_the_whole(api: Callable[[User], APIClient], alice: User, run: Run) -> None:
    address = f"/api/v1/runs/{run.id.hex}/"
    shown = api(alice).get(address).json()["steps"][0]
    assert shown["result"]["_cut"]["bytes"] > payloads.MOST_BYTES
    whole = api(alice).get(f"{address}payload/", {"path": "s2", "name": "result"})
    assert (whole.status_code, whole.json()) == (200, LARGE)
    small = api(alice).get(f"{address}payload/", {"path": "s2", "name": "inputs"})
    assert small.json() == {"small": True}


@pytest.mark.django_db
def test_large_values_are_masked_like_small_ones(api: Callable[[User], APIClient], alice: User, run: Run) -> None:
    value = {"headers": {"Set-Cookie": "sid=canary-cookie"}, "body": "ghp_" + "a" * 36, "more": "x" * 300_000}
    step_of(run, "s3", result=keep(run, "s3", "result", value))
    answer = api(alice).get(f"/api/v1/runs/{run.id.hex}/payload/", {"path": "s3", "name": "result"})
    assert answer.status_code == 200
    assert "canary-cookie" not in answer.content.decode()
    assert "ghp_a" not in answer.content.decode()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("path", "name", "status"),
    [("s9", "result", 404), ("s2", "reply", 400), ("", "result", 404), ("a\0", "result", 400)],
)
def test_what_is_not_there_is_said(
    api: Callable[[User], APIClient], alice: User, run: Run, path: str, name: str, status: int
) -> None:
    answer = api(alice).get(f"/api/v1/runs/{run.id.hex}/payload/", {"path": path, "name": name})
    assert answer.status_code == status


@pytest.mark.django_db
def test_charlie_gets_no_payload(api: Callable[[User], APIClient], charlie: User, run: Run) -> None:
    answer = api(charlie).get(f"/api/v1/runs/{run.id.hex}/payload/", {"path": "s2", "name": "result"})
    assert answer.status_code == 404


@pytest.mark.django_db
def test_the_cabinet_saves_the_whole_value(client_of: Callable[[User], Client], alice: User, run: Run) -> None:
    answer = client_of(alice).get(f"/runs/{run.id.hex}/payload/result/?step=s2")
    assert json.loads(answer.content) == LARGE
