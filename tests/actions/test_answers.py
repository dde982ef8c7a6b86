"""What an answer means: the result, or an error that says whether another attempt may help."""

import time
from email.utils import formatdate
from typing import Any

import pytest

from actions.answers import body_of, message_of, refusal_of, result_of, retry_after_s
from actions.effects import Effect
from lib.egress import Response
from lib.errors import describe


def answer(status: int = 200, body: bytes = b"", **headers: str) -> Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(status, named, body, "https://api.example/x", 5)


@pytest.mark.parametrize(
    ("content_type", "body", "parsed"),
    [
        ("application/json", b'{"a": 1}', {"a": 1}),
        ("application/problem+json; charset=utf-8", b"[1]", [1]),
        ("application/json", b"nonsense", "nonsense"),
        ("application/json", b"", None),
        ("", b' {"a": 1}', {"a": 1}),
        ("text/plain", b"[1, 2]", [1, 2]),
        ("text/plain", b"[not json", "[not json"),
        ("text/plain", b"12", "12"),
        ("text/html", b"<p>hi</p>", "<p>hi</p>"),
        ("text/plain; charset=windows-1251", "Привет".encode("cp1251"), "Привет"),
        ("application/json; charset=windows-1251", '{"a": "Привет"}'.encode("cp1251"), {"a": "Привет"}),
    ],
)
def test_a_body_is_json_where_it_is_and_text_otherwise(content_type: str, body: bytes, parsed: Any) -> None:
    assert result_of(answer(body=body, content_type=content_type))["body"] == parsed


@pytest.mark.parametrize(
    "body",
    [
        b'{"a": "\\u0000"}', b'{"a": "\\ud800"}', b'{"a": NaN}', b"[" * 10_000 + b"]" * 10_000, b'{"a": "\xff"}',
        b"\xff\0",        b'{"a": 1e999}', b'{"a": ' + b"9" * 5000 + b"}",
    ],
)  # fmt: skip
def test_no_body_is_too_odd_to_keep(body: bytes) -> None:
    assert body_of(answer(body=body, content_type="application/json")) is not None


@pytest.mark.parametrize(
    ("status", "headers", "retry", "unknown"),
    [
        (400, {}, False, False),
        (404, {}, False, False),
        (408, {}, True, False),
        (429, {}, True, False),
        (500, {}, True, True),
        (501, {}, False, False),
        (502, {}, True, True),
        (503, {}, True, True),
        (503, {"retry_after": "7"}, True, False),
        (504, {}, True, True),
    ],
)
def test_a_step_that_may_act_once_is_repeated_only_after_a_definite_refusal(
    status: int, headers: dict[str, str], retry: bool, unknown: bool
) -> None:
    error = refusal_of(answer(status, **headers), Effect.ONCE)
    assert (error.retry, error.unknown) == (retry, unknown)
    assert refusal_of(answer(status, **headers), Effect.KEYED).unknown is False
    assert error.params["status"] == status
    assert error.code == ("rate_limited" if status == 429 else "upstream_status")


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("30", 30), ("0", 1), ("1000000000", 86_400), ("-5", None), ("soon", None), ("", None), ("Wed, 99 Foo", None)],
)
def test_retry_after_is_read_with_care(value: str, seconds: float | None) -> None:
    assert retry_after_s(answer(429, retry_after=value)) == seconds


def test_retry_after_may_be_a_date() -> None:
    wait_s = retry_after_s(answer(503, retry_after=formatdate(time.time() + 90, usegmt=True)))
    assert wait_s is not None
    assert 85 < wait_s <= 90
    assert retry_after_s(answer(503, retry_after="Wed, 21 Oct 2015 07:28:00 GMT")) == 1


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"error": {"message": "No such deal", "code": 4}}', "No such deal"),
        (b'{"message": "No such deal"}', "No such deal"),
        (b'{"error": "invalid", "error_description": "No such deal"}', "No such deal"),
        (b'{"errors": [{"title": "No such deal"}]}', "No such deal"),
        (b'[{"message": "No such deal"}]', "No such deal"),
        (b"<html><head><title>No such &amp; deal</title></head><body>x</body></html>", "No such & deal"),
        (b"No\nsuch  deal", "No such deal"),
        (b"", "Not Found"),
    ],
)
def test_the_service_is_quoted_in_one_line(body: bytes, message: str) -> None:
    assert message_of(answer(404, body)) == message


def test_a_long_answer_is_cut() -> None:
    assert len(message_of(answer(500, b"x" * 10_000))) == 300


def test_a_refusal_is_told_in_words() -> None:
    told = describe(refusal_of(answer(404, b'{"message": "No such deal"}'), Effect.READ).as_json())
    assert told["text"] == "The service has nothing at this address (404): No such deal"
    assert told["hint"]
