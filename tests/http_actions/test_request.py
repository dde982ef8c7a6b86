"""HTTP requests as people set them up, against a service that keeps what it was asked."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest

from actions.base import Context
from actions.effects import Effect
from http_actions.request import METHODS, HttpRequest
from lib.errors import InvalidInput, Json, UserError
from tests.actions.client import context
from tests.actions.service import Asked, Service

REPLY = json.loads((Path(__file__).parent / "replies" / "http.request.json").read_text())


@pytest.fixture
def service() -> Iterator[Service]:
    with Service() as running:
        yield running


def perform(service: Service, *, ctx: Context | None = None, **inputs: Any) -> Json:
    return HttpRequest.clean({"method": "POST", "url": f"{service.url}/api"} | inputs).perform(ctx or context())


def asked(service: Service, **inputs: Any) -> Asked:
    perform(service, **inputs)
    return service.asked[-1]


def refusal(service: Service, *, ctx: Context | None = None, **inputs: Any) -> UserError:
    with pytest.raises(UserError) as caught:
        perform(service, ctx=ctx, **inputs)
    return caught.value


def test_the_answer_is_the_result(service: Service) -> None:
    service.will_answer((201, REPLY["body"], {"X-Request-Id": "r-1"}))
    result = perform(service, fields={"title": "Урок"})
    assert (result["status"], result["body"]) == (201, REPLY["body"])
    assert result["headers"]["x-request-id"] == "r-1"


@pytest.mark.parametrize("method", METHODS)
def test_each_method_is_sent(service: Service, method: str) -> None:
    service.will_answer((200, {"a": 1}))
    result = perform(service, method=method)
    assert service.asked[-1].method == method
    assert result["body"] == (None if method == "HEAD" else {"a": 1})


def test_fields_are_sent_as_json(service: Service) -> None:
    request = asked(service, fields={"title": 'a","b":"', "n": 5, "list": [1], "none": None, "flag": True})
    assert request.json() == {"title": 'a","b":"', "n": 5, "list": [1], "none": None, "flag": True}
    assert request.headers["content-type"] == "application/json"


def test_a_list_from_an_expression_is_sent_as_json(service: Service) -> None:
    assert asked(service, fields=[{"id": 1}, {"id": 2}]).json() == [{"id": 1}, {"id": 2}]


def test_nested_fields_have_brackets_in_a_form(service: Service) -> None:
    request = asked(service, format="form", fields={"result": {"status": "ok"}, "message": "Thank you!"})
    assert parse_qsl(request.body.decode()) == [("result[status]", "ok"), ("message", "Thank you!")]
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"


def test_text_is_sent_as_it_is_and_may_be_called_otherwise(service: Service) -> None:
    request = asked(service, format="text", body="a=1\r\nб ")
    assert request.body == "a=1\r\nб ".encode()
    assert request.headers["content-type"] == "text/plain; charset=utf-8"
    request = asked(service, format="text", body="<a/>", headers={"content-type": "application/xml"})
    assert request.headers["content-type"] == "application/xml"


@pytest.mark.parametrize(
    ("format", "own", "sent"),
    [
        ("json", "text/xml", "application/json"),
        ("json", "application/vnd.api+json", "application/vnd.api+json"),
        ("form", "text/xml", "application/x-www-form-urlencoded"),
    ],
)
def test_the_format_says_the_content_type(service: Service, format: str, own: str, sent: str) -> None:
    request = asked(service, format=format, fields={"a": 1}, headers={"Content-Type": own})
    assert request.headers["content-type"] == sent


def test_json_may_be_written_by_hand_but_must_be_json(service: Service) -> None:
    assert asked(service, body='{"a": [1, 2]}').body == b'{"a": [1, 2]}'
    assert list(HttpRequest.check({"method": "POST", "url": service.url, "body": "{a: 1}"})) == ["body"]
    assert HttpRequest.check({"method": "POST", "url": service.url, "body": '{"a": {{ s1.n }} }'}) == {}


def test_without_fields_there_is_no_body(service: Service) -> None:
    request = asked(service, method="GET", fields={}, query={"q": "я & ты", "page": [1, 2]})
    assert request.body == b""
    assert "content-type" not in request.headers
    assert request.query == [("q", "я & ты"), ("page", "1"), ("page", "2")]


def test_parameters_are_added_to_those_of_the_address(service: Service) -> None:
    assert asked(service, url=f"{service.url}/a?x=1", query={"y": "+"}).target == "/a?x=1&y=%2B"


@pytest.mark.parametrize(
    ("inputs", "field"),
    [
        ({"format": "text", "fields": {"a": 1}}, "fields"),
        ({"format": "form", "fields": [1]}, "fields"),
        ({"fields": {"a": 1}, "body": "{}"}, "body"),
        ({"method": "TRACE"}, "method"),
        ({"format": "xml"}, "format"),
        ({"url": "ftp://x.example"}, "url"),
        ({"url": ""}, "url"),
        ({"timeout_s": 301}, "timeout_s"),
        ({"timeout_s": 0}, "timeout_s"),
        ({"fail_on": "4xx,abc"}, "fail_on"),
        ({"headers": {"Host": "x"}}, "headers.Host"),
        ({"idempotency_header": "Host"}, "idempotency_header"),
        ({"idempotency_key": "a\nb"}, "idempotency_key"),
        ({"follow_redirects": "maybe"}, "follow_redirects"),
    ],
)
def test_what_cannot_be_sent_is_refused_before_anything_is(inputs: dict[str, Any], field: str) -> None:
    known = {"method": "POST", "url": "https://api.example.com"}
    assert list(HttpRequest.check(known | inputs)) == [field]
    with pytest.raises(InvalidInput) as caught:
        HttpRequest.clean(known | inputs)
    assert caught.value.params["field"] == field


def test_the_mistake_of_text_with_fields_shows_though_they_are_expressions() -> None:
    inputs = {"method": "POST", "url": "{{ s1.url }}", "format": "text", "fields": {"a": "{{ s1.a }}"}}
    assert list(HttpRequest.check(inputs)) == ["fields"]


def test_an_error_status_fails_and_quotes_the_service(service: Service) -> None:
    service.will_answer((422, {"error": {"message": "title is too long"}}))
    error = refusal(service)
    assert (error.code, error.params["status"], error.params["message"]) == (
        "upstream_status",
        422,
        "title is too long",
    )
    assert not error.retry


def test_which_statuses_fail_may_be_chosen(service: Service) -> None:
    service.will_answer((404, {}))
    assert perform(service, fail_on="5xx")["status"] == 404
    assert perform(service, fail_on="")["status"] == 404
    assert refusal(service, fail_on="404, 5xx").params["status"] == 404
    service.will_answer((302, b"", {"Location": "/b"}))
    assert refusal(service, fail_on="3xx").params["status"] == 302


def test_too_many_requests_are_told_apart(service: Service) -> None:
    service.will_answer((429, {"message": "slow down"}, {"Retry-After": "30"}))
    error = refusal(service)
    assert (error.code, error.retry, error.retry_after_s, error.unknown) == ("rate_limited", True, 30, False)


def test_get_follows_redirects_and_post_does_not(service: Service) -> None:
    moved = (302, b"", {"Location": "/there"})
    service.will_answer(moved, (200, {"ok": 1}))
    assert perform(service, method="GET")["body"] == {"ok": 1}
    assert service.asked[-1].path == "/there"
    service.will_answer(moved)
    assert perform(service, fields={"a": 1})["status"] == 302
    assert perform(service, method="GET", follow_redirects=False)["status"] == 302
    service.will_answer(moved)
    assert refusal(service, method="GET").code == "upstream_invalid"


@pytest.mark.parametrize(
    ("inputs", "effect"),
    [
        ({"method": "GET"}, Effect.READ),
        ({"method": "HEAD"}, Effect.READ),
        ({"method": "PUT"}, Effect.KEYED),
        ({"method": "DELETE"}, Effect.KEYED),
        ({"method": "POST"}, Effect.ONCE),
        ({"method": "PATCH"}, Effect.ONCE),
        ({"method": "MERGE"}, Effect.ONCE),
        ({"method": "POST", "idempotency_key": "auto"}, Effect.KEYED),
        ({"method": "PATCH", "idempotency_key": "order-5"}, Effect.KEYED),
    ],
)
def test_the_method_and_the_key_say_what_a_repeat_does(inputs: dict[str, Any], effect: Effect) -> None:
    assert HttpRequest.clean({"url": "https://api.example.com"} | inputs).effect_of() is effect


def test_the_idempotency_key_is_the_same_on_each_attempt(service: Service) -> None:
    for attempt in (1, 2):
        perform(service, ctx=context(attempt=attempt), idempotency_key="auto")
    perform(service, ctx=context(path="s9"), idempotency_key="auto")
    first, second, other = (request.headers["idempotency-key"] for request in service.asked)
    assert first == second != other
    request = asked(service, idempotency_key="order-5", idempotency_header="X-Once")
    assert request.headers["x-once"] == "order-5"
    assert "idempotency-key" not in request.headers


def test_without_a_key_none_is_sent(service: Service) -> None:
    assert "idempotency-key" not in asked(service).headers


def test_what_would_be_sent_is_known_before(service: Service) -> None:
    action = HttpRequest.clean({"method": "POST", "url": "https://api.example.com/a", "fields": {"a": 1}})
    request = action.preview(context())
    assert request is not None
    assert request.encoded().body == b'{"a":1}'
    assert service.asked == []


def test_a_closed_destination_is_refused(service: Service) -> None:
    assert refusal(service, url="http://10.0.0.1/").code == "destination_blocked"


def test_the_form_offers_the_documents_inputs() -> None:
    assert list(HttpRequest.fields) == [
        "method", "url", "format", "fields", "body", "headers", "query", "fail_on", "timeout_s", "follow_redirects",
        "idempotency_key", "idempotency_header",
    ]  # fmt: skip
    assert HttpRequest.schema()["required"] == ["method", "url"]
    assert HttpRequest.connection == "optional"
