"""What is written of runs holds no secret of a connection and no signature; what people see, no secret parameter."""

import hashlib
import hmac
import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from django.db import connection

from accounts.models import User
from connections.masking import MASK
from scenarios import masked
from tests.people import token_of
from tests.processes import Live
from tests.scenarios.test_end_to_end import Api, Upstream

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    server = Upstream()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def api(live: Live, alice: User) -> Api:
    return Api(live.url, token_of(alice))


KEY = "canary-api-key-5a7e31"
BEARER = "canary-bearer-8c2f90"
SIGNING = "canary-signing-secret-1d4b"
URL_TOKEN = "canary-url-token-77aa10"
TABLES = ("scenarios_run", "scenarios_steprun", "scenarios_payload", "scenarios_delivery")


def stored() -> str:
    """Every row of what runs leave behind, bytes as text."""
    rows: list[str] = []
    with connection.cursor() as cursor:
        for table in TABLES:
            cursor.execute(f"SELECT row_to_json({table})::text FROM {table}")
            rows += [row for (row,) in cursor.fetchall()]
        cursor.execute("SELECT encode(body, 'escape') FROM scenarios_delivery WHERE body IS NOT NULL")
        rows += [row for (row,) in cursor.fetchall()]
    return "\n".join(rows)


def echoing(status: int, more: int = 0) -> Any:
    """A service that repeats all that it was sent, in its words and in its headers."""

    def answer(seen: dict[str, Any]) -> tuple[int, dict[str, str], bytes]:
        said = {"message": f"{seen['method']} {seen['path']} is refused", "headers": seen["headers"], "pad": "x" * more}
        return status, {"X-Request-Url": seen["path"]}, json.dumps(said).encode()

    return answer


def connect_by(api: Api, kind: dict[str, Any]) -> str:
    made = api.call("POST", "connections/", {"allowed_hosts": ["127.0.0.1"], **kind}, 201)
    return str(made["slug"])


def document_with(slug: str, upstream: Upstream, **more: Any) -> dict[str, Any]:
    request = {"method": "POST", "url": f"{upstream.url}/deals?n=1", "fields": {"t": "{{ trigger.body }}"}}
    return {
        "name": "Canary",
        "trigger": {"key": "s1", "type": "manual", "inputs": {}},
        "steps": [{"key": "s2", "action": "http.request", "connection": slug, "inputs": request, **more}],
    }


@pytest.mark.parametrize("status", [200, 400, 500])
@pytest.mark.parametrize("more", [0, 300_000], ids=["small", "large"])
@pytest.mark.parametrize(
    ("kind", "canary"),
    [
        ({"name": "Key", "slug": "key", "type": "api_key", "key": KEY, "query": "api_key"}, KEY),
        ({"name": "Bearer", "slug": "bearer", "type": "bearer", "token": BEARER}, BEARER),
    ],
    ids=["api_key in the query", "bearer"],
)
def test_no_secret_of_a_connection_is_stored(
    api: Api,
    upstream: Upstream,
    kind: dict[str, Any],
    canary: str,
    status: int,
    more: int,
) -> None:
    upstream.answer = echoing(status, more)
    slug = connect_by(api, kind)
    scenario = api.make(document_with(slug, upstream, retry={"attempts": 1}))
    started = api.call("POST", f"scenarios/{scenario['id']}/run/", {"n": 1}, 202)
    run = api.ended(started["run"])
    assert run["status"] == ("succeeded" if status == 200 else "failed")
    sent = json.dumps([seen["path"] + str(seen["headers"]) for seen in upstream.seen])
    assert canary in sent, "it was really used"
    assert "deals" in stored()
    assert canary not in stored()
    assert canary not in json.dumps(run)


def test_a_service_that_is_away_leaves_no_secret_in_the_error(api: Api, upstream: Upstream) -> None:
    slug = connect_by(api, {"name": "Key", "slug": "key", "type": "api_key", "key": KEY, "query": "api_key"})
    scenario = api.make(document_with(slug, upstream, retry={"attempts": 1}))
    upstream.shutdown()
    upstream.server_close()
    run = api.ended(api.call("POST", f"scenarios/{scenario['id']}/run/", {}, 202)["run"])
    assert run["status"] == "failed"
    assert KEY not in stored()


def test_no_signature_of_a_webhook_is_stored(api: Api, upstream: Upstream) -> None:
    signature = {"mode": "github", "secret": SIGNING}
    document = posted({"signature": signature})
    scenario = api.make(document)
    body = json.dumps({"n": 1}).encode()
    digest = hmac.new(SIGNING.encode(), body, hashlib.sha256).hexdigest()
    for sent in (digest, "0" * 64):
        headers = {"X-Hub-Signature-256": f"sha256={sent}", "Content-Type": "application/json"}
        answer = requests.post(scenario["trigger"]["url"], data=body, headers=headers, timeout=10)
        assert answer.status_code == (202 if sent == digest else 401)
    text = stored()
    assert "bad_signature" in text
    assert digest not in text
    assert "0" * 64 not in text
    assert SIGNING not in text


def posted(inputs: dict[str, Any]) -> dict[str, Any]:
    step = {"key": "s2", "action": "data.set", "inputs": {"values": {"token": "{{ trigger.query.token }}"}}}
    return {"name": "Hook", "trigger": {"key": "s1", "type": "webhook", "inputs": inputs}, "steps": [step]}


def test_steps_get_a_secret_parameter_and_viewers_do_not_see_it(
    api: Api,
    upstream: Upstream,
    live: Live,
    vera: User,
) -> None:
    scenario = api.make(posted({}))
    address = f"{scenario['trigger']['url']}?token={URL_TOKEN}&signature={URL_TOKEN}&key={URL_TOKEN}&page=2"
    answer = requests.post(address, json={}, timeout=10)
    run_id = answer.json()["run"]
    api.ended(run_id)
    assert URL_TOKEN in stored(), "the step asked for it, and a repeat must find it"
    viewer = Api(live.url, token_of(vera))
    shown = viewer.call("GET", f"runs/{run_id}/", expect=200)
    assert shown["input"]["query"] == {"token": MASK, "signature": MASK, "key": MASK, "page": "2"}
    assert URL_TOKEN not in json.dumps(viewer.call("GET", "deliveries/", expect=200))


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("a=1&token=abc&b=2", f"a=1&token={MASK}&b=2"),
        ("X-Amz-Signature=abc;d&sig=e", f"X-Amz-Signature={MASK}&sig={MASK}"),
        ("api%5Fkey=abc", f"api%5Fkey={MASK}"),
        ("monkey=1&page=%20x", "monkey=1&page=%20x"),
        ("token=", "token="),
        ("", ""),
        ("token", "token"),
    ],
)
def test_a_query_for_reading_is_the_same_but_for_its_secrets(query: str, shown: str) -> None:
    assert masked.query_for_reading(query) == shown


def test_addresses_in_texts_lose_their_secret_parameters() -> None:
    value = {"params": {"url": "https://x.example/a?key=abc&n=1", "list": ["see https://y.example/?access_token=abc."]}}
    assert masked.for_reading(value) == {
        "params": {
            "url": f"https://x.example/a?key={MASK}&n=1",
            "list": [f"see https://y.example/?access_token={MASK}"],
        }
    }
    assert masked.for_reading("a=b & key = c") == "a=b & key = c"
