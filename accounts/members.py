"""Who belongs to a workspace: invitations, roles, leaving. A workspace always keeps an owner."""

import secrets
from datetime import timedelta

from django.db import transaction
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone

from accounts import audit, tokens
from accounts.access import Actor
from accounts.addresses import public_address
from accounts.api_auth import digest_of
from accounts.events import tell_access_lost
from accounts.letters import send_invitation
from accounts.models import ApiToken, Invitation, Membership, User, Workspace
from accounts.roles import Role
from accounts.throttle import INVITES_BY_PERSON, INVITES_OF_WORKSPACE, INVITES_TO_ADDRESS, Refused
from lib.errors import UserError

# A colleague may read their mail after a weekend. The link works once, for one address, and can be withdrawn.
INVITATION_LASTS = timedelta(days=3)


def members_of(workspace: Workspace) -> QuerySet[Membership]:
    return workspace.memberships.select_related("user").order_by("joined_at", "id")


def member(actor: Actor, public_id: str) -> Membership:
    """Raises Http404."""
    return get_object_or_404(members_of(actor.workspace), user__public_id=public_id)


def open_invitations(workspace: Workspace) -> QuerySet[Invitation]:
    live = workspace.invitations.filter(accepted_at=None, expires_at__gt=timezone.now())
    return live.select_related("invited_by").order_by("-id")


def invite(actor: Actor, email: str, role: Role) -> tuple[Invitation, str]:
    """Invite an address; an earlier invitation of it ends. Returns the link, which cannot be shown again.

    Raises Forbidden, or UserError: already a member, or too many invitations.
    """
    actor.require(Role.OWNER)
    email = email.strip().lower()
    if actor.workspace.memberships.filter(user__email=email).exists():
        raise UserError("already_member", params={"email": email})
    spend_invitation(actor, email)  # outside the transaction, so that many at once see each other's
    return write_invitation(actor, email, role)


def spend_invitation(actor: Actor, email: str) -> None:
    """Each is a letter to somebody who did not ask for it. Raises UserError."""
    try:
        INVITES_OF_WORKSPACE.spend(actor.workspace.public_id)
        if actor.user is not None:
            INVITES_BY_PERSON.spend(actor.user.public_id)
    except Refused as refused:
        raise too_many("invitations", email, refused) from None
    try:
        INVITES_TO_ADDRESS.spend(mailbox_of(email))
    except Refused as refused:
        raise too_many("recipient", email, refused) from None


def too_many(reason: str, email: str, refused: Refused) -> UserError:
    params = {"email": email, "seconds": refused.wait_s}
    return UserError("too_many_requests", reason, params=params, retry_after_s=refused.wait_s)


def mailbox_of(email: str) -> str:
    """Where a letter ends up: victim+1@… and victim+2@… are one mailbox (RFC 5233)."""
    name, _, domain = email.rpartition("@")
    return f"{name.partition('+')[0]}@{domain}"


@transaction.atomic
def write_invitation(actor: Actor, email: str, role: Role) -> tuple[Invitation, str]:
    actor.workspace.invitations.filter(email=email, accepted_at=None).delete()
    secret = secrets.token_urlsafe(32)
    invitation = Invitation.objects.create(
        workspace=actor.workspace,
        email=email,
        role=role,
        digest=digest_of(secret),
        invited_by=actor.user,
        expires_at=timezone.now() + INVITATION_LASTS,
    )
    audit.record(actor, "member.invited", email, role=role)
    url = public_address(reverse("accounts:invitation", args=[secret]))
    transaction.on_commit(lambda: send_invitation(invitation, url))
    return invitation, url


@transaction.atomic
def withdraw(actor: Actor, public_id: str) -> None:
    """Raises Http404."""
    actor.require(Role.OWNER)
    invitation = get_object_or_404(open_invitations(actor.workspace), public_id=public_id)
    audit.record(actor, "member.invitation_withdrawn", invitation.email)
    invitation.delete()


def invitation_of(secret: str) -> Invitation:
    """The invitation that a link stands for; raises UserError when it has ended."""
    invitation = Invitation.objects.select_related("workspace", "invited_by").filter(digest=digest_of(secret)).first()
    if invitation is None or invitation.accepted_at is not None or invitation.expires_at <= timezone.now():
        raise UserError("invitation_ended")
    return invitation


@transaction.atomic
def accept(invitation: Invitation, user: User) -> Membership:
    """Make the person a member; each invitation works once. Raises UserError."""
    if user.email != invitation.email:
        raise UserError("wrong_account", params={"email": invitation.email})
    now = timezone.now()
    if not Invitation.objects.filter(pk=invitation.pk, accepted_at=None, expires_at__gt=now).update(accepted_at=now):
        raise UserError("invitation_ended")
    membership, _ = Membership.objects.get_or_create(
        workspace=invitation.workspace, user=user, defaults={"role": invitation.role}
    )
    audit.record(Actor(invitation.workspace, Role(membership.role), user), "member.joined", user.email)
    return membership


@transaction.atomic
def change_role(actor: Actor, membership: Membership, role: Role) -> None:
    """Raises Forbidden, or UserError where the workspace would lose its last owner."""
    actor.require(Role.OWNER)
    keep_an_owner(membership, leaving=role != Role.OWNER)
    audit.record(actor, "member.role_changed", membership.user.email, before=membership.role, after=role)
    if not role.covers(Role(membership.role)):
        tell_access_lost(membership.workspace, membership.user)
    membership.role = role
    membership.save(update_fields=["role"])


@transaction.atomic
def remove(actor: Actor, membership: Membership) -> None:
    """Remove a member, or leave; sessions and tokens lose the workspace at once. Raises Forbidden or UserError."""
    if membership.user_id != (actor.user and actor.user.pk):
        actor.require(Role.OWNER)
    else:
        actor.require_own_hand()
    keep_an_owner(membership, leaving=True)
    tokens.end(ApiToken.objects.filter(workspace=membership.workspace, created_by=membership.user))
    tell_access_lost(membership.workspace, membership.user)
    audit.record(actor, "member.removed", membership.user.email)
    membership.delete()


def keep_an_owner(membership: Membership, *, leaving: bool) -> None:
    """The workspace's row is locked first: two owners cannot remove each other at the same moment."""
    workspace = Workspace.objects.select_for_update().get(pk=membership.workspace_id)
    others = workspace.memberships.filter(role=Role.OWNER).exclude(pk=membership.pk)
    if leaving and not others.exists():
        raise UserError("last_owner")
