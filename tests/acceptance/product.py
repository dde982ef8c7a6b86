"""The product over HTTP, by the names of docs/api.md and nothing else."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urljoin

import requests

from tests.acceptance.http_server import Json
from tests.acceptance.odd_oauth import CLIENT_ID, CLIENT_SECRET, OddOAuth

ENDED = {"succeeded", "failed", "cancelled", "needs_review"}
T = TypeVar("T")


@dataclass
class Answer:
    status: int
    headers: Any
    text: str
    json: Json
    took_s: float

    def __repr__(self) -> str:
        return f"<{self.status} {self.text[:1500]}>"


def send(method: str, url: str, **options: Any) -> Answer:
    """One request without redirects, cookies or proxies of the environment."""
    with requests.Session() as session:
        session.trust_env = False
        options = {"timeout": 70, "allow_redirects": False} | options
        response = session.request(method, url, **options)
        response.encoding = response.encoding or "utf-8"
        try:
            value = response.json()
        except ValueError:
            value = None
        return Answer(response.status_code, response.headers, response.text, value, response.elapsed.total_seconds())


def at_once(count: int, act: Callable[[int], T]) -> list[T]:
    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(act, range(count)))


def until(condition: Callable[[], T], *, within_s: float = 30, every_s: float = 0.1, what: str = "") -> T:
    deadline = time.monotonic() + within_s
    while not (value := condition()):
        assert time.monotonic() < deadline, f"{what or 'it'} did not come within {within_s} s"
        time.sleep(every_s)
    return value


class Product:
    def __init__(self, url: str, token: str, language: str = "en") -> None:
        self.url = url
        self.token = token
        self.language = language

    def call(self, method: str, path: str, json: Json = None, **options: Any) -> Answer:
        headers = {"Authorization": f"Bearer {self.token}", "Accept-Language": self.language}
        headers |= options.pop("headers", {})
        url = path if path.startswith("http") else urljoin(f"{self.url}/api/v1/", path)
        return send(method, url, json=json, headers=headers, **options)

    def get(self, path: str, **options: Any) -> Answer:
        return self.call("GET", path, **options)

    def post(self, path: str, json: Json = None, **options: Any) -> Answer:
        return self.call("POST", path, json, **options)

    def patch(self, path: str, json: Json, **options: Any) -> Answer:
        return self.call("PATCH", path, json, **options)

    def delete(self, path: str, **options: Any) -> Answer:
        return self.call("DELETE", path, **options)

    def everything(self, path: str) -> list[dict[str, Any]]:
        """All pages of a list."""
        found, url = [], path
        while url:
            answer = self.get(url)
            assert answer.status == 200, answer
            found += answer.json["results"]
            url = answer.json.get("next")
        return found

    def quiet(self) -> None:
        """No schedule fires and no run goes on."""
        for scenario in self.everything("scenarios/"):
            if scenario["status"] == "active":
                self.post(f"scenarios/{scenario['id']}/deactivate/")

        def still() -> bool:
            going = [run for run in self.everything("runs/") if run["status"] not in ENDED]
            for run in going:
                self.post(f"runs/{run['id']}/cancel/")
            return not going

        until(still, within_s=30, what="quiet")

    # Connections

    def connect(self, fields: dict[str, Any]) -> dict[str, Any]:
        answer = self.post("connections/", fields)
        assert answer.status == 201, answer
        return dict(answer.json)

    def oauth2(self, oauth: OddOAuth, **changes: Any) -> dict[str, Any]:
        """A connection with all sixteen fields to our authorization server, which then knows the redirect URL."""
        connection = self.connect(sixteen_fields(oauth) | changes)
        oauth.redirect_uri = connection["redirect_uri"]
        return connection

    def authorize(self, slug: str, oauth: OddOAuth) -> Answer:
        """What a person does: follow the authorization URL, say yes, come back. The answer is the callback's."""
        return send("GET", self.consent(slug, oauth))

    def consent(self, slug: str, oauth: OddOAuth) -> str:
        """Up to the address to which the authorization server sends the person back."""
        answer = self.post(f"connections/{slug}/authorize/")
        assert answer.status == 200, answer
        page = send("GET", answer.json["authorization_url"])
        assert page.status == 302, page
        return str(page.headers["Location"])

    def connected(self, oauth: OddOAuth, **changes: Any) -> dict[str, Any]:
        connection = self.oauth2(oauth, **changes)
        answer = self.authorize(connection["slug"], oauth)
        assert answer.status == 303, answer
        connection = self.get(f"connections/{connection['slug']}/").json
        assert connection["status"] == "connected", (connection, oauth.complaints)
        return dict(connection)

    # Scenarios and runs

    def create(self, *steps: dict[str, Any], trigger: dict[str, Any] | None = None, **rest: Any) -> dict[str, Any]:
        answer = self.post("scenarios/", {"document": document(*steps, trigger=trigger, **rest)})
        assert answer.status == 201, answer
        return dict(answer.json)

    def scenario(self, *steps: dict[str, Any], trigger: dict[str, Any] | None = None, **rest: Any) -> dict[str, Any]:
        """Created, published and active."""
        made = self.create(*steps, trigger=trigger, **rest)
        for action in ("publish", "activate"):
            answer = self.post(f"scenarios/{made['id']}/{action}/")
            assert 200 <= answer.status < 300, answer
        return dict(self.get(f"scenarios/{made['id']}/").json)

    def start(self, scenario: dict[str, Any], body: Json = None) -> str:
        answer = self.post(f"scenarios/{scenario['id']}/run/", body if body is not None else {})
        assert answer.status == 202, answer
        return str(answer.json["run"])

    def run(self, scenario: dict[str, Any], body: Json = None, within_s: float = 40) -> dict[str, Any]:
        return self.ended(self.start(scenario, body), within_s=within_s)

    def ended(self, run: str, within_s: float = 40) -> dict[str, Any]:
        return self.reached(run, ENDED, within_s=within_s)

    def reached(self, run: str, statuses: set[str], within_s: float = 40) -> dict[str, Any]:
        seen: dict[str, Any] = {}

        def arrived() -> bool:
            answer = self.get(f"runs/{run}/")
            assert answer.status == 200, answer
            seen.clear()
            seen.update(answer.json)
            return seen["status"] in statuses

        try:
            until(arrived, within_s=within_s)
        except AssertionError:
            raise AssertionError(f"not {statuses} within {within_s} s: {seen}") from None
        return seen

    def try_steps(self, *steps: dict[str, Any], body: Json = None, **rest: Any) -> dict[str, Any]:
        """Run these steps once by hand."""
        return self.run(self.scenario(*steps, **rest), body)

    def evaluate(self, expression: str, body: Json = None, **rest: Any) -> dict[str, Any]:
        return self.try_steps(step("s2", "data.set", values={"x": expression}), body=body, **rest)


