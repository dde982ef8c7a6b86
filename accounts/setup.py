"""The first start: a one-time link that makes the owner's account. There is no default account."""

import secrets

from django.contrib.auth.hashers import UNUSABLE_PASSWORD_PREFIX
from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from accounts.addresses import public_address
from accounts.api_auth import digest_of
from accounts.models import Membership, SetupLink, User
from accounts.registering import AddressTaken, make_workspace, register
from lib.errors import UserError


def is_needed() -> bool:
    """Whether nobody could sign in yet (accounts of the command line have no password)."""
    return not User.objects.exclude(password__startswith=UNUSABLE_PASSWORD_PREFIX).exists()


def new_setup_link() -> str:
    """A fresh link; earlier ones that nobody used end."""
    secret = secrets.token_urlsafe(32)
    with transaction.atomic():
        SetupLink.objects.filter(used_at=None).delete()
        SetupLink.objects.create(digest=digest_of(secret))
    return public_address(reverse("accounts:setup", args=[secret]))


def link_of(secret: str) -> SetupLink:
    """Raises UserError when the link was used or replaced."""
    link = SetupLink.objects.filter(digest=digest_of(secret), used_at=None).first()
    if link is None:
        raise UserError("setup_link_ended")
    return link


@transaction.atomic
def make_owner(
    link: SetupLink, email: str, password: str, *, name: str, language: str, timezone_name: str, workspace: str
) -> User:
    """Make the owner's account and workspace, once per link. Raises UserError, AddressTaken.

    Whoever holds the link runs the installation, so an account of the command line, without a password, becomes theirs.
    """
    if not SetupLink.objects.filter(pk=link.pk, used_at=None).update(used_at=timezone.now()):
        raise UserError("setup_link_ended")
    user = User.objects.filter(email=email.strip().lower()).first()
    if user is None:
        user = register(email, password, name=name, language=language, timezone=timezone_name)
    elif user.has_usable_password():
        raise AddressTaken
    else:
        user.name, user.language, user.timezone = name, language, timezone_name
        user.set_password(password)
        user.save()
    if not Membership.objects.filter(user=user).exists():
        make_workspace(workspace, owner=user, timezone=timezone_name)
    return user
