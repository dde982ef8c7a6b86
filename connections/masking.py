"""Takes secrets out of what is kept of an HTTP exchange: by a header's name, and known values wherever they are."""

import base64
import json
import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from urllib.parse import quote, quote_plus

from lib.errors import Json, UserError

MASK = "••••••"
KEPT_OF_BODY = 20_000  # bytes
SHORTEST = 6  # a shorter value would also hide ordinary text

SECRET_NAME = re.compile(
    r"(?:^|[-_])(?:authorization|cookie|token|secret|password|passwd|signature|credentials?|api[-_]?key|apikey|auth)(?:$|[-_])",
    re.IGNORECASE,
)
# What carries a secret itself, not what is only about one: `X-Api-Key`, but not `X-Token-Version`.
SECRET_NAME_ENDS = re.compile(
    r"(?:^|[-_])(?:authorization|cookie|token|secret|password|passwd|signature|credentials?|key|apikey|auth|assertion)$",
    re.IGNORECASE,
)
SECRET_HEADERS = frozenset({"authorization", "proxy-authorization", "cookie", "set-cookie", "x-api-key", "x-auth"})
SCHEMES = frozenset({"Basic", "Bearer"})  # stand before a secret and are none
# Tokens that are known by their look, when a service puts one into an answer that we did not ask for.
LOOKS_SECRET = re.compile(
    r"ya29\.[\w-]{20,}|\b1//0[\w-]{20,}|GOCSPX-[\w-]{10,}|\beyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]{10,}|\bgh[opsu]_\w{20,}|\bxox[abpr]-[\w-]{10,}"
)


def mask_headers(headers: Mapping[str, str], secrets: frozenset[str]) -> dict[str, str]:
    return {name: MASK if is_secret_name(name) else mask_text(value, secrets) for name, value in headers.items()}


def is_secret_name(name: str) -> bool:
    return name.lower() in SECRET_HEADERS or bool(SECRET_NAME.search(name))


def mask_typed(pairs: Mapping[str, str], is_literal: Callable[[str], bool]) -> dict[str, str]:
    """Rows of templates for reading: what was typed in under the name of a secret is masked, an expression is not."""
    return {
        name: MASK if value and SECRET_NAME_ENDS.search(name) and is_literal(value) else value
        for name, value in pairs.items()
    }


def mask_text(text: str, secrets: frozenset[str]) -> str:
    pattern = pattern_of(secrets)
    masked = pattern.sub(MASK, text) if pattern else text
    return LOOKS_SECRET.sub(MASK, masked)


def mask_json(value: Json, secrets: frozenset[str]) -> Json:
    """The same value with the secrets in its texts masked, keys included."""
    if isinstance(value, str):
        return mask_text(value, secrets)
    if isinstance(value, dict):
        return {mask_text(key, secrets): mask_json(item, secrets) for key, item in value.items()}
    if isinstance(value, list):
        return [mask_json(item, secrets) for item in value]
    return value


def mask_error(error: UserError, secrets: frozenset[str]) -> None:
    """Before an error is stored or shown: a service may repeat in its words what it was sent."""
    error.params = mask_json(error.params, secrets)


def mask_known(value: Json, secrets: frozenset[str]) -> Json:
    """Only what is known to be secret: for values that later steps work with, and that must arrive whole."""
    pattern = pattern_of(secrets)
    if pattern is None:
        return value
    if isinstance(value, str):
        return pattern.sub(MASK, value)
    if isinstance(value, dict):
        return {pattern.sub(MASK, key): mask_known(item, secrets) for key, item in value.items()}
    if isinstance(value, list):
        return [mask_known(item, secrets) for item in value]
    return value


def mask_body(body: bytes, secrets: frozenset[str]) -> str:
    """A body for reading: text, at most KEPT_OF_BODY bytes; bytes that are no text are only counted."""
    # Masked before it is cut: a secret must not survive in halves at the edge.
    piece = body[: KEPT_OF_BODY * 2]
    try:
        text = piece.decode()
    except UnicodeDecodeError as error:
        if error.start < len(piece) - 4:
            return f"<{len(body)} bytes>"
        text = piece.decode("utf-8", "ignore")
    masked = mask_text(text, secrets)
    return masked if len(body) <= KEPT_OF_BODY else masked[:KEPT_OF_BODY] + f"… ({len(body)} bytes)"


@lru_cache(maxsize=512)
def pattern_of(secrets: frozenset[str]) -> re.Pattern[str] | None:
    forms = {form for secret in secrets if len(secret) >= SHORTEST for form in forms_of(secret)}
    if not forms:
        return None
    return re.compile("|".join(re.escape(form) for form in sorted(forms, key=len, reverse=True)))


def forms_of(secret: str) -> Iterable[str]:
    """A secret as it may appear: itself, percent-encoded, in JSON, in HTML, within a base64 text at any offset."""
    yield secret
    yield quote(secret, safe="")
    yield quote(secret)
    yield quote_plus(secret)
    yield re.sub("%..", lambda escape: escape[0].lower(), quote(secret, safe=""))
    yield json.dumps(secret)[1:-1]
    yield json.dumps(secret, ensure_ascii=False)[1:-1]
    yield secret.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    raw = secret.encode()
    for alphabet in (base64.b64encode, base64.urlsafe_b64encode):
        for before in range(3):
            encoded = alphabet(b"\0" * before + raw).decode().rstrip("=")
            # The characters at both edges also hold bits of the neighbours: only those between are certain.
            start = (before * 8 + 5) // 6
            end = len(encoded) if (before + len(raw)) % 3 == 0 else len(encoded) - 1
            if end - start >= SHORTEST:
                yield encoded[start:end]
