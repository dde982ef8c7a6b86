"""Requests over real connections: what is sent, what is kept open, what is known when it goes wrong."""

import gzip
import os
import socket
import threading
import time
import zlib

import pytest
import requests
from requests_oauthlib import OAuth2Session

from lib import egress
from lib.egress import pool, resolving
from lib.egress.sending import default_user_agent
from lib.errors import UserError, describe
from tests.lib.egress_server import Server, Talk, reply, replying

OPEN = egress.Policy.from_settings("127.0.0.1,::1,localhost")


@pytest.fixture(autouse=True)
def _no_kept_connections() -> None:
    pool.POOL.clear()


def send(
    url: str, method: str = "GET", headers: dict[str, str] | None = None, body: bytes = b"", **options: object
) -> egress.Response:
    options.setdefault("policy", OPEN)
    options.setdefault("timeout_s", 5)
    return egress.send(egress.Request(method, url, headers or {}, body), **options)  # type: ignore[arg-type]


def failure(url: str, method: str = "GET", **options: object) -> UserError:
    with pytest.raises(UserError) as caught:
        send(url, method, **options)  # type: ignore[arg-type]
    text = describe(caught.value.as_json())
    assert "{" not in text["text"] + text["hint"]
    return caught.value


def kind(error: UserError) -> tuple[str, str, bool]:
    return error.code, error.reason, error.unknown


# What is sent


def test_a_request_is_written_as_asked() -> None:
    with replying(
        reply(b'{"ok": true}', "Content-Type: application/json", "X-A: 1", "x-a: 2", "Set-Cookie: s=1")
    ) as server:
        answer = send(
            f"{server.url}/a b?q=п".replace(" ", "%20"), "post", {"X-Key": " v ", "Accept": "*/*"}, b'{"a":1}'
        )
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    assert head.split(b"\r\n") == [
        b"POST /a%20b?q=%D0%BF HTTP/1.1",
        f"Host: 127.0.0.1:{server.port}".encode(),
        b"X-Key: v",
        b"Accept: */*",
        f"User-Agent: {default_user_agent()}".encode(),
        b"Accept-Encoding: gzip, deflate",
        b"Content-Length: 7",
    ]
    assert body == b'{"a":1}'
    assert (answer.status, answer.json(), answer.headers["x-a"]) == (200, {"ok": True}, "1, 2")
    assert answer.url == f"{server.url}/a%20b?q=%D0%BF"
    assert 0 <= answer.took_ms < 5000


@pytest.mark.parametrize(
    "method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "MERGE", "PROPFIND", "M-SEARCH"]
)
def test_every_ordinary_method_is_sent(method: str) -> None:
    with replying(reply(b"fine")) as server:
        assert send(server.url, method).text() == "fine"
    assert server.requests[0].startswith(method.encode() + b" / HTTP/1.1\r\n")
    assert (b"Content-Length: 0" in server.requests[0]) == (method in ("POST", "PUT", "PATCH", "MERGE"))


@pytest.mark.parametrize("method", ["", "CONNECT", "TRACE", "GE T", "GET\r\n", "GET /", "ПОСТ", "A" * 40, "1GET"])
def test_a_bad_method_is_invalid_input(method: str) -> None:
    assert failure("http://127.0.0.1/", method).params["field"] == "method"


@pytest.mark.parametrize(
    "name",
    ["Host", "host", "Content-Length", "Transfer-Encoding", "Connection", "Keep-Alive", "Proxy-Authorization",
     "PROXY-Connection", "TE", "Upgrade", "Expect", "Trailer"],
)  # fmt: skip
def test_a_reserved_header_is_refused(name: str) -> None:
    error = failure("http://127.0.0.1/", headers={name: "x"})
    assert kind(error) == ("invalid_input", "header_reserved", False)
    assert error.params["header"] == name


@pytest.mark.parametrize("name", ["", "X Y", "X:Y", "X\r\nY", "Имя", "X\0", "(X)", "X-Ключ", " X", "X "])
def test_a_bad_header_name_is_refused(name: str) -> None:
    assert failure("http://127.0.0.1/", headers={name: "x"}).reason == "header_name"


