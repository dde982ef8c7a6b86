"""What the pages show of connections: tiles, rows of the list, the gallery, how healthy a token is."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple
from urllib.parse import urlsplit

from django.utils import timezone
from django.utils.translation import gettext as _

from connections import presets, renewal, tokens, usage
from connections.config import OAuthConfig
from connections.models import Connection
from connections.presets import Preset
from lib.errors import UserError, gettext_noop

SOON = timedelta(days=3)
ORDER = {"needs_reauthorization": 0, "misconfigured": 0, "connected": 1, "new": 2}


class Tile(NamedTuple):
    kind: str
    icon: str
    mark: str


TILES = {
    "oauth2": Tile("action", "shield-check", ""),
    "api_key": Tile("trigger", "key-round", ""),
    "bearer": Tile("logic", "lock", ""),
    "basic": Tile("time", "user", ""),
}


class KeyType(NamedTuple):
    """A card under «Any other service»."""

    type: str
    tile: Tile
    title: str
    text: str


KEY_TYPES = (
    KeyType("oauth2", TILES["oauth2"], "OAuth 2.0", gettext_noop("Sign-in in the service's window. All 16 fields.")),
    KeyType("api_key", TILES["api_key"], gettext_noop("API key"), gettext_noop("A key in a header or in the address.")),
    KeyType(
        "bearer",
        TILES["bearer"],
        gettext_noop("Bearer token"),
        gettext_noop("A lasting token: bots, personal access tokens."),
    ),
    KeyType(
        "basic",
        TILES["basic"],
        gettext_noop("Login and password"),
        gettext_noop("Basic authentication: older APIs, CalDAV, 1C."),
    ),
)


def key_types() -> list[KeyType]:
    return [KeyType(one.type, one.tile, _(one.title), _(one.text)) for one in KEY_TYPES]


def tile_of(connection: Connection) -> Tile:
    preset = presets.find(connection.preset) if connection.type == "oauth2" else None
    return preset_tile(preset) if preset else TILES[connection.type]


def preset_tile(preset: Preset) -> Tile:
    return Tile(preset.kind, "" if preset.mark else preset.icon, preset.mark)


class Card(NamedTuple):
    key: str
    tile: Tile
    name: str
    note: str


def gallery() -> list[Card]:
    return [Card(one.key, preset_tile(one), _(one.name), _(one.note) if one.note else "") for one in presets.offered()]


def searched(cards: list[Card], query: str) -> list[Card]:
    words = query.casefold()
    return [card for card in cards if words in f"{card.name} {card.note} {card.key}".casefold()]


@dataclass(frozen=True)
class Row:
    connection: Connection
    tile: Tile
    sub: str
    used_by: list[dict[str, str]]
    ends: "Ending"

    def order(self) -> int:
        return ORDER.get(self.connection.status, 1)


class Ending(NamedTuple):
    """`kind`: lasting, renews (by itself), at (a person is needed then), gone, or nothing to say."""

    kind: str
    at: datetime | None = None
    is_soon: bool = False


def rows(connections: Iterable[Connection]) -> list[Row]:
    return [Row(one, tile_of(one), sub_of(one), usage.users_of(one), ending_of(one)) for one in connections]


def sub_of(connection: Connection) -> str:
    """The service, and the account or the host."""
    preset = presets.find(connection.preset) if connection.type == "oauth2" else None
    kind = _(preset.name) if preset and preset.key != "generic" else connection.get_type_display()
    host = urlsplit(str(connection.config.get("api_base_url") or connection.config.get("token_url") or "")).hostname
    who = connection.account or (host if host and "{" not in host else "")
    return f"{kind} · {who}" if who else str(kind)


def ending_of(connection: Connection) -> Ending:
    if connection.status == "new":
        return Ending("")
    if connection.status != "connected":
        return Ending("gone")
    if connection.type != "oauth2" or connection.expires_at is None:
        return Ending("lasting")
    if renews(connection):
        return Ending("renews", connection.expires_at)
    return Ending("at", connection.expires_at, connection.expires_at - timezone.now() < SOON)


def renews(connection: Connection) -> bool:
    try:
        return renewal.can_renew(tokens.oauth_config(connection), tokens.tokens_of(connection))
    except UserError:
        return False


@dataclass(frozen=True)
class Health:
    """How the access token is: what is left of its life, when it is renewed, whether it can be without a person."""

    has_token: bool
    has_refresh_token: bool
    can_renew: bool
    left: timedelta | None
    lifetime: timedelta | None
    share: int
    renewal_at: datetime | None

    @property
    def is_over(self) -> bool:
        return self.left is not None and self.left <= timedelta()

    @property
    def kind(self) -> str:
        """The colour of the meter: a low one is only bad where nobody renews it."""
        return "ok" if self.can_renew or self.share > 20 else "warn"

    @classmethod
    def of(cls, connection: Connection) -> "Health | None":
        if connection.type != "oauth2":
            return None
        try:
            given, config = tokens.tokens_of(connection), tokens.oauth_config(connection)
        except UserError:
            return None
        now = timezone.now()
        left = connection.expires_at - now if connection.expires_at else None
        began = connection.refreshed_at
        lifetime = coarse(connection.expires_at - began) if connection.expires_at and began else None
        share = round(100 * max(left, timedelta()) / lifetime) if left and lifetime else 0
        can_renew = renewal.can_renew(config, given)
        return cls(
            has_token=bool(given.access_token),
            has_refresh_token=bool(given.refresh_token),
            can_renew=can_renew,
            left=coarse(left) if left else None,
            lifetime=lifetime,
            share=min(share, 100),
            renewal_at=renewal_at(connection, config) if can_renew else None,
        )


def coarse(left: timedelta) -> timedelta:
    """Seconds matter only at the end."""
    return timedelta(minutes=round(left.total_seconds() / 60)) if left > timedelta(minutes=2) else left


def renewal_at(connection: Connection, config: OAuthConfig) -> datetime | None:
    if connection.expires_at is None or config.renew_before is None:
        return None
    margin = timedelta(seconds=config.renew_before)
    if connection.refreshed_at:
        margin = min(margin, (connection.expires_at - connection.refreshed_at) / renewal.SHARE_OF_LIFE)
    return connection.expires_at - margin


class Permission(NamedTuple):
    """`state`: granted, refused (asked for, not given) or extra (given, not asked for)."""

    value: str
    title: str
    state: str


def granted(connection: Connection) -> list[Permission]:
    """What was given against what was asked for: people may untick permissions in the service's window."""
    if connection.type != "oauth2":
        return []
    asked = tokens.oauth_config(connection).scope.replace(",", " ").split()
    given = connection.scopes
    is_known = connection.status != "new" and bool(given)
    preset = presets.find(connection.preset)
    titles = {scope.value: _(scope.title) for scope in preset.scopes} if preset else {}
    names = list(dict.fromkeys([*asked, *given]))

    def state(scope: str) -> str:
        if not is_known:
            return "asked"
        return "refused" if scope not in given else "granted" if scope in asked or not asked else "extra"

    return [Permission(scope.rpartition("/auth/")[2] or scope, titles.get(scope, ""), state(scope)) for scope in names]
