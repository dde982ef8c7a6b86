"""Google: one way to authorize, a preset per service. https://developers.google.com/identity/protocols/oauth2/web-server

Right where the widespread instruction is wrong: the scope of the service itself, one redirect URI for both requests,
access_type=offline and prompt=consent (without them no refresh token comes at the second consent), state.
"""

from dataclasses import replace

from connections.presets.preset import Preset, Scope
from lib.errors import gettext_noop as _

AUTH = "https://www.googleapis.com/auth/"
CONFIG = {
    "authorization_url": (
        "https://accounts.google.com/o/oauth2/v2/auth?response_type=code&access_type=offline&prompt=consent"
        "&client_id={{ client_id }}&redirect_uri={{ redirect_uri }}&scope={{ scope }}&state={{ state }}"
    ),
    "token_url": "https://oauth2.googleapis.com/token",
    "refresh_url": "https://oauth2.googleapis.com/token",
    "revoke_url": "https://oauth2.googleapis.com/revoke",
    "issuer": "https://accounts.google.com",
    "use_pkce": True,
}
CLIENT_STEPS = (
    _("Google Auth Platform, Clients, Create client, type “Web application”."),
    _("Put the address above into “Authorized redirect URIs” and save. The client secret is shown only then."),
)

CALENDAR = Preset(
    key="google_calendar",
    name=_("Google Calendar"),
    note=_("with your own Google Cloud keys"),
    service="Google",
    icon="calendar",
    config=CONFIG,
    scopes=(
        Scope(
            f"{AUTH}calendar.events",
            _("See, create and change events"),
            _("enough for all the actions of the module"),
            is_default=True,
        ),
        Scope(
            f"{AUTH}calendar.calendarlist.readonly",
            _("See the list of calendars"),
            _("to choose a calendar by its name instead of its ID"),
        ),
        Scope(
            f"{AUTH}calendar",
            _("Full access to the calendars"),
            _("only to create and delete calendars themselves"),
        ),
    ),
    scope_marks=("/auth/calendar",),
    offline={"access_type": "offline", "prompt": "consent"},
    console_url="https://console.cloud.google.com/auth/clients",
    steps=(
        _("Open the Google Cloud console and enable the Google Calendar API. CalDAV API is not needed."),
        *CLIENT_STEPS,
    ),
    api_hosts=("www.googleapis.com",),
    account_url="https://www.googleapis.com/calendar/v3/calendars/primary",
    account_path="id",
    check_url="https://www.googleapis.com/calendar/v3/calendars/primary/events?maxResults=1",
    account_page="https://myaccount.google.com/connections",
    has_testing_mode=True,
)
SHEETS = replace(
    CALENDAR,
    key="google_sheets",
    name=_("Google Sheets"),
    icon="table-2",
    kind="ok",
    scopes=(
        Scope(f"{AUTH}spreadsheets", _("See and change spreadsheets"), is_default=True),
        Scope(f"{AUTH}spreadsheets.readonly", _("See spreadsheets")),
    ),
    scope_marks=("/auth/spreadsheets", "/auth/drive"),
    steps=(_("Open the Google Cloud console and enable the Google Sheets API."), *CLIENT_STEPS),
    api_hosts=("sheets.googleapis.com",),
    account_url="",
    account_path="",
    check_url="",
)
DRIVE = replace(
    SHEETS,
    key="google_drive",
    name=_("Google Drive"),
    icon="folder",
    kind="trigger",
    scopes=(
        Scope(f"{AUTH}drive.file", _("See and change the files that this application made"), is_default=True),
        Scope(f"{AUTH}drive.readonly", _("See all files")),
    ),
    scope_marks=("/auth/drive",),
    steps=(_("Open the Google Cloud console and enable the Google Drive API."), *CLIENT_STEPS),
    api_hosts=("www.googleapis.com",),
)
PRESETS = (CALENDAR, SHEETS, DRIVE)
