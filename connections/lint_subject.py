"""What the checks of an OAuth form look at, and what they find."""

import ipaddress
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from django.utils.translation import gettext as _

from connections import address, presets
from connections.address import Address
from connections.config import OAuthConfig
from connections.presets import Preset
from connections.rendering import host_of, names_in
from lib.expressions import ExpressionError

Level = Literal["ok", "warn", "error"]
ANY_SERVICE = ("openid", "email", "profile", "offline_access", "/auth/userinfo.")
GOOGLE_SERVICES = {
    "/auth/calendar": "Google Calendar",
    "/auth/spreadsheets": "Google Sheets",
    "/auth/drive": "Google Drive",
    "/auth/gmail": "Gmail",
    "mail.google.com": "Gmail",
    "/auth/documents": "Google Docs",
    "/auth/contacts": "Google Contacts",
    "/auth/tasks": "Google Tasks",
    "/auth/youtube": "YouTube",
}
CALENDAR_SCOPE = "https://www.googleapis.com/auth/calendar.events"


@dataclass(frozen=True)
class Finding:
    """`level` ok is said too: what is right reassures. `field` is the one to look at."""

    code: str
    level: Level
    text: str
    hint: str = ""
    field: str = "authorization_url"

    def as_json(self) -> dict[str, str]:
        return {"code": self.code, "level": self.level, "text": self.text, "hint": self.hint, "field": self.field}


@dataclass(frozen=True)
class Subject:
    config: OAuthConfig
    address: Address
    redirect_uri: str
    preset: Preset | None

    @property
    def is_google(self) -> bool:
        return urlsplit(self.address.base).hostname == address.GOOGLE

    @property
    def scopes(self) -> list[str]:
        """What is asked for: written into the address, or in the field of its own."""
        written = address.literal(self.address.get("scope"))
        return (written or self.config.scope).replace(",", " ").split()

    @property
    def is_bare(self) -> bool:
        return not self.address.pairs

    @property
    def service(self) -> str:
        if self.preset and self.preset.service:
            return _(self.preset.service)
        return urlsplit(self.address.base).hostname or _("the service")


def sends(template: str, name: str) -> bool:
    try:
        return name in names_in(template)
    except ExpressionError:
        return name in template


def service_of(scope: str) -> str:
    return next((service for mark, service in GOOGLE_SERVICES.items() if mark in scope), "")


def first_scope(subject: Subject) -> str:
    scopes_known = subject.preset.scopes if subject.preset else ()
    return next((scope.value for scope in scopes_known if scope.is_default), CALENDAR_SCOPE)


def is_known_address(subject: Subject) -> bool:
    """As the preset has it: what it leaves out is left out on purpose."""
    preset = subject.preset
    return preset is not None and preset.config.get("authorization_url") == subject.config.authorization_url


def is_known_pair(config: OAuthConfig) -> bool:
    pair = (host_of(config.authorization_url.partition("?")[0]), host_of(config.token_url))
    return any(
        (host_of(known.config.get("authorization_url", "").partition("?")[0]), host_of(known.config["token_url"]))
        == pair
        for known in presets.KNOWN
    )


def site_of(url: str) -> str:
    """The last two labels of the host: near enough to tell one company's addresses from another's."""
    host = host_of(url.partition("?")[0]).rpartition(":")[0]
    return host if is_address(host) else ".".join(host.split(".")[-2:])


def is_local(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    return host == "localhost" or (is_address(host) and ipaddress.ip_address(host).is_private)


def is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True