@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "a\nb", "a\rb", "a\0b", "a\x0bb", "a\x7fb", "\n"])
def test_a_control_character_in_a_header_is_refused(value: str) -> None:
    assert failure("http://127.0.0.1/", headers={"X-A": value}).reason == "header_value"


@pytest.mark.parametrize("value", ["Привет", "price €", "\ud800", "日本"])
def test_letters_that_a_header_cannot_carry_are_explained(value: str) -> None:
    error = failure("http://127.0.0.1/", headers={"X-Title": value})
    assert error.reason == "header_letters"
    assert "X-Title" in describe(error.as_json())["text"]
    assert "base64_encode" in describe(error.as_json())["hint"]


def test_neither_the_environment_nor_cookies_change_a_request(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with replying(reply(b"", "Set-Cookie: session=1")) as server:
        for _ in range(2):
            send(server.url, headers={"Accept-Encoding": "br, zstd", "User-Agent": "mine"})
    assert b"Cookie" not in server.requests[1]
    assert b"User-Agent: mine\r\nAccept-Encoding: gzip, deflate\r\n" in server.requests[1]


def test_a_large_body_arrives_whole() -> None:
    body = os.urandom(3_000_000)
    with replying(reply()) as server:
        send(server.url, "PUT", body=body)
        assert server.requests[0].endswith(body)


# Connections


def test_a_connection_is_kept_for_the_same_workspace_only() -> None:
    with replying(reply()) as server:
        for workspace in ("a", "a", "b", "a", "b"):
            send(server.url, "POST", pool=workspace)
    assert server.connections == 2


@pytest.mark.parametrize(
    "answer",
    [reply(b"x", "Connection: close"), reply(b"x", "Keep-Alive: timeout=1, max=9"), reply(b"x") + b"more",
     b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx",
     b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n"],
)  # fmt: skip
def test_a_connection_that_may_be_out_of_step_is_not_kept(answer: bytes) -> None:
    with replying(answer) as server:
        assert [send(server.url).text() for _ in range(2)] == ["x", "x"]
    assert server.connections == 2


def test_http_1_0_with_keep_alive_is_kept() -> None:
    with replying(b"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 1\r\n\r\nx") as server:
        assert [send(server.url).text() for _ in range(2)] == ["x", "x"]
    assert server.connections == 1


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_kept_connection_that_was_closed_meanwhile_is_replaced(method: str) -> None:
    closed = threading.Event()

    def once(talk: Talk) -> None:
        talk.request()
        talk.send(reply())
        talk.sock.shutdown(socket.SHUT_RDWR)
        closed.set()

    with Server(once) as server:
        for _ in range(3):
            send(server.url, method)
            assert closed.wait(5)
            closed.clear()
            _until_readable()
    assert server.connections == 3


def test_a_kept_connection_on_which_something_unasked_came_is_not_used() -> None:
    def unasked(talk: Talk) -> None:
        talk.request()
        talk.send(reply(b"first"))
        if talk.number == 1:
            talk.send(reply(b"poison", status="408 Request Timeout"))
            server.stop.wait(5)

    with Server(unasked) as server:
        assert send(server.url, "POST").text() == "first"
        _until_readable()
        assert send(server.url, "POST").text() == "first"


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"])
def test_a_repeatable_request_survives_a_connection_that_dies_under_it(method: str) -> None:
    with Server(_dies_at_second_request) as server:
        assert send(server.url, method).status == 200
        assert send(server.url, method).status == 200
    assert server.connections == 2


@pytest.mark.parametrize("method", ["POST", "PATCH", "MERGE"])
def test_a_request_that_must_not_be_doubled_is_reported_as_unknown(method: str) -> None:
    with Server(_dies_at_second_request) as server:
        send(server.url, method)
        error = failure(server.url, method)
    assert kind(error) == ("upstream_unreachable", "broken_off", True)
    assert error.retry
    assert server.connections == 1


def test_a_lost_lease_stops_the_request_and_spares_the_connection() -> None:
    class LeaseLost(Exception):
        pass

    def lost() -> None:
        raise LeaseLost

    with replying(reply()) as server:
        send(server.url, "POST")
        with pytest.raises(LeaseLost):
            send(server.url, "POST", before_send=lost)
        called: list[int] = []
        send(server.url, "POST", before_send=lambda: called.append(1))
        assert called == [1]
    assert len(server.requests) == 2
    assert server.connections == 1


def test_many_threads_get_their_own_answers() -> None:
    def echo(talk: Talk) -> None:
        while (request := talk.request()) is not None:
            talk.send(reply(request.partition(b"\r\n\r\n")[2]))

    wrong: list[object] = []

    def work(number: int) -> None:
        try:
            for count in range(50):
                body = f"{number}:{count}".encode()
                if send(server.url, "POST", body=body, pool=str(number % 3)).body != body:
                    wrong.append(body)
        except Exception as error:
            wrong.append(error)

    with Server(echo) as server:
        threads = [threading.Thread(target=work, args=(number,)) for number in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not wrong
    assert server.connections <= 48


def test_a_forked_child_opens_its_own_connections() -> None:
    with replying(reply()) as server:
        send(server.url)
        child = os.fork()
        if child == 0:
            try:
                os._exit(0 if send(server.url).status == 200 else 1)
            finally:
                os._exit(2)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert send(server.url).status == 200
    assert server.connections == 2


def test_idle_connections_are_bounded_and_expire(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "MAX_IDLE", 2)
    with replying(reply()) as server:
        for workspace in "abc":
            send(server.url, pool=workspace)
        assert pool.POOL._count == 2
        monkeypatch.setattr(pool, "IDLE_S", 0.0)
        monkeypatch.setattr(pool.POOL, "_next_sweep", 0.0)
        send(server.url, pool="a")
        send(server.url, pool="a")
    assert server.connections == 4


def test_ipv6_is_spoken() -> None:
    def handler(talk: Talk) -> None:
        request = talk.request()
        assert request is not None
        talk.send(reply(request.split(b"\r\n")[1]))

    with Server(handler, family=socket.AF_INET6) as server:
        assert send(f"http://[::1]:{server.port}/").text() == f"Host: [::1]:{server.port}"


# What is known when nothing was sent


def test_a_refused_connection_was_never_sent() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        error = failure(f"http://127.0.0.1:{closed.getsockname()[1]}/", "POST")
    assert kind(error) == ("upstream_unreachable", "", False)
    assert error.retry


def test_the_next_address_is_tried() -> None:
    policy = egress.Policy.from_settings("localhost", resolver=lambda host: ["127.0.0.2", "127.0.0.1"])
    with replying(reply()) as server:
        assert send(f"http://localhost:{server.port}/", policy=policy).status == 200


def test_a_name_is_looked_up_once_for_each_connection_and_every_answer_checked() -> None:
    answers = iter([["127.0.0.1"], ["10.0.0.1"]])
    policy = egress.Policy.from_settings("localhost,127.0.0.1", resolver=lambda host: next(answers))
    with replying(reply(b"x", "Connection: close")) as server:
        url = f"http://rebind.example:{server.port}/"
        assert send(url, policy=policy).text() == "x"
        error = failure(url, policy=policy)
    assert error.code == "destination_blocked"
    assert "10.0.0.1" not in str(describe(error.as_json()))
    assert f"Host: rebind.example:{server.port}".encode() in server.requests[0]


def test_a_dead_name_server_holds_up_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lib.egress.connection.LOOKUP_S", 1.0)
    release = threading.Event()

    def resolver(host: str) -> list[str]:
        if host.startswith("tarpit"):
            release.wait(10)
        return ["127.0.0.1"]

    policy = egress.Policy.from_settings("127.0.0.1", resolver=resolver)
    errors: list[UserError] = []

    def stuck(number: int) -> None:
        try:
            send(f"http://tarpit{number}.example/", pool="hostile", policy=policy)
        except UserError as error:
            errors.append(error)

    with replying(reply()) as server:
        threads = [threading.Thread(target=stuck, args=(number,)) for number in range(40)]
        for thread in threads:
            thread.start()
        started = time.monotonic()
        assert send(f"http://good.example:{server.port}/", pool="other", policy=policy).status == 200
        assert time.monotonic() - started < 1
        for thread in threads:
            thread.join(3)
        assert {kind(error) for error in errors} == {("host_not_found", "timeout", False)}
        assert len(errors) == 40
        assert len(resolving._lookups._running) <= resolving.MAX_LOOKUPS_PER_POOL
        release.set()


def test_a_name_that_does_not_exist_is_not_found() -> None:
    error = failure("http://localhost/", policy=egress.Policy.from_settings("localhost", resolver=_no_such_name))
    assert kind(error) == ("host_not_found", "", False)


# Time


@pytest.mark.parametrize("part", ["nothing", "status line", "headers", "body", "chunks", "until closed", "1xx"])
def test_a_dripping_server_is_left_at_the_deadline(part: str) -> None:
    first, then = {
        "nothing": (b"", b""),
        "status line": (b"HTTP/1.1 2", b"0"),
        "headers": (b"HTTP/1.1 200 OK\r\nX-A: ", b"a"),
        "body": (b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n", b"a"),
        "chunks": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n"),
        "until closed": (b"HTTP/1.1 200 OK\r\n\r\n", b"a"),
        "1xx": (b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"),
    }[part]

    def drip(talk: Talk) -> None:
        talk.request()
        talk.send(first)
        while not server.stop.wait(0.05):
            talk.send(then)

    with Server(drip) as server:
        started = time.monotonic()
        error = failure(server.url, "POST", timeout_s=1)
        assert 0.9 < time.monotonic() - started < 2
    assert kind(error) == ("upstream_timeout", "", True)
    assert (error.retry, error.params["seconds"]) == (True, 1)


def test_a_server_that_never_reads_is_left_at_the_deadline() -> None:
    with Server(lambda talk: server.stop.wait(5) and None) as server:
        started = time.monotonic()
        error = failure(server.url, "POST", timeout_s=0.5, body=b"x" * 20_000_000)
        assert time.monotonic() - started < 2
    assert kind(error) == ("upstream_timeout", "", True)


def test_a_silent_tls_server_was_sent_nothing() -> None:
    with Server(lambda talk: server.stop.wait(5) and None) as server:
        error = failure(server.url.replace("http:", "https:"), "POST", timeout_s=0.5)
    assert kind(error) == ("upstream_timeout", "connect", False)


def test_a_backlog_that_accepts_nobody_is_a_timeout_with_nothing_sent() -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        error = failure(f"http://127.0.0.1:{full.getsockname()[1]}/", "POST", timeout_s=0.5)
        for filler in fillers:
            filler.close()
    assert kind(error) == ("upstream_timeout", "connect", False)


# Redirects


def test_a_redirect_is_an_answer_unless_asked_to_follow() -> None:
    with replying(reply(b"", "Location: /next", status="302 Found")) as server:
        assert send(server.url).status == 302
    assert len(server.requests) == 1


def test_a_redirect_within_the_origin_keeps_the_headers() -> None:
    with replying(reply(b"", "Location: /next page", status="301 Moved"), reply(b"end")) as server:
        answer = send(server.url, headers={"Authorization": "Bearer s"}, redirects=5)
    assert (answer.text(), answer.url) == ("end", f"{server.url}/next%20page")
    assert b"Authorization: Bearer s" in server.requests[1]


def test_a_redirect_to_another_origin_takes_no_secret_along() -> None:
    headers = {
        "Authorization": "Bearer s",
        "X-Api-Key": "k",
        "Cookie": "c=1",
        "Accept": "a/b",
        "accept-language": "ru",
        "User-Agent": "u",
    }
    with replying(reply(b"end")) as there, replying(reply(b"", f"Location: {there.url}/x", status="302 Found")) as here:
        assert send(here.url, headers=headers, redirects=1).text() == "end"
    for secret in (b"Authorization", b"X-Api-Key", b"Cookie"):
        assert secret in here.requests[0]
        assert secret not in there.requests[0]
    assert b"Accept: a/b\r\naccept-language: ru\r\nUser-Agent: u\r\n" in there.requests[0]


@pytest.mark.parametrize(
    ("method", "status", "becomes"),
    [("POST", 301, "GET"), ("POST", 302, "GET"), ("POST", 303, "GET"), ("PUT", 303, "GET"), ("HEAD", 303, "HEAD"),
     ("POST", 307, "POST"), ("POST", 308, "POST"), ("PUT", 301, "PUT"), ("DELETE", 302, "DELETE")],
)  # fmt: skip
def test_a_redirect_changes_the_method_by_the_rules(method: str, status: int, becomes: str) -> None:
    body = b"data" if method in ("POST", "PUT") else b""
    with replying(b"HTTP/1.1 %d Moved\r\nLocation: /next\r\nContent-Length: 0\r\n\r\n" % status, reply(b"")) as server:
        send(server.url, method, {"Content-Type": "text/plain"}, body, redirects=1)
    second = server.requests[1]
    assert second.startswith(becomes.encode() + b" /next")
    assert second.endswith(b"data") == (bool(body) and becomes != "GET")
    assert (b"Content-Type" in second) == (becomes != "GET")


def test_data_is_not_carried_to_another_origin() -> None:
    with replying(reply()) as there, replying(reply(b"", f"Location: {there.url}/", status="307 Temporary")) as here:
        error = failure(here.url, "POST", body=b"secret", redirects=3)
    assert kind(error) == ("upstream_invalid", "redirect_with_body", True)
    assert not there.requests


@pytest.mark.parametrize(
    ("location", "code", "reason"),
    [
        ("http://169.254.169.254/latest/meta-data/", "destination_blocked", ""),
        ("//10.0.0.1/", "destination_blocked", ""),
        ("http://2130706433/", "destination_blocked", ""),
        ("http://example.com:22/", "destination_blocked", "port"),
        ("file:///etc/passwd", "upstream_invalid", "redirects"),
        ("http://user@127.0.0.1/", "upstream_invalid", "redirects"),
        ("http://[bad/", "upstream_invalid", "redirects"),
        ("/again", "upstream_invalid", "redirects"),
    ],
)
def test_every_hop_is_checked_again(location: str, code: str, reason: str) -> None:
    policy = egress.Policy.from_settings("127.0.0.0/24", resolver=lambda host: ["8.8.8.8"])
    with replying(reply(b"", f"Location: {location}", status="302 Found")) as server:
        error = failure(server.url, redirects=3, policy=policy)
    assert kind(error) == (code, reason, True)


# The requests library over the same way out


def test_a_requests_session_leaves_by_the_same_way() -> None:
    with replying(
        reply(b'{"access_token": "\xd0\xaf"}', "Content-Type: application/json; charset=utf-8", "Set-Cookie: a=1")
    ) as server:
        with egress.session(policy=OPEN) as session:
            answer = session.post(f"{server.url}/token", data={"code": "кот"}, auth=("id", "secret"))
            session.get(server.url, params={"a": 1})
        assert answer.json() == {"access_token": "Я"}
        assert answer.ok
    assert b"Authorization: Basic" in server.requests[0]
    assert server.requests[0].endswith(b"code=%D0%BA%D0%BE%D1%82")
    assert f"User-Agent: {default_user_agent()}".encode() in server.requests[0]
    assert b"Cookie" not in server.requests[1]
    assert server.connections == 1


def test_a_requests_session_neither_follows_nor_reaches_inside() -> None:
    with replying(reply(b"", "Location: /elsewhere", status="302 Found")) as server:
        with egress.session(policy=OPEN) as session:
            assert session.get(server.url).status_code == 302
        mounted = requests.Session()
        mounted.mount("http://", egress.Adapter(policy=OPEN, pool="w"))
        assert mounted.post(server.url, data="x").status_code == 302
    assert len(server.requests) == 2
    with egress.session(policy=egress.Policy()) as session:
        with pytest.raises(UserError, match="destination_blocked"):
            session.get("http://127.0.0.1:8000/")
        with pytest.raises(requests.exceptions.InvalidSchema):
            session.get("ftp://example.com/")


def test_an_oauth2_session_can_be_mounted_on_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")
    token = b'{"access_token": "t", "token_type": "Bearer", "expires_in": 3600}'
    with replying(reply(token, "Content-Type: application/json"), reply(b"{}")) as server:
        oauth = OAuth2Session(client_id="id", redirect_uri="https://app.example/callback")
        oauth.trust_env = False
        oauth.mount("https://", egress.Adapter(policy=OPEN))
        oauth.mount("http://", egress.Adapter(policy=OPEN))
        oauth.token = {"access_token": "old", "token_type": "Bearer"}
        assert (
            oauth.post(server.url, data={"grant_type": "x"}, withhold_token=True, timeout=5).json()["access_token"]
            == "t"
        )


# What a body may be


@pytest.mark.parametrize(
    ("headers", "body", "text"),
    [
        ("Content-Type: text/plain; charset=windows-1251", "Привет".encode("cp1251"), "Привет"),
        ("Content-Type: text/plain; charset=\"UTF-16\"", "Привет".encode("utf-16"), "Привет"),
        ("Content-Type: text/plain; charset=nonsense", "Привет".encode(), "Привет"),
        ("Content-Type: text/plain; charset=rot13", b"abc", "abc"),
        ("Content-Type: text/plain; charset=punycode", b"abc-", "abc-"),
        ("Content-Type: text/plain; charset=undefined", b"abc", "abc"),
        ("Content-Type: text/plain", b"\xef\xbb\xbfok\xff\x00", "ok\ufffd\0"),
        ("X: y", "Ё".encode(), "Ё"),
    ],
)  # fmt: skip
def test_text_is_read_in_its_charset_and_never_fails(headers: str, body: bytes, text: str) -> None:
    with replying(reply(body, headers)) as server:
        assert send(server.url).text() == text


def test_odd_json_is_still_an_answer() -> None:
    odd = (
        b'{"a": "\\u0000", "b": NaN, "c": "\\ud800", "d": 1e999, "e": "\xff", "f": '
        + b"[" * 10_000
        + b"]" * 10_000
        + b"}"
    )
    with replying(reply(odd, "Content-Type: application/json")) as server:
        value = send(server.url, "POST").json()
    assert (value["a"], value["b"], value["c"], value["d"], value["e"]) == ("␀", "NaN", "\ufffd", "1e999", "\ufffd")


def test_json_in_another_charset_is_read() -> None:
    body = '{"имя": "Ёж"}'.encode("cp1251")
    with replying(reply(body, "Content-Type: application/json; charset=windows-1251")) as server:
        assert send(server.url).json() == {"имя": "Ёж"}


def test_what_is_no_json_says_so() -> None:
    with replying(reply(b"<html>502</html>")) as server:
        answer = send(server.url)
        with pytest.raises(UserError) as caught:
            answer.json()
    assert kind(caught.value) == ("upstream_invalid", "not_json", True)
    assert "127.0.0.1" in describe(caught.value.as_json())["text"]


@pytest.mark.parametrize(
    ("packing", "packed"),
    [
        ("gzip", gzip.compress(b"hello" * 100)),
        ("x-gzip", gzip.compress(b"hello" * 100)),
        ("GZIP", gzip.compress(b"hello" * 60) + gzip.compress(b"hello" * 40)),
        ("gzip", gzip.compress(b"hello" * 100) + b"\0\0junk"),
        ("deflate", zlib.compress(b"hello" * 100)),
        ("deflate", zlib.compress(b"hello" * 100, wbits=-15)),
        ("identity", b"hello" * 100),
    ],
)
def test_a_packed_body_is_unpacked(packing: str, packed: bytes) -> None:
    with replying(reply(packed, f"Content-Encoding: {packing}")) as server:
        assert send(server.url).body == b"hello" * 100


def _until_readable() -> None:
    """Wait until what the server did has arrived at the connection that is kept."""
    end = time.monotonic() + 5
    while any(conn.is_quiet() for conns in pool.POOL._idle.values() for conn in conns):
        assert time.monotonic() < end
        time.sleep(0.001)


def _dies_at_second_request(talk: Talk) -> None:
    talk.request()
    talk.send(reply(b""))
    if talk.number == 1:
        talk.request()
        talk.reset()
    else:
        talk.request()


def _no_such_name(host: str) -> list[str]:
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
