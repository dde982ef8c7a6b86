"""Learns whose account a connection acts for, where that is cheap. It never fails because of it."""

import logging

from actions.base import Request
from connections import presets, tokens
from connections.answers import at
from connections.client import SignedIn
from connections.models import Connection
from lib.errors import UserError

TIMEOUT_S = 5
CALENDAR_READERS = (
    "/auth/calendar",
    "/auth/calendar.readonly",
    "/auth/calendar.calendars",
    "/auth/calendar.calendars.readonly",
)

log = logging.getLogger(__name__)


def learn(connection: Connection) -> str:
    """The account's name, stored; the old one where the service tells none."""
    name = asked(connection) if connection.status == "connected" else ""
    if name and name != connection.account:
        Connection.objects.filter(pk=connection.pk).update(account=name[:254])
        connection.account = name[:254]
    return connection.account


def asked(connection: Connection) -> str:
    preset = presets.find(connection.preset)
    if preset is None or not preset.account_url:
        return ""
    url, path = account_url(connection, preset.account_url), preset.account_path
    if not may_ask(connection):
        # Whoever may see events may see what their calendar is called; the main one bears the account's address.
        if tokens.config(connection).api_base_url and connection.preset != "sandbox":
            return ""
        url, path = f"{url}/events?maxResults=1", "summary"
    try:
        response = SignedIn(connection).send(Request("GET", url), timeout_s=TIMEOUT_S)
        value = at(response.json(), path) if response.status == 200 else None
    except UserError as error:
        log.info("connection %s: the account's name is not known: %s", connection.public_id, error)
        return ""
    return value if isinstance(value, str) else ""


def account_url(connection: Connection, url: str) -> str:
    """A Calendar of another base than Google's is asked there."""
    base = tokens.config(connection).api_base_url
    path = url.partition("/calendar/v3/")[2]
    return f"{base.rstrip('/')}/{path}" if base and path else url


def may_ask(connection: Connection) -> bool:
    """Google tells the primary calendar's name only to some scopes; a request that must fail is not made."""
    if connection.preset not in {"google_calendar", "sandbox"}:
        return True
    granted = connection.scopes or tokens.oauth_config(connection).scope.split()
    return any(scope.endswith(CALENDAR_READERS) for scope in granted)
