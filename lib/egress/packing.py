"""Undo the packing of an answer (its Content-Encoding) without ever making more of it than allowed."""

import zlib

MAX_MEMBERS = 64  # parts of one gzip body


class Unusable(Exception):
    """The answer cannot be used; `reason` is one of upstream_invalid's."""

    def __init__(self, reason: str, **params: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.params = params


def unpack(data: bytes, packing: str, max_bytes: int) -> bytes:
    """Undo one content coding, never making more than the limit."""
    if packing == "deflate":
        return _part(data, zlib.MAX_WBITS if _is_zlib(data) else -zlib.MAX_WBITS, max_bytes)[0]
    if packing not in ("gzip", "x-gzip"):
        raise Unusable("encoding", encoding=packing[:80])
    out = b""
    for _ in range(MAX_MEMBERS):
        part, data = _part(data, zlib.MAX_WBITS | 16, max_bytes - len(out))
        out = out + part if out else part
        if not data.startswith(b"\x1f\x8b"):
            return out  # the end, or padding after it, which everybody ignores
    raise Unusable("garbled")


def _part(data: bytes, window: int, limit: int) -> tuple[bytes, bytes]:
    """(the unpacked part, what follows it)."""
    unpacker = zlib.decompressobj(window)
    try:
        part = unpacker.decompress(data, limit + 1)
    except zlib.error:
        raise Unusable("garbled") from None
    if len(part) > limit:
        raise Unusable("too_large")
    if not unpacker.eof:
        raise Unusable("cut_off")
    return part, unpacker.unused_data


def _is_zlib(data: bytes) -> bool:
    """RFC 1950's header, which "deflate" ought to have; some servers send the bare stream of RFC 1951."""
    return len(data) > 1 and data[0] & 0x0F == 8 and (data[0] << 8 | data[1]) % 31 == 0
