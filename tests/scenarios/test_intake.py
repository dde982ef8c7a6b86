"""Webhooks at the front door: what is stored, what is answered, and what is refused."""

import base64
import hashlib
import hmac
import io
import json
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from django.db import OperationalError, connection, connections
from django.utils.translation import get_language

from accounts import seats
from accounts.models import User
from scenarios import backlog, doors, editing, hints, intake, ledger, refusals, running, waiting
from scenarios.models import Delivery, Run, Scenario, Version
from scenarios.triggers import body_of, delivered, start, url_of
from tests.people import actor_of
from tests.processes import wait_until
from tests.scenarios.making import document, made

pytestmark = pytest.mark.django_db(transaction=True)


class Answer:
    def __init__(self, status: str, headers: list[tuple[str, str]], body: bytes) -> None:
        self.status = int(status.split()[0])
        self.headers = dict(headers)
        self.json = json.loads(body) if body else None


def send(url: str, body: bytes = b"{}", *, method: str = "POST", length: int | None = -1, **headers: str) -> Answer:
    """One request to the intake; headers as `X_Sender="…"`."""
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "PATH_INFO": "/" + url.split("/", 3)[3],
        "QUERY_STRING": "a=1&a=2&b=",
        "CONTENT_TYPE": headers.pop("content_type", "application/json"),
        "wsgi.input": io.BytesIO(body),
        "REMOTE_ADDR": headers.pop("sender", "127.0.0.9"),
        **{f"HTTP_{name.upper()}": value for name, value in headers.items()},
    }
    if length is not None:
        environ["CONTENT_LENGTH"] = str(len(body) if length == -1 else length)
    heard: list[Any] = []
    pieces = intake.application(environ, lambda status, given: heard.extend([status, given]))
    return Answer(heard[0], heard[1], b"".join(pieces))


def hook(user: User, **inputs: Any) -> tuple[Scenario, str]:
    return built(user, document("webhook", **inputs))


def built(user: User, data: dict[str, Any]) -> tuple[Scenario, str]:
    doors.forget_all()
    backlog.forget_all()
    scenario = made(user, data)
    return scenario, url_of(scenario)


def test_an_accepted_delivery_and_its_run_are_stored_before_the_answer(alice: User) -> None:
    scenario, url = hook(alice)
    answer = send(url, b'{"name": "\xd0\x90\xd0\xbd\xd1\x8f"}', x_sender="form")
    assert answer.status == 202
    run = Run.objects.get(id=answer.json["run"])
    assert (run.scenario_id, run.version.number, run.status, run.key) == (scenario.pk, 1, "queued", run.id)
    delivery = Delivery.objects.get(id=run.delivery_id)
    assert bytes(delivery.body) == b'{"name": "\xd0\x90\xd0\xbd\xd1\x8f"}'
    assert (delivery.verdict, delivery.source, delivery.headers["x-sender"]) == ("accepted", "127.0.0.9", "form")


@pytest.mark.parametrize(
    "body",
    [b"", b"\x00", b'"\\u0000"', b'"\\ud800"', b"NaN", b"\xff\xfe\xfd", b"1e400", b"[" * 10_000, b'{"a": 1, "a": 2}'],
)
def test_every_body_is_kept_byte_for_byte_and_can_be_looked_into(alice: User, body: bytes) -> None:
    _, url = hook(alice)
    answer = send(url, body)
    assert answer.status == 202
    delivery = Delivery.objects.get(run_id=answer.json["run"])
    assert bytes(delivery.body) == body
    facts = ("method", "query", "headers", "content_type", "body", "received_at")
    seen = delivered(tuple(getattr(delivery, name) for name in facts))
    assert seen["query"] == {"a": ["1", "2"], "b": ""}
    json.dumps(seen)


def test_bodies_are_read_by_their_content_type() -> None:
    assert body_of(b'{"a": [1]}', "application/json; charset=utf-8") == {"a": [1]}
    assert body_of(b"a=1&a=2&b=%D0%90", "application/x-www-form-urlencoded") == {"a": ["1", "2"], "b": "А"}
    assert body_of(b"", "application/json") is None
    assert body_of(b"not json", "application/json") == "not json"
    assert body_of(b"<a/>", "application/xml") == "<a/>"


