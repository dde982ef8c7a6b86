"""The audit log: who did what in a workspace, and what happened to an account. Written once, never changed."""

from collections.abc import Iterable, Mapping

from django.utils.translation import gettext

from accounts.access import Actor
from accounts.models import AuditEntry, User
from lib.errors import Json
from lib.errors import gettext_noop as _
from lib.safe_json import storable

# What each action is called on the page of the log; packages add their own by `name_actions`.
TITLES: dict[str, str] = {
    "account.signed_in": _("Signed in"),
    "account.password_changed": _("Changed the password"),
    "account.password_reset": _("Reset the password by letter"),
    "member.invited": _("Invited somebody"),
    "member.invitation_withdrawn": _("Withdrew an invitation"),
    "member.joined": _("Joined the workspace"),
    "member.role_changed": _("Changed a role"),
    "member.removed": _("Removed a member"),
    "token.created": _("Created an API token"),
    "token.revoked": _("Revoked an API token"),
    "workspace.changed": _("Changed the workspace"),
}


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
        subject=storable(subject)[:200],
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


def name_actions(titles: Mapping[str, str]) -> None:
    """Add a package's actions and what they are called, marked with gettext_noop."""
    TITLES.update(titles)


def titled(entries: Iterable[AuditEntry]) -> list[AuditEntry]:
    """The entries, each with its `title` in the reader's language; an action without a name is shown as itself."""
    shown = list(entries)
    for entry in shown:
        name = TITLES.get(entry.action)
        entry.title = gettext(name) if name else entry.action  # type: ignore[attr-defined]
    return shown
