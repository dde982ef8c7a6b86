"""Russian services. Yandex and HeadHunter after their documentation, amoCRM and Bitrix24 after public integrations."""

from connections.presets.preset import Preset, Scope
from lib.errors import gettext_noop as _

CODE = {"grant_type": "authorization_code", "code": "{{ code }}"}
CLIENT = {"client_id": "{{ client_id }}", "client_secret": "{{ client_secret }}"}
REFRESH = {"grant_type": "refresh_token", "refresh_token": "{{ refresh_token }}"}
REDIRECT = {"redirect_uri": "{{ redirect_uri }}"}

YANDEX = Preset(
    key="yandex",
    name=_("Yandex"),
    note=_("Disk, Mail, Tracker, Metrica"),
    service=_("Yandex"),
    mark="Я",
    kind="err",
    config={
        "authorization_url": (
            "https://oauth.yandex.ru/authorize?response_type=code&client_id={{ client_id }}"
            "&redirect_uri={{ redirect_uri }}&scope={{ scope }}&state={{ state }}"
        ),
        "token_url": "https://oauth.yandex.ru/token",
        "token_params": {**CODE, **CLIENT},
        "refresh_url": "https://oauth.yandex.ru/token",
        "refresh_params": {**REFRESH, **CLIENT},
        "request_headers": {"Authorization": "OAuth {{ access_token }}"},
        "use_pkce": True,
    },
    scopes=(
        Scope("login:info", _("See the login and the name"), is_default=True),
        Scope("login:email", _("See the e-mail address"), is_default=True),
        Scope("cloud_api:disk.read", _("See the files on the Disk")),
        Scope("cloud_api:disk.write", _("Change the files on the Disk")),
    ),
    scope_marks=(":",),
    console_url="https://oauth.yandex.ru/",
    steps=(
        _("Create an application in Yandex OAuth, platform “Web services”."),
        _("Put the address above into “Redirect URI”."),
        _("Choose the same permissions there as here: Yandex gives no others."),
    ),
    api_hosts=(
        "login.yandex.ru",
        "cloud-api.yandex.net",
        "api.tracker.yandex.net",
        "api360.yandex.net",
        "api-metrika.yandex.net",
    ),
    account_url="https://login.yandex.ru/info?format=json",
    account_path="default_email",
    check_url="https://login.yandex.ru/info?format=json",
    account_page="https://id.yandex.ru/personal/data-access",
)
AMOCRM = Preset(
    key="amocrm",
    name="amoCRM",
    note=_("deals, contacts, tasks"),
    service="amoCRM",
    mark="amo",
    kind="code",
    config={
        "authorization_url": (
            "https://www.amocrm.ru/oauth?client_id={{ client_id }}&state={{ state }}&mode=post_message"
        ),
        # The account's own host comes only with the consent.
        "token_url": "https://{{ callback.referer }}/oauth2/access_token",
        "token_format": "json",
        "refresh_url": "https://{{ callback.referer }}/oauth2/access_token",
        "refresh_format": "json",
        "refresh_params": {**REFRESH, **CLIENT, **REDIRECT},
        "api_base_url": "https://{{ callback.referer }}/api/v4",
        "check_url": "account",
        "allowed_hosts": ["*.amocrm.ru", "*.kommo.com"],
    },
    console_url="https://www.amocrm.ru/",
    steps=(
        _("In amoCRM open amoМаркет, “Create integration”, an external one."),
        _("Put the address above into the redirect link, choose the permissions and save."),
        _("Copy the integration ID and the secret key from the tab with the keys."),
    ),
)
BITRIX24 = Preset(
    key="bitrix24",
    name="Битрикс24",
    note=_("a local application"),
    service="Битрикс24",
    mark="Б24",
    kind="loop",
    config={
        "authorization_url": (
            "https://your-portal.bitrix24.ru/oauth/authorize/?client_id={{ client_id }}&state={{ state }}"
        ),
        "token_url": "https://oauth.bitrix24.tech/oauth/token/",
        "token_method": "GET",
        "token_params": {**CODE, **CLIENT},
        "refresh_url": "https://oauth.bitrix24.tech/oauth/token/",
        "refresh_method": "GET",
        "refresh_params": {**REFRESH, **CLIENT},
        "request_headers": {},
        "request_query": {"auth": "{{ access_token }}"},
        "api_base_url": "{{ token.client_endpoint }}",
        "check_url": "profile",
        "allowed_hosts": ["*.bitrix24.ru", "*.bitrix24.com"],
        "renew_before": None,
    },
    steps=(
        _("Replace your-portal in the authorization URL with the name of your portal."),
        _("In the portal: Developer resources, a local application of the server type."),
        _("Put the address above into the path of its handler, choose the permissions and save."),
    ),
)
HEADHUNTER = Preset(
    key="headhunter",
    name="hh.ru",
    note=_("vacancies and responses"),
    service="hh.ru",
    mark="hh",
    kind="action",
    config={
        "authorization_url": (
            "https://hh.ru/oauth/authorize?response_type=code&client_id={{ client_id }}"
            "&redirect_uri={{ redirect_uri }}&state={{ state }}"
        ),
        "token_url": "https://hh.ru/oauth/token",
        "refresh_url": "https://hh.ru/oauth/token",
        "refresh_params": REFRESH,
        "api_base_url": "https://api.hh.ru",
        "check_url": "me",
        # An expired token is a 403 there, as is much else; an early refresh is refused.
        "expired_when": "{{ status == 403 and body.errors[0].value == 'token_expired' }}",
        "renew_before": None,
    },
    console_url="https://dev.hh.ru/admin",
    steps=(
        _("Register an application at dev.hh.ru; it is reviewed by people."),
        _("Name the address above as its redirect URI."),
    ),
    account_url="https://api.hh.ru/me",
    account_path="email",
)
PRESETS = (YANDEX, AMOCRM, BITRIX24, HEADHUNTER)
