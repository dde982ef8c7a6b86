"""JSON from strangers, and what PostgreSQL takes of it."""

import contextlib
import json
import math
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib import safe_json

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats()
    | st.text(st.characters(exclude_categories=[])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=[])), inner),
    max_leaves=20,
)


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (b'{"a": [1, 2.5, true, null, "\\u041f"]}', {"a": [1, 2.5, True, None, "П"]}),
        ('"Привет"', "Привет"),
        (b"\xef\xbb\xbf1", 1),
        ('{"a": 1}'.encode("utf-16"), {"a": 1}),
        (b"18446744073709551616", 18446744073709551616),
        (b"-9223372036854775809", -9223372036854775809),
        (b'{"id": 12345678901234567890123}', {"id": 12345678901234567890123}),
        (b"9" * 400, int("9" * 400)),
        (b'{"a": 1, "a": 2}', {"a": 2}),
        (b'"a\\u0000b"', "a␀b"),
        (b'{"a\\u0000": "\\\\u0000"}', {"a␀": "\\u0000"}),
        (b'"\\ud800"', "\ufffd"),
        (b'"\\ud83d\\ude00"', "😀"),
        (b"1e-400", 0.0),
        (b"[" * 64 + b"]" * 64, json.loads("[" * 64 + "]" * 64)),
    ],
)
def test_what_json_allows_is_read_exactly(raw: bytes | str, value: object) -> None:
    assert safe_json.loads(raw) == value
    assert safe_json.loads(raw, lenient=True) == value


@pytest.mark.parametrize(
    ("raw", "kind", "words"),
    [
        (b"", safe_json.NotJson, "empty"),
        (b"  ", safe_json.NotJson, "empty"),
        (b"{", safe_json.NotJson, "line 1"),
        (b"[1,]", safe_json.NotJson, "column"),
        (b"{'a': 1}", safe_json.NotJson, "quotes"),
        (b"<html>", safe_json.NotJson, "expecting value"),
        (b"1 2", safe_json.NotJson, "extra data"),
        (b'"a\nb"', safe_json.NotJson, "control"),
        (b'"\xff"', safe_json.NotJson, "UTF-8"),
        (b"NaN", safe_json.BadNumber, "NaN"),
        (b"[-Infinity]", safe_json.BadNumber, "-Infinity"),
        (b"1e400", safe_json.BadNumber, "too large"),
        (b"9" * 5000, safe_json.BadNumber, "too large"),
        (b"[" * 65 + b"]" * 65, safe_json.TooDeep, "64"),
        (b'{"a":' * 65 + b"1" + b"}" * 65, safe_json.TooDeep, "64"),
        (b"[" * 100_000 + b"]" * 100_000, safe_json.TooDeep, "64"),
        (b"[" * 100_000, safe_json.TooDeep, "64"),
    ],
)
def test_what_is_refused_is_said_clearly(raw: bytes, kind: type[ValueError], words: str) -> None:
    with pytest.raises(kind, match=words):
        safe_json.loads(raw)


def test_repeated_keys_are_refused_where_asked() -> None:
    assert safe_json.loads(b'{"a": {"b": 1}, "b": 2}', unique_keys=True) == {"a": {"b": 1}, "b": 2}
    with pytest.raises(safe_json.RepeatedKey, match="'b'"):
        safe_json.loads(b'{"a": {"b": 1, "b": 2}}', unique_keys=True)


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (b'{"a": NaN, "b": [Infinity, -Infinity]}', {"a": "NaN", "b": ["Infinity", "-Infinity"]}),
        (b"[1e400, -1e400]", ["1e400", "-1e400"]),
        (b"9" * 5000, "9" * 5000),
        (b'"\xff\xcf"', "\ufffd\ufffd"),
        (b'{"a": "\\u0000", "b": NaN, "c": "\\udc00"}', {"a": "␀", "b": "NaN", "c": "\ufffd"}),
    ],
)
def test_answers_are_read_leniently(raw: bytes, value: object) -> None:
    assert safe_json.loads(raw, lenient=True) == value


def test_an_answer_nested_too_deep_keeps_what_is_within_the_limit() -> None:
    value = safe_json.loads(
        b'{"id": 7, "deep": ' + b"[" * 10_000 + b'"]"' + b"]" * 10_000 + b', "after": 1}', lenient=True
    )
    assert (value["id"], value["after"]) == (7, 1)
    inner = value["deep"]
    while isinstance(inner, list):
        inner = inner[0]
    assert inner.startswith("[[[[")
    with pytest.raises(safe_json.NotJson):
        safe_json.loads(b"[" * 10_000, lenient=True)


def test_hostile_texts_take_no_time() -> None:
    started = time.process_time()
    for raw in (
        b'"' + b'\\"' * 500_000,
        b"[" * 900_000 + b'"' + b'\\"' * 500_000 + b"\\",
        b"[" * 5_000_000,
        b'{"a":' * 500_000,
    ):
        for lenient in (False, True):
            with pytest.raises(safe_json.JsonError):
                safe_json.loads(raw, lenient=lenient)
    assert time.process_time() - started < 10


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        ("a\0b", "a␀b"),
        ({"k\0": ["\ud800", "ok"]}, {"k␀": ["\ufffd", "ok"]}),
        ([math.nan, math.inf, -math.inf], ["NaN", "Infinity", "-Infinity"]),
        ({1: (1, 2)}, {"1": [1, 2]}),
        (10**30, 10**30),
        (b"\xffx", "\ufffdx"),
        (object, str(object)),
    ],
)
def test_the_storable_form_shows_what_jsonb_refuses(value: object, stored: object) -> None:
    assert safe_json.storable(value) == stored


def test_the_storable_form_cuts_what_is_too_deep_or_too_long() -> None:
    deep: list[object] = []
    for _ in range(10_000):
        deep = [deep]
    assert safe_json.dumps(safe_json.storable(deep)).endswith("…".encode() + b'"' + b"]" * 64)
    assert str(safe_json.storable(10**5000)).startswith("0x")


def test_a_fine_value_is_stored_as_it_is() -> None:
    value = {"a": [1, "x", {"b": None, "c": 2.5, "d": True}]}
    assert safe_json.storable(value) is value


@given(JSON)
def test_anything_becomes_storable_and_survives_writing(value: object) -> None:
    stored = safe_json.storable(value)
    written = safe_json.dumps(stored)
    assert b"\\u0000" not in written
    written.decode()
    assert safe_json.storable(stored) is stored
    assert safe_json.loads(written) == stored


@given(JSON)
def test_whatever_python_writes_is_read_leniently(value: object) -> None:
    assert safe_json.loads(json.dumps(value), lenient=True) == safe_json.storable(value)


@given(st.binary(), st.booleans())
def test_no_bytes_raise_anything_but_a_json_error(raw: bytes, lenient: bool) -> None:
    with contextlib.suppress(safe_json.JsonError):
        safe_json.loads(raw, lenient=lenient)


def test_writing_keeps_large_numbers_and_refuses_other_things() -> None:
    assert (
        safe_json.dumps({"id": 2**64, "x": math.nan, "y": "\ud800"})
        == b'{"id":18446744073709551616,"x":null,"y":"\\ud800"}'
    )
    assert safe_json.dumps({"ключ": "Ё"}) == '{"ключ":"Ё"}'.encode()
    with pytest.raises(TypeError):
        safe_json.dumps(object())
