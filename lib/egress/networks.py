"""Which IP addresses belong to the public internet, by our own table of the IANA special-purpose registries.

`ipaddress.is_private` and `is_global` are not asked: they miss cloud metadata addresses and change between patch
releases of Python. https://www.iana.org/assignments/iana-ipv4-special-registry, …/iana-ipv6-special-registry
"""

import ipaddress
from collections.abc import Iterable

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def _table(*networks: str) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(network) for network in networks)


DENIED_IPV4 = _table(
    "0.0.0.0/8",  # this network
    "10.0.0.0/8",
    "100.64.0.0/10",  # carrier-grade NAT
    "127.0.0.0/8",
    "168.63.129.16/32",  # Azure's host: a public address, an internal service
    "169.254.0.0/16",  # link-local, cloud metadata
    "172.16.0.0/12",
    "192.0.0.0/24",  # protocol assignments
    "192.0.2.0/24",  # documentation
    "192.31.196.0/24",  # AS112
    "192.52.193.0/24",  # AMT
    "192.88.99.0/24",  # 6to4 relays
    "192.168.0.0/16",
    "192.175.48.0/24",  # AS112
    "198.18.0.0/15",  # benchmarks
    "198.51.100.0/24",  # documentation
    "203.0.113.0/24",  # documentation
    "224.0.0.0/4",  # multicast
    "240.0.0.0/4",  # reserved, broadcast
)
# Global unicast only; whatever embeds an IPv4 address (mapped, NAT64, 6to4, Teredo) lies outside or is denied.
ALLOWED_IPV6 = ipaddress.IPv6Network("2000::/3")
DENIED_IPV6 = _table(
    "2001::/23",  # protocol assignments, Teredo
    "2001:db8::/32",  # documentation
    "2002::/16",  # 6to4
    "2620:4f:8000::/48",  # AS112
    "3fff::/20",  # documentation
)
# Never opened in passing, by an entry that only happens to include them: the machine itself and the cloud's secrets.
GUARDED = _table(
    "0.0.0.0/8",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "168.63.129.16/32",
    "100.100.100.200/32",  # Alibaba Cloud's metadata
    "192.0.0.192/32",  # Oracle Cloud's metadata
    "::/127",
    "fe80::/10",
    "fd00:ec2::/32",  # AWS's metadata
    "fd20:ce::/32",  # Google Cloud's metadata
)


def parse_address(text: str) -> Address | None:
    """The address, an IPv4 one inside IPv6 (`::ffff:1.2.3.4`) as the IPv4 that the kernel would connect to."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address):
        if address.scope_id is not None:
            return None
        return address.ipv4_mapped or address
    return address


def is_public(address: Address) -> bool:
    if isinstance(address, ipaddress.IPv4Address):
        return not within(address, DENIED_IPV4)
    return address in ALLOWED_IPV6 and not within(address, DENIED_IPV6)


def within(address: Address, networks: Iterable[Network]) -> bool:
    return any(address.version == network.version and address in network for network in networks)


def guard_of(address: Address) -> Network | None:
    """The guarded network that the address lies in."""
    return next((network for network in GUARDED if address.version == network.version and address in network), None)
