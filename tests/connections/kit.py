"""Makes connections for the tests: typed in, connected, with tokens in place."""

from typing import Any

from django.utils import timezone

from accounts.models import Workspace
from connections import tokens
from connections.config import OAuthConfig, config_of
from connections.models import Connection
from connections.tokens import Tokens


def make(workspace: Workspace, **fields: Any) -> Connection:
    """A connection with these fields; what is no column is its configuration, `secrets` are sealed."""
    columns = {name: fields.pop(name) for name in ("status", "expires_at", "refreshed_at", "scopes") if name in fields}
    columns |= {name: fields.pop(name, default) for name, default in IDENTITY.items()}
    secrets, given = fields.pop("secrets", {}), fields.pop("tokens", None)
    config = config_of(columns["type"], fields).as_json()
    connection = Connection(workspace=workspace, config=config, **columns)
    if secrets:
        connection.secrets = tokens.sealed(connection, "secrets", secrets)
        connection.secrets_set_at = timezone.now()
    if given:
        connection.tokens = tokens.sealed(connection, "tokens", given.as_json())
    connection.save()
    return connection


IDENTITY = {"name": "Calendar", "slug": "calendar", "type": "oauth2", "preset": "generic"}


def connected(workspace: Workspace, base: str, **fields: Any) -> Connection:
    """An OAuth connection of a server at `base`, as after an authorization."""
    settings = {
        "client_id": "client",
        "authorization_url": f"{base}/authorize",
        "token_url": f"{base}/token",
        "refresh_url": f"{base}/token",
        "api_base_url": base,
        "secrets": {"client_secret": "client-secret-value"},
        "status": "connected",
        "tokens": Tokens(access_token="access-0-secret", refresh_token="refresh-0-secret"),
    }
    return make(workspace, **{**settings, **fields})


def config(connection: Connection) -> OAuthConfig:
    return tokens.oauth_config(Connection.objects.get(pk=connection.pk))


def again(connection: Connection) -> Connection:
    return Connection.objects.get(pk=connection.pk)
