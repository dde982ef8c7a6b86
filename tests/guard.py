"""The network is closed: a connection to anywhere but this machine fails the test that opens it."""

import ipaddress
import socket
from typing import Any

violations: list[str] = []
_connect = socket.socket.connect
_connect_ex = socket.socket.connect_ex
_getaddrinfo = socket.getaddrinfo


class OutsideConnection(AssertionError):
    pass


def close_network() -> None:
    socket.socket.connect = connect  # type: ignore[method-assign]
    socket.socket.connect_ex = connect_ex  # type: ignore[method-assign]
    socket.getaddrinfo = getaddrinfo


def free_port() -> int:
    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))
        return int(opened.getsockname()[1])


def connect(self: socket.socket, address: Any) -> None:
    refuse_outside(self, address)
    _connect(self, address)


def connect_ex(self: socket.socket, address: Any) -> int:
    refuse_outside(self, address)
    return _connect_ex(self, address)


def getaddrinfo(host: Any, *args: Any, **options: Any) -> Any:
    """Names of this machine and addresses resolve; any other name is unknown, as where there is no network."""
    name = host.decode() if isinstance(host, bytes) else host
    if name and name != "localhost" and not is_address(name):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    return _getaddrinfo(host, *args, **options)


def refuse_outside(opened: socket.socket, address: Any) -> None:
    if opened.family not in {socket.AF_INET, socket.AF_INET6}:
        return
    host = address[0]
    if host == "localhost" or (is_address(host) and ipaddress.ip_address(host.split("%")[0]).is_loopback):
        return
    violations.append(f"{host}:{address[1]}")
    raise OutsideConnection(f"a test opened a connection to {host}:{address[1]}")


def is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text.split("%")[0])
    except ValueError:
        return False
    return True
