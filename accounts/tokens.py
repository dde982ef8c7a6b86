"""API tokens: made once, shown once, kept as a digest, and never stronger than the person who made them."""

import secrets
from datetime import datetime

from django.db import transaction
from django.db.models import Q, QuerySet
from django.shortcuts import get_object_or_404
from django.utils import timezone

from accounts import audit
from accounts.access import Actor, Forbidden
from accounts.api_auth import digest_of
from accounts.events import tell_access_lost
from accounts.models import ApiToken, User, Workspace
from accounts.roles import Role
from lib.errors import UserError

MARK = "apn_"  # so that a leaked token is recognised by people and by scanners
PREFIX_LENGTH = 12


def visible(actor: Actor) -> QuerySet[ApiToken]:
    """An owner sees the workspace's tokens, the others their own."""
    tokens = actor.workspace.api_tokens.filter(revoked_at=None).select_related("created_by").order_by("-id")
    return tokens if actor.may(Role.OWNER) else tokens.filter(created_by=actor.user)


def get(actor: Actor, public_id: str) -> ApiToken:
    """Raises Http404."""
    return get_object_or_404(visible(actor), public_id=public_id)


@transaction.atomic
def make(actor: Actor, name: str, *, role: Role, expires_at: datetime | None = None) -> tuple[ApiToken, str]:
    """A new token and its secret, which cannot be shown again. Raises Forbidden for a role above one's own.

    What a token makes ends with it at the latest: an earlier `expires_at` is kept, a later one or none is not.
    """
    if not actor.may(role):
        raise Forbidden("role_too_high", role=actor.role)
    actor.require_own_hand()
    assert actor.user is not None
    maker = locked(actor.token) if actor.token else None
    if maker is not None and maker.expires_at is not None:
        expires_at = min(expires_at or maker.expires_at, maker.expires_at)
    token, secret = issue(actor.workspace, actor.user, name, role=role, expires_at=expires_at, made_with=maker)
    audit.record(actor, "token.created", name, role=role, prefix=token.prefix)
    return token, secret


@transaction.atomic
def revoke(actor: Actor, token: ApiToken) -> None:
    """The token's next request is refused, and so are those of the tokens that were made with it. Raises Forbidden."""
    actor.require_own_hand()
    for ended in end(ApiToken.objects.filter(pk=token.pk)):
        audit.record(actor, "token.revoked", ended.name, prefix=ended.prefix)


@transaction.atomic
def revoke_all(user: User) -> int:
    """End all tokens of a person, in every workspace; answers how many."""
    ended = end(ApiToken.objects.filter(created_by=user))
    for token in ended:
        audit.record(Actor(token.workspace, Role(token.role), user), "token.revoked", token.name, prefix=token.prefix)
    return len(ended)


def live_tokens(user: User) -> QuerySet[ApiToken]:
    """A person's tokens that still open something."""
    return user.api_tokens.filter(Q(expires_at=None) | Q(expires_at__gt=timezone.now()), revoked_at=None)


def end(tokens: QuerySet[ApiToken]) -> list[ApiToken]:
    """Revoke tokens and what was made with them, level by level; answers with those that lived until now.

    A row is locked before its children are looked for: `make` locks it, too, so none is made in between.
    """
    ended: list[ApiToken] = []
    level = list(tokens.select_for_update(of=("self",)).select_related("workspace", "created_by"))
    while level:
        live = [token for token in level if token.revoked_at is None]
        ApiToken.objects.filter(pk__in=[token.pk for token in live]).update(revoked_at=timezone.now())
        ended += live
        below = ApiToken.objects.filter(made_with__in=level)
        level = list(below.select_for_update(of=("self",)).select_related("workspace", "created_by"))
    for workspace, user in {(token.workspace, token.created_by) for token in ended}:
        tell_access_lost(workspace, user)
    return ended


def locked(token: ApiToken) -> ApiToken:
    """The token as it is now; raises UserError where it was revoked since the request came in."""
    current = ApiToken.objects.select_for_update().get(pk=token.pk)
    if current.revoked_at is not None:
        raise UserError("unauthenticated", "token")
    return current


def issue(
    workspace: Workspace,
    user: User,
    name: str,
    *,
    role: Role,
    expires_at: datetime | None = None,
    made_with: ApiToken | None = None,
) -> tuple[ApiToken, str]:
    secret = MARK + secrets.token_urlsafe(32)
    token = ApiToken.objects.create(
        workspace=workspace,
        created_by=user,
        name=name,
        prefix=secret[:PREFIX_LENGTH],
        digest=digest_of(secret),
        role=role,
        expires_at=expires_at,
        made_with=made_with,
    )
    return token, secret
