"""The sandbox that `up --sandbox` starts beside us: Google's look-alike with a client that everybody may use."""

from dataclasses import replace

from connections.presets.google import CALENDAR
from connections.presets.preset import Preset
from lib.errors import gettext_noop as _


def preset(url: str) -> Preset:
    config = {
        **CALENDAR.config,
        "client_id": "sandbox-client.apps.sandbox",
        "authorization_url": CALENDAR.config["authorization_url"].replace("https://accounts.google.com", url),
        "token_url": f"{url}/token",
        "refresh_url": f"{url}/token",
        "revoke_url": f"{url}/revoke",
        "api_base_url": f"{url}/calendar/v3",
        "issuer": "",
    }
    return replace(
        CALENDAR,
        key="sandbox",
        name=_("Sandbox calendar"),
        note=_("to try things out, without a Google account"),
        service=_("the sandbox"),
        icon="calendar-check",
        kind="loop",
        config=config,
        secrets={"client_secret": "sandbox-secret"},
        console_url="",
        steps=(),
        api_hosts=(),
        account_url=f"{url}/calendar/v3/calendars/primary",
        check_url=f"{url}/calendar/v3/calendars/primary/events?maxResults=1",
        account_page="",
        has_testing_mode=False,
    )
