"""`create_token EMAIL [--workspace NAME] [--role …]`: an API token for scripts, printed and nothing else."""

from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.validators import validate_email
from django.db import transaction

from accounts import audit, tokens
from accounts.access import Actor
from accounts.models import Membership, User, Workspace
from accounts.registering import make_workspace, register
from accounts.roles import Role

NAME = "create_token"


class Command(BaseCommand):
    help = "Make an API token; the user and the workspace are made where they are missing. Prints the token only."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email", metavar="EMAIL")
        parser.add_argument("--workspace", metavar="NAME", help="default: the user's first workspace")
        parser.add_argument(
            "--role",
            choices=[role.value for role in Role],
            help="default: owner, or the role that the user has there already; a higher one makes the user that, too",
        )

    def handle(self, *args: Any, email: str, workspace: str | None, role: str | None, **options: Any) -> None:
        email = email.strip().lower()
        try:
            validate_email(email)
        except ValidationError:
            raise CommandError(f"{email!r} is not an e-mail address.") from None
        with transaction.atomic():
            secret = make_token(email, (workspace or "").strip(), Role(role) if role else None)
        self.stdout.write(secret)


def make_token(email: str, workspace_name: str, role: Role | None) -> str:
    user = User.objects.filter(email=email).first()
    if user is None:
        user = register(email, None, language=settings.LANGUAGE_CODE, timezone=settings.TIME_ZONE)
    membership = membership_of(user, workspace_name, role)
    actor = Actor(membership.workspace, Role(membership.role), user)
    role = role or actor.role
    if not actor.may(role):
        audit.record(actor, "member.role_changed", email, before=membership.role, after=role)
        membership.role = role
        membership.save(update_fields=["role"])
    token, secret = tokens.issue(membership.workspace, user, NAME, role=role)
    audit.record(actor, "token.created", NAME, role=role, prefix=token.prefix)
    return secret


def membership_of(user: User, name: str, role: Role | None) -> Membership:
    """In the named workspace (of the user, else of anybody: the operator may), or in the user's first one."""
    own = Membership.objects.filter(user=user).select_related("workspace").order_by("joined_at", "id")
    found = own.filter(workspace__name=name).first() if name else own.first()
    if found is not None:
        return found
    others = list(Workspace.objects.filter(name=name)[:2]) if name else []
    if len(others) > 1:
        raise CommandError(f"There are several workspaces called “{name}”, and {user.email} belongs to none of them.")
    if others:
        return Membership.objects.create(workspace=others[0], user=user, role=role or Role.OWNER)
    workspace = make_workspace(name or str(user), owner=user, timezone=settings.TIME_ZONE)
    return own.get(workspace=workspace)
