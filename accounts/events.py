"""Who is told when somebody lost what they could do in a workspace: what they began there must not be finished."""

from collections.abc import Callable
from functools import partial

from django.db import transaction

from accounts.models import User, Workspace

# Called after the commit: a member was removed, left or got a lower role, or a token of theirs was revoked.
access_lost: list[Callable[[Workspace, User], None]] = []


def tell_access_lost(workspace: Workspace, user: User) -> None:
    """A listener that fails is logged, and the others are still told."""
    for listener in access_lost:
        transaction.on_commit(partial(listener, workspace, user), robust=True)
