"""International services, each after its own documentation."""

from connections.presets.preset import Preset, Scope
from lib.errors import gettext_noop as _

STANDARD = (
    "response_type=code&client_id={{ client_id }}&redirect_uri={{ redirect_uri }}&scope={{ scope }}&state={{ state }}"
)
BASIC = {"Authorization": "Basic {{ base64_encode(client_id ~ ':' ~ client_secret) }}"}
CODE = {"grant_type": "authorization_code", "code": "{{ code }}", "redirect_uri": "{{ redirect_uri }}"}
REFRESH = {"grant_type": "refresh_token", "refresh_token": "{{ refresh_token }}"}

MICROSOFT = Preset(
    key="microsoft",
    name="Microsoft 365",
    note=_("Calendar, mail, files"),
    service="Microsoft",
    icon="calendar-days",
    kind="loop",
    config={
        "authorization_url": f"https://login.microsoftonline.com/common/oauth2/v2.0/authorize?response_mode=query&{STANDARD}",
        "token_url": "https://login.microsoftonline.com/common/oauth2/v2.0/token",
        "refresh_url": "https://login.microsoftonline.com/common/oauth2/v2.0/token",
        "api_base_url": "https://graph.microsoft.com/v1.0",
        "check_url": "me",
        "use_pkce": True,
    },
    scopes=(
        Scope("offline_access", _("Work without you"), _("without it there is no refresh token"), is_default=True),
        Scope("User.Read", _("See the name and the e-mail address"), is_default=True),
        Scope("Calendars.ReadWrite", _("See, create and change events")),
        Scope("Mail.Send", _("Send e-mail in your name")),
        Scope("Files.ReadWrite", _("See and change files")),
    ),
    offline_scope="offline_access",
    console_url="https://entra.microsoft.com/",
    steps=(
        _("Register an application in Microsoft Entra, App registrations."),
        _("Add the platform “Web” with the address above as its redirect URI."),
        _("Create a client secret under “Certificates & secrets” and copy its value."),
    ),
    account_url="https://graph.microsoft.com/v1.0/me",
    account_path="userPrincipalName",
    account_page="https://myapps.microsoft.com/",
)
HUBSPOT = Preset(
    key="hubspot",
    name="HubSpot",
    note=_("contacts and deals"),
    service="HubSpot",
    mark="Hs",
    kind="trigger",
    config={
        "authorization_url": f"https://app.hubspot.com/oauth/authorize?{STANDARD}",
        "token_url": "https://api.hubapi.com/oauth/2026-03/token",
        "refresh_url": "https://api.hubapi.com/oauth/2026-03/token",
        "api_base_url": "https://api.hubapi.com",
    },
    scopes=(
        Scope("crm.objects.contacts.read", _("See contacts"), is_default=True),
        Scope("crm.objects.contacts.write", _("Change contacts")),
        Scope("crm.objects.deals.read", _("See deals")),
        Scope("crm.objects.deals.write", _("Change deals")),
    ),
    console_url="https://developers.hubspot.com/",
    steps=(
        _("Create an app in a HubSpot developer account."),
        _("Put the address above into the redirect URLs of its tab “Auth”."),
        _("Choose the same scopes there as here."),
    ),
)
NOTION = Preset(
    key="notion",
    name="Notion",
    note=_("pages and databases"),
    service="Notion",
    mark="N",
    kind="time",
    config={
        "authorization_url": (
            "https://api.notion.com/v1/oauth/authorize?response_type=code&owner=user&client_id={{ client_id }}"
            "&redirect_uri={{ redirect_uri }}&state={{ state }}"
        ),
        "token_url": "https://api.notion.com/v1/oauth/token",
        "token_format": "json",
        "token_params": CODE,
        "token_headers": BASIC,
        "token_response": {"account": "workspace_name"},
        "refresh_url": "https://api.notion.com/v1/oauth/token",
        "refresh_format": "json",
        "refresh_params": REFRESH,
        "refresh_headers": BASIC,
        "request_headers": {"Authorization": "Bearer {{ access_token }}", "Notion-Version": "2022-06-28"},
        "api_base_url": "https://api.notion.com/v1",
        "check_url": "users/me",
    },
    never_expires=True,
    console_url="https://www.notion.so/my-integrations",
    steps=(
        _("Create a public integration in Notion."),
        _("Put the address above into its redirect URIs."),
    ),
)
SLACK = Preset(
    key="slack",
    name="Slack",
    note=_("messages and channels"),
    service="Slack",
    mark="S",
    kind="logic",
    config={
        "authorization_url": f"https://slack.com/oauth/v2/authorize?{STANDARD}",
        "token_url": "https://slack.com/api/oauth.v2.access",
        "token_response": {"account": "team.name"},
        "refresh_url": "https://slack.com/api/oauth.v2.access",
        "api_base_url": "https://slack.com/api",
        "check_url": "auth.test",
        # Slack answers 200 with {"ok": false}.
        "expired_when": "{{ body.error == 'token_expired' }}",
    },
    scopes=(
        Scope("chat:write", _("Write messages"), is_default=True),
        Scope("channels:read", _("See the list of channels"), is_default=True),
        Scope("users:read", _("See people")),
    ),
    scope_separator=",",
    never_expires=True,
    console_url="https://api.slack.com/apps",
    steps=(
        _("Create a Slack app, “From scratch”."),
        _("Put the address above into “OAuth & Permissions”, “Redirect URLs”."),
    ),
)
GITHUB = Preset(
    key="github",
    name="GitHub",
    note=_("repositories and issues"),
    service="GitHub",
    mark="GH",
    kind="time",
    config={
        "authorization_url": f"https://github.com/login/oauth/authorize?{STANDARD}",
        "token_url": "https://github.com/login/oauth/access_token",
        "token_headers": {"Accept": "application/json"},
        "refresh_url": "https://github.com/login/oauth/access_token",
        "refresh_headers": {"Accept": "application/json"},
        "request_headers": {
            "Authorization": "Bearer {{ access_token }}",
            "Accept": "application/vnd.github+json",
        },
        "api_base_url": "https://api.github.com",
        "check_url": "user",
    },
    scopes=(
        Scope("read:user", _("See the profile"), is_default=True),
        Scope("repo", _("See and change repositories, private ones too")),
        Scope("public_repo", _("See and change public repositories")),
    ),
    never_expires=True,
    console_url="https://github.com/settings/developers",
    steps=(
        _("Register an OAuth App in the developer settings of GitHub."),
        _("Put the address above into “Authorization callback URL”."),
    ),
    account_url="https://api.github.com/user",
    account_path="login",
    account_page="https://github.com/settings/applications",
)
PIPEDRIVE = Preset(
    key="pipedrive",
    name="Pipedrive",
    note=_("deals and contacts"),
    service="Pipedrive",
    mark="P",
    kind="ok",
    config={
        "authorization_url": (
            "https://oauth.pipedrive.com/oauth/authorize?response_type=code&client_id={{ client_id }}"
            "&redirect_uri={{ redirect_uri }}&state={{ state }}"
        ),
        "token_url": "https://oauth.pipedrive.com/oauth/token",
        "token_params": CODE,
        "token_headers": BASIC,
        "refresh_url": "https://oauth.pipedrive.com/oauth/token",
        "refresh_params": REFRESH,
        "refresh_headers": BASIC,
        "api_base_url": "{{ token.api_domain }}/api",
        "check_url": "v1/users/me",
        "allowed_hosts": ["*.pipedrive.com"],
    },
    console_url="https://developers.pipedrive.com/",
    steps=(
        _("Create an app in the Developer Hub of Pipedrive."),
        _("Put the address above into its callback URL."),
    ),
)
PRESETS = (MICROSOFT, NOTION, SLACK, GITHUB, HUBSPOT, PIPEDRIVE)
