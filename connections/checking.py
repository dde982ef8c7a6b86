"""What cannot be saved: a wrong address, an expression that cannot be read, a name that its field does not know."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from django.utils.translation import gettext as _

from connections.config import FORMATS, GRANTS, METHODS, TOKEN_PATHS, Config, KeyConfig, OAuthConfig
from connections.masking import MASK
from connections.rendering import ALLOWED_NAMES, TEMPLATED_HOST, names_in
from lib.egress.urls import parse
from lib.errors import InvalidInput, UserError, describe
from lib.expressions import ExpressionError

ADDRESSES = ("authorization_url", "token_url", "refresh_url", "revoke_url", "api_base_url")
PAIRS = ("token_params", "token_headers", "refresh_params", "refresh_headers", "request_query", "request_headers")
HEADERS = frozenset({"token_headers", "refresh_headers", "request_headers"})
HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, 5.6.2
LONGEST = 4000
MOST_PAIRS = 50
MOST_CONCURRENT = 1000

Problem = tuple[str, str]  # field path, message


def require_right(config: Config) -> None:
    """Raises InvalidInput with all that is wrong, by field."""
    errors: dict[str, list[str]] = {}
    for path, message in problems(config):
        errors.setdefault(path, []).append(message)
    if errors:
        raise InvalidInput(errors)


def problems(config: Config) -> Iterator[Problem]:
    for name in ADDRESSES:
        yield from wrong_address(name, getattr(config, name, ""))
    yield from wrong_template("check_url", config.check_url, "check_url")
    for name in PAIRS:
        yield from wrong_pairs(name, getattr(config, name, {}))
    yield from wrong_hosts(config.allowed_hosts)
    if not 0 <= config.max_concurrent <= MOST_CONCURRENT:
        yield "max_concurrent", _("From 0 to %(limit)d requests.") % {"limit": MOST_CONCURRENT}
    if isinstance(config, OAuthConfig):
        yield from wrong_oauth(config)
    if isinstance(config, KeyConfig):
        if bool(config.header) == bool(config.query):
            yield "header", _("Name either the header or the query parameter that carries the key.")
        if config.header:
            yield from wrong_header_name("header", config.header)


def wrong_oauth(config: OAuthConfig) -> Iterator[Problem]:
    choices: Mapping[str, tuple[str, ...]] = {
        "token_method": METHODS,
        "refresh_method": METHODS,
        "token_format": FORMATS,
        "refresh_format": FORMATS,
        "grant": GRANTS,
    }
    for name, known in choices.items():
        if getattr(config, name) not in known:
            yield name, _("Choose one of: %(choices)s.") % {"choices": ", ".join(known)}
    for index, status in enumerate(config.expired_statuses):
        if not 100 <= status <= 599:
            yield f"expired_statuses[{index}]", _("A status is a number from 100 to 599.")
    for name in config.token_response:
        if name not in TOKEN_PATHS:
            yield f"token_response.{name}", _("Choose one of: %(choices)s.") % {"choices": ", ".join(TOKEN_PATHS)}
    if config.renew_before is not None and not 0 <= config.renew_before <= 86_400:
        yield "renew_before", _("From 0 to 86400 seconds.")
    yield from wrong_template("expired_when", config.expired_when, "expired_when")


def wrong_address(name: str, address: str) -> Iterator[Problem]:
    found = list(wrong_template(name, address, name))
    if found or not address:
        yield from found
        return
    if not address.startswith(("https://", "http://")) and not address.startswith(("{{", "<<")):
        yield name, _("The address must begin with https:// or http://.")
    elif not TEMPLATED_HOST.match(address) and not address.startswith(("{{", "<<")):
        try:
            parse(address.strip().partition("{")[0].partition("<")[0].partition("?")[0])
        except UserError as error:
            yield name, str(describe(error.as_json(), _)["text"])


def wrong_pairs(name: str, pairs: Mapping[str, Any]) -> Iterator[Problem]:
    if len(pairs) > MOST_PAIRS:
        yield name, _("At most %(limit)d rows.") % {"limit": MOST_PAIRS}
    for key, template in pairs.items():
        if not key:
            yield name, _("A row needs a name.")
        elif name in HEADERS:
            yield from wrong_header_name(f"{name}.{key}", key)
        if template == MASK:
            yield f"{name}.{key}", _("Write the value itself: the dots only stand for it.")
        yield from wrong_template(f"{name}.{key}", template, name)


def wrong_header_name(path: str, name: str) -> Iterator[Problem]:
    if not HEADER_NAME.fullmatch(name):
        yield path, _("A header's name consists of Latin letters, digits and hyphens, for example X-Request-Id.")


def wrong_template(path: str, template: str, field: str) -> Iterator[Problem]:
    """An expression that cannot be read, or a name that does not exist there: the secret in an address, for one."""
    if len(template) > LONGEST:
        yield path, _("At most %(limit)d characters.") % {"limit": LONGEST}
        return
    try:
        unknown = sorted(names_in(template) - ALLOWED_NAMES.get(field, frozenset()))
    except ExpressionError as error:
        yield path, str(describe(error.as_json(), _)["text"])
        return
    if not unknown:
        return
    if field == "authorization_url" and unknown[0] in ("client_secret", "access_token", "refresh_token"):
        yield path, _("%(name)s must not be in this address: browsers and proxies keep it.") % {"name": unknown[0]}
        return
    there = ", ".join(sorted(ALLOWED_NAMES[field]))
    yield path, _("%(name)s: no such name here; there is: %(there)s.") % {"name": unknown[0], "there": there}


def wrong_hosts(hosts: list[str]) -> Iterator[Problem]:
    for index, host in enumerate(hosts):
        name = host.strip().removeprefix("*.")
        if not name or "/" in name or "*" in name or " " in name or ("." not in name and ":" not in name):
            if name == "localhost":
                continue
            yield f"allowed_hosts[{index}]", _("Write a host: api.example.com, api.example.com:8443 or *.example.com.")
