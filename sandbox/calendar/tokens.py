"""Page and sync tokens: opaque to the client, signed, so that a made-up or altered one is told apart."""

import base64
import binascii
import hmac
import json
from typing import Any

from sandbox.store import Store

SIGNATURE_BYTES = 12


def seal(store: Store, kind: str, value: Any) -> str:
    """Standard base64 on purpose: `=`, `/` and `+` must be percent-encoded by the client."""
    text = json.dumps(value, separators=(",", ":")).encode()
    return base64.b64encode(sign(store, kind, text) + text).decode()


def unseal(store: Store, kind: str, token: str) -> Any:
    """What was sealed. Raises ValueError for anything else."""
    try:
        raw = base64.b64decode(token, validate=True)
    except (binascii.Error, ValueError) as broken:
        raise ValueError("not a token") from broken
    signature, text = raw[:SIGNATURE_BYTES], raw[SIGNATURE_BYTES:]
    if not hmac.compare_digest(signature, sign(store, kind, text)):
        raise ValueError("not our token")
    return json.loads(text)


def sign(store: Store, kind: str, text: bytes) -> bytes:
    return hmac.digest(store.meta.key.encode(), kind.encode() + b":" + text, "sha256")[:SIGNATURE_BYTES]
