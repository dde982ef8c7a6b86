"""Answers to webhooks: what they hold, and what they may not."""

import json
from pathlib import Path
from typing import Any

import pytest

from actions.effects import Effect
from http_actions.respond import FOR_THE_SITE, Respond
from lib.errors import Json
from tests.actions.client import context

REPLY = json.loads((Path(__file__).parent / "replies" / "webhook.respond.json").read_text())


def respond(**inputs: Any) -> Json:
    return Respond.clean(inputs).perform(context())


def test_fields_become_json() -> None:
    assert respond(status="201", fields={"result": {"status": "ok"}}, headers={"X-Deal": 5}) == REPLY


def test_a_form_and_a_text() -> None:
    answer = respond(format="form", fields={"result": {"status": "ok"}})
    assert answer["body"] == "result%5Bstatus%5D=ok"
    assert respond(format="text", body="ок")["headers"] == {"content-type": "text/plain; charset=utf-8"}
    assert respond(format="text", body="<p>", headers={"Content-Type": "text/html"})["headers"] == {
        "content-type": "text/html"
    }


def test_nothing_given_is_an_empty_200() -> None:
    assert respond() == {"status": 200, "headers": {}, "body": ""}


@pytest.mark.parametrize(
    "name", [*sorted(FOR_THE_SITE), "Set-Cookie", "Connection", "Transfer-Encoding", "Content-Length"]
)
def test_headers_that_are_not_the_answers_own_are_refused(name: str) -> None:
    assert list(Respond.check({"headers": {name: "x"}})) == [f"headers.{name}"]


@pytest.mark.parametrize(
    ("inputs", "field"),
    [
        ({"status": 99}, "status"),
        ({"status": 600}, "status"),
        ({"status": 204, "body": "{}"}, "status"),
        ({"format": "text", "fields": {"a": 1}}, "fields"),
        ({"body": "no json"}, "body"),
        ({"headers": {"X-A": "a\r\nSet-Cookie: b=1"}}, "headers.X-A"),
    ],
)
def test_what_cannot_be_answered_is_told_in_the_draft(inputs: dict[str, Any], field: str) -> None:
    assert list(Respond.check(inputs)) == [field]


def test_it_works_under_a_webhook_only_and_is_sent_by_the_runtime() -> None:
    assert Respond.only_under == {"webhook"}
    assert Respond.replies
    assert Respond.effect is Effect.PURE
    assert Respond.connection == "none"


def test_the_form_offers_the_documents_inputs() -> None:
    assert list(Respond.fields) == ["status", "format", "fields", "body", "headers"]
    assert Respond.schema()["required"] == []
