"""Connections as the API reads and writes them: docs/api.md's names; what is secret can only be written."""

from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema_field, extend_schema_serializer, inline_serializer
from rest_framework import serializers

from accounts.api_fields import Instant, StrictSerializer
from accounts.roles import Role
from connections import tokens
from connections.checking import MOST_CONCURRENT, PAIRS
from connections.config import FORMATS, GRANTS, METHODS, SECRET_BY_TYPE, Config
from connections.hosts import allowed_hosts, shown
from connections.masking import mask_typed
from connections.models import STATUSES, TYPES, Connection
from connections.redirect import redirect_uri
from connections.rendering import is_literal
from connections.throttling import throttled_until
from lib.errors import Json, describe

IDENTITY = ("type", "name", "slug", "preset")
# What a viewer may read of the settings: no template and no address, and so nothing that somebody pasted.
OPEN_SETTINGS = frozenset(
    {
        *("token_method", "token_format", "refresh_method", "refresh_format", "expired_statuses"),
        *("use_pkce", "grant", "scope", "renew_before", "max_concurrent"),
    }
)


class SecretField(serializers.CharField):
    """Written as text, read as {"set": true}."""

    def __init__(self, **options: Any) -> None:
        super().__init__(
            **{"required": False, "allow_null": True, "allow_blank": True, "trim_whitespace": True} | options
        )


def text(**options: Any) -> serializers.CharField:
    return serializers.CharField(**{"required": False, "allow_blank": True, "max_length": 4000} | options)


def pairs(help_text: str = "") -> serializers.DictField:
    value = serializers.CharField(allow_blank=True, trim_whitespace=False, max_length=4000)
    return serializers.DictField(required=False, child=value, help_text=help_text)


def choice(choices: tuple[str, ...]) -> serializers.ChoiceField:
    return serializers.ChoiceField(choices=[(value, value) for value in choices], required=False)


class WrittenConnection(StrictSerializer):
    """What every type has."""

    type = serializers.ChoiceField(choices=TYPES, required=False)
    name = serializers.CharField(max_length=120, required=False)
    slug = serializers.SlugField(max_length=64, required=False)
    preset = serializers.CharField(max_length=32, required=False, allow_blank=True)
    api_base_url = text()
    check_url = text()
    allowed_hosts = serializers.ListField(child=serializers.CharField(max_length=260), required=False, max_length=50)
    request_query = pairs(help_text="Field 8: added to the query of every request.")
    request_headers = pairs(help_text="Field 9: added to every request.")
    max_concurrent = serializers.IntegerField(
        required=False, min_value=0, max_value=MOST_CONCURRENT, help_text="Requests at once; 0: no limit."
    )


class WrittenOAuth(WrittenConnection):
    """The sixteen fields, by the numbers of the form; 16 is the redirect URI, which can only be read."""

    client_id = text(help_text="Field 1.")
    client_secret = SecretField(help_text="Field 2, write-only.")
    authorization_url = text(help_text="Field 3, a template.")
    token_url = text(help_text="Field 4, a template.")
    token_method = choice(METHODS)
    token_format = choice(FORMATS)
    token_params = pairs(help_text="Field 6.")
    token_headers = pairs(help_text="Field 7.")
    token_response = pairs(help_text="Field 10: paths of what is needed in an unusual answer.")
    expired_statuses = serializers.ListField(
        child=serializers.IntegerField(min_value=100, max_value=599), required=False, max_length=50
    )
    refresh_url = text(help_text="Field 12, a template; empty: the token URL.")
    refresh_method = choice(METHODS)
    refresh_format = choice(FORMATS)
    refresh_params = pairs(help_text="Field 14.")
    refresh_headers = pairs(help_text="Field 15.")
    revoke_url = text()
    use_pkce = serializers.BooleanField(required=False)
    grant = choice(GRANTS)
    scope = text(help_text="What is asked for: {{ scope }} in the templates.")
    expired_when = text(help_text="An expression over status, headers and body that tells an expired token.")
    renew_before = serializers.IntegerField(required=False, allow_null=True, min_value=0, max_value=86_400)
    issuer = text()


