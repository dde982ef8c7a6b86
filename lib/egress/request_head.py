"""The head of a request, in bytes; what a user may write into it is checked here, whoever calls."""

import re
from collections.abc import Mapping

from lib.egress import errors
from lib.egress.urls import Url

BLANKS = " \t"
ACCEPT_ENCODING = "gzip, deflate"
# They say where a message ends and whom it is for: https://cwe.mitre.org/data/definitions/444.html
RESERVED = frozenset({
    "host", "content-length", "transfer-encoding", "connection", "keep-alive", "te", "upgrade", "expect", "trailer",
})  # fmt: skip
ALWAYS_WITH_LENGTH = frozenset({"POST", "PUT", "PATCH", "MERGE"})
FORBIDDEN_METHODS = frozenset({"CONNECT", "TRACE"})

_METHOD = re.compile(r"[A-Z][A-Z-]{0,31}")
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_NOT_LATIN = re.compile(r"[^\x00-\xff]")


def encode(method: str, url: Url, headers: Mapping[str, str], body: bytes, user_agent: str) -> bytes:
    """The head of the request. Raises UserError `invalid_input` that names the method or the header."""
    if not _METHOD.fullmatch(method) or method in FORBIDDEN_METHODS:
        raise errors.wrong("method", field="method", method=method[:40])
    lines = [f"{method} {url.target} HTTP/1.1\r\nHost: {url.origin.netloc}\r\n"]
    has_agent = False
    for name, value in headers.items():
        lower = name.lower()
        _check_header(name, lower, value)
        if lower == "accept-encoding":
            continue  # we unpack the answer ourselves, whatever a browser's copied headers say
        has_agent = has_agent or lower == "user-agent"
        lines.append(f"{name}: {value.strip(BLANKS)}\r\n")
    if not has_agent:
        lines.append(f"User-Agent: {user_agent}\r\n")
    lines.append(f"Accept-Encoding: {ACCEPT_ENCODING}\r\n")
    if body or method in ALWAYS_WITH_LENGTH:
        lines.append(f"Content-Length: {len(body)}\r\n")
    lines.append("\r\n")
    return "".join(lines).encode("latin-1")


def _check_header(name: str, lower: str, value: str) -> None:
    if not _NAME.fullmatch(name):
        raise errors.wrong("header_name", field="headers", header=name[:100])
    if lower in RESERVED or lower.startswith("proxy-"):
        raise errors.wrong("header_reserved", field="headers", header=name)
    if _CONTROL.search(value):
        raise errors.wrong("header_value", field="headers", header=name)
    if not value.isascii() and (letter := _NOT_LATIN.search(value)):
        character = letter[0] if letter[0].isprintable() else f"U+{ord(letter[0]):04X}"
        raise errors.wrong("header_letters", field="headers", header=name, character=character)
