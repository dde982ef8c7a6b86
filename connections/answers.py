"""Reads a token endpoint's answer, however unusual: form-encoded, nested, an error under 200, an absolute expiry."""

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

from connections.masking import mask_text
from lib import safe_json
from lib.errors import Json, UserError

EPOCH_SECONDS = 1_000_000_000  # a lifetime is never that long: a larger number is a moment
EPOCH_MILLISECONDS = 1_000_000_000_000
LONGEST_WORDS = 300
LONGEST_SHOWN = 254  # of an account's name, of a scope
SECRET_ENDINGS = ("token", "secret", "password", "api_key", "apikey")
DEEPEST = 8  # levels of an answer that are looked through
PATH_PART = re.compile(r"[^.\[\]]+|\[\d+\]")

# The grant is gone for good: only the person can bring it back.
INVALID_GRANT = frozenset(
    {
        "invalid_grant",
        "invalid_code",
        "invalid_token",
        "invalid_refresh_token",
        "bad_refresh_token",
        "bad_verification_code",
        "token_revoked",
        "token_expired",
        "expired_token",
        "interaction_required",
        "consent_required",
        "login_required",
        "account_inactive",
    }
)
INVALID_CLIENT = frozenset(
    {
        "invalid_client",
        "invalid_client_id",
        "unauthorized_client",
        "bad_client_id",
        "bad_client_secret",
        "incorrect_client_credentials",
        "client_not_found",
    }
)
REDIRECT = frozenset({"redirect_uri_mismatch", "bad_redirect_uri"})


@dataclass(frozen=True)
class Answer:
    """What a token endpoint gave. `refresh_token` is None where it gave none: the old one is kept."""

    access_token: str
    refresh_token: str | None
    expires_at: datetime | None
    scopes: list[str] | None
    account: str
    fields: dict[str, Json] = field(default_factory=dict)


class TokenRefused(UserError):
    """The endpoint understood and said no. `is_final` where only a person can help, `is_settings` where it is ours."""

    def __init__(
        self, reason: str, *, status: int, error: str, description: str, host: str, retry: bool = False
    ) -> None:
        params = {"status": status, "error": error, "description": description, "host": host}
        super().__init__("token_refused", reason, params=params, retry=retry)

    @property
    def is_final(self) -> bool:
        return self.reason == "invalid_grant"


def parse(
    status: int,
    body: bytes,
    *,
    paths: Mapping[str, str],
    now: datetime,
    host: str,
    secrets: frozenset[str] = frozenset(),
) -> Answer:
    """Raises TokenRefused, or UserError token_answer_unreadable (which a later try may mend).

    `secrets` and the answer's own tokens are shown nowhere: not in an error, not as a scope or an account.
    """
    fields = fields_of(body)
    token = text_at(fields, paths.get("access_token") or "access_token") or text_at(fields, "access_token")
    refresh_token = text_at(fields, paths.get("refresh_token") or "refresh_token")
    hidden = secrets | secrets_in(fields) | frozenset(filter(None, (token, refresh_token)))
    if status >= 400 or not token:
        raise refusal(status, fields, host=host, hidden=hidden)
    return Answer(
        access_token=token,
        refresh_token=refresh_token or None,
        expires_at=expiry(fields, paths.get("expires_in", ""), now),
        scopes=scope_list(at(fields, paths.get("scope") or "scope"), hidden),
        account=shown(text_at(fields, paths.get("account", "")), hidden) or account_in(fields, hidden),
        fields=fields,
    )


def secrets_in(value: Json, name: str = "", depth: int = 0) -> frozenset[str]:
    """The tokens and keys of an answer, by the names that they have there, however deep."""
    if isinstance(value, Mapping) and depth < DEEPEST:
        return frozenset().union(*(secrets_in(item, str(key), depth + 1) for key, item in value.items()))
    if isinstance(value, list) and depth < DEEPEST:
        return frozenset().union(*(secrets_in(item, name, depth + 1) for item in value))
    if not isinstance(value, (str, int)) or isinstance(value, bool) or not value:
        return frozenset()
    return frozenset({str(value)}) if name.lower().endswith(SECRET_ENDINGS) else frozenset()


def shown(text: str, hidden: frozenset[str]) -> str:
    """The text if people may see it; nothing where it is long or holds a token: a path may point anywhere."""
    return "" if len(text) > LONGEST_SHOWN or holds(text, hidden) else text


def holds(text: str, hidden: frozenset[str]) -> bool:
    return text in hidden or mask_text(text, hidden) != text


def fields_of(body: bytes) -> dict[str, Json]:
    """The answer as an object, by what it is and not by what its Content-Type says; {} where it is neither form."""
    text = body.decode("utf-8", "replace").strip()
    try:
        value = safe_json.loads(body, lenient=True)
    except safe_json.JsonError:
        is_form = "=" in text and not text.startswith("<") and "\n" not in text
        return dict(parse_qsl(text, keep_blank_values=True)) if is_form else {}
    return value if isinstance(value, dict) else {}


