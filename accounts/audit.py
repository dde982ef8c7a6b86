"""The audit log: who did what in a workspace, and what happened to an account. Written once, never changed."""

from accounts.access import Actor
from accounts.models import AuditEntry, User
from lib.errors import Json
from lib.safe_json import storable


def record(actor: Actor | None, action: str, subject: str = "", **details: Json) -> None:
    """Note what somebody did in a workspace. `details` must hold no secret.

    `action` is dotted, area first: `connection.deleted`, `member.removed`. Without an actor it is the product itself.
    """
    AuditEntry.objects.create(
        workspace=actor.workspace if actor else None,
        user=actor.user if actor else None,
        token=actor.token if actor else None,
        who=name_of(actor),
        action=action,
        subject=subject[:200],
        details=storable(details),
    )


def record_personal(user: User, action: str, **details: Json) -> None:
    """Note what happened to an account, outside any workspace: signing in, a new password."""
    AuditEntry.objects.create(user=user, who=user.email, action=action, details=storable(details))


def name_of(actor: Actor | None) -> str:
    """Kept in the entry, so that it can be read when the account and the token are gone."""
    if actor is None:
        return ""
    if actor.token is not None:
        return f"{actor.token.name} ({actor.token.prefix}…)"
    return actor.user.email if actor.user else ""
