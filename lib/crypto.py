"""Secrets at rest: AES-256-GCM whose associated data binds a value to its place, and a ring of keys to rotate.

A sealed value is `version(1) | key id length(1) | key id | nonce(12) | ciphertext and tag`. The place ("context")
is table, column, row and workspace in one string: a value copied into another row or workspace does not open.
"""

import base64
import binascii
import hashlib
import secrets
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

VERSION = b"\x01"
NONCE_BYTES = 12
KEY_BYTES = 32


class BadKeys(ValueError):
    """The list of secret keys cannot be read; the message says which entry and why, without the key."""


class CannotOpen(Exception):
    """A sealed value does not open: its key is missing, or it was moved or changed. `key_id` names the key."""

    def __init__(self, key_id: str, why: str) -> None:
        super().__init__(f"{why} (key {key_id!r})")
        self.key_id = key_id


@dataclass(frozen=True)
class Keyring:
    """Keys by id; the first one seals, each of them opens."""

    keys: dict[str, bytes] = field(repr=False)  # a traceback or a log must not show them

    @classmethod
    def parse(cls, text: str) -> "Keyring":
        """Read `id:base64,id:base64,…` (32 bytes each, the first one writes). Raises BadKeys."""
        keys: dict[str, bytes] = {}
        for entry in filter(None, (part.strip() for part in text.split(","))):
            key_id, colon, encoded = entry.partition(":")
            if not colon or not key_id.isascii() or not 1 <= len(key_id) <= 32:
                raise BadKeys("each secret key is written as id:base64, for example k1:…")
            try:
                key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars=b"-_", validate=True)
            except binascii.Error:
                raise BadKeys(f"secret key {key_id!r} is not base64") from None
            if len(key) != KEY_BYTES:
                raise BadKeys(f"secret key {key_id!r} has {len(key)} bytes instead of {KEY_BYTES}")
            if key_id in keys:
                raise BadKeys(f"secret key {key_id!r} is listed twice")
            keys[key_id] = key
        if not keys:
            raise BadKeys("no secret key is given")
        return cls(keys)

    @staticmethod
    def generate(key_id: str = "k1") -> str:
        """A fresh entry for the list of keys."""
        return f"{key_id}:{base64.urlsafe_b64encode(secrets.token_bytes(KEY_BYTES)).decode().rstrip('=')}"

    @property
    def writing_id(self) -> str:
        return next(iter(self.keys))

    def seal(self, plain: bytes, *, context: str) -> bytes:
        key_id = self.writing_id
        nonce = secrets.token_bytes(NONCE_BYTES)
        sealed = AESGCM(self.keys[key_id]).encrypt(nonce, plain, associated(context, key_id))
        return VERSION + bytes([len(key_id)]) + key_id.encode() + nonce + sealed

    def open(self, sealed: bytes, *, context: str) -> bytes:
        """Raises CannotOpen; never answers something else than what was sealed in this place."""
        key_id, nonce, rest = split(bytes(sealed))
        key = self.keys.get(key_id)
        if key is None:
            raise CannotOpen(key_id, "the secret key is missing")
        try:
            return AESGCM(key).decrypt(nonce, rest, associated(context, key_id))
        except InvalidTag:
            raise CannotOpen(key_id, "the value was sealed with another key or for another place") from None

    def derive(self, purpose: str) -> list[bytes]:
        """One 32-byte key per key of the ring for another purpose (RFC 5869), in the ring's order."""
        return [HKDF(SHA256(), KEY_BYTES, None, purpose.encode()).derive(key) for key in self.keys.values()]

    def fingerprints(self) -> dict[str, str]:
        """Tells keys apart without telling them: 16 hex digits per key id."""
        return {
            key_id: hashlib.sha256(b"apinita fingerprint" + key).hexdigest()[:16] for key_id, key in self.keys.items()
        }


def key_id_of(sealed: bytes) -> str:
    """The id of the key that sealed this value; rotation asks for it."""
    return split(bytes(sealed))[0]


def split(sealed: bytes) -> tuple[str, bytes, bytes]:
    if len(sealed) < 2 or sealed[:1] != VERSION or len(sealed) < 2 + sealed[1] + NONCE_BYTES:
        raise CannotOpen("?", "this is not a sealed value")
    start = 2 + sealed[1]
    key_id = sealed[2:start].decode("ascii", "replace")
    return key_id, sealed[start : start + NONCE_BYTES], sealed[start + NONCE_BYTES :]


def associated(context: str, key_id: str) -> bytes:
    return f"{context}|v1|{key_id}".encode()
