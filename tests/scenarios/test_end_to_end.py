"""A scenario through the API, a real web server and a real worker: by webhook, by hand, by schedule."""

import http.server
import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from accounts.models import User
from tests.people import token_of
from tests.processes import Live, wait_until


class Upstream(http.server.ThreadingHTTPServer):
    """A third party that records each request and answers what it is told."""

    def __init__(self) -> None:
        self.seen: list[dict[str, Any]] = []
        self.answer: Callable[[dict[str, Any]], tuple[int, dict[str, str], bytes]] = lambda seen: (
            200,
            {},
            b'{"ok": true}',
        )
        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Upstream

    def handle_any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        seen = {
            "method": self.command,
            "path": self.path,
            "headers": dict(self.headers),
            "body": body,
            "at": time.time(),
        }
        self.server.seen.append(seen)
        status, headers, answer = self.server.answer(seen)
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(answer)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer)

    do_GET = do_POST = do_PUT = handle_any

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    server = Upstream()
    yield server
    server.shutdown()
    server.server_close()


class Api:
    def __init__(self, url: str, token: str) -> None:
        self.url = f"{url}/api/v1/"
        self.session = requests.Session()
        self.session.headers["Authorization"] = f"Bearer {token}"

    def call(self, method: str, path: str, body: Any = None, expect: int | None = None) -> Any:
        response = self.session.request(method, self.url + path, json=body, timeout=60)
        if expect is not None:
            assert response.status_code == expect, response.text
        return response.json() if response.content else None

    def make(self, document: dict[str, Any]) -> dict[str, Any]:
        scenario = self.call("POST", "scenarios/", {"document": document}, 201)
        self.call("POST", f"scenarios/{scenario['id']}/publish/", expect=200)
        made: dict[str, Any] = self.call("POST", f"scenarios/{scenario['id']}/activate/", expect=200)
        return made

    def ended(self, run_id: str, timeout_s: float = 30) -> dict[str, Any]:
        def run_has_ended() -> Any:
            run = self.call("GET", f"runs/{run_id}/", expect=200)
            return run if run["finished_at"] else None

        found: dict[str, Any] = wait_until(run_has_ended, timeout_s=timeout_s)
        return found


@pytest.fixture
def api(live: Live, alice: User) -> Api:
    return Api(live.url, token_of(alice))


def posting(upstream: Upstream, trigger: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "name": "Заявки → CRM",
        "trigger": {"key": "s1", "inputs": {}, **trigger},
        "steps": [
            {"key": "s2", "action": "data.set", "inputs": {"values": {"title": "Заявка: {{ trigger.body.name }}"}}},
            {
                "key": "s3",
                "action": "http.request",
                "inputs": {"method": "POST", "url": f"{upstream.url}/deals", "fields": {"title": "<< s2.title >>"}},
                **more,
            },
        ],
    }


def test_a_webhook_runs_the_scenario(api: Api, upstream: Upstream) -> None:
    scenario = api.make(posting(upstream, {"type": "webhook"}))
    answer = requests.post(scenario["trigger"]["url"], json={"name": "Аня"}, timeout=10)
    assert answer.status_code == 202
    run = api.ended(answer.json()["run"])
    assert run["status"] == "succeeded"
    assert [(step["path"], step["status"]) for step in run["steps"]] == [("s2", "succeeded"), ("s3", "succeeded")]
    assert json.loads(upstream.seen[0]["body"]) == {"title": "Заявка: Аня"}
    assert run["steps"][1]["result"]["body"] == {"ok": True}
    assert run["input"]["body"] == {"name": "Аня"}


def test_a_run_by_hand_can_be_waited_for(api: Api, upstream: Upstream) -> None:
    scenario = api.make(posting(upstream, {"type": "manual"}))
    run = api.call("POST", f"scenarios/{scenario['id']}/run/?wait=30", {"name": "Боря"}, 200)
    assert run["status"] == "succeeded"
    assert json.loads(upstream.seen[0]["body"]) == {"title": "Заявка: Боря"}


def test_a_schedule_fires_each_slot_once(api: Api, upstream: Upstream) -> None:
    document = posting(upstream, {"type": "schedule", "inputs": {"every_s": 1}})
    document["steps"][0]["inputs"]["values"]["title"] = "{{ trigger.scheduled_for }}"
    scenario = api.make(document)
    assert len(scenario["trigger"]["next"]) == 5
    wait_until(lambda: len(upstream.seen) >= 3)
    api.call("POST", f"scenarios/{scenario['id']}/deactivate/", expect=200)
    titles = [json.loads(seen["body"])["title"] for seen in upstream.seen]
    assert len(set(titles)) == len(titles)


def test_a_webhook_can_answer_its_sender(api: Api, upstream: Upstream) -> None:
    document = {
        "name": "Ответ",
        "trigger": {"type": "webhook"},
        "steps": [
            {
                "key": "s2",
                "action": "webhook.respond",
                "inputs": {"status": 201, "format": "json", "fields": {"hello": "{{ trigger.body.name }}"}},
            }
        ],
    }
    scenario = api.make(document)
    answer = requests.post(scenario["trigger"]["url"], json={"name": "Вера"}, timeout=30)
    assert (answer.status_code, answer.json()) == (201, {"hello": "Вера"})


def test_a_killed_worker_loses_nothing(api: Api, live: Live, upstream: Upstream) -> None:
    held = threading.Event()
    release = threading.Event()

    def slow(seen: dict[str, Any]) -> tuple[int, dict[str, str], bytes]:
        if not held.is_set():
            held.set()
            release.wait(30)
        return 200, {}, b"{}"

    upstream.answer = slow
    document = posting(upstream, {"type": "webhook"})
    document["steps"][1]["inputs"] |= {"idempotency_key": "auto"}
    scenario = api.make(document)
    run_id = requests.post(scenario["trigger"]["url"], json={"name": "Гена"}, timeout=10).json()["run"]
    assert held.wait(20)
    killed_at = time.time()
    live.worker.kill()
    live.worker.ensure()
    run = api.ended(run_id, timeout_s=60)
    release.set()
    assert run["status"] == "succeeded"
    assert time.time() - killed_at < 45
    keys = {seen["headers"]["Idempotency-Key"] for seen in upstream.seen}
    assert len(upstream.seen) == 2
    assert len(keys) == 1


def test_a_killed_worker_does_not_repeat_a_post(api: Api, live: Live, upstream: Upstream) -> None:
    held = threading.Event()
    release = threading.Event()

    def slow(seen: dict[str, Any]) -> tuple[int, dict[str, str], bytes]:
        held.set()
        release.wait(30)
        return 200, {}, b"{}"

    upstream.answer = slow
    scenario = api.make(posting(upstream, {"type": "webhook"}))
    run_id = requests.post(scenario["trigger"]["url"], json={"name": "Даша"}, timeout=10).json()["run"]
    assert held.wait(20)
    live.worker.kill()
    live.worker.ensure()
    run = api.ended(run_id, timeout_s=60)
    release.set()
    assert run["status"] == "needs_review"
    assert run["error"]["code"] == "unknown_outcome"
    assert len(upstream.seen) == 1
    api.call("POST", f"runs/{run_id}/resolve/", {"path": "s3", "as": "done"}, 200)
    assert api.ended(run_id)["status"] == "succeeded"
    assert len(upstream.seen) == 1
