"""What an HTTP answer means for a step: its result, or an error that says whether trying again may help."""

import html
import re
import time
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING

from actions.effects import Effect
from lib import safe_json
from lib.errors import Json, UserError, Words, register
from lib.errors import gettext_noop as _

if TYPE_CHECKING:
    from lib import egress

LONGEST_MESSAGE = 300
LONGEST_WAIT_S = 24 * 3600
NEVER_TEMPORARY = frozenset({501, 505, 511})
NOT_CARRIED_OUT = frozenset({408, 425, 429})  # the service says that it has not begun
REASONS = {401: "unauthorized", 403: "forbidden", 404: "not_found", 413: "too_large"}

register(
    {
        "upstream_status": Words(
            _("The service answered {status}: {message}"),
            _("Look at what was sent: something in it does not fit."),
            button="edit_step",
        ),
        "upstream_status.unauthorized": Words(
            _("The service did not accept the sign-in ({status}): {message}"),
            _("Choose a connection in the step, or authorize the connection again."),
            button="open_connection",
        ),
        "upstream_status.forbidden": Words(
            _("The service does not allow this ({status}): {message}"),
            _("Check the rights of the account that the connection belongs to."),
            button="open_connection",
        ),
        "upstream_status.not_found": Words(
            _("The service has nothing at this address ({status}): {message}"),
            _("Check the address and the ids in it."),
            button="edit_step",
        ),
        "upstream_status.too_large": Words(
            _("What was sent is too large for the service ({status}): {message}"),
            _("Send less at a time."),
            button="edit_step",
        ),
        "upstream_status.server": Words(
            _("The service has a fault of its own ({status}): {message}"),
            _("This usually passes. Run the scenario again later, or set more attempts for the step."),
            button="retry",
        ),
        "rate_limited": Words(
            _("The service asks to slow down ({status}): {message}"),
            _("Run the scenario less often, or put a delay before this step."),
            button="retry",
        ),
        "unknown_action": Words(
            _("There is no action “{name}” in this installation."),
            _("Replace the step with another action."),
            button="edit_step",
        ),
    }
)


def result_of(response: "egress.Response") -> dict[str, Json]:
    """{"status", "headers", "body"}: the body is parsed JSON, or text, or null when empty (docs/format.md)."""
    return {"status": response.status, "headers": dict(response.headers), "body": body_of(response)}


def body_of(response: "egress.Response") -> Json:
    """Never raises: what was done must not be lost because the answer is odd."""
    if not response.body:
        return None
    content_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    says_json = content_type.endswith(("/json", "+json"))
    looks_like_json = "html" not in content_type and response.body.lstrip()[:1] in (b"{", b"[")
    if says_json or looks_like_json:
        try:
            return response.json()
        except UserError:
            pass  # it is text then
    return safe_json.storable(response.text())


def refusal_of(response: "egress.Response", effect: Effect, *, message: str = "") -> UserError:
    """The error for an error status. `params`: `status`, `message`.

    408, 425, 429 and a 503 that names a time are definite: nothing was done, every step may try again. After another
    5xx nobody knows whether the request had its effect, which matters for a step that must not be repeated: the error
    then is `unknown` too, although there is an answer.
    """
    status = response.status
    params = {"status": status, "message": message or message_of(response)}
    wait_s = retry_after_s(response)
    if status == 429:
        return UserError("rate_limited", params=params, retry=True, retry_after_s=wait_s)
    reason = REASONS.get(status, "server" if status >= 500 else "")
    definite = status in NOT_CARRIED_OUT or (status == 503 and wait_s is not None)
    temporary = definite or (status >= 500 and status not in NEVER_TEMPORARY)
    return UserError(
        "upstream_status",
        reason,
        params=params,
        retry=temporary,
        retry_after_s=wait_s if temporary else None,
        unknown=temporary and not definite and effect is Effect.ONCE,
    )


def retry_after_s(response: "egress.Response") -> float | None:
    """Retry-After as seconds from now, 1 s to 24 h; None unless it is whole seconds or a date (RFC 9110 10.2.3)."""
    value = response.headers.get("retry-after", "").strip()
    if re.fullmatch(r"[0-9]{1,20}", value):
        seconds = float(value)
    else:
        try:
            seconds = parsedate_to_datetime(value).timestamp() - time.time()
        except (ValueError, TypeError, OverflowError):
            return None
    return min(max(seconds, 1.0), float(LONGEST_WAIT_S))


def message_of(response: "egress.Response") -> str:
    """What the service says about its refusal, in one line."""
    said = message_in(body_of(response)) or phrase(response.status)
    return shortened(said)


def message_in(body: Json) -> str:
    if isinstance(body, str):
        title = re.search(r"<title[^>]*>(.*?)</title>", body[:20_000], re.IGNORECASE | re.DOTALL)
        return html.unescape(re.sub(r"<[^>]*>", " ", title[1] if title else body[:2_000]))
    if isinstance(body, list):
        return message_in(body[0]) if body else ""
    if not isinstance(body, dict):
        return ""
    for name in ("message", "error_description", "detail", "title", "error", "errors", "description", "msg"):
        if found := body.get(name):
            return message_in(found) if isinstance(found, (dict, list)) else str(found)
    return safe_json.dumps(body).decode()


def phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "?"


def shortened(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= LONGEST_MESSAGE else f"{line[: LONGEST_MESSAGE - 1]}…"
