"""The webhook ledger in the API: what came, what was said to it, and delivering it once more."""

import json
import shlex
import subprocess
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from accounts.models import AuditEntry, User
from scenarios import deliveries, editing
from scenarios.models import Delivery, Run, Scenario, StepRun
from tests.people import actor_of
from tests.scenarios.making import document, made

pytestmark = pytest.mark.django_db
ApiOf = Callable[..., APIClient]
DELIVERIES = "/api/v1/deliveries/"


def delivery_of(scenario: Scenario, **fields: Any) -> Delivery:
    body: bytes | None = fields.pop("body", b'{"order": 17}')
    facts = {
        "verdict": "accepted",
        "method": "POST",
        "query": "page=2&api_key=hush-hush",
        "headers": {"content-type": "application/json", "x-sender": "shop", "authorization": "••••••"},
        "content_type": "application/json",
        "size": len(body or b""),
        "source": "203.0.113.7",
    }
    return Delivery.objects.create(workspace=scenario.workspace, scenario=scenario, **{**facts, **fields}, body=body)


@pytest.fixture
def scenario(alice: User) -> Scenario:
    return made(alice, document("webhook"))


def test_the_ledger_is_narrowed_by_verdict_and_scenario(api: ApiOf, alice: User, scenario: Scenario) -> None:
    other = made(alice, document("webhook"))
    delivery_of(scenario)
    delivery_of(scenario, verdict="bad_signature", body=None)
    delivery_of(other, verdict="too_large", body=None)
    client = api("viewer")

    def found(query: str) -> list[str]:
        return [row["verdict"] for row in client.get(f"{DELIVERIES}?{query}").json()["results"]]

    assert found("") == ["too_large", "bad_signature", "accepted"]
    assert found(f"scenario={scenario.public_id}") == ["bad_signature", "accepted"]
    assert found("verdict=accepted,too_large") == ["too_large", "accepted"]
    wrong = client.get(f"{DELIVERIES}?verdict=lost")
    assert (wrong.status_code, list(wrong.json()["errors"])) == (400, ["verdict"])


def test_a_list_says_why_something_was_over_a_limit(api: ApiOf, scenario: Scenario) -> None:
    delivery_of(scenario, verdict="over_limit", body=None)
    delivery_of(scenario, verdict="over_limit", body=None, headers={"x-apinita-depth": "6"})
    rows = api("viewer").get(DELIVERIES).json()["results"]
    assert [row["reason"] for row in rows] == ["loop_detected", "backlog"]
    assert api("viewer").get(f"{DELIVERIES}{rows[0]['id']}/").json()["reason"] == "loop_detected"


def test_a_list_takes_the_same_queries_however_long(api: ApiOf, scenario: Scenario) -> None:
    client = api("viewer")
    delivery_of(scenario)
    client.get(DELIVERIES)  # the token is noted as used now and then
    with CaptureQueriesContext(connection) as one:
        client.get(DELIVERIES)
    for _ in range(5):
        delivery_of(scenario)
    with CaptureQueriesContext(connection) as six:
        assert len(client.get(DELIVERIES).json()["results"]) == 6
    assert len(one) == len(six)
    assert not any('"body"' in query["sql"] for query in six)


def test_a_delivery_is_shown_with_its_secrets_masked(api: ApiOf, scenario: Scenario) -> None:
    token = "ghp_" + "a1" * 12
    row = delivery_of(scenario, body=f'{{"note": "use {token}"}}'.encode(), dedupe_key="d-1")
    told = api("viewer").get(f"{DELIVERIES}{row.id.hex}/").json()
    assert told["query"] == "page=2&api_key=••••••"
    assert told["headers"]["x-sender"] == "shop"
    assert told["body"] == {"note": "use ••••••"}
    assert (told["is_kept"], told["dedupe_key"], told["source"]) == (True, "d-1", "203.0.113.7")
    assert token not in str(told)


def test_the_bytes_are_for_editors(api: ApiOf, scenario: Scenario) -> None:
    row = delivery_of(scenario, body=b"<script>\0\xff</script>", content_type="text/html")
    url = f"{DELIVERIES}{row.id.hex}/body/"
    assert api("viewer").get(url).status_code == 403
    answer = api("editor").get(url)
    assert answer.content == b"<script>\0\xff</script>"
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_an_empty_body_is_kept_too(api: ApiOf, scenario: Scenario) -> None:
    row = delivery_of(scenario, body=b"")
    assert api("editor").get(f"{DELIVERIES}{row.id.hex}/body/").content == b""
    assert api("editor").post(f"{DELIVERIES}{row.id.hex}/redeliver/").status_code == 202


