"""An http(s) address in its one canonical form: only that form is judged, connected to and sent.

There is no second parser that could read the address otherwise: docs/security.md.
"""

import re
import socket
from dataclasses import dataclass, field
from functools import lru_cache
from urllib.parse import quote

import idna

from lib.egress import errors
from lib.egress.networks import Address, is_public, parse_address

MAX_URL = 8192  # characters
DEFAULT_PORT = {"http": 80, "https": 443}

_FORBIDDEN = re.compile(r"[\x00-\x20\x7f-\x9f\\\ud800-\udfff]")
_URL = re.compile(r"([A-Za-z]+)://([^/?#]*)([^#]*)(?:#.*)?", re.DOTALL)
_AUTHORITY = re.compile(r"(\[[^\[\]]*\]|[^:\[\]]*)(?::([^:]*))?")
_HOST = re.compile(
    r"(?=.{1,253}\Z)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
)
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_PLAIN_TARGET = re.compile(r"[A-Za-z0-9!$%&'()*+,./:;=?@_~\[\]-]*")
_LOCAL_SUFFIXES = (
    ".localhost", ".local", ".localdomain", ".internal", ".home.arpa", ".arpa", ".onion", ".test", ".invalid",
)  # fmt: skip


@dataclass(frozen=True)
class Origin:
    """Where a request goes. `address` is set when the host is an IP address itself; a name that only makes sense
    inside a network, such as `localhost` or `db`, is `local`."""

    scheme: str
    host: str
    port: int
    address: Address | None = field(default=None, compare=False)
    local: bool = field(default=False, compare=False)

    @property
    def netloc(self) -> str:
        """As in the Host header: the port only if it is not the scheme's own."""
        host = errors.bracketed(self.host)
        return host if self.port == DEFAULT_PORT[self.scheme] else f"{host}:{self.port}"


@dataclass(frozen=True)
class Url:
    origin: Origin
    target: str  # path and query, percent-encoded

    def __str__(self) -> str:
        return f"{self.origin.scheme}://{self.origin.netloc}{self.target}"


def parse(url: str) -> Url:
    """Raises UserError `invalid_input` for what is no http(s) address, `destination_blocked` for a disguised one."""
    if len(url) > MAX_URL:
        raise errors.wrong("url_too_long", limit=MAX_URL)
    if forbidden := _FORBIDDEN.search(url):
        raise errors.wrong("url_character", character=_shown(forbidden[0]))
    match = _URL.fullmatch(url)
    if match is None or match[1].lower() not in DEFAULT_PORT:
        raise errors.wrong("url_scheme")
    target = match[3]
    if not _PLAIN_TARGET.fullmatch(target):
        target = quote(target, safe="!$%&'()*+,/:;=?@~[]")
    if not target.startswith("/"):
        target = f"/{target}"
    return Url(parse_origin(match[1].lower(), match[2]), target)


@lru_cache(maxsize=2048)
def parse_origin(scheme: str, authority: str) -> Origin:
    if "@" in authority:
        raise errors.wrong("url_login")
    match = _AUTHORITY.fullmatch(authority)
    if match is None or "%" in authority:
        raise errors.wrong("url_host", host=authority)
    port = _port(match[2]) if match[2] else DEFAULT_PORT[scheme]
    host, address = canonical_host(match[1], port)
    if address is not None:
        return Origin(scheme, str(address), port, address)
    return Origin(scheme, host, port, local=is_local(host))


def canonical_host(text: str, port: int = 0) -> tuple[str, Address | None]:
    """The host in lower case, an international name in its ASCII form, an IP address parsed."""
    if text.startswith("["):
        address = parse_address(text[1:-1])
        if address is None or ":" not in text:
            raise errors.wrong("url_host", host=text)
        return str(address), address
    host = _ascii(text).removesuffix(".")
    if not _HOST.fullmatch(host):
        raise errors.wrong("url_host", host=text)
    if not _NUMBER.fullmatch(host.rpartition(".")[2]):
        return host, None
    # The last part is a number: everybody's resolver takes 2130706433, 0x7f.1 and 0177.0.0.1 for an IPv4 address.
    address = parse_address(host)
    if address is None:
        raise _odd_number(host, port)
    return host, address


def is_local(host: str) -> bool:
    return "." not in host or host.endswith(_LOCAL_SUFFIXES)


def _ascii(host: str) -> str:
    if host.isascii():
        return host.lower()
    try:
        return idna.encode(host, uts46=True, std3_rules=True, transitional=False).decode().lower()
    except UnicodeError:  # idna.IDNAError is one
        raise errors.wrong("url_host", host=host) from None


def _odd_number(host: str, port: int) -> Exception:
    try:
        address = parse_address(socket.inet_ntoa(socket.inet_aton(host)))
    except OSError:
        address = None
    if address is not None and not is_public(address):
        return errors.blocked(host, port)
    return errors.wrong("url_number", host=host)


def _port(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,5}", text) or not 0 < int(text) < 65536:
        raise errors.wrong("url_port", port=text)
    return int(text)


def _shown(character: str) -> str:
    return character if character == "\\" else f"U+{ord(character):04X}"
