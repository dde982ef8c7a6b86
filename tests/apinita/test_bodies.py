"""Slow senders: they may wait, everybody else does not."""

import contextlib
import io
import socket
import urllib.request
from urllib.parse import urlsplit

import pytest

from apinita import bodies
from tests.processes import Live


def test_a_body_is_there_whole_for_whoever_reads_it() -> None:
    environ = {"CONTENT_LENGTH": "5", "wsgi.input": io.BytesIO(b"hello and more")}
    assert bodies.Bodies(2).read(environ, 100)
    assert environ["wsgi.input"].read() == b"hello"


def test_a_chunked_body_is_read_a_byte_over_the_limit_and_no_further() -> None:
    environ = {"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input": io.BytesIO(b"x" * 1000)}
    assert bodies.Bodies(2).read(environ, 100)
    assert len(environ["wsgi.input"].read()) == 101


def test_a_body_that_says_it_is_too_large_is_not_read() -> None:
    stream = io.BytesIO(b"x" * 1000)
    bodies.Bodies(2).read({"CONTENT_LENGTH": "1000", "wsgi.input": stream}, 100)
    assert stream.tell() == 0


@pytest.mark.django_db(transaction=True)
def test_many_slow_senders_leave_pages_and_health_to_the_others(live: Live) -> None:
    parts = urlsplit(live.url)
    with contextlib.ExitStack() as stack:
        for _ in range(40):
            slow = stack.enter_context(socket.create_connection((parts.hostname, parts.port)))
            slow.sendall(b"POST /sign-in/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n\r\nname=a")
        for path in ("/healthz", "/sign-in/"):
            assert urllib.request.urlopen(live.url + path, timeout=10).status == 200


@pytest.mark.django_db(transaction=True)
def test_a_body_over_the_limit_is_refused_unread(live: Live) -> None:
    parts = urlsplit(live.url)
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as slow:
        head = b"POST /sign-in/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 3000000\r\n"
        slow.sendall(head + b"Content-Type: multipart/form-data; boundary=b\r\n\r\n--b\r\n")
        assert slow.recv(100).startswith(b"HTTP/1.1 413")


def test_a_body_in_frames_needs_a_seat() -> None:
    assert bodies.length_of({"SERVER_PROTOCOL": "HTTP/2.0"}) is None
    assert bodies.length_of({"SERVER_PROTOCOL": "HTTP/1.1"}) == 0
