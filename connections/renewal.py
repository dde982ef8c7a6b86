"""How a connection's token can be renewed: whether without a person, by which request, and when it is due."""

from datetime import datetime, timedelta

from connections import tokens
from connections.config import OAuthConfig
from connections.conversation import TokenRequest
from connections.hosts import require_own
from connections.models import Connection
from connections.redirect import redirect_uri
from connections.rendering import Names, names_in, one_time_state, render_address, render_pairs, render_text_pairs
from connections.tokens import Tokens

SHARE_OF_LIFE = 10  # never renewed before the last tenth of its life: a short-lived token would be renewed at each use


def can_renew(config: OAuthConfig, old: Tokens) -> bool:
    """Whether a new token can be had without a person."""
    if config.is_for_client:
        return True
    if not config.where_to_refresh:
        return False
    return bool(old.refresh_token) or not any(
        "refresh_token" in names_in(template)
        for template in (*config.refresh_params.values(), *config.refresh_headers.values(), config.refresh_url)
    )


def is_due(connection: Connection, config: OAuthConfig, now: datetime) -> bool:
    """Whether the token should be renewed ahead of its end, before anybody is refused."""
    if config.renew_before is None or connection.expires_at is None:
        return False
    margin = timedelta(seconds=config.renew_before)
    if connection.refreshed_at is not None:
        margin = min(margin, (connection.expires_at - connection.refreshed_at) / SHARE_OF_LIFE)
    return now >= connection.expires_at - margin


def request_for(connection: Connection, config: OAuthConfig, old: Tokens) -> TokenRequest:
    names = all_names(connection, config, old)
    if config.is_for_client:
        return client_request(connection, config, names)
    url = render_address(config.where_to_refresh, names)
    require_own(connection, config, config.where_to_refresh, url)
    return TokenRequest(
        url=url,
        method=config.refresh_method,
        format=config.refresh_format,
        params=render_pairs(config.refresh_params, names),
        headers=render_text_pairs(config.refresh_headers, names),
        paths=config.token_response,
        pool=str(connection.workspace_id),
    )


def client_request(connection: Connection, config: OAuthConfig, names: Names) -> TokenRequest:
    """The token request itself: with client credentials it is all there is, and a refresh is the same once more."""
    url = render_address(config.token_url, names)
    require_own(connection, config, config.token_url, url)
    return TokenRequest(
        url=url,
        method=config.token_method,
        format=config.token_format,
        params=render_pairs(config.token_params, names),
        headers=render_text_pairs(config.token_headers, names),
        paths=config.token_response,
        pool=str(connection.workspace_id),
    )


def all_names(connection: Connection, config: OAuthConfig, old: Tokens) -> Names:
    names = tokens.names_of(connection, config, tokens.secrets_of(connection), old)
    return names | {"redirect_uri": redirect_uri(connection), "state": one_time_state()}
