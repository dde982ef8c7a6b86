"""A request is ended from another thread: wherever it is, at once, and honest about what may have left."""

import datetime
import ipaddress
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from lib import egress
from lib.egress import connection, pool
from lib.errors import UserError
from tests.lib.egress_server import Server, Talk, reply, replying

OPEN = egress.Policy.from_settings("127.0.0.1,::1,localhost")
LONG_S = 20  # nothing here takes as long, unless the abort does nothing
AT_ONCE_S = 2


@pytest.fixture(autouse=True)
def _no_kept_connections() -> None:
    pool.POOL.clear()


class Call:
    """A request in a thread of its own, and what became of it."""

    def __init__(self, url: str, method: str = "POST", body: bytes = b"", **options: object) -> None:
        self.abort = egress.Abort()
        self.error: UserError | None = None
        self.response: egress.Response | None = None
        self.arguments = (egress.Request(method, url, {}, body), options)
        self.thread = threading.Thread(target=self.work, daemon=True)
        self.thread.start()

    def work(self) -> None:
        request, options = self.arguments
        try:
            self.response = egress.send(request, timeout_s=LONG_S, policy=OPEN, abort=self.abort, **options)  # type: ignore[arg-type]
        except UserError as error:
            self.error = error

    def cancelled(self, *, when: Callable[[], object]) -> UserError:
        """The error after an abort at the moment that `when` tells."""
        until(when)
        began = time.monotonic()
        self.abort.abort()
        self.thread.join(LONG_S)
        assert time.monotonic() - began < AT_ONCE_S
        assert self.error is not None
        assert self.error.code == "cancelled"
        return self.error


def until(fact: Callable[[], object]) -> None:
    end = time.monotonic() + LONG_S
    while not fact():
        assert time.monotonic() < end
        time.sleep(0.005)


def waits_in(thread: threading.Thread, name: str) -> bool:
    """Whether the thread has come to a function of the egress."""
    frame = sys._current_frames().get(thread.ident or 0)
    while frame is not None:
        if frame.f_code.co_name == name:
            return True
        frame = frame.f_back
    return False


def backlogged() -> tuple[socket.socket, list[socket.socket]]:
    """A listener that nobody accepts from, with its queue full: a new connection waits for its handshake."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    waiting = []
    for _ in range(3):
        one = socket.socket()
        one.setblocking(False)
        one.connect_ex(listener.getsockname())
        waiting.append(one)
    return listener, waiting


def test_while_connecting_nothing_was_sent() -> None:
    listener, waiting = backlogged()
    try:
        call = Call(f"http://127.0.0.1:{listener.getsockname()[1]}/")
        error = call.cancelled(when=lambda: waits_in(call.thread, "_connect"))
        assert not error.unknown
    finally:
        for one in (listener, *waiting):
            one.close()


def test_in_the_tls_handshake_nothing_was_sent() -> None:
    with Server(silence) as server:
        call = Call(f"https://127.0.0.1:{server.port}/")
        assert not call.cancelled(when=lambda: waits_in(call.thread, "do_handshake")).unknown


def silence(talk: Talk) -> None:
    while talk.sock.recv(65536):
        pass


@pytest.fixture
def tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """A server's side of TLS for 127.0.0.1, which the egress trusts as long as the test runs."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = tmp_path / "server.pem"
    encoding = serialization.Encoding.PEM
    private = key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    pem.write_bytes(private + certificate.public_bytes(encoding))
    trusting = ssl.create_default_context(cafile=str(pem))
    monkeypatch.setattr(connection, "tls_context", lambda: trusting)
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(pem)
    return serving


@pytest.mark.parametrize("secure", [False, True])
def test_before_the_head_of_the_answer_nobody_knows(secure: bool, tls: ssl.SSLContext) -> None:
    came: list[bytes | None] = []

    def handler(talk: Talk) -> None:
        came.append(talk.request())
        silence(talk)
        came.append(None)  # our side has closed it

    with Server(handler, tls=tls if secure else None) as server:
        call = Call(server.url, body=b"order")
        assert call.cancelled(when=lambda: came).unknown
        until(lambda: len(came) == 2)


@pytest.mark.parametrize("secure", [False, True])
@pytest.mark.parametrize(
    "start",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
        b"HTTP/1.1 200 OK\r\n\r\nwhat ends with the connection",
    ],
)
def test_in_the_middle_of_a_body_it_is_no_shorter_answer(start: bytes, secure: bool, tls: ssl.SSLContext) -> None:
    sent = threading.Event()

    def handler(talk: Talk) -> None:
        talk.request()
        talk.send(start)
        sent.set()
        silence(talk)

    with Server(handler, tls=tls if secure else None) as server:
        call = Call(server.url, "GET")
        error = call.cancelled(when=lambda: sent.is_set() and waits_in(call.thread, "_body"))
    assert error.unknown
    assert call.response is None