def refusal(status: int, fields: Mapping[str, Json], *, host: str, hidden: frozenset[str] = frozenset()) -> UserError:
    error, description = (short(words, hidden) for words in words_of(fields))
    if status in (408, 425, 429) or status >= 500:
        return TokenRefused(
            "status", status=status, error=error or str(status), description=description, host=host, retry=True
        )
    if not error and status < 400:
        return UserError("token_answer_unreadable", params={"host": host, "status": status}, retry=True)
    reason = reason_of(error, status)
    shown = error or str(status)
    return TokenRefused(reason, status=status, error=shown, description=description, host=host)


def reason_of(error: str, status: int) -> str:
    if error in INVALID_GRANT or (not error and status == 400):
        return "invalid_grant"
    if error in INVALID_CLIENT or (not error and status == 401):
        return "invalid_client"
    if error in REDIRECT:
        return "redirect"
    return "" if error else "status"


def words_of(fields: Mapping[str, Json]) -> tuple[Json, Json]:
    """The error's code and its sentence, from the shapes that services use."""
    error = fields.get("error")
    if isinstance(error, Mapping):
        code = error.get("code") or error.get("type") or error.get("status") or error.get("error_code") or ""
        return code, error.get("message") or error.get("description") or error.get("error_msg") or ""
    description = (
        fields.get("error_description")
        or fields.get("error_message")
        or fields.get("message")
        or fields.get("hint")
        or fields.get("title")
        or ""
    )
    return error or fields.get("code") or "", description


def short(value: Json, hidden: frozenset[str]) -> str:
    """Masked before it is cut: a secret must not survive in halves at the edge."""
    if not isinstance(value, (str, int)) or isinstance(value, bool):
        return ""
    return mask_text(str(value), hidden)[:LONGEST_WORDS]


def expiry(fields: Mapping[str, Json], path: str, now: datetime) -> datetime | None:
    """When the access token ends: from a lifetime or a moment, as a number or a text; None where nobody says."""
    for name in filter(None, (path, "expires_in", "expires_at", "expires", "expiry")):
        moment = moment_of(at(fields, name), now)
        if moment is not None:
            return moment
    return None


def moment_of(value: Json, now: datetime) -> datetime | None:
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return written_moment(value)
    if not isinstance(value, (int, float)) or value <= 0:
        return None
    try:
        if value >= EPOCH_MILLISECONDS:
            return datetime.fromtimestamp(value / 1000, UTC)
        if value >= EPOCH_SECONDS:
            return datetime.fromtimestamp(value, UTC)
        return now + timedelta(seconds=value)
    except (OverflowError, ValueError, OSError):
        return None


def written_moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def scope_list(value: Json, hidden: frozenset[str] = frozenset()) -> list[str] | None:
    """Scopes come as a text with spaces or commas, or as a list; None where the answer does not name them."""
    if isinstance(value, str):
        value = [] if holds(value, hidden) else value.replace(",", " ").split()
    items = value if isinstance(value, list) else []
    return [str(item) for item in items if isinstance(item, (str, int)) and shown(str(item), hidden)] or None


def account_in(fields: Mapping[str, Json], hidden: frozenset[str] = frozenset()) -> str:
    """Whose token it is, where the answer happens to tell. The id_token came over the same TLS: no need to verify."""
    claims = claims_of(fields.get("id_token"))
    for source in (claims, fields):
        for name in ("email", "preferred_username", "login", "username", "name"):
            if isinstance(value := source.get(name), str) and shown(value, hidden):
                return value
    return ""


def claims_of(token: Json) -> dict[str, Json]:
    """The claims of a JWT, RFC 7519; {} where it is none."""
    parts = token.split(".") if isinstance(token, str) else []
    if len(parts) != 3:
        return {}
    try:
        value = safe_json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (binascii.Error, safe_json.JsonError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def at(fields: Any, path: str) -> Json:
    """The value at a path (`data.access_token`, `items.0.id`, `items[0].id`), or None. A key that looks like a path is
    tried whole."""
    if not path:
        return None
    if isinstance(fields, Mapping) and path in fields:
        return fields[path]
    value: Any = fields
    for part in PATH_PART.findall(path):
        number = part.strip("[]")
        if isinstance(value, Mapping):
            value = value.get(number)
        elif isinstance(value, list) and number.isdecimal() and int(number) < len(value):
            value = value[int(number)]
        else:
            return None
    return value


def text_at(fields: Mapping[str, Json], path: str) -> str:
    value = at(fields, path)
    return str(value) if isinstance(value, (str, int)) and not isinstance(value, bool) else ""