def test_a_body_over_the_limit_is_refused_and_noted(alice: User, settings: Any) -> None:
    settings.WEBHOOK_MAX_BYTES = 100
    scenario, url = hook(alice)
    assert send(url, b"x" * 100).status == 202
    assert send(url, b"x" * 101).status == 413
    assert send(url, b"x" * 101, length=None).status == 413
    verdicts = Delivery.objects.filter(scenario=scenario).order_by("id").values_list("verdict", "size", "run_id")
    assert [(verdict, size) for verdict, size, _ in verdicts] == [
        ("accepted", 100),
        ("too_large", 101),
        ("too_large", 101),
    ]


def test_a_body_that_was_cut_off_starts_nothing(alice: User) -> None:
    _, url = hook(alice)
    assert send(url, b'{"half": ', length=500).status == 400
    assert Run.objects.count() == 0


def test_a_duplicate_answers_the_first_runs_id(alice: User) -> None:
    scenario, url = hook(alice, dedupe_header="X-Delivery")
    first = send(url, b'{"n": 1}', x_delivery="abc")
    second = send(url, b'{"n": 1}', x_delivery="abc")
    assert (second.status, second.json) == (200, {"run": first.json["run"], "duplicate": True})
    assert send(url, x_delivery="other").json["run"] != first.json["run"]
    assert Run.objects.filter(scenario=scenario).count() == 2
    assert Delivery.objects.filter(scenario=scenario, verdict="duplicate").count() == 1


def test_a_hundred_copies_at_once_make_one_run(alice: User) -> None:
    scenario, url = hook(alice, dedupe_path="event.id")
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda n: send(url, b'{"event": {"id": 7}}'), range(100)))
    assert {answer.json["run"] for answer in answers} == {Run.objects.get(scenario=scenario).id.hex}
    assert sorted(answer.status for answer in answers) == [200] * 99 + [202]


def test_unknown_and_switched_off_look_the_same(alice: User) -> None:
    scenario, url = hook(alice)
    unknown = send("http://x/hooks/no-such-token/")
    editing.deactivate(actor_of(alice), scenario)
    doors.forget_all()
    off = send(url)
    assert unknown.status == off.status == 404
    assert unknown.json == off.json
    assert Delivery.objects.get(scenario=scenario).verdict == "disabled"
    assert Run.objects.count() == 0


def test_switching_off_counts_at_once_even_where_the_address_is_remembered(alice: User) -> None:
    scenario, url = hook(alice)
    assert send(url).status == 202
    editing.deactivate(actor_of(alice), scenario)
    assert send(url).status == 404
    assert Run.objects.count() == 1


def test_switching_on_counts_at_once(alice: User) -> None:
    scenario, url = hook(alice)
    editing.deactivate(actor_of(alice), scenario)
    assert send(url).status == 404
    editing.activate(actor_of(alice), scenario)
    assert send(url).status == 202


def test_a_draft_does_not_touch_the_version_in_force(alice: User) -> None:
    scenario, url = hook(alice, signature={"mode": "header", "name": "X-Key", "secret": "s3cret!"})
    editing.save(actor_of(alice), scenario, document("webhook"), revision=None)
    doors.forget_all()
    assert send(url).status == 401
    assert send(url, x_key="s3cret!").status == 202


def test_a_new_version_judges_at_once(alice: User) -> None:
    scenario, url = hook(alice)
    assert send(url).status == 202
    signed_document = document("webhook", signature={"mode": "header", "name": "X-Key", "secret": "s3cret!"})
    editing.save(actor_of(alice), scenario, signed_document, revision=None)
    editing.publish(actor_of(alice), scenario)
    assert send(url).status == 401
    answer = send(url, x_key="s3cret!")
    assert answer.status == 202
    assert Run.objects.get(id=answer.json["run"]).version.number == 2
    assert Run.objects.filter(scenario=scenario).count() == 2


def test_methods_are_limited(alice: User) -> None:
    _, url = hook(alice, methods=["PUT"])
    refused = send(url)
    assert (refused.status, refused.headers["Allow"]) == (405, "PUT")
    assert send(url, method="PUT").status == 202


BODY = b'{"pay": 1}'


def signed(key: bytes, algorithm: str = "sha256") -> str:
    return hmac.new(key, BODY, algorithm).hexdigest()


def signed_by_stripe(at: float) -> dict[str, str]:
    moment = str(int(at))
    signature = hmac.new(b"whsec_1", f"{moment}.".encode() + BODY, hashlib.sha256).hexdigest()
    return {"stripe_signature": f"t={moment},v0=zz,v1={signature}"}


