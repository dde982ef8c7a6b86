"""A templated authorization URL taken apart: base and parameters, without looking into the expressions."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_plus

from connections.config import OAuthConfig

EXPRESSION = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|<<.*?>>", re.DOTALL)
QUOTED = re.compile(r"(?:\{\{|<<)\s*(['\"])(.*?)\1\s*(?:\|\s*\w+\s*)?(?:\}\}|>>)", re.DOTALL)
NAMED = re.compile(r"(?:\{\{|<<)\s*(\w+)\s*(?:\|\s*\w+\s*)?(?:\}\}|>>)")
GOOGLE = "accounts.google.com"
OURS = ("client_id", "redirect_uri", "scope", "state")  # parameters that a template should take from the other fields


@dataclass(frozen=True)
class Address:
    base: str
    pairs: tuple[tuple[str, str], ...]  # names with templates, as written

    def get(self, name: str) -> str | None:
        return next((value for key, value in self.pairs if key == name), None)

    def text(self) -> str:
        query = "&".join(f"{name}={value}" if value else name for name, value in self.pairs)
        return f"{self.base}?{query}" if query else self.base


def parse(template: str) -> Address:
    base, _, query = template.strip().partition("?")
    parts = (part.partition("=") for part in split_query(query) if part)
    return Address(base, tuple((name, value) for name, _, value in parts))


def split_query(query: str) -> list[str]:
    """At each `&` that does not stand in an expression."""
    parts, start = [], 0
    inside = [(match.start(), match.end()) for match in EXPRESSION.finditer(query)]
    for position, letter in enumerate(query):
        if letter == "&" and not any(begin <= position < end for begin, end in inside):
            parts.append(query[start:position])
            start = position + 1
    return [*parts, query[start:]]


def literal(value: str | None) -> str | None:
    """What is written out in a parameter, decoded; None where an expression over other fields gives it."""
    if value is None:
        return None
    if quoted := QUOTED.fullmatch(value.strip()):
        return quoted[2]
    return None if EXPRESSION.search(value) else unquote_plus(value)


def names(value: str | None, name: str) -> bool:
    """Whether the parameter takes its value from the field of this name."""
    found = NAMED.fullmatch(value.strip()) if value else None
    return found is not None and found[1] == name


def tidied(config: OAuthConfig) -> dict[str, Any]:
    """Settings that put what was pasted as one long address into its own fields. {} where nothing is to be moved."""
    address = parse(config.authorization_url)
    changes: dict[str, Any] = {}
    if (client_id := literal(address.get("client_id"))) and not config.client_id:
        changes["client_id"] = client_id
    if scope := literal(address.get("scope")):
        changes["scope"] = scope
    pairs = [(name, f"{{{{ {name} }}}}" if name in OURS else value) for name, value in address.pairs]
    has_openid = "openid" in (scope or config.scope).split()
    pairs = [(name, value) for name, value in pairs if name != "client_secret" and (name != "nonce" or has_openid)]
    present = {name for name, _ in pairs}
    if address.pairs:
        pairs += [(name, f"{{{{ {name} }}}}") for name in ("redirect_uri", "state") if name not in present]
    if GOOGLE in address.base:
        pairs = [pair for pair in pairs if pair[0] not in ("access_type", "prompt")]
        pairs[1:1] = [("access_type", "offline"), ("prompt", "consent")]
    written = Address(address.base, tuple(pairs)).text()
    if written != address.text():
        changes["authorization_url"] = written
    if literal(config.token_params.get("redirect_uri")):
        changes["token_params"] = {**config.token_params, "redirect_uri": "{{ redirect_uri }}"}
    return changes


def with_parameters(template: str, parameters: Mapping[str, str], *, wanted: bool) -> str:
    """The address with these parameters, or without them."""
    found = parse(template)
    pairs = [pair for pair in found.pairs if pair[0] not in parameters]
    if wanted:
        pairs[1:1] = list(parameters.items())
    return Address(found.base, tuple(pairs)).text()
