"""Renders a connection's templates: what each field may name, values, pairs, and addresses rightly encoded."""

import re
import secrets
from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import quote, unquote

from lib.egress.urls import Origin, parse
from lib.errors import Json, UserError
from lib.expressions import Compiled, compile_value, evaluate_text
from lib.expressions.splitting import Kind, Piece, split

Names = Mapping[str, Json]

ENCODERS = ("url_encode", "urlencode")
QUERY_SAFE = "!$'()*+,-./:;?@_~%[]"  # kept as typed: legal in a query, or already an escape
TEMPLATED_HOST = re.compile(r"https?://[^/?#]*(?:\{[{%#]|<<)")
AUTHORITY = re.compile(r"(?<=://)[^/?#]*")
ANSWER = frozenset({"token", "callback", "access_token", "refresh_token"})
CLIENT = frozenset({"client_id", "client_secret", "redirect_uri", "scope"})

# What may stand in which field. An authorization URL is shown to people and logged by proxies: no secret gets there.
ALLOWED_NAMES: dict[str, frozenset[str]] = {
    "authorization_url": frozenset({"client_id", "redirect_uri", "scope", "state", "code_challenge"}),
    "token_url": CLIENT | {"callback"},
    "token_params": CLIENT | {"code", "code_verifier", "state", "callback"},
    "token_headers": CLIENT | {"code", "code_verifier", "state", "callback"},
    "refresh_url": CLIENT | ANSWER,
    "refresh_params": CLIENT | ANSWER | {"state"},
    "refresh_headers": CLIENT | ANSWER,
    "revoke_url": CLIENT | ANSWER,
    "api_base_url": ANSWER - {"access_token", "refresh_token"},
    "check_url": ANSWER - {"access_token", "refresh_token"},
    "request_query": CLIENT | ANSWER | {"key", "username", "password"},
    "request_headers": CLIENT | ANSWER | {"key", "username", "password"},
    "expired_when": frozenset({"status", "headers", "body"}),
}


@lru_cache(maxsize=4096)
def compiled(template: str) -> Compiled:
    return compile_value(template)


def render(template: str, names: Names) -> Json:
    """A template that is one expression keeps its type. Raises ExpressionError."""
    return compiled(template).evaluate(names)


def render_text(template: str, names: Names) -> str:
    return evaluate_text(template, names)


def render_pairs(pairs: Mapping[str, str], names: Names) -> dict[str, Json]:
    """Names with their values; what comes out empty is left out, since services refuse blank parameters."""
    values = {name: render(template, names) for name, template in pairs.items()}
    return {name: value for name, value in values.items() if value is not None and value != ""}


def render_text_pairs(pairs: Mapping[str, str], names: Names) -> dict[str, str]:
    values = {name: render_text(template, names) for name, template in pairs.items()}
    return {name: value for name, value in values.items() if value != ""}


def render_address(template: str, names: Names) -> str:
    """An address whose values are percent-encoded, whether or not the template says `url_encode`.

    What an expression gives within the query is encoded whole unless the template did it; what was typed keeps its
    escapes, and only what no URL may hold (a space, a letter beyond ASCII) is encoded.
    """
    pieces = split(template.strip())
    if any(piece.kind is Kind.TAG for piece in pieces):
        return with_readable_host(legal(render_text(template.strip(), names)))
    address = ""
    for piece in pieces:
        address += piece_in_address(piece, names, in_query="?" in address)
    return with_readable_host(address)


def with_readable_host(address: str) -> str:
    """A host of another alphabet is not percent-encoded: whoever sends the request gives it its ASCII form."""
    return AUTHORITY.sub(lambda found: found[0] if unquote(found[0]).isascii() else unquote(found[0]), address, count=1)


def piece_in_address(piece: Piece, names: Names, *, in_query: bool) -> str:
    if piece.kind is Kind.TEXT:
        return legal(piece.source)
    value = render_text(f"{{{{ {piece.source} }}}}", names)
    if in_query and not any(encoder in piece.source for encoder in ENCODERS):
        return quote(value, safe="")
    return legal(value)


def legal(text: str) -> str:
    return quote(text, safe=QUERY_SAFE + "&=#")


def names_in(template: str) -> frozenset[str]:
    """The names that a template refers to."""
    return frozenset(compiled(template).references)


def is_literal(template: str) -> bool:
    """Whether it gives what was typed in, since it takes nothing from elsewhere."""
    try:
        return not names_in(template)
    except UserError:
        return True


def one_time_state() -> str:
    return secrets.token_urlsafe(32)


def host_of(address: str) -> str:
    """`host:port` of an address; nothing where it is none, or where a template makes the host."""
    if not address.startswith(("http://", "https://")) or TEMPLATED_HOST.match(address):
        return ""
    try:
        return place_of(parse(address.partition("{")[0].partition("<")[0]).origin)
    except UserError:
        return ""


def place_of(origin: Origin) -> str:
    """`host:port`, the port always there."""
    return f"[{origin.host}]:{origin.port}" if ":" in origin.host else f"{origin.host}:{origin.port}"
