"""Where a connection's secrets may go: the hosts that it names, or else the hosts of its addresses."""

from collections.abc import Iterable

from connections import presets
from connections.config import Config, OAuthConfig
from connections.models import Connection
from connections.rendering import host_of
from lib.egress.urls import Origin, parse
from lib.errors import UserError


def allowed_hosts(connection: Connection, config: Config) -> list[str]:
    """`host`, `host:port` or `*.domain`; a host without a port stands for every port."""
    if config.allowed_hosts:
        return config.allowed_hosts
    addresses = [config.api_base_url]
    if isinstance(config, OAuthConfig):
        addresses += [config.authorization_url, config.token_url, config.refresh_url, config.revoke_url]
    # An address stands for its own port only: on one machine, another port is another server.
    own = {host for address in addresses if (host := host_of(address.partition("?")[0]))}
    return sorted(own | presets.hosts_beside(own, preset=connection.preset))


def require_allowed(connection: Connection, config: Config, url: str) -> Origin:
    """Raises UserError destination_not_allowed, and what is wrong with the address itself."""
    origin = parse(url).origin
    if not any(matches(entry, origin) for entry in allowed_hosts(connection, config)):
        raise UserError("destination_not_allowed", params={"name": connection.name, "host": origin.netloc})
    return origin


def require_own(connection: Connection, config: Config, template: str, url: str) -> None:
    """An address of the connection's own. A host that a template made must stand in `allowed_hosts` by name."""
    if host_of(template.partition("?")[0]):
        return
    origin = parse(url).origin
    if not any(matches(entry, origin) for entry in config.allowed_hosts):
        raise UserError("destination_not_allowed", params={"name": connection.name, "host": origin.netloc})


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
