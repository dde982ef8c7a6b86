"""Where a request comes from, and where it may be sent on to."""

from ipaddress import ip_address

from django.conf import settings
from django.http import HttpRequest
from django.utils.http import url_has_allowed_host_and_scheme


def client_address(request: HttpRequest) -> str | None:
    """The visitor's IP address. Behind our proxy it is the last one named: those before it are the visitor's word."""
    address = request.META.get("REMOTE_ADDR", "")
    if getattr(settings, "SECURE_PROXY_SSL_HEADER", None):
        address = request.headers.get("X-Forwarded-For", address).rsplit(",", 1)[-1].strip()
    try:
        return str(ip_address(address))
    except ValueError:  # a unix socket has none
        return None


def local_path(target: str | None, default: str) -> str:
    """`target` if it is a path of this site, else `default`: a link of somebody's making must not lead elsewhere."""
    target = target or ""
    is_local = target.startswith("/") and url_has_allowed_host_and_scheme(target, allowed_hosts=None)
    return target if is_local else default


def public_address(path: str) -> str:
    """A whole address for letters and links. The Host header is the sender's word and is never asked."""
    return f"{settings.PUBLIC_URL}{path}"
