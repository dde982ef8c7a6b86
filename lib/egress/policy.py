"""Where requests may go: ports, public addresses, and what the operator has opened besides."""

import ipaddress
import logging
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lib.egress import errors
from lib.egress.networks import Address, Network, guard_of, is_public, parse_address, within
from lib.egress.resolving import Resolver, lookup, system_resolver
from lib.egress.urls import Origin, canonical_host, parse
from lib.errors import UserError

DEFAULT_PORTS = frozenset({80, 443, 8080, 8443})

_ENTRY = re.compile(r"\[(?P<v6>[^\]]+)\](?P<bits>/\d+)?(?::(?P<v6port>\d+))?|(?P<host>[^:\[\]]+)(?::(?P<port>\d+))?")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Policy:
    """Without arguments the strict one: public addresses on the usual ports.

    `names` and `networks` are what the operator opens, each with a port or None for every port. `denied` closes more,
    such as the installation's own public addresses or its NAT64 prefix. `resolver` gives a name's addresses.
    """

    names: frozenset[tuple[str, int | None]] = frozenset()
    networks: tuple[tuple[Network, int | None], ...] = ()
    denied: tuple[Network, ...] = ()
    ports: frozenset[int] = DEFAULT_PORTS
    resolver: Resolver = system_resolver
    user_agent: str = ""

    @classmethod
    def from_settings(
        cls,
        allowed_private_hosts: str = "",
        ports: Iterable[int] = DEFAULT_PORTS,
        denied_networks: str = "",
        resolver: Resolver = system_resolver,
        user_agent: str = "",
    ) -> "Policy":
        """`allowed_private_hosts` is "host[:port],CIDR[:port],…", `denied_networks` "CIDR,…".

        A bad entry raises ValueError, which names it.
        """
        names: set[tuple[str, int | None]] = set()
        networks: list[tuple[Network, int | None]] = []
        for entry in _entries(allowed_private_hosts):
            opened, port = _parse_entry(entry)
            if isinstance(opened, str):
                names.add((opened, port))
            else:
                networks.append((opened, port))
        denied = tuple(_parse_network(entry, entry) for entry in _entries(denied_networks))
        return cls(frozenset(names), tuple(networks), denied, frozenset(ports), resolver, user_agent)

    def check(self, origin: Origin) -> None:
        """What can be said without looking the name up. Raises UserError `destination_blocked`."""
        if origin.address is not None:
            self._judge([origin.address], origin)
        elif not self._is_named(origin) and not self.networks:
            if origin.local:
                raise errors.blocked(origin.host, origin.port)
            if origin.port not in self.ports:
                raise errors.blocked(origin.host, origin.port, ports=self.ports)

    def addresses(self, origin: Origin, *, pool: str, wait_s: float) -> list[Address]:
        """Look the host up, once, and let every address pass: one that may not be reached spoils them all.

        Raises UserError `destination_blocked` or `host_not_found`.
        """
        self.check(origin)
        if origin.address is not None:
            return [origin.address]
        try:
            texts = lookup(origin.host, self.resolver, pool=pool, wait_s=wait_s)
        except TimeoutError:
            raise errors.lookup_timeout(origin.host, wait_s) from None
        except (OSError, UnicodeError):
            raise errors.not_found(origin.host) from None
        if not texts:
            raise errors.not_found(origin.host)
        return self._judge([parse_address(text) for text in texts], origin)

    def _judge(self, addresses: Sequence[Address | None], origin: Origin) -> list[Address]:
        allowed = [address for address in addresses if address is not None and self._permits(address, origin)]
        if len(allowed) == len(addresses):
            return list(dict.fromkeys(allowed))
        _log.warning("blocked a request to %s:%s, which is %s", origin.host, origin.port, addresses)
        only_the_port = not origin.local and all(
            address is not None and self._is_open_network(address) for address in addresses
        )
        raise errors.blocked(origin.host, origin.port, ports=self.ports if only_the_port else None)

    def _permits(self, address: Address, origin: Origin) -> bool:
        if self._is_opened(address, origin):
            return True
        usual = self._is_named(origin) or (origin.port in self.ports and not origin.local)
        return usual and self._is_open_network(address)

    def _is_open_network(self, address: Address) -> bool:
        return is_public(address) and not within(address, self.denied)

    def _is_opened(self, address: Address, origin: Origin) -> bool:
        """Whether an entry of the operator opens it. A guarded address has to be meant, not just included."""
        guard = guard_of(address)
        for network, port in self.networks:
            is_meant = guard is None or _is_inside(network, guard)
            if is_meant and port in (None, origin.port) and within(address, [network]):
                return True
        if not self._is_named(origin):
            return False
        return guard is None or (address.is_loopback and _is_localhost(origin.host))

    def _is_named(self, origin: Origin) -> bool:
        return (origin.host, None) in self.names or (origin.host, origin.port) in self.names


_default = Policy()


def configure(policy: Policy) -> None:
    """Make it the policy of this process."""
    global _default
    _default = policy


def current() -> Policy:
    return _default


def check_url(url: str, policy: Policy | None = None) -> None:
    """Raises UserError if the address is wrong (`invalid_input`) or closed, as far as that shows without a lookup."""
    (policy or _default).check(parse(url).origin)


def _entries(text: str) -> list[str]:
    return [entry.strip() for entry in text.split(",") if entry.strip()]


def _parse_entry(entry: str) -> tuple[str | Network, int | None]:
    if entry.count(":") > 1 and not entry.startswith("["):
        return _parse_network(entry, entry), None  # a bare IPv6 address or network
    match = _ENTRY.fullmatch(entry)
    if match is None:
        raise _bad(entry)
    port = match["port"] or match["v6port"]
    if port is not None and not 0 < int(port) < 65536:
        raise _bad(entry)
    number = int(port) if port else None
    if match["v6"]:
        return _parse_network(match["v6"] + (match["bits"] or ""), entry), number
    if "/" in match["host"]:
        return _parse_network(match["host"], entry), number
    try:
        host, address = canonical_host(match["host"])
    except UserError:
        raise _bad(entry) from None
    return (ipaddress.ip_network(address) if address else host), number


def _parse_network(text: str, entry: str) -> Network:
    try:
        network = ipaddress.ip_network(text)
    except ValueError as error:
        raise _bad(entry, str(error)) from None
    mapped = network.network_address.ipv4_mapped if isinstance(network, ipaddress.IPv6Network) else None
    return ipaddress.ip_network(f"{mapped}/{network.prefixlen - 96}") if mapped else network


def _bad(entry: str, why: str = "") -> ValueError:
    expected = why or "expected host, host:port, a network such as 10.1.2.0/24, or network:port"
    return ValueError(f"{entry!r} in the list of allowed hosts or denied networks: {expected}")


def _is_inside(network: Network, guard: Network) -> bool:
    return network.version == guard.version and network.subnet_of(guard)  # type: ignore[arg-type]


def _is_localhost(host: str) -> bool:
    return host == "localhost" or host.endswith(".localhost")