def document(*steps: dict[str, Any], trigger: dict[str, Any] | None = None, **rest: Any) -> dict[str, Any]:
    trigger = {"key": "s1", "type": "manual", "inputs": {}} | (trigger or {})
    return {"format": 1, "name": "Проверка", "trigger": trigger, "steps": list(steps)} | rest


def step(
    key: str, action: str, /, connection: str | None = None, more: dict[str, Any] | None = None, **inputs: Any
) -> dict[str, Any]:
    made: dict[str, Any] = {"key": key, "action": action, "inputs": inputs} | (more or {})
    return made | ({"connection": connection} if connection else {})


def http(
    key: str, url: str, /, connection: str | None = None, more: dict[str, Any] | None = None, **inputs: Any
) -> dict[str, Any]:
    return step(key, "http.request", connection, more, **({"method": "GET", "url": url} | inputs))


def result_of(run: dict[str, Any], path: str) -> Json:
    return step_of(run, path)["result"]


def step_of(run: dict[str, Any], path: str) -> dict[str, Any]:
    found: Sequence[dict[str, Any]] = [step for step in run["steps"] if step["path"] == path]
    assert found, f"no step {path} in {run}"
    return dict(found[-1])


def value(run: dict[str, Any]) -> Json:
    """What `evaluate` computed."""
    assert run["status"] == "succeeded", run
    return result_of(run, "s2")["x"]


def sixteen_fields(oauth: OddOAuth) -> dict[str, Any]:
    """All sixteen, the sixteenth being read-only; both delimiters on purpose."""
    return {
        "type": "oauth2",
        "name": "Странный провайдер",
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "authorization_url": f"{oauth.url}/o/authorize?response_type=code&client_id={{{{ client_id|urlencode }}}}"
        "&redirect_uri=<< redirect_uri|url_encode >>&scope=<< 'read write'|urlencode >>&state={{ state|urlencode }}",
        "token_url": f"{oauth.url}/o/token",
        "token_method": "POST",
        "token_format": "form",
        "token_params": {
            "grant_type": "authorization_code",
            "client_id": "{{ client_id }}",
            "client_secret": "<< client_secret >>",
            "redirect_uri": "{{ redirect_uri }}",
            "code": "<< code >>",
        },
        "token_headers": {"X-Token-Request": "<< 'a' ~ 'b' >>"},
        "request_query": {"api": "v{{ 1 + 1 }}"},
        "request_headers": {"Authorization": "Bearer << access_token >>"},
        "token_response": {},
        "expired_statuses": [401],
        "refresh_url": f"{oauth.url}/o/refresh",
        "refresh_method": "POST",
        "refresh_format": "form",
        "refresh_params": {
            "grant_type": "refresh_token",
            "client_id": "<< client_id >>",
            "client_secret": "{{ client_secret }}",
            "refresh_token": "{{ refresh_token }}",
        },
        "refresh_headers": {"X-Refresh-Request": "yes"},
        "revoke_url": f"{oauth.url}/o/revoke",
        "api_base_url": f"{oauth.url}/api",
    }
