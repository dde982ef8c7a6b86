"""What every request passes: text that can be kept, the workspace of who is signed in, their language and zone, and
the closed door."""

import re
import zoneinfo
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth import logout
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    JsonResponse,
    QueryDict,
    UnreadablePostError,
)
from django.shortcuts import redirect, render, resolve_url
from django.utils import timezone, translation
from django.utils.cache import add_never_cache_headers, patch_vary_headers
from django.utils.http import urlencode
from django.utils.translation import gettext

from accounts.access import Actor, signed_in
from accounts.api_errors import body
from accounts.models import Membership, User
from accounts.roles import Role
from accounts.signing_in import SESSION_BEGAN, SESSION_SEEN, SESSION_WORKSPACE
from lib.errors import InvalidInput

GetResponse = Callable[[HttpRequest], HttpResponseBase]

LONGEST_SESSION = timedelta(days=30)

# Addresses that a stranger may open; everything else asks to sign in. A test walks all addresses against these.
PUBLIC = {
    "accounts:sign_in",
    "accounts:sign_up",
    "accounts:reset",
    "accounts:reset_confirm",
    "accounts:setup",
    "accounts:invitation",
    "connections:callback",  # its one-time state, and the cookie of the browser that began, are its guard
    "set_language",
    "cabinet:theme",  # a cookie and nothing else
    "healthz",
    "readyz",
}
PUBLIC_PREFIXES = ("/static/", "/hooks/", "/api/")  # the API and the hooks have guards of their own
API_PREFIX = "/api/"
UNREADABLE = re.compile("[\0\ud800-\udfff]")
WITHOUT_WORKSPACE = {
    "accounts:new_workspace",
    "accounts:switch_workspace",
    "accounts:sign_out",
    "accounts:profile",
    "accounts:password",
}


class ReadableText:
    """Answers 400 to a NUL or half a surrogate pair in a query, a form or a cookie: PostgreSQL has no such text.

    It comes before the session, whose key is a cookie. JSON has lib.safe_json, which makes such marks visible.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if any(UNREADABLE.search(value) for value in request.COOKIES.values()):
            return unreadable(request, "Cookie")
        is_api = request.path_info.startswith(API_PREFIX)
        try:
            name = unreadable_name(request.GET) or ("" if is_api else unreadable_name(request.POST))
        except UnreadablePostError:  # the visitor has gone
            return HttpResponse(status=400)
        return unreadable(request, name) if name else self.get_response(request)


class Workspaces:
    """Sets request.actor, .workspace, .membership and .memberships, read anew each time: a removal acts at once."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        user = signed_in(request)
        if user is not None and is_over(request):
            logout(request)
            user = None
        memberships = memberships_of(user) if user else []
        chosen = choose(request, memberships)
        request.memberships = memberships  # type: ignore[attr-defined]
        request.membership = chosen  # type: ignore[attr-defined]
        request.workspace = chosen and chosen.workspace  # type: ignore[attr-defined]
        request.actor = chosen and Actor(chosen.workspace, Role(chosen.role), user)  # type: ignore[attr-defined]
        response = self.get_response(request)
        if user is not None and not response.has_header("Cache-Control"):
            add_never_cache_headers(response)
        return response


class LanguageAndZone:
    """The language and zone of the person; of strangers the cookie's or the browser's language, and the set zone."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        user = signed_in(request)
        language = language_of(user) or translation.get_language_from_request(request)
        with translation.override(language), timezone.override(zone_of(user)):
            request.LANGUAGE_CODE = translation.get_language()
            response = self.get_response(request)
        response.headers.setdefault("Content-Language", language)
        if user is None:
            patch_vary_headers(response, ("Accept-Language",))
        return response


class SignInRequired:
    """Closed by default: who is not signed in sees PUBLIC and PUBLIC_PREFIXES only."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Any, args: Sequence[Any], kwargs: dict[str, Any]
    ) -> HttpResponseBase | None:
        if any("\0" in value for value in kwargs.values() if isinstance(value, str)):
            raise Http404  # PostgreSQL has no such character in a text: nothing can be called so
        name = request.resolver_match.view_name if request.resolver_match else ""
        if name in PUBLIC or request.path_info.startswith(PUBLIC_PREFIXES):
            return None
        if signed_in(request) is None:
            return to_sign_in(request)
        if getattr(request, "actor", None) is None and name not in WITHOUT_WORKSPACE:
            return go(request, resolve_url("accounts:new_workspace"))
        return None


def unreadable_name(values: QueryDict) -> str:
    """The name of the first value that cannot be kept; empty where there is none."""
    for name, texts in values.lists():
        if any(UNREADABLE.search(text) for text in (name, *texts)):
            return UNREADABLE.sub("�", name)[:100] or "�"
    return ""


def unreadable(request: HttpRequest, name: str) -> HttpResponse:
    with translation.override(translation.get_language_from_request(request)):
        if request.path_info.startswith(API_PREFIX):
            message = gettext("This text has a character that cannot be kept: NUL, or half a surrogate pair.")
            error = InvalidInput({name: [message]})
            return JsonResponse(body(error, error.errors), status=400)
        return render(request, "accounts/unreadable.html", {"name": name}, status=400)


def memberships_of(user: User) -> list[Membership]:
    return list(Membership.objects.filter(user=user).select_related("workspace").order_by("joined_at", "id"))


def choose(request: HttpRequest, memberships: list[Membership]) -> Membership | None:
    """The workspace chosen in this session, as long as the person belongs to it; else their first one."""
    if not memberships:
        return None
    chosen = request.session.get(SESSION_WORKSPACE)
    return next((one for one in memberships if one.workspace_id == chosen), memberships[0])


def is_over(request: HttpRequest) -> bool:
    """Whether the session is too old; one in use is prolonged once a day (SESSION_COOKIE_AGE is the idle time)."""
    now = timezone.now()
    began = request.session.setdefault(SESSION_BEGAN, now.timestamp())
    if now.timestamp() - began > LONGEST_SESSION.total_seconds():
        return True
    if request.session.get(SESSION_SEEN) != str(now.date()):
        request.session[SESSION_SEEN] = str(now.date())
    return False


def language_of(user: User | None) -> str | None:
    return user.language if user and user.language in dict(settings.LANGUAGES) else None


def zone_of(user: User | None) -> zoneinfo.ZoneInfo:
    try:
        return zoneinfo.ZoneInfo(user.timezone if user else settings.TIME_ZONE)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError):  # a zone that the system's data no longer has
        return zoneinfo.ZoneInfo("UTC")


def to_sign_in(request: HttpRequest) -> HttpResponseBase:
    target = resolve_url("accounts:sign_in")
    wanted = request.get_full_path() if request.method == "GET" else ""
    if request.headers.get("HX-Request"):  # the page that shows, not the part of it that was asked for
        wanted = urlsplit(request.headers.get("HX-Current-URL", "")).path
    if wanted not in {"", "/"}:
        target = f"{target}?{urlencode({'next': wanted})}"
    return go(request, target)


def go(request: HttpRequest, target: str) -> HttpResponseBase:
    """A redirect; where htmx asked for a part of a page, the whole page goes there."""
    if request.headers.get("HX-Request"):
        return HttpResponse(status=401, headers={"HX-Redirect": target})
    return redirect(target)