@pytest.mark.parametrize(
    ("signature", "good", "bad"),
    [
        ({"mode": "header", "name": "X-Key", "secret": "s3cret!"}, {"x_key": "s3cret!"}, {"x_key": "пароль"}),
        (
            {"mode": "basic", "username": "u", "password": "p:1"},
            {"authorization": "Basic " + base64.b64encode(b"u:p:1").decode()},
            {"authorization": "Basic " + base64.b64encode(b"u:p").decode()},
        ),
        (
            {"mode": "hmac", "secret": "key-1", "header": "X-Sign", "algorithm": "sha512", "prefix": "v1="},
            {"x_sign": "v1=" + signed(b"key-1", "sha512")},
            {"x_sign": "v1=" + signed(b"key-2", "sha512")},
        ),
        (
            {"mode": "github", "secret": "key-1"},
            {"x_hub_signature_256": "sha256=" + signed(b"key-1")},
            {"x_hub_signature_256": signed(b"key-1")},
        ),
        (
            {"mode": "stripe", "secret": "whsec_1"},
            None,  # it ages: made when it is sent
            signed_by_stripe(1000),
        ),
        ({"mode": "google_channel", "token": "chan-1"}, {"x_goog_channel_token": "chan-1"}, {}),
    ],
)
def test_a_signature_is_checked_and_fails_closed(
    alice: User, signature: dict[str, str], good: dict[str, str] | None, bad: dict[str, str]
) -> None:
    good = signed_by_stripe(time.time()) if good is None else good
    scenario, url = hook(alice, signature=signature)
    secret = next(value for name, value in signature.items() if name in {"secret", "password", "token"})
    assert secret not in json.dumps(scenario.document)
    assert send(url, BODY, **good).status == 202
    assert send(url, BODY, **bad).status == 401
    assert send(url, BODY).status == 401
    kept = json.dumps(list(Delivery.objects.filter(scenario=scenario).values_list("headers", flat=True)))
    assert secret not in kept
    assert all(value not in kept for value in good.values())
    Version.objects.filter(scenario=scenario).update(trigger_secrets=None)
    doors.forget_all()
    assert send(url, BODY, **good).status == 401


