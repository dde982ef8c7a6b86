"""Signing in and out: who the credentials belong to, and what the session remembers."""

from django.conf import settings
from django.contrib.auth import authenticate, login, logout
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from accounts import devices
from accounts.addresses import client_address
from accounts.audit import record_personal
from accounts.models import User
from accounts.throttle import SIGN_IN

SESSION_BEGAN = "began"  # seconds since 1970: no session outlives middleware.LONGEST_SESSION
SESSION_SEEN = "seen"  # the day of the last visit
SESSION_WORKSPACE = "workspace"


class WrongCredentials(Exception):
    """The e-mail and password do not belong together; `left` says how many tries remain."""

    def __init__(self, left: int) -> None:
        super().__init__(f"{left} tries left")
        self.left = left


def check_credentials(request: HttpRequest, email: str, password: str) -> User:
    """Raises WrongCredentials, or throttle.Refused. An unknown address looks and lasts like a wrong password."""
    address = client_address(request.META)
    left = SIGN_IN.spend(email, address, is_known=devices.is_known(request, email))
    user = authenticate(request, username=email, password=password)
    if not isinstance(user, User):
        raise WrongCredentials(left)
    SIGN_IN.forget(email, address)
    return user


def begin_session(request: HttpRequest, response: HttpResponse, user: User, *, remember: bool = False) -> HttpResponse:
    """A new session under a new id; without `remember` its cookie ends with the browser. Answers `response`, which
    tells the browser that it is known from now on."""
    login(request, user, backend=settings.AUTHENTICATION_BACKENDS[0])
    request.session[SESSION_BEGAN] = timezone.now().timestamp()
    request.session.set_expiry(None if remember else 0)
    record_personal(user, "account.signed_in", address=client_address(request.META))
    devices.remember(request, response, user)
    return response


def end_session(request: HttpRequest) -> None:
    """The session is deleted on the server: its cookie is worth nothing afterwards."""
    logout(request)
