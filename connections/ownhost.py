"""Tells this installation's own webhooks how deep a chain of runs is that calls itself: X-Apinita-Depth."""

from collections.abc import Mapping
from dataclasses import replace

from django.conf import settings

from lib import egress
from lib.egress.urls import Origin, parse

DEPTH = "X-Apinita-Depth"


def stamp(origin: Origin, depth: int) -> dict[str, str]:
    """The header for a request to this origin: of a run at `depth`, one deeper. Other hosts never see it."""
    own = parse(settings.PUBLIC_URL).origin
    return {DEPTH: str(depth + 1)} if (origin.host, origin.port) == (own.host, own.port) else {}


def without_depth(request: egress.Request) -> egress.Request:
    """Nobody may write it: a loop could pass for a beginning."""
    if not any(is_depth(name) for name in request.headers):
        return request
    return replace(request, headers=without(request.headers))


def without(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if not is_depth(name)}


def is_depth(name: str) -> bool:
    return name.lower() == DEPTH.lower()