def test_a_database_that_is_away_is_a_503_and_never_a_202(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    _, url = hook(alice)
    assert send(url).status == 202

    def away(**options: str) -> psycopg.Connection:
        raise psycopg.OperationalError("the server closed the connection")

    books = ledger.shared()
    assert books.connection is not None
    books.connection.close()
    with monkeypatch.context() as patched:
        patched.setattr(ledger, "connect", away)
        answer = send(url)
    assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
    assert send(url).status == 202
    assert Run.objects.count() == 2


def test_one_bad_row_does_not_spoil_its_batch(alice: User) -> None:
    _, url = hook(alice)
    with ThreadPoolExecutor(10) as pool:
        answers = list(
            pool.map(lambda n: send(url, b"{}", x_odd="a\0b" if n % 3 == 0 else "plain", content_type="\0"), range(30))
        )
    assert {answer.status for answer in answers} == {202}
    assert Run.objects.count() == 30


def test_what_was_refused_for_want_of_time_is_not_stored_later(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    _, url = hook(alice)
    books = ledger.shared()
    monkeypatch.setattr(ledger, "WAIT_S", 0.2)
    begun, go_on = threading.Event(), threading.Event()
    take = books.take

    def slow_take() -> list[ledger.Incoming]:
        batch = take()
        begun.set()
        go_on.wait(10)
        return batch

    monkeypatch.setattr(books, "take", slow_take)
    with ThreadPoolExecutor(3) as pool:
        send(url)  # the flusher is in the old take: from here on it waits in ours
        first = pool.submit(send, url, b'{"n": 1}')
        assert begun.wait(10)
        late = send(url, b'{"n": 2}')
        assert late.status == 503
        go_on.set()
        assert first.result().status == 202
    monkeypatch.undo()
    assert send(url, b'{"n": 3}').status == 202
    assert sorted(bytes(body) for body in Delivery.objects.values_list("body", flat=True) if body != b"{}") == [
        b'{"n": 1}',
        b'{"n": 3}',
    ]


@pytest.fixture
def silent_server() -> Iterator[dict[str, Any]]:
    """Where a server listens and never says a word; the process's desk starts anew before and after."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        doors._shared = None
        yield {"host": "127.0.0.1", "port": listening.getsockname()[1]}
        doors._shared = None


def test_a_silent_database_is_a_503_in_two_seconds_and_at_once_after_that(
    alice: User, monkeypatch: pytest.MonkeyPatch, silent_server: dict[str, Any]
) -> None:
    _, url = hook(alice)
    with monkeypatch.context() as patched:
        patched.setattr(doors, "connect", lambda **options: psycopg.connect(**silent_server, **options))
        begun = time.monotonic()
        first = send(url)
        at_first = time.monotonic() - begun
        second = send(url)
        after = time.monotonic() - begun - at_first
    assert (first.status, first.headers["Retry-After"], second.status) == (503, "5", 503)
    assert at_first < 2
    assert after < 0.2
    wait_until(lambda: send(url).status == 202)


def test_a_silent_database_is_a_503_in_two_seconds_behind_a_remembered_door_too(
    alice: User, monkeypatch: pytest.MonkeyPatch, silent_server: dict[str, Any]
) -> None:
    _, url = hook(alice)
    assert send(url).status == 202
    books = ledger.shared()
    assert books.connection is not None
    books.connection.close()
    with monkeypatch.context() as patched:
        patched.setattr(ledger, "connect", lambda **options: psycopg.connect(**silent_server, **options))
        begun = time.monotonic()
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(lambda n: send(url), range(4)))
        took_s = time.monotonic() - begun
    assert {answer.status for answer in answers} == {503}
    assert took_s < 2
    wait_until(lambda: send(url).status == 202)
    assert Run.objects.count() == 2


def test_a_token_is_found_while_djangos_pool_is_taken(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    _, url = hook(alice)
    connections.close_all()

    def taken(*args: object) -> None:
        raise OperationalError("couldn't get a connection after 10.00 sec")

    with monkeypatch.context() as patched:
        patched.setattr(type(connections["default"]), "get_new_connection", taken)
        assert send(url).status == 202


def test_no_connection_is_held_while_a_body_comes_in(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    _, url = hook(alice)
    connections.close_all()
    held: list[bool] = []
    read = intake.read

    def slow_read(environ: dict[str, Any], most: int) -> tuple[bytes | None, int]:
        held.append(connection.connection is not None)
        return read(environ, most)

    monkeypatch.setattr(intake, "read", slow_read)
    assert send(url).status == 202
    assert held == [False]


def test_a_desk_whose_connection_was_cut_asks_over_a_new_one(alice: User) -> None:
    _, url = hook(alice)
    assert send(url).status == 202
    desk = doors.shared()
    assert desk.connection is not None
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s)", [desk.connection.info.backend_pid])
    doors.forget_all()
    assert send(url).status == 202


REPLYING = {"key": "s2", "action": "webhook.respond", "inputs": {"status": 201, "format": "text", "body": "done"}}


def test_a_stored_run_whose_reply_cannot_be_read_is_a_202(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    _, url = built(alice, document("webhook", REPLYING))
    monkeypatch.setattr(waiting, "FREE_S", 0.1)

    def away(run_id: object) -> None:
        raise OperationalError("the server closed the connection")

    monkeypatch.setattr(intake, "said_by", away)
    answer = send(url)
    assert answer.status == 202
    assert Run.objects.get().id.hex == answer.json["run"]


def test_a_reply_is_given_as_soon_as_it_is_there(alice: User) -> None:
    _, url = built(alice, document("webhook", REPLYING))
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(send, url)
        run = wait_until(lambda: Run.objects.first())
        Run.objects.filter(pk=run.pk).update(reply={"status": 201, "headers": {}, "body": '{"ok": true}'})
        hints.shared().replied(run.pk)
        answer = asked.result(10)
    assert (answer.status, answer.json) == (201, {"ok": True})


def test_only_so_many_wait_beyond_the_first_second(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    _, url = built(alice, document("webhook", REPLYING))
    monkeypatch.setattr(waiting, "FREE_S", 0.2)
    monkeypatch.setattr(seats, "seats", threading.BoundedSemaphore(2))
    monkeypatch.setattr(intake, "REPLY_WITHIN_S", 20.0)
    with ThreadPoolExecutor(6) as pool:
        asked = [pool.submit(send, url) for _ in range(6)]
        wait_until(lambda: sum(one.done() for one in asked) == 4)
        assert {one.result().status for one in asked if one.done()} == {202}
        by_hand = start(Version.objects.get(), trigger="manual")
        begun = time.monotonic()
        assert running.wait(by_hand, 15) is False
        assert time.monotonic() - begun < 5
        Run.objects.update(status="succeeded", finished_at="2026-01-01T00:00:00Z")
        assert running.wait(by_hand, 15) is True
        assert {one.result(10).status for one in asked} == {202}
        connections.close_all()


def test_nobody_is_turned_away_by_rules_of_yesterday(alice: User) -> None:
    scenario, url = hook(alice, methods=["POST"], signature={"mode": "header", "name": "X-Key", "secret": "old"})
    assert send(url, x_key="old").status == 202

    def publish(**inputs: Any) -> None:
        editing.save(actor_of(alice), scenario, document("webhook", **inputs), revision=None)
        editing.publish(actor_of(alice), scenario)

    publish(methods=["PUT"], signature={"mode": "header", "name": "X-Key", "secret": "old"})
    assert send(url, method="PUT", x_key="old").status == 202
    publish(methods=["PUT"], signature={"mode": "header", "name": "X-Key", "secret": "new"})
    assert send(url, method="PUT", x_key="new").status == 202
    assert Delivery.objects.filter(scenario=scenario).exclude(verdict="accepted").count() == 0
    assert send(url, method="PUT", x_key="old").status == 401
    assert send(url, method="POST", x_key="new").status == 405


def test_long_numbers_that_differ_at_their_end_are_two_deliveries(alice: User) -> None:
    _, url = hook(alice, dedupe_header="X-Delivery")
    long = "n" * 600
    first = send(url, x_delivery=long + "1")
    assert send(url, x_delivery=long + "2").status == 202
    assert send(url, x_delivery=long + "1").json == {"run": first.json["run"], "duplicate": True}
    keys = Delivery.objects.values_list("dedupe_key", flat=True)
    assert all(key.startswith("sha256:") and len(key) == 71 for key in keys)


def test_a_number_with_half_a_character_is_a_number_too(alice: User) -> None:
    _, url = hook(alice, dedupe_path="id")
    body = b'{"id": "' + b"\\ud800" * 600 + b'"}'
    assert [send(url, body).status, send(url, body).status] == [202, 200]


@pytest.mark.parametrize(
    ("sender", "kept"), [("fe80::1%eth0", "fe80::1"), ("unix:", None), ("2001:db8::7", "2001:db8::7")]
)
def test_an_odd_address_does_not_lose_a_delivery(alice: User, sender: str, kept: str | None) -> None:
    _, url = hook(alice)
    assert send(url, sender=sender).status == 202
    assert Delivery.objects.get().source == kept


def test_beyond_the_backlog_senders_are_told_to_come_later(alice: User, settings: Any) -> None:
    settings.MAX_QUEUED = 3
    scenario, url = hook(alice, signature={"mode": "header", "name": "X-Key", "secret": "s3cret!"})
    assert [send(url, x_key="s3cret!").status for _ in range(3)] == [202, 202, 202]
    backlog.forget_all()
    begun = time.monotonic()
    answers = [send(url, x_key="s3cret!") for _ in range(60)]
    seconds = time.monotonic() - begun
    assert {(one.status, one.headers.get("Retry-After"), one.json["code"]) for one in answers} == {
        (429, "5", "over_limit")
    }
    assert send(url).status == 401, "strangers hear nothing of the backlog"
    noted = Delivery.objects.filter(scenario=scenario, verdict="over_limit")
    assert 1 <= noted.count() <= 10 * (int(seconds) + 2)
    assert set(noted.values_list("body", flat=True)) == {None}
    assert Run.objects.count() == 3
    Run.objects.update(status="succeeded")
    wait_until(lambda: send(url, x_key="s3cret!").status == 202)


def test_another_workspaces_backlog_holds_up_nobody(alice: User, charlie: User, settings: Any) -> None:
    settings.MAX_QUEUED = 1
    _, full = hook(alice)
    _, free = hook(charlie)
    assert send(full).status == 202
    backlog.forget_all()
    assert (send(full).status, send(free).status) == (429, 202)


def test_a_switched_off_webhook_notes_few_and_keeps_no_bodies(alice: User) -> None:
    scenario, url = hook(alice, signature={"mode": "header", "name": "X-Key", "secret": "s3cret!"})
    editing.deactivate(actor_of(alice), scenario)
    assert send(url, b"junk").status == 404
    assert Delivery.objects.count() == 0, "a stranger leaves no trace"
    begun = time.monotonic()
    assert {send(url, b'{"n": 1}', x_key="s3cret!").status for _ in range(60)} == {404}
    noted = Delivery.objects.filter(scenario=scenario)
    assert 1 <= noted.count() <= 10 * (int(time.monotonic() - begun) + 2)
    assert set(noted.values_list("verdict", "body")) == {("disabled", None)}


def test_what_is_switched_off_under_way_keeps_no_body_either(alice: User) -> None:
    scenario, url = hook(alice)
    assert send(url, b"1").status == 202
    editing.deactivate(actor_of(alice), scenario)
    assert send(url, b"2").status == 404
    assert Delivery.objects.get(verdict="disabled").body is None


@pytest.mark.parametrize(
    ("wanted", "language"),
    [("ru-RU,ru;q=0.9,en;q=0.8", "ru"), ("en", "en"), ("de, ru;q=0.5", "ru"), ("", "en"), ("*;;q=x", "en")],
)
def test_a_refusal_speaks_the_senders_language_and_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, wanted: str, language: str
) -> None:
    monkeypatch.setattr(refusals, "gettext", lambda text: f"{get_language()}: {text}")
    refused = send("http://x/hooks/no-such-token/", accept_language=wanted)
    assert (refused.status, refused.json["code"]) == (404, "not_found")
    assert refused.json["text"].startswith(f"{language}: There is no webhook here")
    assert refused.json["hint"].startswith(f"{language}: Compare the address")


def test_deliveries_of_a_chain_of_runs_count_its_length(alice: User) -> None:
    scenario, url = hook(alice)
    assert Run.objects.get(id=send(url, x_apinita_depth="5").json["run"]).depth == 5
    for odd in ("", "-3", "five", "٣", "1.5"):
        assert Run.objects.get(id=send(url, x_apinita_depth=odd).json["run"]).depth == 0
    for deep in ("6", "9" * 5000):
        refused = send(url, x_apinita_depth=deep, accept_language="en")
        assert (refused.status, refused.json["code"]) == (508, "loop_detected")
        assert "5 runs" in refused.json["text"]
    assert Delivery.objects.filter(scenario=scenario, verdict="over_limit", body=None).count() == 2
    assert Run.objects.count() == 6


def test_a_run_of_a_limited_scenario_waits_to_be_let_in(alice: User) -> None:
    _, free = hook(alice)
    limited = document("webhook")
    limited["settings"] = {"max_concurrent_runs": 1}
    _, url = built(alice, limited)
    run = Run.objects.get(id=send(url).json["run"])
    assert (run.status, run.is_limited, run.wake_at) == ("queued", True, None)
    run = Run.objects.get(id=send(free).json["run"])
    assert (run.is_limited, run.engine) == (False, run.scenario.engine)
    assert run.wake_at == run.created_at


@pytest.mark.parametrize("verdict", ["bad_signature", "too_large"])
def test_what_is_refused_by_the_thousand_is_not_written_down_by_the_thousand(
    alice: User, settings: Any, verdict: str
) -> None:
    settings.WEBHOOK_MAX_BYTES = 10
    scenario, url = hook(alice, signature={"mode": "header", "name": "X-Key", "secret": "s3cret!"})
    begun = time.monotonic()
    statuses = {send(url, b"x" * (11 if verdict == "too_large" else 1)).status for _ in range(60)}
    assert statuses == {413 if verdict == "too_large" else 401}
    noted = Delivery.objects.filter(scenario=scenario)
    assert 1 <= noted.count() <= 10 * (int(time.monotonic() - begun) + 2)
    assert set(noted.values_list("verdict", "body")) == {(verdict, None)}


def test_one_scenarios_refusals_do_not_hide_those_of_another(alice: User) -> None:
    _, flooded = hook(alice, signature={"mode": "header", "name": "X-Key", "secret": "s3cret!"})
    quiet, url = hook(alice, signature={"mode": "header", "name": "X-Key", "secret": "s3cret!"})
    assert {send(flooded).status for _ in range(30)} == {401}
    assert send(url).status == 401
    assert Delivery.objects.filter(scenario=quiet, verdict="bad_signature").count() == 1


def test_what_is_noted_in_a_second_has_a_limit_in_all() -> None:
    few = backlog.Few(2, in_all=3)
    few.second = int(time.monotonic())
    passed = [few.passes(kind) for kind in ("a", "a", "a", "b", "b", "c")]
    assert passed == [True, True, False, True, False, False]


@pytest.fixture(autouse=True)
def fresh_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """How many refusals were written down this second is no matter of the next test."""
    monkeypatch.setattr(intake, "noted", backlog.Few(10, in_all=200))
