"""Names for rows: time-ordered keys for tables that grow, and opaque public ids that tell nothing."""

import secrets
import time
import uuid


def uuid7() -> uuid.UUID:
    """A time-ordered UUID (RFC 9562, version 7): inserts stay at the end of the index."""
    value = (time.time_ns() // 1_000_000 & (1 << 48) - 1) << 80 | secrets.randbits(80)
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return uuid.UUID(int=value)


def public_id() -> str:
    """An opaque id of 128 random bits for addresses and the API: 22 letters, digits, `-`, `_`."""
    return secrets.token_urlsafe(16)
