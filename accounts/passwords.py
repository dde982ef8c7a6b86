"""Forgotten and changed passwords: a one-time link by letter, and the end of the other sessions."""

from django.contrib.auth.tokens import default_token_generator
from django.db import transaction
from django.http import HttpRequest
from django.urls import reverse

from accounts import devices, tokens
from accounts.addresses import client_address, public_address
from accounts.audit import record_personal
from accounts.letters import send_password_changed, send_reset
from accounts.models import User
from accounts.throttle import RESET, Refused


def ask_for_reset(request: HttpRequest, email: str) -> None:
    """Send the letter if there is such an account. The asker never learns: neither by the answer nor by its time."""
    try:
        RESET.spend(email, client_address(request.META), is_known=devices.is_known(request, email))
    except Refused:
        return
    user = User.objects.filter(email=email, is_active=True).first()
    if user is not None:
        send_reset(user, public_address(reverse("accounts:reset_confirm", args=[user.public_id, token_for(user)])))


def user_of_link(public_id: str, token: str) -> User | None:
    """Whom a link of a letter belongs to; nobody when it was used or is older than PASSWORD_RESET_TIMEOUT.

    The token is made of the password's hash and the last sign-in: using it, or signing in, ends it.
    """
    user = User.objects.filter(public_id=public_id, is_active=True).first()
    return user if user is not None and default_token_generator.check_token(user, token) else None


def token_for(user: User) -> str:
    return default_token_generator.make_token(user)


@transaction.atomic
def reset(request: HttpRequest, user: User, password: str) -> int:
    """A forgotten password, set anew; answers how many API tokens were revoked.

    Whoever knew the old password may have made tokens and signed in from places of their own. So all tokens end: the
    address of the account may never have been theirs.
    """
    revoked = tokens.revoke_all(user)
    devices.forget_all(user)
    set_password(request, user, password, action="account.password_reset", revoked=revoked)
    return revoked


@transaction.atomic
def change(request: HttpRequest, user: User, password: str, *, revoke_tokens: bool = False) -> int:
    """A new password instead of the known one; API tokens go on unless they are to end. Answers how many ended."""
    revoked = tokens.revoke_all(user) if revoke_tokens else 0
    set_password(request, user, password, action="account.password_changed", revoked=revoked)
    return revoked


def set_password(request: HttpRequest, user: User, password: str, *, action: str, revoked: int) -> None:
    """Set it, note it, tell the owner. Sessions hold a digest of the password: those that began before it end."""
    user.set_password(password)
    user.save(update_fields=["password"])
    record_personal(user, action, address=client_address(request.META))
    url = public_address(reverse("accounts:reset"))
    transaction.on_commit(lambda: send_password_changed(user, url, revoked=revoked))