class WrittenKey(WrittenConnection):
    key = SecretField(trim_whitespace=True)
    header = text()
    query = text()
    prefix = text(trim_whitespace=False)


class WrittenBasic(WrittenConnection):
    username = text()
    password = SecretField(trim_whitespace=False)


class WrittenBearer(WrittenConnection):
    token = SecretField()


WRITTEN: dict[str, type[WrittenConnection]] = {
    "oauth2": WrittenOAuth,
    "api_key": WrittenKey,
    "basic": WrittenBasic,
    "bearer": WrittenBearer,
}


class SetSerializer(serializers.Serializer[Any]):
    set = serializers.BooleanField()


class ErrorShown(serializers.Serializer[Any]):
    code = serializers.CharField()
    text = serializers.CharField()
    hint = serializers.CharField()
    params = serializers.DictField()


@extend_schema_serializer(component_name="Connection")
class ConnectionSerializer(serializers.Serializer[Connection]):
    """A connection as it is read, with the fields of its type beside these.

    `context={"role": …}` says who reads: templates and addresses are for those who may change them.
    """

    id = serializers.CharField(source="public_id")
    slug = serializers.CharField()
    name = serializers.CharField()
    type = serializers.ChoiceField(choices=TYPES)
    preset = serializers.CharField()
    status = serializers.ChoiceField(choices=STATUSES)
    error = serializers.SerializerMethodField()
    account = serializers.CharField()
    scopes = serializers.ListField(child=serializers.CharField())
    expires_at = Instant(allow_null=True)
    refreshed_at = Instant(allow_null=True)
    last_used_at = Instant(allow_null=True)
    throttled_until = serializers.SerializerMethodField()
    created_at = Instant()
    updated_at = Instant()

    @extend_schema_field(ErrorShown(allow_null=True))
    def get_error(self, connection: Connection) -> Json:
        if not connection.error:
            return None
        words = describe(connection.error, _)
        return {name: words[name] for name in ("code", "text", "hint", "params")}

    @extend_schema_field(Instant(allow_null=True))
    def get_throttled_until(self, connection: Connection) -> str | None:
        """Until when the service has asked to wait; null when it does not."""
        until = throttled_until(connection)
        return str(Instant().to_representation(until)) if until else None

    def to_representation(self, connection: Connection) -> dict[str, Json]:
        shown_fields: dict[str, Json] = super().to_representation(connection)
        config = tokens.config(connection)
        shown_fields |= settings_for(self.context.get("role", Role.VIEWER), config)
        shown_fields["allowed_hosts"] = shown(allowed_hosts(connection, config))
        shown_fields[SECRET_BY_TYPE[connection.type]] = {"set": connection.secrets is not None}
        if connection.type == "oauth2":
            shown_fields["redirect_uri"] = redirect_uri(connection)
        return shown_fields


def settings_for(role: Role, config: Config) -> dict[str, Json]:
    settings = config.as_json()
    if not role.covers(Role.EDITOR):
        return {name: value for name, value in settings.items() if name in OPEN_SETTINGS}
    return {name: mask_typed(value, is_literal) if name in PAIRS else value for name, value in settings.items()}


class AuthorizationSerializer(serializers.Serializer[Any]):
    authorization_url = serializers.CharField(allow_null=True)


def outcome_schema() -> serializers.Serializer[Any]:
    return inline_serializer(
        "ConnectionCheck",
        {
            "ok": serializers.BooleanField(allow_null=True),
            "status": serializers.IntegerField(allow_null=True),
            "took_ms": serializers.IntegerField(allow_null=True),
            "exchange": serializers.DictField(allow_null=True),
            "error": ErrorShown(allow_null=True),
        },
    )
