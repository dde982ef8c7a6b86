"""Browsers and networks that somebody has signed in from: strangers' tries elsewhere do not lock them out there.

A browser knows by a signed cookie of whom it has been (OWASP, "device cookies"). It opens nothing: it only lets its
holder try when others have used up the account's tries. A new password ends the cookies of before.
"""

import hmac
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.core import signing
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.crypto import salted_hmac

from accounts.access import signed_in
from accounts.addresses import client_address, network_of
from accounts.models import KnownNetwork, User

SALT = "accounts.devices"
LASTS = timedelta(days=180)
MOST_PEOPLE = 5  # that one browser is known for


def is_known(request: HttpRequest, email: str) -> bool:
    """Whether this person has signed in before in this browser or from this network."""
    email = email.strip().lower()
    user = signed_in(request)
    if user is not None and user.email == email:
        return True
    network = network_of(client_address(request.META))
    if network and KnownNetwork.objects.filter(user__email=email, address=network, seen_at__gt=oldest()).exists():
        return True
    return is_in_cookie(request, email)


def is_in_cookie(request: HttpRequest, email: str) -> bool:
    marks = read(request)
    user = User.objects.filter(email=email).first() if marks else None
    return user is not None and hmac.compare_digest(marks.get(user.public_id, ""), mark_of(user))


def remember(request: HttpRequest, response: HttpResponse, user: User) -> None:
    """Note that this person has proved who they are, here."""
    network = network_of(client_address(request.META))
    if network:
        KnownNetwork.objects.update_or_create(user=user, address=network, defaults={"seen_at": timezone.now()})
    user.known_networks.filter(seen_at__lte=oldest()).delete()
    others = {public_id: mark for public_id, mark in read(request).items() if public_id != user.public_id}
    marks = dict([(user.public_id, mark_of(user)), *others.items()][:MOST_PEOPLE])
    response.set_cookie(
        cookie_name(),
        signing.dumps(marks, salt=SALT),
        max_age=LASTS,
        httponly=True,
        samesite="Lax",
        secure=settings.SESSION_COOKIE_SECURE,
    )


def forget_all(user: User) -> None:
    """Somebody else may have signed in: no network counts as the person's any longer."""
    user.known_networks.all().delete()


def read(request: HttpRequest) -> dict[str, str]:
    """Whom this browser is known for: marks by the person's public id."""
    try:
        marks: Any = signing.loads(request.COOKIES.get(cookie_name(), ""), salt=SALT, max_age=LASTS)
    except signing.BadSignature:
        return {}
    return marks if isinstance(marks, dict) else {}


def mark_of(user: User) -> str:
    """Changes with the password."""
    return salted_hmac(SALT, user.password, algorithm="sha256").hexdigest()[:32]


def cookie_name() -> str:
    return "__Host-device" if settings.SESSION_COOKIE_SECURE else "device"


def oldest() -> datetime:
    return timezone.now() - LASTS
