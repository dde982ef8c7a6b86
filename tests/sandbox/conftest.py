"""A sandbox per test, and a client that speaks to it over real HTTP."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import requests

from sandbox.oauth.scopes import PREFIX
from sandbox.testing import Sandbox

REDIRECT_URI = "http://127.0.0.1:9/connections/17/callback/"
EVENTS = f"{PREFIX}calendar.events"
ASKED = {
    "client_id": Sandbox.client_id,
    "redirect_uri": REDIRECT_URI,
    "response_type": "code",
    "scope": EVENTS,
    "state": "st4te",
    "access_type": "offline",
    "prompt": "consent",
}


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running


@pytest.fixture
def oauth(sandbox: Sandbox) -> "OAuth":
    return OAuth(sandbox)


@pytest.fixture
def calendar(sandbox: Sandbox) -> "Calendar":
    return Calendar(sandbox)


class OAuth:
    """A client of the OAuth part, with the parameters of a proper one; None leaves a parameter out."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox

    def url(self, **changes: str | None) -> str:
        asked = {name: value for name, value in {**ASKED, **changes}.items() if value is not None}
        return f"{self.sandbox.authorization_url}?{urlencode(asked)}"

    def callback(self, **changes: str | None) -> dict[str, str]:
        """Walk through the consent page; what the browser brings back."""
        return returned(self.sandbox.consent(self.url(**changes)))

    def code(self, **changes: str | None) -> str:
        return self.callback(**changes)["code"]

    def token(self, **form: str | None) -> requests.Response:
        sent = {"client_id": Sandbox.client_id, "client_secret": Sandbox.client_secret, **form}
        return requests.post(
            self.sandbox.token_url, data={key: value for key, value in sent.items() if value is not None}, timeout=10
        )

    def exchange(self, code: str, **form: str | None) -> requests.Response:
        return self.token(**{"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT_URI, **form})

    def refresh(self, refresh_token: str, **form: str | None) -> requests.Response:
        return self.token(**{"grant_type": "refresh_token", "refresh_token": refresh_token, **form})

    def connect(self, **changes: str | None) -> dict[str, Any]:
        answer = self.exchange(self.code(**changes))
        assert answer.status_code == 200, answer.text
        tokens: dict[str, Any] = answer.json()
        return tokens

    def listing_status(self, access_token: str) -> int:
        url = f"{self.sandbox.api_base_url}/calendars/primary/events"
        return requests.get(url, headers={"Authorization": f"Bearer {access_token}"}, timeout=10).status_code


class Calendar:
    """A signed-in client of the Calendar part."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.session = requests.Session()
        self.session.headers["Authorization"] = f"Bearer {sandbox.access_token()}"

    def call(self, method: str, path: str, **options: Any) -> requests.Response:
        return self.session.request(method, f"{self.sandbox.api_base_url}/{path}", timeout=10, **options)

    def list(self, query: Any = None, calendar_id: str = "primary") -> requests.Response:
        return self.call("GET", f"calendars/{calendar_id}/events", params=query or {})

    def get(self, event_id: str, **options: Any) -> requests.Response:
        return self.call("GET", f"calendars/primary/events/{event_id}", **options)

    def insert(self, body: Any, **options: Any) -> requests.Response:
        return self.call("POST", "calendars/primary/events", json=body, **options)

    def update(self, event_id: str, body: Any, **options: Any) -> requests.Response:
        return self.call("PUT", f"calendars/primary/events/{event_id}", json=body, **options)

    def patch(self, event_id: str, body: Any, **options: Any) -> requests.Response:
        return self.call("PATCH", f"calendars/primary/events/{event_id}", json=body, **options)

    def delete(self, event_id: str, **options: Any) -> requests.Response:
        return self.call("DELETE", f"calendars/primary/events/{event_id}", **options)


def returned(location: str) -> dict[str, str]:
    """The query of the URL that the browser was sent back to."""
    query = parse_qs(urlsplit(location).query, keep_blank_values=True, strict_parsing=True)
    assert all(len(values) == 1 for values in query.values()), location
    return {name: values[0] for name, values in query.items()}


def event(day: str = "2026-03-02", **more: Any) -> dict[str, Any]:
    """A body for an hour at noon of that day."""
    return {
        "summary": "Meeting",
        "start": {"dateTime": f"{day}T12:00:00+03:00"},
        "end": {"dateTime": f"{day}T13:00:00+03:00"},
        **more,
    }


def reason(answer: requests.Response) -> str:
    """The machine-readable reason of a Google error, its shape checked on the way."""
    error = answer.json()["error"]
    assert error["code"] == answer.status_code
    assert error["message"]
    (item,) = error["errors"]
    assert {"domain", "reason", "message"} <= item.keys()
    found: str = item["reason"]
    return found


def location(answer: requests.Response) -> str | None:
    found: str | None = answer.json()["error"]["errors"][0].get("location")
    return found
