"""Webhooks through a real web server and a real worker: every byte is kept, and whatever comes, the run is sane."""

import http.client
import json
import socket
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.conf import settings

from accounts.models import User
from scenarios.models import Delivery, Run, StepRun
from scenarios.triggers import url_of
from tests.processes import Live, wait_until
from tests.scenarios.making import document, made

LIMIT = settings.WEBHOOK_MAX_BYTES
SEES = {"key": "s2", "action": "data.set", "inputs": {"values": {"body": "{{ trigger.body }}"}}}
RESPOND = {"key": "s2", "action": "webhook.respond", "inputs": {"format": "json", "fields": {"ok": "{{ true }}"}}}


class Caller:
    """A sender that keeps its connection."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.path = parts.path
        self.connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)

    def send(self, body: Any, *, chunked: bool = False, **headers: str) -> tuple[int, dict[str, str], Any]:
        given = {"Content-Type": "application/json"} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        self.connection.request("POST", self.path, body, given, encode_chunked=chunked)
        answer = self.connection.getresponse()
        text = answer.read()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, json.loads(text)


def hook(user: User, *steps: dict[str, Any], **inputs: Any) -> str:
    return url_of(made(user, document("webhook", *(steps or (SEES,)), **inputs)))


def seen_by(run_id: str) -> Any:
    """What the run's step saw as the body, once the run has succeeded."""
    ended = wait_until(lambda: Run.objects.filter(pk=run_id, finished_at__isnull=False).first(), timeout_s=30)
    assert ended.status == "succeeded", ended.error
    return StepRun.objects.get(run_id=run_id, path="s2").result


@pytest.mark.parametrize(
    ("body", "seen"),
    [
        (b"", None),
        (b"\x00", "␀"),
        (b'"a\\u0000b"', "a␀b"),
        (b'{"a": "\\ud800"}', {"a": "\N{REPLACEMENT CHARACTER}"}),
        (b'"\\udc00\\ud800"', "\N{REPLACEMENT CHARACTER}" * 2),
        (b'{"n": NaN}', None),
        (b'{"n": [Infinity, -Infinity, 1e400]}', None),
        (b"\xff\xfe\xfd", "\N{REPLACEMENT CHARACTER}" * 3),
        (b'{"a": "\xff"}', None),
        (b"[" * 10_000, "[" * 10_000),
        (b'{"a": 1, "a": 2}', {"a": 2}),
        ("\ufeff{}".encode(), {}),
        (b'{"big": 123456789012345678901234567890}', None),
        (b"not json", "not json"),
    ],
    ids=lambda value: repr(value)[:24],
)
def test_whatever_the_bytes_are_they_are_kept_and_the_run_succeeds(
    live: Live, alice: User, body: bytes, seen: Any
) -> None:
    status, _, told = Caller(hook(alice)).send(body)
    assert status == 202
    result = seen_by(told["run"])
    assert list(result) == ["body"]
    if seen is not None or not body:
        assert result["body"] == seen
    json.dumps(result, allow_nan=False).encode()
    delivery = Delivery.objects.get(run_id=told["run"])
    assert (bytes(delivery.body or b""), delivery.size) == (body, len(body))


@pytest.mark.parametrize("chunked", [False, True], ids=["whole", "in chunks"])
def test_the_limit_is_exact(live: Live, alice: User, chunked: bool) -> None:
    caller = Caller(hook(alice))

    def sent(size: int) -> tuple[int, Any]:
        body = b"\x80" * size
        pieces: Any = (body[at : at + 100_000] for at in range(0, size, 100_000)) if chunked else body
        headers = {"Transfer_Encoding": "chunked"} if chunked else {}
        status, _, told = caller.send(pieces, chunked=chunked, **headers)
        return status, told

    status, told = sent(LIMIT)
    assert status == 202
    delivery = Delivery.objects.get(run_id=told["run"])
    assert bytes(delivery.body or b"") == b"\x80" * LIMIT
    assert len(seen_by(told["run"])) == 1
    assert sent(LIMIT + 1)[0] == 413


def test_a_body_without_a_length_in_small_chunks_is_put_together(live: Live, alice: User) -> None:
    status, _, told = Caller(hook(alice)).send(
        iter([b'{"a"', b": ", b'"\xd0', b'\x90"}']), chunked=True, Transfer_Encoding="chunked"
    )
    assert status == 202
    assert seen_by(told["run"]) == {"body": {"a": "А"}}


def test_a_sender_that_breaks_off_starts_nothing(live: Live, alice: User) -> None:
    url = urlsplit(hook(alice))
    with socket.create_connection((url.hostname, url.port or 80)) as sock:
        sock.sendall(f"POST {url.path} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{{".encode())
    assert Caller(url.geturl()).send(b"{}")[0] == 202
    assert Run.objects.count() == 1


def test_a_hundred_copies_at_once_are_one_run(live: Live, alice: User) -> None:
    """T39."""
    url = hook(alice, dedupe_header="X-Delivery")
    gate = threading.Barrier(25)

    def copies(_n: int) -> list[tuple[int, str]]:
        caller = Caller(url)
        gate.wait(30)
        answers = [caller.send(b"{}", X_Delivery="evt-1") for _ in range(4)]
        return [(status, told["run"]) for status, _, told in answers]

    with ThreadPoolExecutor(25) as pool:
        answers = [answer for batch in pool.map(copies, range(25)) for answer in batch]
    assert len(answers) == 100
    assert {run for _status, run in answers} == {Run.objects.get().id.hex}
    assert Counter(status for status, _run in answers) == {202: 1, 200: 99}
    wait_until(lambda: Run.objects.get().status == "succeeded")


def test_a_burst_is_taken_or_told_to_come_later_and_what_is_taken_runs(live: Live, alice: User) -> None:
    """T40: 2,000 at once, bodies from nothing to the limit."""
    url = hook(alice)
    sizes = [0, 1, 100, 3_000, 60_000]

    def burst(n: int) -> list[tuple[int, str]]:
        caller = Caller(url)
        answers = []
        for k in range(125):
            size = LIMIT if n == k == 0 else sizes[k % len(sizes)]
            status, headers, told = caller.send(b"x" * size, Content_Type="text/plain")
            assert status == 202 or headers["retry-after"], (status, told)
            answers.append((status, told.get("run", "")))
        return answers

    begun = time.monotonic()
    with ThreadPoolExecutor(16) as pool:
        answers = [answer for batch in pool.map(burst, range(16)) for answer in batch]
    took_s = time.monotonic() - begun
    counted = Counter(status for status, _run in answers)
    print(f"2,000 in {took_s:.1f} s: {dict(counted)}")
    assert set(counted) <= {202, 429}
    taken = {run for status, run in answers if status == 202}
    assert len(taken) == counted[202]
    wait_until(lambda: not Run.objects.filter(finished_at=None).exists(), timeout_s=120, every_s=0.5)
    assert {run.hex for run in Run.objects.filter(status="succeeded").values_list("id", flat=True)} == taken


def test_a_sender_of_a_respond_step_hears_it_through_a_real_server(live: Live, alice: User) -> None:
    status, _, told = Caller(hook(alice, RESPOND)).send(b"{}")
    assert (status, told) == (200, {"ok": True})
