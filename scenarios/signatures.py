"""How a webhook's sender proves itself: which modes there are, and checking one over the raw bytes.

A chosen mode fails closed: without its secret, its header or a fresh time, a delivery is refused.
"""

import base64
import hashlib
import hmac
import time
from collections.abc import Callable, Mapping

from django.utils.translation import gettext as _

from lib.errors import Json

TOLERANCE_S = 300
SECRET_NAMES = ("secret", "password", "token")
ALGORITHMS = ("sha256", "sha512", "sha1")
ENCODINGS = ("hex", "base64")
# mode → (needed, optional) keys beside "mode": docs/format.md
MODES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "none": ((), ()),
    "header": (("name", "secret"), ()),
    "basic": (("username", "password"), ()),
    "hmac": (("secret", "header"), ("algorithm", "encoding", "prefix")),
    "github": (("secret",), ()),
    "stripe": (("secret",), ()),
    "google_channel": (("token",), ()),
}
IS_SET = {"set": True}  # stands in a document where a secret is kept apart
Signature = Mapping[str, Json]
Headers = Mapping[str, str]


def problems(signature: Json) -> dict[str, list[str]]:
    """What is wrong with a `signature` input, by path."""
    if not isinstance(signature, dict):
        return {"signature": [_("This must be an object with names and values.")]}
    mode = signature.get("mode", "none")
    if mode not in MODES:
        return {"signature.mode": [_("Choose from: {there}.").format(there=", ".join(MODES))]}
    needed, optional = MODES[mode]
    errors = {f"signature.{key}": [_("This field is required.")] for key in needed if not signature.get(key)}
    for key in signature.keys() - {"mode", *needed, *optional}:
        errors[f"signature.{key}"] = [_("“{mode}” has no such key.").format(mode=mode)]
    for key, value in signature.items():
        if key in SECRET_NAMES and value == IS_SET:
            continue
        if not isinstance(value, str):
            errors[f"signature.{key}"] = [_("This must be a text.")]
    for key, there in (("algorithm", ALGORITHMS), ("encoding", ENCODINGS)):
        if signature.get(key) and signature[key] not in there:
            errors[f"signature.{key}"] = [_("Choose from: {there}.").format(there=", ".join(there))]
    return errors


def part(inputs: Mapping[str, Json], kept: Mapping[str, str]) -> tuple[dict[str, Json], dict[str, str]]:
    """Take the secrets out of a webhook's inputs: (inputs to store, secrets to seal).

    `{"set": true}` keeps the secret that is there. A secret that was never given stays missing, and is asked for.
    """
    signature = inputs.get("signature")
    if not isinstance(signature, dict):
        return dict(inputs), {}
    secrets: dict[str, str] = {}
    shown = dict(signature)
    for name in SECRET_NAMES:
        value = signature.get(name)
        if value == IS_SET and name in kept:
            secrets[name] = kept[name]
        elif value == IS_SET:
            del shown[name]
        elif isinstance(value, str) and value:
            secrets[name] = value
            shown[name] = IS_SET
    return {**inputs, "signature": shown}, secrets


def verify(signature: Signature, secrets: Mapping[str, str], headers: Headers, raw: bytes) -> bool:
    """Whether a delivery proves itself; `headers` have lower-case names."""
    mode = str(signature.get("mode", "none"))
    check = CHECKS.get(mode)
    return check is not None and check({**signature, **secrets}, headers, raw)


def same(given: str, expected: str) -> bool:
    """In constant time, whatever the lengths and characters."""
    digests = (hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest() for text in (given, expected))
    return hmac.compare_digest(*digests)


def by_header(signature: Signature, headers: Headers, raw: bytes) -> bool:
    given = headers.get(str(signature.get("name", "")).lower())
    secret = signature.get("secret")
    return given is not None and isinstance(secret, str) and secret != "" and same(given, secret)


def by_basic(signature: Signature, headers: Headers, raw: bytes) -> bool:
    if not isinstance(signature.get("password"), str):
        return False
    pair = f"{signature.get('username', '')}:{signature['password']}"
    expected = "Basic " + base64.b64encode(pair.encode()).decode()
    return same(headers.get("authorization", ""), expected)


def by_hmac(signature: Signature, headers: Headers, raw: bytes) -> bool:
    given = headers.get(str(signature.get("header", "")).lower(), "")
    prefix = str(signature.get("prefix") or "")
    if not given.startswith(prefix) or not isinstance(signature.get("secret"), str):
        return False
    algorithm = str(signature.get("algorithm") or "sha256")
    digest = hmac.new(str(signature["secret"]).encode(), raw, algorithm).digest()
    given = given[len(prefix) :]
    if (signature.get("encoding") or "hex") == "base64":
        return same(given.rstrip("="), base64.b64encode(digest).decode().rstrip("="))
    return same(given.lower(), digest.hex())


def by_github(signature: Signature, headers: Headers, raw: bytes) -> bool:
    """https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries"""
    return by_hmac({**signature, "header": "x-hub-signature-256", "prefix": "sha256="}, headers, raw)


def by_stripe(signature: Signature, headers: Headers, raw: bytes) -> bool:
    """https://docs.stripe.com/webhooks/signature: `t=…,v1=…`, signed over `t.body`, at most five minutes old."""
    parts = [piece.partition("=") for piece in headers.get("stripe-signature", "").split(",")]
    times = [value for name, _equals, value in parts if name.strip() == "t"]
    if not times or not times[0].isascii() or not times[0].isdecimal() or len(times[0]) > 15:
        return False
    if not isinstance(signature.get("secret"), str) or abs(time.time() - int(times[0])) > TOLERANCE_S:
        return False
    digest = hmac.new(str(signature["secret"]).encode(), times[0].encode() + b"." + raw, "sha256").hexdigest()
    return any(same(value, digest) for name, _equals, value in parts if name.strip() == "v1")


def by_channel(signature: Signature, headers: Headers, raw: bytes) -> bool:
    """https://developers.google.com/workspace/calendar/api/guides/push: the token that we gave the channel."""
    return isinstance(signature.get("token"), str) and same(
        headers.get("x-goog-channel-token", ""), str(signature["token"])
    )


CHECKS: dict[str, Callable[[Signature, Headers, bytes], bool]] = {
    "none": lambda signature, headers, raw: True,
    "header": by_header,
    "basic": by_basic,
    "hmac": by_hmac,
    "github": by_github,
    "stripe": by_stripe,
    "google_channel": by_channel,
}