def test_redelivering_runs_the_version_in_force_with_the_same_bytes(
    api: ApiOf, alice: User, scenario: Scenario
) -> None:
    row = delivery_of(scenario, body=b"\xff\x00", dedupe_key="d-1")
    editing.save(actor_of(alice), scenario, document("webhook", name="Second"), revision=None)
    editing.publish(actor_of(alice), scenario)
    answer = api("editor").post(f"{DELIVERIES}{row.id.hex}/redeliver/")
    assert answer.status_code == 202
    run = Run.objects.get(pk=answer.json()["run"])
    assert (run.version.number, run.trigger, run.status, run.replay_of) == (2, "webhook", "queued", None)
    assert run.key == run.pk
    copy = Delivery.objects.get(pk=run.delivery_id)
    assert (bytes(copy.body or b""), copy.run_id, copy.dedupe_key) == (b"\xff\x00", run.pk, None)
    assert (copy.method, copy.query, copy.content_type) == (row.method, row.query, row.content_type)
    told = api("viewer").get(f"{DELIVERIES}{copy.id.hex}/").json()
    assert told["repeats"] == row.id.hex
    entry = AuditEntry.objects.get(action="delivery.repeat")
    assert (entry.subject, entry.details) == (row.id.hex, {"run": run.id.hex})
    assert StepRun.objects.count() == 0


def test_redelivering_twice_makes_two_runs(api: ApiOf, scenario: Scenario) -> None:
    row = delivery_of(scenario, dedupe_key="d-1")
    client = api("editor")
    runs = {client.post(f"{DELIVERIES}{row.id.hex}/redeliver/").json()["run"] for _ in range(2)}
    assert len(runs) == 2


def test_what_cannot_be_redelivered_says_why(api: ApiOf, alice: User, scenario: Scenario) -> None:
    refused = delivery_of(scenario, verdict="bad_signature", body=None)
    answer = api("editor").post(f"{DELIVERIES}{refused.id.hex}/redeliver/")
    assert (answer.status_code, answer.json()["code"]) == (409, "body_not_kept")
    assert api("editor").get(f"{DELIVERIES}{refused.id.hex}/body/").json()["code"] == "body_not_kept"
    kept = delivery_of(scenario)
    assert api("viewer").post(f"{DELIVERIES}{kept.id.hex}/redeliver/").status_code == 403
    editing.delete(actor_of(alice), scenario)
    assert api("editor").post(f"{DELIVERIES}{kept.id.hex}/redeliver/").status_code == 404
    assert Run.objects.count() == 0


@pytest.mark.parametrize("path", ["", "body/", "redeliver/"])
def test_somebody_elses_delivery_is_not_there(api: ApiOf, charlie: User, scenario: Scenario, path: str) -> None:
    row = delivery_of(scenario)
    client = api(charlie)
    call = client.post if path == "redeliver/" else client.get
    assert call(f"{DELIVERIES}{row.id.hex}/{path}").status_code == 404
    assert call(f"{DELIVERIES}no-such-id/{path}").status_code == 404
    assert client.get(DELIVERIES).json()["results"] == []


def arguments(command: str) -> list[str]:
    """What a real shell makes of it."""
    program = "import sys, json; print(json.dumps(sys.argv[1:]))"
    script = f'curl() {{ python3 -c {shlex.quote(program)} "$@"; }}; {command}'
    return list(json.loads(subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True).stdout))


def test_a_request_can_be_copied_as_a_command(scenario: Scenario) -> None:
    row = delivery_of(
        scenario, body="@it's «$HOME»\n`id`".encode(), headers={"x-odd": "a'b", "host": "x", "cookie": "••••••"}
    )
    found = arguments(deliveries.curl(row, "http://x/hooks/t/"))
    assert found == [
        *("-X", "POST", "http://x/hooks/t/?page=2&api_key=••••••"),
        *("-H", "x-odd: a'b", "-H", "cookie: ••••••"),
        *("--data-raw", "@it's «$HOME»\n`id`"),
    ]


@pytest.mark.parametrize("body", [b"\xff", b"a\0b", b"x" * 10_000])
def test_a_body_that_fits_no_command_comes_from_a_file(scenario: Scenario, body: bytes) -> None:
    row = delivery_of(scenario, body=body)
    assert deliveries.curl(row, "http://x/").endswith(f"--data-binary @{deliveries.file_name(row)}")


def test_bytes_are_shown_as_bytes(scenario: Scenario) -> None:
    row = delivery_of(scenario, body=bytes(range(18)))
    assert deliveries.text_of(row) is None
    assert deliveries.hex_of(row).splitlines()[1].startswith("000010  10 11 ")
