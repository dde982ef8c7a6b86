"""The sandbox for tests: started in a thread, looked into, troubled on purpose."""

import json
from collections.abc import Iterable, Mapping
from html.parser import HTMLParser
from pathlib import Path
from types import TracebackType
from typing import Any, Literal
from urllib.error import HTTPError
from urllib.parse import urlencode, urljoin
from urllib.request import HTTPRedirectHandler, Request, build_opener

from sandbox.app import App
from sandbox.calendar import changes
from sandbox.calendar.calendars import find_calendar
from sandbox.calendar.entries import Manner, entry_of, render
from sandbox.calendar.times import find_zone
from sandbox.control import change_settings
from sandbox.faults import Delay, Fault
from sandbox.journal import Exchange, Journal
from sandbox.messages import Json
from sandbox.oauth import grants
from sandbox.oauth.scopes import PREFIX
from sandbox.server import Server
from sandbox.state import State
from sandbox.storage import Disk
from sandbox.store import DEFAULT_CLIENT, Client, Settings, Store

EVENTS_SCOPE = f"{PREFIX}calendar.events"
KEPT_REQUESTS = 100_000


class Sandbox:
    """`with Sandbox() as sandbox:` — one of its own per test or per suite; `reset` between tests is cheap.

    `settings` are those of sandbox.store.Settings: token_lifetime, rotation, page_size, accept_json, …
    """

    client_id = DEFAULT_CLIENT.id
    client_secret = DEFAULT_CLIENT.secret

    def __init__(
        self,
        port: int = 0,
        *,
        host: str = "127.0.0.1",
        demo: bool = False,
        data: Path | None = None,
        clients: Iterable[Client] = (DEFAULT_CLIENT,),
        redirect_uris: Iterable[str] = (),
        time_zone: str = "Europe/Moscow",
        **settings: Any,
    ) -> None:
        by_id = {client.id: client for client in clients}
        if uris := tuple(redirect_uris):
            by_id[DEFAULT_CLIENT.id] = Client(DEFAULT_CLIENT.id, DEFAULT_CLIENT.secret, redirect_uris=uris)
        self.server = Server(host, port)
        store = Store(
            disk=Disk(data) if data else None, clients=by_id, settings=Settings(**settings), time_zone=time_zone
        )
        self.state = State(store, is_demo=demo, journal=Journal(KEPT_REQUESTS))

    def __enter__(self) -> "Sandbox":
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        self.server.start(App(self.state).respond)

    def stop(self) -> None:
        self.state.trouble.stop()
        self.server.stop()
        self.store.close()

    @property
    def store(self) -> Store:
        return self.state.store

    @property
    def url(self) -> str:
        """Such as `http://127.0.0.1:41873`, without a slash at the end."""
        return self.server.url

    @property
    def host(self) -> str:
        """`host:port`, as an allow-list takes it."""
        return self.url.removeprefix("http://")

    @property
    def authorization_url(self) -> str:
        return f"{self.url}/o/oauth2/v2/auth"

    @property
    def token_url(self) -> str:
        return f"{self.url}/token"

    @property
    def revoke_url(self) -> str:
        return f"{self.url}/revoke"

    @property
    def userinfo_url(self) -> str:
        return f"{self.url}/oauth2/v3/userinfo"

    @property
    def api_base_url(self) -> str:
        return f"{self.url}/calendar/v3"

    @property
    def echo_url(self) -> str:
        return f"{self.url}/echo/"

    # What came in

    @property
    def requests(self) -> list[Exchange]:
        """Every request so far, in the order of arrival; those to /_control/ are not among them."""
        return self.state.journal.all()

    def requests_to(self, path_prefix: str, method: str = "") -> list[Exchange]:
        return [
            exchange
            for exchange in self.requests
            if exchange.path.startswith(path_prefix) and method in ("", exchange.method)
        ]

    def forget_requests(self) -> None:
        self.state.journal.clear()

    # Trouble

    def configure(self, **settings: Any) -> None:
        """Change settings while it runs, e.g. `configure(rotation=True, token_lifetime=2)`."""
        with self.store.lock:
            change_settings(self.store.settings, settings)

    def expire_tokens(self) -> None:
        """Every access token so far answers 401 from now on; refresh tokens live."""
        with self.store.lock:
            grants.expire_access_tokens(self.store)

    def revoke_all(self) -> None:
        """As if the person had taken away the access: all tokens end, a refresh gives invalid_grant."""
        with self.store.lock:
            grants.revoke_all(self.store)

    def expire_sync_tokens(self) -> None:
        with self.store.lock:
            self.store.expire_sync_tokens()

    def fail_next(
        self,
        path_prefix: str,
        status: int = 503,
        count: int = 1,
        headers: Mapping[str, str] | None = None,
        body: Json = None,
        *,
        method: str = "",
        when: Literal["before", "after"] = "before",
    ) -> None:
        """Let the next requests fail; see sandbox.faults.Fault. `body`: bytes, text, or anything JSON can say."""
        self.state.trouble.plan(Fault(path_prefix, status, count, headers or {}, body, method, when))

    def drop_next(
        self, path_prefix: str, count: int = 1, *, method: str = "", when: Literal["before", "after"] = "after"
    ) -> None:
        """Close the connection instead of answering; by default after the request has had its effect."""
        self.fail_next(path_prefix, 0, count, method=method, when=when)

    def delay(self, path_prefix: str, seconds: float, count: int | None = None) -> None:
        """Keep requests waiting before they are done: the next `count`, or all until `reset`."""
        self.state.trouble.slow_down(Delay(path_prefix, seconds, count))

    def clear_trouble(self) -> None:
        self.state.trouble.clear()

    def reset(self) -> None:
        """Forget events, tokens, consents, requests and trouble; settings and clients stay."""
        self.state.reset()

    # Calendars

    def events(self, calendar_id: str = "primary", *, deleted: bool = False) -> list[Json]:
        """The calendar's events as the API would show them, in the order of their making."""
        with self.store.lock:
            manner = self.manner(calendar_id)
            events = self.store.events_of(manner.calendar.id)
            events.sort(key=lambda event: event.created_us)
            return [render(entry_of(event), manner) for event in events if deleted or not event.is_deleted]

    def event(self, event_id: str, calendar_id: str = "primary") -> Json | None:
        """One event, deleted or not."""
        found = [event for event in self.events(calendar_id, deleted=True) if event["id"] == event_id]
        return found[0] if found else None

    def add_event(self, calendar_id: str = "primary", **body: Any) -> Json:
        """As events.insert; start and end may be texts: RFC 3339, or dates."""
        with self.store.lock:
            manner = self.manner(calendar_id)
            body |= {side: as_when(body[side]) for side in ("start", "end") if side in body}
            event = changes.insert(self.store, manner.calendar, body, {})
            return render(entry_of(event), manner)

    def change_event(self, event_id: str, calendar_id: str = "primary", **body: Any) -> Json:
        """As events.patch by somebody else: the etag changes."""
        with self.store.lock:
            manner = self.manner(calendar_id)
            event = self.store.event(manner.calendar.id, event_id)
            assert event is not None, f"no event {event_id}"
            body |= {side: as_when(body[side]) for side in ("start", "end") if side in body}
            return render(entry_of(changes.patch(self.store, event, body, {})), manner)

    def delete_event(self, event_id: str, calendar_id: str = "primary") -> None:
        with self.store.lock:
            event = self.store.event(self.manner(calendar_id).calendar.id, event_id)
            assert event is not None, f"no event {event_id}"
            changes.delete(self.store, event)

    def manner(self, calendar_id: str) -> Manner:
        account = self.store.account(self.store.settings.email)
        calendar = find_calendar(self.store, account, calendar_id)
        zone = find_zone(calendar.time_zone)
        assert zone is not None
        return Manner(calendar, account, zone, self.url)

    # Tokens, and the person at the browser

    def access_token(self, scope: str = EVENTS_SCOPE, email: str = "") -> str:
        """A token out of thin air, for tests that are not about getting one."""
        with self.store.lock:
            account = self.store.account(email or self.store.settings.email)
            return grants.issue_access_token(
                self.store, client_id=self.client_id, email=account.email, scope=scope, family="testing"
            ).token

    def refresh_token(self, scope: str = EVENTS_SCOPE, email: str = "") -> str:
        with self.store.lock:
            account = self.store.account(email or self.store.settings.email)
            return grants.issue_refresh_token(
                self.store, client_id=self.client_id, email=account.email, scope=scope, family="testing"
            ).token

    def consent(self, authorization_url: str, *, allow: bool = True, untick: Iterable[str] = ()) -> str:
        """Do what the person does with this URL in a browser; gives the URL that the browser is sent back to.

        Raises ConsentRefused with the page where the sandbox shows an error instead.
        """
        status, location, page = fetch(authorization_url)
        if status == 302:
            return location
        if status != 200:
            raise ConsentRefused(page)
        form = Form(page)
        unwanted = set(untick)
        fields = [(name, value) for name, value in form.fields if not (name == "granted" and value in unwanted)]
        fields.append(("decision", "allow" if allow else "cancel"))
        status, location, page = fetch(urljoin(authorization_url, form.action), urlencode(fields).encode())
        if status != 302:
            raise ConsentRefused(page)
        return location


class ConsentRefused(Exception):
    """The sandbox showed its error page; the text is the page."""


class Form(HTMLParser):
    """The page's one form: where it goes, and its fields with their values, ticked boxes included."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.action = ""
        self.fields: list[tuple[str, str]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        if tag == "form":
            self.action = attributes.get("action") or ""
        elif tag == "input" and (attributes.get("type") != "checkbox" or "checked" in attributes):
            self.fields.append((attributes.get("name") or "", attributes.get("value") or ""))


class Stay(HTTPRedirectHandler):
    """A redirect is an answer: where it leads need not exist."""

    def redirect_request(self, *args: Any, **options: Any) -> None:
        return None


def fetch(url: str, form: bytes | None = None) -> tuple[int, str, str]:
    """Status, Location, text."""
    request = Request(url, form)  # noqa: S310 (the test's own URL)
    try:
        with build_opener(Stay).open(request, timeout=10) as response:
            return response.status, "", response.read().decode()
    except HTTPError as answer:
        with answer:
            return answer.code, answer.headers.get("Location", ""), answer.read().decode()


def as_when(value: Any) -> Json:
    if not isinstance(value, str):
        return json.loads(json.dumps(value))
    return {"dateTime": value} if "T" in value else {"date": value}
