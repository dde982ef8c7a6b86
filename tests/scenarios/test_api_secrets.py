"""What is shown of a run's data: secrets are masked for reading, in the API, in the pages and in a test of a step."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import OperationalError, connections

from accounts import seats
from actions import registry
from connections.masking import MASK
from scenarios import editing
from scenarios.models import Scenario
from tests.connections import kit
from tests.people import actor_of, signed_in
from tests.scenarios.making import document
from tests.scenarios.run_kit import run_of, scenario_of, step_of
from tests.scenarios.test_end_to_end import Upstream

API = "/api/v1/"
LITERAL = "Bearer my-long-literal-token"
LOOKS = "ghp_" + "a1B2" * 9
INPUTS = {"url": "https://crm.example/", "headers": {"Authorization": LITERAL, "X-Note": "plain"}, "text": f"a {LOOKS}"}
RESULT = {"status": 200, "headers": {"x-auth-token": LITERAL, "x-note": "plain"}, "body": {"token": LOOKS, "n": 1}}
ERROR = {"code": "upstream_status", "params": {"status": 422, "message": f"no {LOOKS}"}, "path": "s3"}


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    server = Upstream()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def run(alice):
    found = run_of(scenario_of(alice), "failed", error=ERROR, input={"body": {"said": LOOKS}})
    step_of(found, "s2", effect="pure", inputs={"values": 1}, result=RESULT)
    step_of(found, "s3", "failed", inputs=INPUTS, error=ERROR)
    return found


def test_the_api_shows_a_run_with_its_secrets_masked(api, vera, run):
    answer = api(vera).get(f"{API}runs/{run.id.hex}/")
    said = answer.content.decode()
    assert LITERAL not in said
    assert LOOKS not in said
    first, second = answer.json()["steps"]
    assert second["inputs"] == {
        "url": "https://crm.example/",
        "headers": {"Authorization": MASK, "X-Note": "plain"},
        "text": f"a {MASK}",
    }
    assert first["result"] == {
        "status": 200,
        "headers": {"x-auth-token": MASK, "x-note": "plain"},
        "body": {"token": MASK, "n": 1},
    }
    assert answer.json()["input"] == {"body": {"said": MASK}}
    assert second["error"]["params"] == {"status": 422, "message": f"no {MASK}"}
    assert LOOKS not in api(vera).get(f"{API}runs/").content.decode()


def test_the_journal_keeps_what_later_steps_need(api, vera, run):
    api(vera).get(f"{API}runs/{run.id.hex}/")
    run.refresh_from_db()
    assert run.input == {"body": {"said": LOOKS}}
    assert run.steps.get(path="s3").inputs == INPUTS
    assert run.steps.get(path="s2").result == RESULT


@pytest.mark.parametrize(
    "query", ["", "?step=s2&tab=result", "?step=s3&tab=input", "?step=s3&tab=attempts", "?step=trigger"]
)
def test_the_pages_of_a_run_show_it_with_its_secrets_masked(vera, run, query):
    page = signed_in(vera).get(f"/runs/{run.id.hex}/{query}").content.decode()
    assert LITERAL not in page
    assert LOOKS not in page
    assert MASK in page


@pytest.mark.parametrize(("part", "step"), [("input", "s3"), ("result", "s2"), ("input", "trigger")])
def test_a_saved_file_has_its_secrets_masked(vera, run, part, step):
    text = signed_in(vera).get(f"/runs/{run.id.hex}/payload/{part}/?step={step}").content.decode()
    assert LITERAL not in text
    assert LOOKS not in text
    assert MASK in text


def test_the_list_and_the_overview_tell_no_secret_of_an_error(vera, run):
    for path in ("/runs/", "/"):
        assert LOOKS not in signed_in(vera).get(path).content.decode()


def draft_of(alice, upstream) -> Scenario:
    inputs = {"method": "POST", "url": f"{upstream.url}/", "headers": INPUTS["headers"], "fields": {"t": LOOKS}}
    step = {"key": "s2", "action": "http.request", "inputs": inputs}
    return editing.create(actor_of(alice), document("manual", step))


def test_a_test_of_a_step_sends_the_secrets_and_shows_none(api, alice, upstream):
    upstream.answer = lambda seen: (200, {"X-Auth": LITERAL}, json.dumps({"token": LOOKS}).encode())
    scenario = draft_of(alice, upstream)
    answer = api(alice).post(f"{API}scenarios/{scenario.public_id}/steps/s2/test/")
    said = answer.content.decode()
    assert answer.json()["status"] == "succeeded", said
    assert LITERAL not in said
    assert LOOKS not in said
    assert answer.json()["inputs"]["headers"] == {"Authorization": MASK, "X-Note": "plain"}
    assert answer.json()["request"]["headers"]["Authorization"] == MASK
    assert answer.json()["result"]["body"] == {"token": MASK}
    assert upstream.seen[0]["headers"]["Authorization"] == LITERAL
    assert LOOKS in upstream.seen[0]["body"].decode()


def test_a_failed_test_shows_no_secret(api, alice, upstream):
    upstream.answer = lambda seen: (422, {}, json.dumps({"message": f"no {LOOKS}"}).encode())
    said = api(alice).post(f"{API}scenarios/{draft_of(alice, upstream).public_id}/steps/s2/test/")
    assert said.json()["error"]["code"] == "upstream_status"
    assert LOOKS not in said.content.decode()


def test_the_sample_of_a_test_keeps_the_value(api, alice):
    step = {
        "key": "s2",
        "action": "data.set",
        "inputs": {"values": {"token": LOOKS, "headers": {"Authorization": "x" * 9}}},
    }
    scenario = editing.create(actor_of(alice), document("manual", step))
    answer = api(alice).post(f"{API}scenarios/{scenario.public_id}/steps/s2/test/").json()
    assert answer["result"] == {"token": MASK, "headers": {"Authorization": MASK}}
    scenario.refresh_from_db()
    assert scenario.samples["s2"]["headers"] == {"Authorization": "x" * 9}


@pytest.mark.django_db(transaction=True)
def test_a_test_of_a_step_holds_no_connection_to_the_database_while_it_waits(api, alice, workspace, upstream):
    kit.connected(workspace, upstream.url)
    step = {
        "key": "s2",
        "action": "http.request",
        "connection": "calendar",
        "inputs": {"method": "GET", "url": f"{upstream.url}/"},
    }
    scenario, caller = editing.create(actor_of(alice), document("manual", step)), api(alice)
    ours, held = [], []

    def ask():
        ours.append(connections["default"])  # of this thread, which the server's handler looks at from its own
        try:
            return caller.post(f"{API}scenarios/{scenario.public_id}/steps/s2/test/")
        finally:
            ours[0].close()

    def answer(seen):
        held.append(ours[0].connection is not None)
        return 200, {}, b"{}"

    upstream.answer = answer
    with ThreadPoolExecutor(1) as threads:
        assert threads.submit(ask).result().json()["status"] == "succeeded"
    assert held == [False]


def test_a_test_of_a_step_is_refused_while_as_many_wait_as_may(api, alice, upstream):
    path = f"{API}scenarios/{draft_of(alice, upstream).public_id}/steps/s2/test/"
    caller = api(alice)
    for _ in range(seats.SEATS):
        assert seats.seats.acquire(blocking=False)
    try:
        answer = caller.post(path)
        assert caller.post(f"{path}?send=false").status_code == 200
    finally:
        for _ in range(seats.SEATS):
            seats.seats.release()
    assert (answer.status_code, answer.json()["code"]) == (429, "too_many_requests")
    assert int(answer["Retry-After"]) > 0
    assert upstream.seen == []
    assert caller.post(path).json()["status"] == "succeeded"


def test_a_test_that_the_database_hinders_has_not_succeeded(api, alice, upstream, monkeypatch):
    def hindered(self, ctx):
        raise OperationalError("the database is away")

    monkeypatch.setattr(registry.get("http.request"), "perform", hindered)
    scenario = draft_of(alice, upstream)
    answer = api(alice).post(f"{API}scenarios/{scenario.public_id}/steps/s2/test/").json()
    assert (answer["status"], answer["error"]["code"]) == ("failed", "internal")
    scenario.refresh_from_db()
    assert scenario.samples == {}
