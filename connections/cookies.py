"""The cookie that ties an authorization to the browser that began it: one nonce per browser, ten minutes."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest

from connections.flows import LIFE


def name() -> str:
    return "__Host-oauth" if settings.SESSION_COOKIE_SECURE else "oauth"


def nonce_of(request: HttpRequest) -> str | None:
    return request.COOKIES.get(name())


def put_nonce(response: Any, nonce: str | None) -> None:
    """Lax: the service sends the browser back from its own site, and the cookie has to come along."""
    if nonce:
        response.set_cookie(
            name(),
            nonce,
            max_age=int(LIFE.total_seconds()),
            httponly=True,
            secure=settings.SESSION_COOKIE_SECURE,
            samesite="Lax",
        )
