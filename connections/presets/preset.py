"""What a preset is: a service's settings, its permissions in plain words, and what a person has to do there."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from connections.config import OAuthConfig


@dataclass(frozen=True)
class Scope:
    """A permission in plain words. `value` is what the service calls it."""

    value: str
    title: str
    help: str = ""
    is_default: bool = False

    @property
    def short(self) -> str:
        """Without the address that Google puts before its names."""
        return self.value.rpartition("/auth/")[2] or self.value


@dataclass(frozen=True)
class Preset:
    """`config` is what differs from OAuthConfig's defaults. Texts are English message ids."""

    key: str
    name: str
    note: str = ""
    service: str = ""  # as it is called in sentences: "Google"
    icon: str = "globe"
    mark: str = ""  # letters in the tile instead of an icon
    kind: str = "action"
    config: Mapping[str, Any] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    scopes: tuple[Scope, ...] = ()
    scope_separator: str = " "
    scope_marks: tuple[str, ...] = ()  # a scope of this service has one of them in its name
    offline: Mapping[str, str] = field(default_factory=dict)  # parameters without which no refresh token comes
    offline_scope: str = ""  # or the scope without which none comes
    never_expires: bool = False
    console_url: str = ""
    steps: tuple[str, ...] = ()
    api_hosts: tuple[str, ...] = ()  # `host` where the service's API is, beside the hosts of the addresses
    account_url: str = ""
    account_path: str = ""
    check_url: str = ""
    account_page: str = ""  # where a person withdraws the access at the service
    has_testing_mode: bool = False

    def oauth(self) -> OAuthConfig:
        return OAuthConfig(**{**dict(self.config), **({"scope": self.default_scope} if self.scopes else {})})

    @property
    def default_scope(self) -> str:
        return self.scope_separator.join(scope.value for scope in self.scopes if scope.is_default)
