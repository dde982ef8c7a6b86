"""Who acts, in which workspace and with which role: the one thing that pages and the API ask before they act."""

from dataclasses import dataclass
from typing import Any

from accounts.models import ApiToken, User, Workspace
from accounts.roles import Role
from lib.errors import UserError


class Forbidden(UserError):
    """Somebody of the workspace may not do this. Strangers get Http404 instead."""

    def __init__(self, reason: str = "", **params: str) -> None:
        super().__init__("forbidden", reason, params=params)


@dataclass(frozen=True)
class Actor:
    """Somebody acting in a workspace: a person in the cabinet, or a program with a person's token."""

    workspace: Workspace
    role: Role
    user: User | None
    token: ApiToken | None = None

    def may(self, needed: Role) -> bool:
        return self.role.covers(needed)

    def require(self, needed: Role) -> None:
        """Raises Forbidden."""
        if not self.may(needed):
            raise Forbidden(needed=needed, role=self.role)

    def require_own_hand(self) -> None:
        """Raises Forbidden where a token acts that is less than an owner's.

        Tokens and the person's own data are the person's business: a leaked token for reading must not make another
        one that outlives it, cut off the programs of production or rename its owner.
        """
        if self.token is not None and not self.may(Role.OWNER):
            raise Forbidden("token")


def actor(request: Any) -> Actor:
    """The actor of a Django or DRF request; UserError where nobody is signed in or no workspace is left."""
    found: Actor | None = getattr(request, "actor", None)
    if found is None:
        if signed_in(request) is not None:
            raise Forbidden("no_workspace")
        raise UserError("unauthenticated")
    return found


def signed_in(request: Any) -> User | None:
    """The person behind a request, or nobody."""
    user = getattr(request, "user", None)
    return user if isinstance(user, User) else None


def person(request: Any) -> User:
    """The person behind a request that cannot be anonymous; UserError otherwise."""
    user = signed_in(request)
    if user is None:
        raise UserError("unauthenticated")
    return user
