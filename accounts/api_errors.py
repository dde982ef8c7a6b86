"""The API's answers when something goes wrong: one shape, a status by code, words in the reader's language."""

import logging
from collections.abc import Iterator, Mapping
from typing import Any

from django.core.exceptions import PermissionDenied as DjangoPermissionDenied
from django.db import InterfaceError, OperationalError
from django.http import Http404
from django.utils.translation import gettext
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import set_rollback

from lib.errors import InvalidInput, Json, UserError, describe

log = logging.getLogger(__name__)

STATUS_BY_CODE: dict[str, int] = {
    "unauthenticated": 401,
    "forbidden": 403,
    "wrong_account": 403,
    "not_found": 404,
    "invitation_ended": 404,
    "setup_link_ended": 404,
    "method_not_allowed": 405,
    "not_acceptable": 406,
    "in_use": 409,
    "run_ended": 409,
    "not_under_review": 409,
    "stale_revision": 409,
    "last_owner": 409,
    "already_member": 409,
    "not_published": 409,
    "reauthorization_needed": 409,
    "too_large": 413,
    "unsupported_media_type": 415,
    "rate_limited": 429,
    "too_many_requests": 429,
    "over_limit": 429,
    "internal": 500,
    "upstream_status": 502,
    "upstream_invalid": 502,
    "upstream_unreachable": 502,
    "unavailable": 503,
    "upstream_timeout": 504,
}
WRONG_INPUT = 400  # what every other code means
COME_AGAIN_S = 5


def answer(error: Exception, context: Mapping[str, Any]) -> Response:
    """DRF's exception handler. What is not the caller's to mend is logged and answered without a detail."""
    set_rollback()
    known = user_error(error)
    if isinstance(error, exceptions.MethodNotAllowed):
        known = method_not_allowed(context)
    if known is None:
        view = type(context.get("view")).__name__
        log.error("the API failed in %s", view, exc_info=error)
        known = UserError("internal")
    errors = known.errors if isinstance(known, InvalidInput) else {}
    if isinstance(error, exceptions.ValidationError):
        errors = dict(flat(error.detail))
    response = Response(body(known, errors), status=STATUS_BY_CODE.get(known.code, WRONG_INPUT))
    if response.status_code == 401:
        response["WWW-Authenticate"] = 'Bearer realm="api"'
    if known.retry_after_s is not None:
        response["Retry-After"] = str(max(1, round(known.retry_after_s)))
    return response


def body(error: UserError, errors: Mapping[str, list[str]] | None = None) -> dict[str, Json]:
    """{"code", "text", "hint", "params", "errors"} in the language that is active now."""
    words = describe(error.as_json(), gettext)
    return {name: words[name] for name in ("code", "text", "hint", "params")} | {"errors": dict(errors or {})}


def user_error(error: Exception) -> UserError | None:
    """What Django and DRF raise, as one of our own errors; None for a bug."""
    match error:
        case UserError():
            return error
        case Http404() | exceptions.NotFound():
            return UserError("not_found")
        case exceptions.ValidationError():
            return InvalidInput(dict(flat(error.detail)))
        case exceptions.ParseError():
            return UserError("invalid_json", params={"why": str(error.detail)})
        case exceptions.NotAuthenticated():
            return UserError("unauthenticated")
        case exceptions.AuthenticationFailed():
            return UserError("unauthenticated", "token")
        case exceptions.PermissionDenied() | DjangoPermissionDenied():
            return UserError("forbidden")
        case exceptions.UnsupportedMediaType():
            return UserError("unsupported_media_type")
        case exceptions.NotAcceptable():
            return UserError("not_acceptable")
        case exceptions.Throttled():
            wait_s = getattr(error, "wait", None) or 1
            return UserError("too_many_requests", params={"seconds": round(wait_s)}, retry_after_s=wait_s)
        case OperationalError() | InterfaceError():  # the database is away, or has no connection free
            log.warning("the database is away: %s", type(error).__name__)
            return UserError("unavailable", params={"seconds": COME_AGAIN_S}, retry_after_s=COME_AGAIN_S)
    return None


def method_not_allowed(context: Mapping[str, Any]) -> UserError:
    allowed = ", ".join(context["view"].allowed_methods)
    return UserError("method_not_allowed", params={"method": context["request"].method, "allowed": allowed})


def flat(detail: Any, path: str = "") -> Iterator[tuple[str, list[str]]]:
    """DRF's nested messages by path: {"steps": [{}, {"key": ["…"]}]} → `steps[1].key`."""
    if isinstance(detail, Mapping):
        for name, inner in detail.items():
            yield from flat(inner, below(path, name))
    elif isinstance(detail, list) and any(isinstance(inner, (Mapping, list)) for inner in detail):
        for index, inner in enumerate(detail):
            yield from flat(inner, f"{path}[{index}]")
    elif detail:
        yield path, [str(message) for message in (detail if isinstance(detail, list) else [detail])]


def below(path: str, name: str | int) -> str:
    if name == "non_field_errors":
        return path
    return f"{path}[{name}]" if isinstance(name, int) else f"{path}.{name}".lstrip(".")
