"""One connection to a checked address: plain or TLS, every wait bounded by the request's deadline.

The time limit of a socket call starts anew with each call, so a server that drips bytes could hold us for ever; here
every call gets what is left of the whole request's time, and nothing else reads from the socket.
"""

import errno
import os
import select
import socket
import ssl
import time
from functools import lru_cache

import certifi

from lib.egress import errors
from lib.egress.abort import Abort
from lib.egress.networks import Address, parse_address
from lib.egress.policy import Policy
from lib.egress.urls import Origin

LOOKUP_S = 3.0
CONNECT_S = 5.0  # for each address
MAX_ADDRESSES = 4
TLS_RECORD = 16384  # bytes: a TLS write of at most one record either fails as a whole or leaves as a whole
RECEIVE = 65536


class Deadline:
    """The end of the time that a request has, all in all."""

    __slots__ = ("_end", "seconds")

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds, more than 0. Raises TimeoutError when there are none."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


class Connection:
    """A socket and what is known of it: whether it was used before, whether a byte of the present request has left
    (`sent`; in doubt it has) or a byte of its answer has come (`received`), and what was read but not yet used."""

    __slots__ = ("_abort", "_idle", "_sock", "_tls", "buffer", "expires_at", "received", "reused", "sent")

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._abort: Abort | None = None
        self._tls = isinstance(sock, ssl.SSLSocket)
        self._idle = select.poll()
        self._idle.register(sock, select.POLLIN | select.POLLPRI)
        self.buffer = bytearray()
        self.expires_at = 0.0
        self.reused = self.sent = self.received = False

    def is_quiet(self) -> bool:
        """Whether the other side has said nothing since the last answer: neither good-bye nor anything unasked."""
        try:
            return not self._idle.poll(0)
        except OSError:
            return False

    def reuse(self) -> None:
        self.reused = True
        self.sent = self.received = False

    def watched_by(self, abort: Abort | None) -> None:
        """Let it be aborted from now on, or by nobody. Raises Aborted when that has happened already."""
        if self._abort is not None:
            self._abort.forget(self._sock)
        self._abort = None
        if abort is not None:
            abort.watch(self._sock)
            self._abort = abort

    def write(self, data: bytes, deadline: Deadline) -> None:
        """Raises TimeoutError, OSError or Aborted; `sent` then tells whether anything may have left."""
        view = memoryview(data)
        while view:
            self._sock.settimeout(deadline.left())
            try:
                written = self._sock.send(view[:TLS_RECORD] if self._tls else view)
            except TimeoutError:
                self.sent = self.sent or self._tls  # a part of a record may be out
                raise
            except OSError:
                self._raise_if_aborted()
                raise
            self.sent = True
            view = view[written:]

    def read(self, deadline: Deadline) -> bytes:
        """The next bytes, b"" at the end. Raises TimeoutError, OSError or Aborted."""
        self._sock.settimeout(deadline.left())
        try:
            data = self._sock.recv(RECEIVE)
        except OSError:
            self._raise_if_aborted()
            raise
        if data:
            self.received = True
        else:
            self._raise_if_aborted()  # the end of what the other side sent looks the same
        return data

    def close(self) -> None:
        self.watched_by(None)
        self._sock.close()

    def _raise_if_aborted(self) -> None:
        if self._abort is not None:
            self._abort.check()


def connect(origin: Origin, policy: Policy, deadline: Deadline, *, pool: str, abort: Abort | None = None) -> Connection:
    """Look up, check, connect to a checked address, shake hands. Raises UserError or Aborted; nothing was sent then."""
    abort = abort or Abort()
    try:
        addresses = policy.addresses(origin, pool=pool, wait_s=min(LOOKUP_S, deadline.left()))
        sock = _open(origin, addresses[:MAX_ADDRESSES], deadline, abort)
        return Connection(_secure(sock, origin, deadline, abort) if origin.scheme == "https" else sock)
    except TimeoutError:
        raise errors.timeout(origin.host, deadline.seconds, unknown=False, connecting=True) from None


@lru_cache(maxsize=1)
def tls_context() -> ssl.SSLContext:
    """Certificates are checked against the Mozilla list and the system's own (SSL_CERT_FILE is the operator's)."""
    context = ssl.create_default_context(cafile=certifi.where())
    context.load_default_certs()
    context.set_alpn_protocols(["http/1.1"])
    return context


def _open(origin: Origin, addresses: list[Address], deadline: Deadline, abort: Abort) -> socket.socket:
    """Raises TimeoutError when the whole time is over, Aborted."""
    failure: OSError | None = None
    for address in addresses:
        wait_s = min(CONNECT_S, deadline.left())
        try:
            return _open_one(address, origin.port, wait_s, abort)
        except OSError as error:
            abort.check()
            failure = error
    if isinstance(failure, TimeoutError):
        deadline.left()
        raise errors.timeout(origin.host, CONNECT_S, unknown=False, connecting=True)
    raise errors.unreachable(origin.host)


def _open_one(address: Address, port: int, wait_s: float, abort: Abort) -> socket.socket:
    sock = socket.socket(socket.AF_INET if address.version == 4 else socket.AF_INET6, socket.SOCK_STREAM)
    try:
        _connect(sock, (str(address), port), wait_s, abort)
        if parse_address(sock.getpeername()[0]) != address:
            raise ConnectionError("the peer is not the address that was checked")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except BaseException:
        sock.close()
        raise
    return sock


def _connect(sock: socket.socket, address: tuple[str, int], wait_s: float, abort: Abort) -> None:
    """Begin at once, then wait: a socket that has not begun to connect could not be shut down by an abort."""
    sock.setblocking(False)
    failure = sock.connect_ex(address)
    abort.watch(sock)
    try:
        if failure == errno.EINPROGRESS:
            waiting = select.poll()
            waiting.register(sock, select.POLLOUT)
            if not waiting.poll(wait_s * 1000):
                raise TimeoutError
            failure = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    finally:
        abort.forget(sock)
    abort.check()
    if failure:
        raise OSError(failure, os.strerror(failure))


def _secure(sock: socket.socket, origin: Origin, deadline: Deadline, abort: Abort) -> ssl.SSLSocket:
    """Raises TimeoutError, Aborted, UserError."""
    try:
        sock.settimeout(deadline.left())
        secured = tls_context().wrap_socket(sock, server_hostname=origin.host, do_handshake_on_connect=False)
    except OSError as error:
        sock.close()
        raise _no_tls(origin, error) from None
    try:
        abort.watch(secured)
        try:
            secured.do_handshake()
        finally:
            abort.forget(secured)
    except OSError as error:
        secured.close()
        abort.check()
        raise _no_tls(origin, error) from None
    except BaseException:
        secured.close()
        raise
    return secured


def _no_tls(origin: Origin, error: OSError) -> Exception:
    if isinstance(error, TimeoutError):
        return error
    if isinstance(error, ssl.SSLCertVerificationError):
        why = error.verify_message.rstrip(".") or "it does not match"
        return errors.unreachable(origin.host, "certificate", why=why)
    return errors.unreachable(origin.host, "tls")  # ssl.SSLError is an OSError
