"""A test call: does the service take the connection's sign-in right now?"""

from dataclasses import dataclass

from accounts import seats
from actions.answers import refusal_of
from actions.base import Request
from actions.effects import Effect
from connections import presets, tokens
from connections.account import account_url
from connections.client import SignedIn
from connections.models import Connection
from lib.errors import Json, UserError

TIMEOUT_S = 15
CALENDAR = "calendars/primary/events?maxResults=1"
REFUSED = frozenset({401, 403, 407})


@dataclass(frozen=True)
class Outcome:
    """`ok` is None where there is no address that could be asked."""

    ok: bool | None
    exchange: dict[str, Json] | None = None
    error: UserError | None = None

    @property
    def status(self) -> int | None:
        response = (self.exchange or {}).get("response")
        return response["status"] if response else None

    @property
    def took_ms(self) -> int | None:
        return (self.exchange or {}).get("took_ms")


def check(connection: Connection) -> Outcome:
    """Make the test call; whatever goes wrong is in the outcome."""
    client: SignedIn | None = None
    try:
        client = SignedIn(connection)
        url, is_exact = address(connection)
        if not url:
            client.make_ready()
            return Outcome(None)
        with seats.seat():
            response = client.send(Request("GET", url), timeout_s=TIMEOUT_S, redirects=3)
    except UserError as error:
        return Outcome(False, client.exchanges[-1] if client and client.exchanges else None, error)
    # The API's bare base is often a 404: it says at least that the sign-in was not refused.
    wrong = response.status >= 400 if is_exact else response.status in REFUSED or response.status >= 500
    if not wrong and connection.error and connection.status == "connected":
        Connection.objects.filter(pk=connection.pk, status="connected").update(error=None)
    return Outcome(not wrong, client.exchanges[-1], refusal_of(response, Effect.READ) if wrong else None)


def address(connection: Connection) -> tuple[str, bool]:
    """What to ask, and whether anything but success is a failure."""
    config = tokens.config(connection)
    if config.check_url:
        return config.check_url, True
    base = config.api_base_url.rstrip("/")
    preset = presets.find(connection.preset)
    if preset is not None and preset.check_url:
        return account_url(connection, preset.check_url), True
    if base.endswith("/calendar/v3"):
        return CALENDAR, True
    return base, False
