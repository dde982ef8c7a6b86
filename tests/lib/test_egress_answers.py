"""Answers from hostile and broken servers: never taken for good ones, never too much for us."""

import datetime
import gzip
import ipaddress
import resource
import socket
import ssl
import zlib
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from lib import egress
from lib.egress import connection, pool
from lib.egress.answer import read_answer
from lib.egress.packing import Unusable
from lib.errors import UserError, describe
from tests.lib.egress_server import Server, Talk, reply, replying

OPEN = egress.Policy.from_settings("127.0.0.1,localhost")
OK = b"HTTP/1.1 200 OK\r\n"


@pytest.fixture(autouse=True)
def _no_kept_connections() -> None:
    pool.POOL.clear()


def send(url: str, method: str = "GET", **options: object) -> egress.Response:
    options.setdefault("policy", OPEN)
    options.setdefault("timeout_s", 10)
    return egress.send(egress.Request(method, url), **options)  # type: ignore[arg-type]


def failure(server: Server, method: str = "POST", **options: object) -> UserError:
    with pytest.raises(UserError) as caught:
        send(server.url, method, **options)
    assert "{" not in describe(caught.value.as_json())["text"]
    return caught.value


def answering(data: bytes) -> Server:
    """Sends the bytes and closes."""
    return replying(data, keep=False)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"HTTP/1.1 200", "cut_off"),
        (OK, "cut_off"),
        (OK + b"Content-Type: te", "cut_off"),
        (OK + b"Content-Type: text/plain\r\n", "cut_off"),
        (OK + b"Content-Length: 10\r\n\r\nshort", "cut_off"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhel", "cut_off"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", "cut_off"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n", "cut_off"),
        (b"HTTP/1.1 100 Continue\r\n\r\n", "cut_off"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "garbled"),
        (b"<html>hello</html>", "garbled"),
        (b"\r\n" + reply(), "garbled"),
        (b"HTTP/2 200\r\n\r\n", "garbled"),
        (b"HTTP/1.1 20 OK\r\n\r\n", "garbled"),
        (b"HTTP/1.1 2000 OK\r\n\r\n", "garbled"),
        (b"HTTP/1.1 099 OK\r\n\r\n", "garbled"),
        (b"HTTP/1.1 ab OK\r\n\r\n", "garbled"),
        (b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n", "garbled"),
        (OK + b"no colon here\r\nContent-Length: 0\r\n\r\n", "garbled"),
        (OK + b": empty\r\n\r\n", "garbled"),
        (OK + b"bad name: x\r\n\r\n", "garbled"),
        (OK + b"X-A: a\0b\r\n\r\n", "garbled"),
        (OK + b"X-A: a\rb\r\n\r\n", "garbled"),
        (OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!", "garbled"),
        (OK + b"Content-Length: -5\r\n\r\nhello", "garbled"),
        (OK + b"Content-Length: 5x\r\n\r\nhello", "garbled"),
        (OK + b"Content-Length: +5\r\n\r\nhello", "garbled"),
        (OK + b"Content-Length:\r\n\r\nhello", "garbled"),
        (OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "garbled"),
        (OK + b"Transfer-Encoding: identity\r\n\r\nx", "garbled"),
        (OK + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "garbled"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n\r\n", "garbled"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n", "garbled"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n", "garbled"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhelloworld\r\n0\r\n\r\n", "garbled"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFF\r\n", "garbled"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\nFFFFFFFF\r\n", "too_large"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\na\r\n" * 101_000 + b"0\r\n\r\n", "garbled"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n" + b"X: y\r\n" * 500 + b"\r\n", "headers"),
        (OK + b"".join(b"X-%d: y\r\n" % number for number in range(101)) + b"\r\n", "headers"),
        (OK + b"X: " + b"a" * 70_000 + b"\r\n\r\n", "headers"),
        (OK + b"X: " + b"a" * 200_000, "headers"),
        (b"HTTP/1.1 103 Early\r\n\r\n" * 5000 + reply(), "headers"),
        (OK + b"Content-Length: 999999999999\r\n\r\n", "too_large"),
        (OK + b"\r\n" + b"x" * 6_000_000, "too_large"),
        (reply(b"x" * 5_000_001), "too_large"),
        (reply(b"not gzip", "Content-Encoding: gzip"), "garbled"),
        (reply(gzip.compress(b"hello")[:-4], "Content-Encoding: gzip"), "cut_off"),
        (reply(gzip.compress(b"hello")[:-8] + b"\0" * 8, "Content-Encoding: gzip"), "garbled"),
        (reply(gzip.compress(b"a") + gzip.compress(b"b")[:-4], "Content-Encoding: gzip"), "cut_off"),
        (reply(gzip.compress(b"a") * 100, "Content-Encoding: gzip"), "garbled"),
        (reply(zlib.compress(b"hello")[:-1], "Content-Encoding: deflate"), "cut_off"),
        (reply(b"\xff\xff\xff", "Content-Encoding: deflate"), "garbled"),
        (reply(b"x", "Content-Encoding: br"), "encoding"),
        (reply(b"x", "Content-Encoding: zstd"), "encoding"),
        (reply(gzip.compress(gzip.compress(b"x")), "Content-Encoding: gzip, gzip"), "encoding"),
        (reply(gzip.compress(b"x"), "Content-Encoding: gzip", "Content-Encoding: gzip"), "encoding"),
    ],
)
def test_a_broken_answer_is_an_error_that_knows_the_request_was_sent(data: bytes, reason: str) -> None:
    with answering(data) as server:
        error = failure(server)
    assert (error.code, error.reason, error.unknown) == ("upstream_invalid", reason, True)
    assert error.retry == (reason == "cut_off")
    assert error.params["host"] == "127.0.0.1"


@pytest.mark.parametrize(
    ("data", "body"),
    [
        (OK + b"\r\nto the end", b"to the end"),
        (b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok", b"ok"),
        (b"HTTP/1.0 200 OK\n\nbare lines", b"bare lines"),
        (OK + b"Content-Length: 2, 2\r\nContent-Length: 2\r\n\r\nok", b"ok"),
        (OK + b"Transfer-Encoding: Chunked\r\n\r\n2;ext=\"1\"\r\nok\r\n00\r\nX-Trailer: y\r\n\r\n", b"ok"),
        (OK + b"X-A: 1\r\n folded\r\nContent-Length: 2\r\n\r\nok", b"ok"),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: </a>\r\n\r\n" + reply(), b"ok"),
        (b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", b""),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Encoding: gzip\r\n\r\n", b""),
        (reply(b"", "Content-Encoding: gzip"), b""),
        (b"HTTP/1.1 999 Denied\r\nContent-Length: 2\r\n\r\nok", b"ok"),
    ],
)  # fmt: skip
def test_an_unusual_but_right_answer_is_taken(data: bytes, body: bytes) -> None:
    with answering(data) as server:
        assert send(server.url).body == body


def test_an_answer_to_head_has_no_body() -> None:
    with replying(OK + b"Content-Length: 1000\r\nContent-Encoding: gzip\r\n\r\n") as server:
        assert [send(server.url, "HEAD").body for _ in range(2)] == [b"", b""]
    assert server.connections == 1


def test_headers_of_other_scripts_are_read() -> None:
    with answering(OK + "X-A: Ёж\r\nX-C : spaced \r\n".encode() + b"Content-Length: 0\r\n\r\n") as server:
        answer = send(server.url)
    assert (answer.headers["x-a"], answer.headers["x-c"]) == ("Ёж", "spaced")
    with answering(OK + b"X-B: caf\xe9\r\nContent-Length: 0\r\n\r\n") as server:
        assert send(server.url).headers["x-b"] == "café"


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_connection_closed_without_an_answer_leaves_the_outcome_unknown(method: str) -> None:
    with answering(b"") as server:
        error = failure(server, method)
    assert (error.code, error.reason, error.unknown, error.retry) == ("upstream_unreachable", "broken_off", True, True)
    assert server.connections == 1


def test_a_reset_after_sending_leaves_the_outcome_unknown() -> None:
    def handler(talk: Talk) -> None:
        talk.request()
        talk.reset()

    with Server(handler) as server:
        error = failure(server)
    assert (error.code, error.reason, error.unknown) == ("upstream_unreachable", "broken_off", True)


def test_an_early_refusal_of_a_large_body_is_the_answer() -> None:
    def handler(talk: Talk) -> None:
        talk.sock.recv(1000)
        talk.send(reply(b"too much", status="413 Content Too Large"))
        talk.sock.shutdown(1)
        while talk.sock.recv(65536):
            if server.stop.is_set():
                return

    with Server(handler) as server:
        answer = egress.send(egress.Request("POST", server.url, {}, b"x" * 5_000_000), policy=OPEN, timeout_s=5)
    assert (answer.status, answer.text()) == (413, "too much")


def test_a_bomb_is_stopped_before_it_unfolds() -> None:
    packer = zlib.compressobj(9, wbits=31)
    zeros = b"\0" * 10_000_000
    bomb = b"".join(packer.compress(zeros) for _ in range(100)) + packer.flush()  # 1 GB in 1 MB
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for packing in ("gzip", "x-gzip"):
        with answering(reply(bomb, f"Content-Encoding: {packing}")) as server:
            error = failure(server)
        assert error.reason == "too_large"
        assert error.params["limit_mb"] == 5.0
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64_000


def test_the_cap_counts_unpacked_bytes_exactly() -> None:
    for size, fits in ((1000, True), (1001, False)):
        for packed in (
            reply(b"x" * size),
            reply(gzip.compress(b"x" * size), "Content-Encoding: gzip"),
            OK + b"\r\n" + b"x" * size,
        ):
            with answering(packed) as server:
                if fits:
                    assert len(send(server.url, max_bytes=1000).body) == size
                else:
                    assert failure(server, max_bytes=1000).reason == "too_large"


PIECES = st.sampled_from(
    [OK, b"HTTP/1.1 204 No\r\n", b"HTTP/1.1 100 C\r\n\r\n", b"\r\n", b"\n", b"Content-Length: 3\r\n", b"abc",
     b"0\r\n", b"3\r\n", b"Transfer-Encoding: chunked\r\n", b"Content-Encoding: gzip\r\n",
     b"Content-Encoding: deflate\r\n", gzip.compress(b"abc"), b"X: \xd0\x81\r\n", b" ", b":", b"\0"]
)  # fmt: skip


@given(st.lists(PIECES | st.binary(max_size=8), max_size=12))
def test_no_bytes_raise_anything_but_the_known_failures(pieces: list[bytes]) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(b"".join(pieces))
        theirs.shutdown(socket.SHUT_WR)
        try:
            answer = read_answer(connection.Connection(ours), "GET", connection.Deadline(5), 1000)
        except (Unusable, ConnectionResetError):
            return
    assert 200 <= answer.status <= 999
    assert len(answer.body) <= 1000


# TLS


def test_a_self_signed_certificate_is_not_trusted_and_nothing_is_sent(certificate: Path) -> None:
    with Server(_hello, tls=_context(certificate)) as server:
        error = failure(server)
    assert (error.code, error.reason, error.unknown) == ("upstream_unreachable", "certificate", False)
    assert "self-signed" in describe(error.as_json())["text"]


def test_a_plain_server_behind_https_is_told_apart() -> None:
    def handler(talk: Talk) -> None:
        talk.sock.recv(1000)
        talk.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with Server(handler) as server, pytest.raises(UserError) as caught:
        send(server.url.replace("http:", "https:"))
    assert (caught.value.code, caught.value.reason, caught.value.unknown) == ("upstream_unreachable", "tls", False)


def test_a_trusted_server_is_spoken_to_by_its_name(certificate: Path, trusting: None) -> None:
    names: list[str | None] = []
    context = _context(certificate)
    context.sni_callback = lambda sock, name, ctx: names.append(name)
    policy = egress.Policy.from_settings("127.0.0.1", resolver=lambda host: ["127.0.0.1"])
    with Server(_hello, tls=context) as server:
        for _ in range(2):
            answer = send(f"https://secure.example:{server.port}/", "POST", policy=policy)
            assert answer.text() == f"Host: secure.example:{server.port}"
        assert send(server.url).text() == f"Host: 127.0.0.1:{server.port}"
        error = None
        try:
            send(f"https://other.example:{server.port}/", policy=policy)
        except UserError as caught:
            error = caught
    assert error is not None
    assert error.reason == "certificate"
    assert "other.example" in error.params["why"]
    assert names[0] == "secure.example"
    assert server.connections == 3  # one kept, one by address, one refused


def test_a_redirect_from_https_to_http_is_refused(certificate: Path, trusting: None) -> None:
    def handler(talk: Talk) -> None:
        talk.request()
        talk.send(reply(b"", f"Location: http://127.0.0.1:{server.port}/", status="302 Found"))

    with Server(handler, tls=_context(certificate)) as server:
        error = failure(server, "GET", redirects=5)
    assert (error.code, error.reason, error.unknown) == ("upstream_invalid", "downgrade", True)


def test_tls_cut_in_the_body_is_cut_off(certificate: Path, trusting: None) -> None:
    def handler(talk: Talk) -> None:
        talk.request()
        talk.send(OK + b"Content-Length: 10\r\n\r\nhalf")
        talk.sock.shutdown(socket.SHUT_RDWR)

    with Server(handler, tls=_context(certificate)) as server:
        assert failure(server).reason == "cut_off"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for secure.example and 127.0.0.1, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "secure.example")])
    names = [x509.DNSName("secure.example"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "certificate.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


@pytest.fixture
def trusting(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> object:
    """As an operator trusts a private authority: SSL_CERT_FILE."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    connection.tls_context.cache_clear()
    yield
    connection.tls_context.cache_clear()


def _context(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def _hello(talk: Talk) -> None:
    while (request := talk.request()) is not None:
        talk.send(reply(request.split(b"\r\n")[1]))
