"""Where a connection's secrets may go: the hosts that it names, or else the hosts of its addresses.

Unencrypted only where the connection itself says so: by an address with http://, or a host of a private network.
"""

from collections.abc import Iterable

from connections import presets
from connections.config import Config, OAuthConfig
from connections.models import Connection
from connections.rendering import host_of, place_of
from lib.egress.networks import is_public
from lib.egress.urls import Origin, parse
from lib.errors import UserError


def allowed_hosts(connection: Connection, config: Config) -> list[str]:
    """`host`, `host:port` or `*.domain`; a host without a port stands for every port."""
    if config.allowed_hosts:
        return config.allowed_hosts
    # An address stands for its own port only: on one machine, another port is another server.
    own = {host for address in addresses(config) if (host := written_host(address))}
    return sorted(own | presets.hosts_beside(own, preset=connection.preset))


def addresses(config: Config) -> list[str]:
    found = [config.api_base_url]
    if isinstance(config, OAuthConfig):
        found += [config.authorization_url, config.token_url, config.refresh_url, config.revoke_url]
    return [address for address in found if address]


def require_allowed(connection: Connection, config: Config, url: str) -> Origin:
    """Raises UserError destination_not_allowed, and what is wrong with the address itself."""
    origin = parse(url).origin
    if not any(matches(entry, origin) for entry in allowed_hosts(connection, config)):
        raise not_allowed(connection, origin)
    require_encrypted(connection, config, origin)
    return origin


def require_encrypted(connection: Connection, config: Config, origin: Origin) -> None:
    """Raises UserError destination_not_allowed for http:// where nothing in the settings is meant to go without TLS."""
    if origin.scheme == "https":
        return
    plain = {written_host(address) for address in addresses(config) if address.startswith("http://")}
    # A host that a person named may be a server of their own network, which has no certificate.
    is_named_for_it = bool(config.allowed_hosts) and (bool(plain) or is_private(origin))
    if place_of(origin) not in plain and not is_named_for_it:
        raise not_allowed(connection, origin, "unencrypted")


def is_private(origin: Origin) -> bool:
    return origin.local or (origin.address is not None and not is_public(origin.address))


def not_allowed(connection: Connection, origin: Origin, reason: str = "") -> UserError:
    params = {"name": connection.name, "host": origin.netloc}
    return UserError("destination_not_allowed", reason, params=params)


def require_own(connection: Connection, config: Config, template: str, url: str) -> None:
    """An address of the connection's own. A host that a template made must stand in `allowed_hosts` by name."""
    origin = parse(url).origin
    if host := written_host(template):
        if host != place_of(origin):
            raise not_allowed(connection, origin)
        return
    if not any(matches(entry, origin) for entry in config.allowed_hosts):
        raise not_allowed(connection, origin)
    require_encrypted(connection, config, origin)


def written_host(template: str) -> str:
    """`host:port` as it is written out in an address; nothing where a template makes it."""
    return host_of(template.partition("?")[0])


def matches(entry: str, origin: Origin) -> bool:
    host, port = split_port(entry.strip().lower())
    if port and port != str(origin.port):
        return False
    if host.startswith("*."):
        return origin.host.endswith(host[1:])
    return host == origin.host


def split_port(entry: str) -> tuple[str, str]:
    if entry.startswith("["):
        host, _, port = entry[1:].partition("]")
        return host, port.lstrip(":")
    host, _, port = entry.partition(":")
    return host, port


def shown(hosts: Iterable[str]) -> list[str]:
    """As a person writes them: without the usual port."""
    return [host.removesuffix(":443") for host in hosts]
