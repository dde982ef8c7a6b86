"""How a request is written: address, query, body."""

from urllib.parse import parse_qsl, urlsplit

import pytest

from actions.requests import Request, segment
from tests.actions.client import context


def test_a_relative_address_stands_under_the_base() -> None:
    request = Request("GET", "calendars/primary", query={"a": "1"})
    assert (
        request.encoded("https://h.example/calendar/v3/").url == "https://h.example/calendar/v3/calendars/primary?a=1"
    )
    assert Request("GET", "https://x.example/a").encoded("https://h.example").url == "https://x.example/a"


def test_a_plus_in_the_query_survives() -> None:
    url = Request("GET", "https://h.example/a?x=1#frag", query={"t": "21:45:00+03:00", "u": ["a b", "&"]}).encoded().url
    assert url == "https://h.example/a?x=1&t=21%3A45%3A00%2B03%3A00&u=a%20b&u=%26"


@pytest.mark.parametrize(
    ("text", "encoded"),
    [("a@b.c", "a%40b.c"), ("ru.russian#holiday@g.c", "ru.russian%23holiday%40g.c"), ("a/../b?c", "a%2F..%2Fb%3Fc")],
)
def test_a_path_segment_stays_one(text: str, encoded: str) -> None:
    assert segment(text) == encoded


@pytest.mark.parametrize("text", [".", ".."])
def test_dots_are_no_way_up(text: str) -> None:
    assert urlsplit(f"https://h/a/{segment(text)}").path.endswith("%2E")


def test_a_form_has_brackets_for_what_is_nested() -> None:
    form = {"result": {"status": "ok"}, "list": [1, {"a": True}], "none": None, "text": "Thank you!&=+", "имя": "я"}
    request = Request("POST", "https://h.example", form=form).encoded()
    assert parse_qsl(request.body.decode(), strict_parsing=True) == [
        ("result[status]", "ok"),
        ("list[0]", "1"),
        ("list[1][a]", "true"),
        ("text", "Thank you!&=+"),
        ("имя", "я"),
    ]
    assert request.headers["Content-Type"] == "application/x-www-form-urlencoded"


def test_json_values_cannot_break_out() -> None:
    request = Request("POST", "https://h.example", json={"a": '","b":"1'}).encoded()
    assert request.body == b'{"a":"\\",\\"b\\":\\"1"}'
    assert request.headers == {"Content-Type": "application/json"}


def test_a_content_type_of_its_own_wins() -> None:
    request = Request("POST", "https://h.example", headers={"content-type": "application/vnd.api+json"}, json=None)
    assert request.encoded().headers == {"content-type": "application/vnd.api+json"}
    assert request.encoded().body == b"null"


def test_the_once_key_is_the_same_on_each_attempt_and_another_for_each_step() -> None:
    keys = {context(path=path, attempt=attempt).once_key for path in ("s4[0]/s5", "s4[1]/s5") for attempt in (1, 2)}
    assert len(keys) == 2
    assert all(len(key) == 64 for key in keys)
    assert context(run_key="other").once_key != context().once_key
