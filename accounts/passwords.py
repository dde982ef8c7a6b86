"""Forgotten and changed passwords: a one-time link by letter, and the end of the other sessions."""

from django.contrib.auth.tokens import default_token_generator
from django.db import transaction
from django.http import HttpRequest
from django.urls import reverse

from accounts.addresses import client_address, public_address
from accounts.audit import record_personal
from accounts.letters import send_password_changed, send_reset
from accounts.models import User
from accounts.throttle import RESET, Refused


def ask_for_reset(request: HttpRequest, email: str) -> None:
    """Send the letter if there is such an account. The asker never learns: neither by the answer nor by its time."""
    try:
        RESET.spend(email, client_address(request))
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
def set_password(request: HttpRequest, user: User, password: str, *, action: str) -> None:
    """Set it, note it, tell the owner. Sessions hold a digest of the password: those that began before it end."""
    user.set_password(password)
    user.save(update_fields=["password"])
    record_personal(user, action, address=client_address(request))
    transaction.on_commit(lambda: send_password_changed(user, public_address(reverse("accounts:reset"))))
