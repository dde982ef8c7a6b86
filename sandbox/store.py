"""All that the sandbox remembers: clients, consents, tokens, calendars and events, its clock and its settings.

Whoever reads or writes it holds `lock`; every request's handling is one such section, so it is atomic.
"""

import secrets
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Literal

from sandbox.storage import Disk, Table

HOLIDAYS = "ru.russian#holiday@group.v.calendar.google.com"
DEFAULT_EMAIL = "anna@sandbox.example"
DEFAULT_NAME = "Анна Смирнова"


@dataclass
class Settings:
    """What `POST /_control/settings` changes while the sandbox runs. Lifetimes are in seconds."""

    token_lifetime: int = 3599
    code_lifetime: int = 600
    rotation: bool = False  # a refresh gives a new refresh token; using the old one again ends the family
    page_size: int = 0  # the most events on a page, whatever maxResults says; 0: no such limit
    deleted_lifetime: int = 86_400  # how long a deleted event can still be read, as cancelled
    accept_json: bool = False  # the token endpoint takes JSON too, as some services (not Google) do
    extra_scopes: str = ""  # further scopes, space-separated, that may be asked for
    email: str = DEFAULT_EMAIL  # who is signed in, unless login_hint names somebody else
    name: str = DEFAULT_NAME


@dataclass(frozen=True)
class Client:
    """An app that may ask. Without registered redirect URIs it may use any http(s) one."""

    id: str
    secret: str
    name: str = "APInita"
    redirect_uris: tuple[str, ...] = ()


DEFAULT_CLIENT = Client(id="sandbox-client.apps.sandbox", secret="sandbox-secret")  # noqa: S106 (public on purpose)


@dataclass(frozen=True)
class Account:
    sub: str
    email: str
    name: str


@dataclass(frozen=True)
class Consent:
    """What a person has already allowed a client."""

    client_id: str
    email: str
    scope: str


@dataclass(frozen=True)
class Code:
    code: str
    client_id: str
    redirect_uri: str
    email: str
    scope: str
    challenge: str
    challenge_method: str
    gives_refresh_token: bool
    expires_at: float
    family: str
    spent: bool = False


@dataclass(frozen=True)
class AccessToken:
    token: str
    client_id: str
    email: str
    scope: str
    expires_at: float
    family: str


@dataclass(frozen=True)
class RefreshToken:
    """`family` names the authorization that all its tokens come from; a rotated one is `spent`."""

    token: str
    client_id: str
    email: str
    scope: str
    family: str
    spent: bool = False


@dataclass(frozen=True)
class Calendar:
    """`owner` is an account's e-mail, or empty for a public calendar that everyone may only read."""

    id: str
    owner: str
    summary: str
    time_zone: str
    description: str = ""


@dataclass(frozen=True)
class Event:
    """`resource` holds the writable members, cleaned; `*_us` are ticks: microseconds that never repeat."""

    id: str
    calendar_id: str
    resource: dict[str, Any]
    created_us: int
    updated_us: int
    sequence: int = 0
    status: Literal["confirmed", "tentative", "cancelled"] = "confirmed"

    @property
    def etag(self) -> str:
        return f'"{self.updated_us * 2}"'

    @property
    def is_deleted(self) -> bool:
        return self.status == "cancelled"


@dataclass(frozen=True)
class Meta:
    """`key` signs page and sync tokens; a sync token of an earlier `sync_epoch` has expired."""

    key: str
    sync_epoch: int = 0


@dataclass
class Store:
    """`clock` gives seconds since 1970 and may be replaced by a test."""

    disk: Disk | None = None
    clients: dict[str, Client] = field(default_factory=lambda: {DEFAULT_CLIENT.id: DEFAULT_CLIENT})
    settings: Settings = field(default_factory=Settings)
    time_zone: str = "Europe/Moscow"
    clock: Callable[[], float] = time.time

    def __post_init__(self) -> None:
        self.lock = threading.RLock()
        self.metas: Table[Meta] = Table(Meta, self.disk)
        self.accounts: Table[Account] = Table(Account, self.disk)
        self.consents: Table[Consent] = Table(Consent, self.disk)
        self.codes: Table[Code] = Table(Code, self.disk)
        self.access_tokens: Table[AccessToken] = Table(AccessToken, self.disk)
        self.refresh_tokens: Table[RefreshToken] = Table(RefreshToken, self.disk)
        self.calendars: Table[Calendar] = Table(Calendar, self.disk)
        self.events: Table[Event] = Table(Event, self.disk)
        self.by_calendar: dict[str, dict[str, Event]] = {}
        for event in self.events.rows():
            self.by_calendar.setdefault(event.calendar_id, {})[event.id] = event
        self.last_tick = max((event.updated_us for event in self.events.rows()), default=0)
        if "meta" not in self.metas:
            self.metas.put("meta", Meta(key=secrets.token_hex(32)))
        self.found()

    def found(self) -> None:
        """Make what is always there: the signed-in account and the public calendar of holidays."""
        self.account(self.settings.email)
        if HOLIDAYS not in self.calendars:
            self.calendars.put(HOLIDAYS, Calendar(HOLIDAYS, "", "Праздники России", self.time_zone))

    @property
    def meta(self) -> Meta:
        meta = self.metas.get("meta")
        assert meta is not None
        return meta

    def tick(self) -> int:
        """A moment in microseconds since 1970 that is later than all before it."""
        self.last_tick = max(self.last_tick + 1, int(self.clock() * 1_000_000))
        return self.last_tick

    def account(self, email: str) -> Account:
        """The account of that address; one that is new gets a calendar of its own."""
        known = self.accounts.get(email)
        if known is not None:
            return known
        name = self.settings.name if email == self.settings.email else email.partition("@")[0]
        sub = str(int(sha256(email.encode()).hexdigest(), 16) % 10**21).zfill(21)
        self.calendars.put(email, Calendar(email, email, email, self.time_zone))
        return self.accounts.put(email, Account(sub, email, name))

    def put_event(self, event: Event) -> Event:
        self.by_calendar.setdefault(event.calendar_id, {})[event.id] = event
        return self.events.put(f"{event.calendar_id} {event.id}", event)

    def event(self, calendar_id: str, event_id: str) -> Event | None:
        return self.by_calendar.get(calendar_id, {}).get(event_id)

    def events_of(self, calendar_id: str) -> list[Event]:
        return list(self.by_calendar.get(calendar_id, {}).values())

    def expire_sync_tokens(self) -> None:
        """Every sync token given so far answers 410 from now on."""
        self.metas.put("meta", Meta(self.meta.key, self.meta.sync_epoch + 1))

    def reset(self) -> None:
        """Forget everything except the clients and the settings."""
        tables: Iterable[Table[Any]] = (
            self.accounts,
            self.consents,
            self.codes,
            self.access_tokens,
            self.refresh_tokens,
            self.calendars,
            self.events,
        )
        for table in tables:
            table.clear()
        self.by_calendar.clear()
        self.found()

    def close(self) -> None:
        if self.disk is not None:
            with self.lock:
                self.disk.close()