def test_while_a_large_body_is_written_nobody_knows() -> None:
    asked = threading.Event()

    def handler(talk: Talk) -> None:
        asked.set()
        server.stop.wait(LONG_S)  # reads nothing: the sender's buffers fill up

    with Server(handler) as server:
        call = Call(server.url, body=b"x" * 30_000_000)
        assert call.cancelled(when=lambda: asked.is_set() and waits_in(call.thread, "write")).unknown


def test_an_abort_counts_for_each_later_request_which_sends_nothing() -> None:
    with replying(reply()) as server:
        abort = egress.Abort()
        request = egress.Request("GET", server.url)
        assert egress.send(request, policy=OPEN, abort=abort).status == 200
        abort.abort()
        abort.abort()
        assert abort.is_set
        with pytest.raises(UserError) as caught:
            egress.send(request, policy=OPEN, abort=abort)
        assert (caught.value.code, caught.value.unknown) == ("cancelled", False)
        assert len(server.requests) == 1


def test_an_abort_after_the_end_leaves_the_kept_connection_to_others() -> None:
    with replying(reply()) as server:
        abort = egress.Abort()
        assert egress.send(egress.Request("GET", server.url), policy=OPEN, abort=abort).status == 200
        abort.abort()
        for _ in range(3):
            assert egress.send(egress.Request("GET", server.url), policy=OPEN).status == 200
        assert server.connections == 1


def test_an_aborted_connection_does_not_come_back_from_the_pool() -> None:
    """The answer is whole when the abort comes, between its last byte and the pool."""
    with replying(reply()) as server:
        abort = egress.Abort()
        original = connection.Connection.watched_by

        def watched_by(self: connection.Connection, by: egress.Abort | None) -> None:
            if by is None:
                abort.abort()
            original(self, by)

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(connection.Connection, "watched_by", watched_by)
            assert egress.send(egress.Request("GET", server.url), policy=OPEN, abort=abort).status == 200
        assert egress.send(egress.Request("GET", server.url), policy=OPEN).status == 200
        assert server.connections == 2


def test_a_kept_connection_that_waits_is_aborted_too_and_the_request_not_repeated() -> None:
    came: list[int] = []

    def handler(talk: Talk) -> None:
        while talk.request():
            came.append(talk.number)
            if len(came) == 1:
                talk.send(reply())

    with Server(handler) as server:
        assert egress.send(egress.Request("GET", server.url), policy=OPEN).status == 200
        call = Call(server.url, "GET")
        assert call.cancelled(when=lambda: len(came) == 2).unknown
    assert came == [1, 1]


def test_between_a_redirect_and_its_target_nobody_knows() -> None:
    with replying(reply(b"", "Location: /there", status="302 Found")) as server:
        abort = egress.Abort()
        steps: list[int] = []

        def before_send() -> None:
            steps.append(1)
            if len(steps) == 2:
                abort.abort()

        with pytest.raises(UserError) as caught:
            egress.send(
                egress.Request("GET", server.url), policy=OPEN, redirects=3, abort=abort, before_send=before_send
            )
        assert (caught.value.code, caught.value.unknown) == ("cancelled", True)
        assert len(server.requests) == 1


def test_one_abort_ends_several_requests_at_once() -> None:
    came: list[bytes | None] = []

    def handler(talk: Talk) -> None:
        came.append(talk.request())
        silence(talk)

    with Server(handler) as server:
        abort = egress.Abort()
        errors: list[UserError] = []

        def call() -> None:
            with pytest.raises(UserError) as caught:
                egress.send(egress.Request("GET", server.url), policy=OPEN, timeout_s=LONG_S, abort=abort)
            errors.append(caught.value)

        threads = [threading.Thread(target=call) for _ in range(5)]
        for thread in threads:
            thread.start()
        until(lambda: len(came) == 5)
        abort.abort()
        for thread in threads:
            thread.join(AT_ONCE_S)
    assert [error.code for error in errors] == ["cancelled"] * 5


def test_aborts_at_any_moment_give_a_whole_answer_or_none() -> None:
    """A hundred races: what came of each is either the answer or the word that it was cancelled."""
    with replying(reply(b"x" * 5000)) as server:
        ended = []
        for number in range(100):
            call = Call(server.url, "GET")
            time.sleep(number * 0.00002)
            call.abort.abort()
            call.thread.join(AT_ONCE_S)
            assert not call.thread.is_alive()
            ended.append(call.response is not None)
            if call.response:
                assert len(call.response.body) == 5000
            else:
                assert call.error is not None
                assert call.error.code == "cancelled"
        assert egress.send(egress.Request("GET", server.url), policy=OPEN).status == 200


def test_a_stamp_is_put_on_each_hop_by_its_own_address() -> None:
    with replying(reply()) as there:
        with replying(reply(b"", f"Location: {there.url}/x", status="302 Found")) as here:
            egress.send(
                egress.Request("GET", here.url, {"Accept": "*/*"}),
                policy=OPEN,
                redirects=1,
                stamp=lambda origin: {"X-Own": "1"} if origin.port == there.port else {},
            )
        assert b"X-Own" not in here.requests[0]
        assert b"X-Own: 1\r\n" in there.requests[0]
