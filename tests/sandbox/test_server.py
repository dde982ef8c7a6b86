"""The HTTP server itself, the echo, the control surface, trouble on demand, persistence and the command."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests

from sandbox.testing import Sandbox
from tests.sandbox.conftest import Calendar, OAuth, event, reason


def raw(sandbox: Sandbox, sent: bytes) -> bytes:
    """Send bytes, read until the other side closes."""
    host, port = sandbox.host.split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(sent)
        received = b""
        while part := connection.recv(65536):
            received += part
    return received


def control(sandbox: Sandbox, name: str, body: Any = None, method: str = "POST") -> requests.Response:
    return requests.request(method, f"{sandbox.url}/_control/{name}", json=body, timeout=10)


def test_one_connection_serves_many_requests(sandbox: Sandbox) -> None:
    connection = http.client.HTTPConnection(*sandbox.host.split(":"), timeout=10)
    for method, path, body in (
        ("POST", "/echo/a", b"x" * 100_000),
        ("POST", "/nowhere", b"unread body"),
        ("GET", "/", None),
        ("HEAD", "/", None),
        ("POST", "/revoke", b"token=unknown"),
        ("DELETE", "/calendar/v3/calendars/primary/events/none", b"body of a refused request"),
        ("MERGE", "/echo/b", b"{}"),
    ):
        connection.request(method, path, body)
        answer = connection.getresponse()
        data = answer.read()
        assert answer.version == 11
        assert not answer.will_close, path
        assert method == "HEAD" or int(answer.headers["Content-Length"]) == len(data)
    connection.close()


def test_requests_in_a_row_without_waiting_are_answered_in_order(sandbox: Sandbox) -> None:
    one = b"GET /echo/%d HTTP/1.1\r\nHost: x\r\n%s\r\n"
    received = raw(sandbox, one % (1, b"") + one % (2, b"") + one % (3, b"Connection: close\r\n"))
    assert received.count(b"HTTP/1.1 200") == 3
    assert received.index(b"/echo/1") < received.index(b"/echo/2") < received.index(b"/echo/3")


def test_a_chunked_body_is_read(sandbox: Sandbox) -> None:
    answer = requests.post(f"{sandbox.echo_url}x", data=iter([b'{"a":', b" 1}"]), timeout=10)
    assert answer.json()["body"] == '{"a": 1}'


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"400"),
        (b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!", b"400"),
        (b"Content-Length: -1\r\n\r\n", b"400"),
        (b"Transfer-Encoding: gzip\r\n\r\n", b"400"),
        (b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", b"400"),
        (b"Content-Length: 99999999\r\n\r\n", b"413"),
    ],
)
def test_doubtful_framing_ends_the_connection(sandbox: Sandbox, headers: bytes, status: bytes) -> None:
    received = raw(sandbox, b"POST /echo HTTP/1.1\r\nHost: x\r\n" + headers)
    assert received.startswith(b"HTTP/1.1 " + status)
    assert received.count(b"HTTP/1.1") == 1


def test_sixty_connections_at_once_are_served(sandbox: Sandbox) -> None:
    with ThreadPoolExecutor(60) as pool:
        answers = list(
            pool.map(lambda n: requests.get(f"{sandbox.echo_url}{n}", timeout=10).json()["path"], range(300))
        )
    assert answers == [f"/echo/{n}" for n in range(300)]
    assert len(sandbox.requests) == 300


def test_it_starts_and_stops_quickly() -> None:
    began = time.monotonic()
    sandbox = Sandbox()
    sandbox.start()
    session = requests.Session()
    assert session.get(sandbox.url, timeout=10).status_code == 200
    sandbox.stop()  # with the session's connection still open
    assert time.monotonic() - began < 1
    with pytest.raises(requests.ConnectionError):
        session.get(sandbox.url, timeout=10)


def test_the_echo_tells_what_it_received(sandbox: Sandbox) -> None:
    answer = requests.put(
        f"{sandbox.echo_url}crm/deals?a=1&b=2&b=3&empty=", json={"title": "Сделка"}, headers={"X-Key": "k"}, timeout=10
    ).json()
    assert (answer["method"], answer["path"]) == ("PUT", "/echo/crm/deals")
    assert answer["query"] == {"a": "1", "b": ["2", "3"], "empty": ""}
    assert answer["body"] == {"title": "Сделка"}
    assert answer["headers"]["x-key"] == "k"


@pytest.mark.parametrize(
    ("options", "body"),
    [
        ({}, None),
        ({"data": {"a": "1", "b": "2"}}, {"a": "1", "b": "2"}),
        ({"data": b"plain"}, "plain"),
        ({"data": b"{broken", "headers": {"Content-Type": "application/json"}}, "{broken"),
        ({"data": b"\xff\xfe"}, "\ufffd\ufffd"),
    ],
)
def test_the_echo_reads_every_kind_of_body(sandbox: Sandbox, options: dict[str, Any], body: Any) -> None:
    assert requests.post(sandbox.echo_url, timeout=10, **options).json()["body"] == body


def test_the_inbox_shows_what_was_sent(sandbox: Sandbox) -> None:
    def inbox() -> requests.Response:
        return requests.get(f"{sandbox.url}/inbox", headers={"Accept-Language": "ru"}, timeout=10)

    assert "Пока ничего не пришло" in inbox().text
    secret = {"Authorization": "Bearer very-secret-token-value"}
    requests.post(f"{sandbox.echo_url}morning", json={"title": "<Планёрка>"}, headers=secret, timeout=10)
    page = inbox().text
    assert "/echo/morning" in page
    assert "&lt;Планёрка&gt;" in page
    assert "very-secret-token-value" not in page
    for n in range(60):
        requests.get(f"{sandbox.echo_url}{n}", timeout=10)
    assert inbox().text.count("<article") == 50
    assert requests.get(f"{sandbox.url}/inbox?format=count", timeout=10).json() == {"received": 61}


def test_the_start_page_says_what_to_enter(sandbox: Sandbox) -> None:
    sandbox.add_event(summary="Сегодняшнее", start=today("10:00"), end=today("11:00"))
    page = requests.get(sandbox.url, headers={"Accept-Language": "ru"}, timeout=10).text
    for words in (Sandbox.client_id, Sandbox.client_secret, sandbox.token_url, sandbox.api_base_url, "Сегодняшнее"):
        assert words in page


def today(at: str) -> str:
    moment = time.gmtime(time.time() + 3 * 3600)
    return f"{time.strftime('%Y-%m-%d', moment)}T{at}:00+03:00"


def test_the_demo_fills_today_and_leaves_the_newcomers_changes() -> None:
    with Sandbox(demo=True) as sandbox:
        calendar = Calendar(sandbox)
        query = {"timeMin": today("00:00"), "timeMax": today("23:59"), "singleEvents": "true", "orderBy": "startTime"}
        events = calendar.list(query).json()["items"]
        assert len(events) == 6
        assert any("date" in one["start"] for one in events)
        calendar.delete(events[1]["id"])
        assert len(calendar.list(query).json()["items"]) == 5
        now = sandbox.store.clock()
        sandbox.store.clock = lambda: now + 86_400
        calendar.session.headers["Authorization"] = f"Bearer {sandbox.access_token()}"
        assert len(calendar.list(query).json()["items"]) == 5, "yesterday is left alone"
        assert len(sandbox.events()) > 10, "the next day has its own events"


def test_the_control_surface_expires_revokes_and_resets(oauth: OAuth) -> None:
    sandbox = oauth.sandbox
    tokens = oauth.connect()
    assert control(sandbox, "expire").status_code == 200
    assert oauth.listing_status(tokens["access_token"]) == 401
    assert oauth.refresh(tokens["refresh_token"]).status_code == 200
    assert control(sandbox, "revoke").status_code == 200
    assert oauth.refresh(tokens["refresh_token"]).json()["error"] == "invalid_grant"
    sandbox.add_event(**event())
    assert control(sandbox, "reset").status_code == 200
    assert (sandbox.events(), sandbox.requests) == ([], [])


def test_the_control_surface_changes_settings(oauth: OAuth) -> None:
    sandbox = oauth.sandbox
    answer = control(sandbox, "settings", {"token_lifetime": 2, "rotation": True, "page_size": 5})
    assert answer.json()["token_lifetime"] == 2
    assert oauth.connect()["expires_in"] == 2
    assert control(sandbox, "settings", method="GET").json()["page_size"] == 5
    for wrong in ({"colour": 1}, {"rotation": "yes"}, {"token_lifetime": True}, ["rotation"]):
        assert control(sandbox, "settings", wrong).status_code == 400
    assert control(sandbox, "nothing").status_code == 404
    assert control(sandbox, "expire", method="GET").status_code == 405


def test_sync_tokens_expire_through_the_control_surface(calendar: Calendar) -> None:
    token = calendar.list().json()["nextSyncToken"]
    control(calendar.sandbox, "settings", {"sync_tokens_expired": True})
    assert calendar.list({"syncToken": token}).status_code == 410


def test_every_request_is_recorded_as_it_was_sent(sandbox: Sandbox) -> None:
    began = time.time()
    requests.post(f"{sandbox.echo_url}a%2Fb?x=%2B&y", data={"k": "v"}, headers={"X-Key": "k"}, timeout=10)
    control(sandbox, "settings", {})
    (seen,) = sandbox.requests
    assert (seen.method, seen.path, seen.query) == ("POST", "/echo/a%2Fb", {"x": "+", "y": ""})
    assert (seen.body, seen.form(), seen.headers["x-key"], seen.status) == (b"k=v", {"k": "v"}, "k", 200)
    assert began <= seen.time <= time.time()
    (listed,) = control(sandbox, "requests", method="GET").json()["requests"]
    assert (listed["path"], listed["body"], listed["status"]) == ("/echo/a%2Fb", "k=v", 200)
    assert sandbox.requests_to("/echo", "POST") == [seen]
    assert control(sandbox, "requests", method="DELETE").json() == {"requests": []}


def test_requests_fail_on_demand(calendar: Calendar) -> None:
    calendar.sandbox.fail_next("/calendar/v3/", 429, 2, {"Retry-After": "7"})
    for _ in range(2):
        answer = calendar.insert(event())
        assert (answer.status_code, reason(answer), answer.headers["Retry-After"]) == (429, "rateLimitExceeded", "7")
    assert calendar.sandbox.events() == []
    assert calendar.insert(event()).status_code == 200
    control(calendar.sandbox, "fail", {"path_prefix": "/token", "status": 502, "body": "<html>"})
    answer = requests.post(calendar.sandbox.token_url, timeout=10)
    assert (answer.status_code, answer.text) == (502, "<html>")
    assert control(calendar.sandbox, "fail", {"prefix": "/"}).status_code == 400


def test_a_fault_can_be_for_one_method_only(calendar: Calendar) -> None:
    calendar.sandbox.fail_next("/calendar/v3/", 503, method="POST")
    assert calendar.list().status_code == 200
    assert calendar.insert(event()).status_code == 503


def test_an_answer_can_be_lost_after_its_effect(calendar: Calendar) -> None:
    calendar.sandbox.drop_next("/calendar/v3/")
    with pytest.raises(requests.ConnectionError):
        calendar.insert(event(id="abcdef"))
    assert calendar.insert(event(id="abcdef")).status_code == 409
    calendar.sandbox.drop_next("/calendar/v3/", when="before")
    with pytest.raises(requests.ConnectionError):
        calendar.insert(event(id="bcdefg"))
    assert calendar.insert(event(id="bcdefg")).status_code == 200


def test_a_delay_holds_up_nobody_else(calendar: Calendar) -> None:
    calendar.sandbox.delay("/echo/slow", 30)
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(requests.get, f"{calendar.sandbox.echo_url}slow", timeout=60)
        while not calendar.sandbox.requests:
            time.sleep(0.005)
        began = time.monotonic()
        assert calendar.list().status_code == 200
        assert time.monotonic() - began < 5
        assert not slow.done()
        calendar.sandbox.state.trouble.stop()
        assert slow.result().status_code == 200


def test_a_delay_can_be_for_some_requests_only(sandbox: Sandbox) -> None:
    sandbox.delay("/echo", 0.2, count=1)
    took = []
    for _ in range(2):
        began = time.monotonic()
        requests.get(sandbox.echo_url, timeout=10)
        took.append(time.monotonic() - began)
    assert took[0] >= 0.2 > took[1]


def test_a_restart_keeps_the_connection_and_the_events(tmp_path: Path) -> None:
    with Sandbox(data=tmp_path) as sandbox:
        tokens = OAuth(sandbox).connect()
        made = Calendar(sandbox).insert(event(id="abcdef")).json()
        sync_token = Calendar(sandbox).list().json()["nextSyncToken"]
    with Sandbox(data=tmp_path) as sandbox:
        oauth, calendar = OAuth(sandbox), Calendar(sandbox)
        assert oauth.listing_status(tokens["access_token"]) == 200
        assert oauth.refresh(tokens["refresh_token"]).status_code == 200
        assert calendar.get("abcdef").json()["etag"] == made["etag"]
        assert calendar.list({"syncToken": sync_token}).json()["items"] == []
        assert calendar.insert(event(id="abcdef")).status_code == 409
    assert (tmp_path / "sandbox.sqlite3").stat().st_mode & 0o077 == 0


ROOT = Path(__file__).parents[2]


def command(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "sandbox", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )


def address(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().removeprefix("Sandbox: ").strip()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_serves_and_stops_cleanly(tmp_path: Path, number: signal.Signals) -> None:
    process = command("--port", "0", "--data", str(tmp_path / "new" / "folder"), "--token-lifetime", "60")
    try:
        url = address(process)
        assert requests.get(f"{url}/_control/settings", timeout=10).json()["token_lifetime"] == 60
        process.send_signal(number)
        assert process.wait(5) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""
    finally:
        process.kill()
        process.communicate()


def test_a_killed_sandbox_has_lost_nothing(tmp_path: Path) -> None:
    process = command("--port", "0", "--data", str(tmp_path), "--no-demo")
    try:
        form = {
            "grant_type": "client_credentials",
            "client_id": Sandbox.client_id,
            "client_secret": Sandbox.client_secret,
        }
        token = requests.post(f"{address(process)}/token", data=form, timeout=10).json()["access_token"]
    finally:
        process.kill()
        process.communicate()
    with Sandbox(data=tmp_path) as sandbox:
        userinfo = requests.get(sandbox.userinfo_url, headers={"Authorization": f"Bearer {token}"}, timeout=10)
        assert userinfo.status_code == 200


def test_a_start_that_fails_says_so_in_one_sentence(tmp_path: Path, sandbox: Sandbox) -> None:
    port = sandbox.host.partition(":")[2]
    (tmp_path / "file").write_text("")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "sandbox.sqlite3").write_text("not a database, but long enough to look like one" * 10)
    for arguments, words in (
        (["--port", port, "--memory"], "cannot listen"),
        (["--port", "99999", "--memory"], "cannot listen"),
        (["--port", "0", "--data", str(tmp_path / "file")], "cannot keep its data"),
        (["--port", "0", "--data", str(tmp_path / "broken")], "cannot keep its data"),
        (["--port", "0", "--memory", "--time-zone", "Mars/Olympus"], "no time zone"),
    ):
        process = command(*arguments)
        out, err = process.communicate(timeout=10)
        assert (process.returncode, out) == (1, ""), arguments
        assert words in err
        assert err.count("\n") == 1, err


def test_the_sandbox_and_the_product_know_nothing_of_each_other() -> None:
    loaded = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sandbox.command, sandbox.testing, sys, json; print(json.dumps(list(sys.modules)))",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    packages = {name.partition(".")[0] for name in json.loads(loaded.stdout)}
    ours = {path.name for path in ROOT.iterdir() if (path / "__init__.py").exists()}
    assert packages & (ours | {"django", "celery"}) == {"sandbox"}
