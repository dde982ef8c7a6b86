"""What a connection is set up with: the sixteen fields and their companions by docs/api.md's names, never a secret."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Self

from lib.errors import Json

Pairs = dict[str, str]  # names with templates

METHODS = ("POST", "GET")
FORMATS = ("form", "json")
AUTHORIZATION_CODE, CLIENT_CREDENTIALS = GRANTS = ("authorization_code", "client_credentials")
TOKEN_PATHS = ("access_token", "refresh_token", "expires_in", "scope", "account")  # what field 10 may name
RENEW_BEFORE_S = 60

CODE_PARAMS: Pairs = {
    "grant_type": AUTHORIZATION_CODE,
    "client_id": "{{ client_id }}",
    "client_secret": "{{ client_secret }}",
    "redirect_uri": "{{ redirect_uri }}",
    "code": "{{ code }}",
}
CLIENT_PARAMS: Pairs = {
    "grant_type": CLIENT_CREDENTIALS,
    "client_id": "{{ client_id }}",
    "client_secret": "{{ client_secret }}",
    "scope": "{{ scope }}",
}
REFRESH_PARAMS: Pairs = {
    "grant_type": "refresh_token",
    "client_id": "{{ client_id }}",
    "client_secret": "{{ client_secret }}",
    "refresh_token": "{{ refresh_token }}",
}
BEARER: Pairs = {"Authorization": "Bearer {{ access_token }}"}


@dataclass(frozen=True)
class Config:
    """What every type has. `allowed_hosts` empty: the hosts of its addresses."""

    api_base_url: str = ""
    check_url: str = ""  # a GET that must succeed; relative to the API's base
    allowed_hosts: list[str] = field(default_factory=list)
    request_query: Pairs = field(default_factory=dict)  # 8
    request_headers: Pairs = field(default_factory=dict)  # 9
    max_concurrent: int = 0  # requests at once; 0: as many as there are

    @classmethod
    def of(cls, stored: Mapping[str, Json]) -> Self:
        known = {item.name for item in fields(cls)}
        return cls(**{name: value for name, value in stored.items() if name in known})

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class OAuthConfig(Config):
    """The numbers are those of the form and of the services' instructions."""

    client_id: str = ""  # 1
    authorization_url: str = ""  # 3
    token_url: str = ""  # 4
    token_method: str = "POST"  # 5  # noqa: S105
    token_format: str = "form"  # 5  # noqa: S105
    token_params: Pairs = field(default_factory=lambda: dict(CODE_PARAMS))  # 6
    token_headers: Pairs = field(default_factory=dict)  # 7
    request_headers: Pairs = field(default_factory=lambda: dict(BEARER))  # 9
    token_response: Pairs = field(default_factory=dict)  # 10: paths in an unusual answer
    expired_statuses: list[int] = field(default_factory=lambda: [401])  # 11
    refresh_url: str = ""  # 12; empty: the token URL
    refresh_method: str = "POST"  # 13
    refresh_format: str = "form"  # 13
    refresh_params: Pairs = field(default_factory=lambda: dict(REFRESH_PARAMS))  # 14
    refresh_headers: Pairs = field(default_factory=dict)  # 15
    revoke_url: str = ""
    use_pkce: bool = False
    grant: str = AUTHORIZATION_CODE
    scope: str = ""  # what is asked for: {{ scope }}
    expired_when: str = ""  # an expression over `status`, `headers`, `body`, for services that answer 200 or 403
    renew_before: int | None = RENEW_BEFORE_S  # seconds before the end of the token's life; null: only when refused
    issuer: str = ""  # RFC 9207: what `iss` in the callback must be, where it is sent

    @property
    def is_for_client(self) -> bool:
        return self.grant == CLIENT_CREDENTIALS

    @property
    def where_to_refresh(self) -> str:
        return self.refresh_url or self.token_url


@dataclass(frozen=True)
class KeyConfig(Config):
    """An API key in a header or in the query: exactly one of the two names it."""

    header: str = ""
    query: str = ""
    prefix: str = ""


@dataclass(frozen=True)
class BasicConfig(Config):
    username: str = ""


@dataclass(frozen=True)
class BearerConfig(Config):
    pass


CONFIG_BY_TYPE: dict[str, type[Config]] = {
    "oauth2": OAuthConfig,
    "api_key": KeyConfig,
    "basic": BasicConfig,
    "bearer": BearerConfig,
}
SECRET_BY_TYPE = {"oauth2": "client_secret", "api_key": "key", "basic": "password", "bearer": "token"}

# Whoever changes one of these could send the stored secret to a server of their own: the secret is asked again.
GUARDED = frozenset(
    {
        *("client_id", "authorization_url", "token_url", "refresh_url", "revoke_url", "api_base_url", "check_url"),
        *("token_method", "token_format", "token_params", "token_headers", "token_response"),
        *("refresh_method", "refresh_format", "refresh_params", "refresh_headers"),
        *("request_query", "request_headers", "allowed_hosts", "grant"),
        *("header", "query", "prefix", "username"),
    }
)


def config_of(type_: str, stored: Mapping[str, Json]) -> Config:
    return CONFIG_BY_TYPE[type_].of(stored)


def guarded_changes(before: Mapping[str, Json], after: Mapping[str, Json]) -> list[str]:
    """Which of the fields that decide where secrets go are different, in the order of the form."""
    return [name for name in after if name in GUARDED and before.get(name) != after.get(name)]
