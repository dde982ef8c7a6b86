"""The services that we know, in the order of the gallery. Each is data: settings, permissions and advice."""

from collections.abc import Iterable

from django.conf import settings

from connections.presets import google, russian, sandbox, world
from connections.presets.generic import GENERIC
from connections.presets.preset import Preset, Scope
from connections.rendering import host_of

__all__ = ["GENERIC", "Preset", "Scope", "find", "hosts_beside", "offered"]

KNOWN: tuple[Preset, ...] = (*google.PRESETS, *russian.PRESETS, *world.PRESETS)


def offered() -> list[Preset]:
    """What the gallery shows; the sandbox only where one runs."""
    return [*([sandbox.preset(settings.SANDBOX_URL)] if settings.SANDBOX_URL else []), *KNOWN]


def find(key: str) -> Preset | None:
    return next((preset for preset in (*offered(), GENERIC) if preset.key == key), None)


def hosts_beside(own: Iterable[str], *, preset: str) -> set[str]:
    """`host:port` of the APIs of the services whose token addresses are among `own`."""
    hosts = set(own)
    chosen = find(preset)
    found = [one for one in KNOWN if host_of(one.config.get("token_url", "")) in hosts]
    return {f"{host}:443" for one in [*found, *([chosen] if chosen else [])] for host in one.api_hosts}
