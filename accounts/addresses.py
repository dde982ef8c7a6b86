"""Where a request comes from, and where it may be sent on to."""

from collections.abc import Mapping
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any

from django.conf import settings
from django.utils.http import url_has_allowed_host_and_scheme

ONE_VISITOR = 64  # bits: a household or a server gets at least so many addresses of IPv6 (RFC 6177)


def client_address(environ: Mapping[str, Any]) -> str | None:
    """The visitor's IP address, from the WSGI environ (Django: request.META).

    Behind our proxy it is the last one that X-Forwarded-For names: those before it are the visitor's word.
    """
    address = str(environ.get("REMOTE_ADDR") or "")
    if settings.BEHIND_PROXY and environ.get("HTTP_X_FORWARDED_FOR"):
        address = str(environ["HTTP_X_FORWARDED_FOR"]).rsplit(",", 1)[-1].strip()
    try:
        return str(ip_address(address))
    except ValueError:  # a unix socket has none
        return None


def network_of(address: str | None) -> str | None:
    """What is counted as one visitor: an IPv4 address as it is, the /64 of an IPv6 address by its first address."""
    if address is None:
        return None
    known = ip_address(address)
    if not isinstance(known, IPv6Address):
        return str(known)
    if known.ipv4_mapped:
        return str(known.ipv4_mapped)
    return str(ip_network((int(known), ONE_VISITOR), strict=False).network_address)


def local_path(target: str | None, default: str) -> str:
    """`target` if it is a path of this site, else `default`: a link of somebody's making must not lead elsewhere."""
    target = target or ""
    is_local = target.startswith("/") and url_has_allowed_host_and_scheme(target, allowed_hosts=None)
    return target if is_local else default


def public_address(path: str) -> str:
    """A whole address for letters and links. The Host header is the sender's word and is never asked."""
    return f"{settings.PUBLIC_URL}{path}"
