"""Authorizations under way: who began them, what their callback must match, and who may still finish them."""

import hashlib
import hmac
import json
from datetime import timedelta
from typing import Any

from django.utils import timezone

from accounts import vault
from accounts.models import ApiToken, Membership, User, Workspace
from accounts.roles import Role
from accounts.tokens import live_tokens
from connections import tokens
from connections.config import Config
from connections.models import AuthorizationFlow, Connection
from connections.redirect import redirect_uri
from lib.crypto import CannotOpen
from lib.errors import UserError

LIFE = timedelta(minutes=10)
FLOWS = AuthorizationFlow._meta.db_table


class BadState(UserError):
    """The callback matches no authorization that is under way: unknown, used, too old, or another browser's."""

    def __init__(self) -> None:
        super().__init__("bad_state")


def start(
    connection: Connection,
    config: Config,
    *,
    state: str,
    verifier: str,
    browser: str | None,
    user: User | None,
    token: ApiToken | None,
) -> AuthorizationFlow:
    """Note an authorization that begins. `browser` is the nonce of the one that it must end in; None for any."""
    now = timezone.now()
    AuthorizationFlow.objects.filter(connection=connection, expires_at__lt=now).delete()
    return AuthorizationFlow.objects.create(
        connection=connection,
        state_digest=digest(state),
        browser_digest=digest(browser) if browser else None,
        user=user,
        token=token,
        verifier=vault.seal(verifier.encode(), **verifier_place(connection, state)),
        redirect_uri=redirect_uri(connection),
        config_digest=config_digest(connection, config),
        expires_at=now + LIFE,
    )


def matching_flow(connection: Connection, state: str, *, user: User | None, browser: str | None) -> AuthorizationFlow:
    flow = AuthorizationFlow.objects.filter(connection=connection, state_digest=digest(state)).first()
    if flow is None or flow.used_at is not None or flow.expires_at <= timezone.now():
        raise BadState
    require_settled(flow, connection)
    if flow.browser_digest is not None:
        if browser is None or not hmac.compare_digest(bytes(flow.browser_digest), digest(browser)):
            raise BadState
        if user is None or flow.user_id != user.pk:
            raise BadState
    return flow


def require_settled(flow: AuthorizationFlow, connection: Connection) -> None:
    """The settings are those that it began with. Raises BadState."""
    if not hmac.compare_digest(bytes(flow.config_digest), config_digest(connection, tokens.oauth_config(connection))):
        raise BadState


def require_still_allowed(flow: AuthorizationFlow, connection: Connection) -> None:
    """Whoever began it must still be an editor, and a token that began it must live. Raises BadState."""
    if flow.user_id is None:
        return
    member = Membership.objects.filter(workspace=connection.workspace_id, user=flow.user_id, user__is_active=True)
    role = member.values_list("role", flat=True).first()
    if role is None or not Role(role).covers(Role.EDITOR):
        raise BadState
    if flow.token is not None and not live_tokens(flow.token.created_by).filter(pk=flow.token.pk).exists():
        raise BadState


def drop_flows(workspace: Workspace, user: User) -> None:
    """What somebody began in a workspace and may no longer finish."""
    AuthorizationFlow.objects.filter(connection__workspace=workspace, user=user).delete()


def opened_verifier(connection: Connection, flow: AuthorizationFlow, state: str) -> str:
    try:
        return vault.open(bytes(flow.verifier or b""), **verifier_place(connection, state)).decode()
    except CannotOpen:
        raise UserError("secrets_unreadable", params={"name": connection.name}) from None


def verifier_place(connection: Connection, state: str) -> dict[str, Any]:
    row = digest(state).hex()
    return {"table": FLOWS, "column": "verifier", "row": row, "workspace": connection.workspace_id}


def config_digest(connection: Connection, config: Config) -> bytes:
    """Changed settings end the authorizations under way: a code must not go to another token URL than was shown."""
    settled = {**config.as_json(), "redirect_uri": redirect_uri(connection)}
    return digest(json.dumps(settled, sort_keys=True))  # the database keeps no order of keys


def digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
