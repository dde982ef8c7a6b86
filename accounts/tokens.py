"""API tokens: made once, shown once, kept as a digest, and never stronger than the person who made them."""

import secrets
from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.utils import timezone

from accounts import audit
from accounts.access import Actor, Forbidden
from accounts.api_auth import digest_of
from accounts.models import ApiToken, User, Workspace
from accounts.roles import Role

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
    """A new token and its secret, which cannot be shown again. Raises Forbidden for a role above one's own."""
    if not actor.may(role):
        raise Forbidden("role_too_high", role=actor.role)
    assert actor.user is not None
    token, secret = issue(actor.workspace, actor.user, name, role=role, expires_at=expires_at)
    audit.record(actor, "token.created", name, role=role, prefix=token.prefix)
    return token, secret


@transaction.atomic
def revoke(actor: Actor, token: ApiToken) -> None:
    """The token's next request is refused."""
    token.revoked_at = timezone.now()
    token.save(update_fields=["revoked_at"])
    audit.record(actor, "token.revoked", token.name, prefix=token.prefix)


def issue(
    workspace: Workspace, user: User, name: str, *, role: Role, expires_at: datetime | None = None
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
    )
    return token, secret
