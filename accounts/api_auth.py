"""Who calls the API and what they may: bearer tokens, the cabinet's session, roles, and one way to read JSON."""

import hashlib
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, cast

from django.conf import settings
from django.db.models import CharField, OuterRef, Q, Subquery
from django.http import HttpRequest
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication, SessionAuthentication, get_authorization_header
from rest_framework.exceptions import PermissionDenied
from rest_framework.parsers import BaseParser
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from accounts.access import Actor, Forbidden
from accounts.models import ApiToken, Membership, User
from accounts.roles import Role
from lib import safe_json
from lib.errors import Json, UserError

SEEN_EVERY = timedelta(minutes=1)  # how exact `last_used_at` is: a busy token must not write at each request


class TokenAuthentication(BaseAuthentication):
    """`Authorization: Bearer apn_…`. What the token may is looked up anew at each request."""

    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        scheme, _, secret = get_authorization_header(request).partition(b" ")
        if scheme.lower() != b"bearer":
            return None
        token, role = live_token(secret.strip())
        note_use(token)
        actor = Actor(token.workspace, role, token.created_by, token)
        request._request.actor = actor  # type: ignore[attr-defined]
        return token.created_by, token

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="api"'


class CabinetSession(SessionAuthentication):
    """The session of somebody signed in to the cabinet, with the CSRF token for everything but reading."""

    def authenticate(self, request: Request) -> tuple[User, None] | None:
        found = super().authenticate(request)
        if found is None:
            return None
        if getattr(request._request, "actor", None) is None:
            raise Forbidden("no_workspace")
        return cast(User, found[0]), None

    def enforce_csrf(self, request: Request | HttpRequest) -> None:
        try:
            super().enforce_csrf(cast(Request, request))
        except PermissionDenied:
            raise Forbidden("csrf") from None


class RoleAllows(BasePermission):
    """Reading needs a viewer, everything else `view.needs` (an editor); `view.needs_by_method` is more exact."""

    def has_permission(self, request: Request, view: Any) -> bool:
        actor: Actor | None = getattr(request, "actor", None)
        if actor is None or request.user is None:
            return False
        actor.require(needed_role(request.method or "", view))
        return True


class StrictJSONParser(BaseParser):
    """Reads the body by the product's one rule for JSON (lib.safe_json)."""

    media_type = "application/json"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Json:
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        raw = stream.read(limit + 1)
        if len(raw) > limit:
            raise UserError("too_large", params={"limit": limit})
        try:
            return safe_json.loads(raw)
        except safe_json.JsonError as error:
            raise UserError("invalid_json", params={"why": str(error)}) from None


def needed_role(method: str, view: Any) -> Role:
    by_method: Mapping[str, Role] = getattr(view, "needs_by_method", {})
    if method in by_method:
        return by_method[method]
    role: Role = Role.VIEWER if method in SAFE_METHODS else getattr(view, "needs", Role.EDITOR)
    return role


def digest_of(secret: str | bytes) -> bytes:
    """SHA-256 of a random secret: 256 random bits need no slow hash."""
    return hashlib.sha256(secret.encode() if isinstance(secret, str) else secret).digest()


def live_token(secret: bytes) -> tuple[ApiToken, Role]:
    """The token and the role it still has: never more than its maker has in the workspace now. Raises UserError."""
    membership = Membership.objects.filter(workspace=OuterRef("workspace"), user=OuterRef("created_by"))
    token = (
        ApiToken.objects.filter(digest=digest_of(secret), revoked_at=None, created_by__is_active=True)
        .filter(Q(expires_at=None) | Q(expires_at__gt=timezone.now()))
        .annotate(member_role=Subquery(membership.values("role")[:1], output_field=CharField()))
        .select_related("workspace", "created_by")
        .first()
    )
    if token is None or token.member_role is None:
        raise UserError("unauthenticated", "token")
    return token, Role(token.role).at_most(Role(token.member_role))


def note_use(token: ApiToken) -> None:
    now = timezone.now()
    if token.last_used_at is None or token.last_used_at < now - SEEN_EVERY:
        ApiToken.objects.filter(pk=token.pk, last_used_at=token.last_used_at).update(last_used_at=now)
