"""How accounts and workspaces come to be: one way for signing up, the first start, invitations and the command line."""

from django.contrib.auth.hashers import make_password
from django.db import IntegrityError, transaction

from accounts.models import Membership, User, Workspace
from accounts.roles import Role


class AddressTaken(Exception):
    """Somebody has an account with this e-mail address."""


def register(
    email: str, password: str | None, *, name: str = "", language: str = "en", timezone: str = "Europe/Moscow"
) -> User:
    """Make an account; raises AddressTaken. Without a password one can be set by the reset letter.

    An account that has no password yet (made by the command line or an owner) is not taken over here.
    """
    try:
        with transaction.atomic():
            return User.objects.create_user(email, password, name=name, language=language, timezone=timezone)
    except IntegrityError:
        raise AddressTaken from None


def spend_the_time_of_registering(password: str) -> None:
    """What is refused before an account is made must take as long as making one: the time must not tell."""
    make_password(password)


@transaction.atomic
def make_workspace(name: str, *, owner: User, timezone: str) -> Workspace:
    workspace = Workspace.objects.create(name=name, timezone=timezone)
    Membership.objects.create(workspace=workspace, user=owner, role=Role.OWNER)
    return workspace
