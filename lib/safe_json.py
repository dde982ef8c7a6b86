"""JSON from strangers: read it by one rule, write it, and make it fit for a PostgreSQL `jsonb` column.

One profile everywhere: UTF-8, at most `MAX_DEPTH` levels, whole numbers kept exactly, the last of repeated keys wins.
What `jsonb` refuses though JSON allows it (NUL, lone surrogates) becomes visible: U+2400 and U+FFFD.
"""

import json
import math
import re
from collections.abc import Iterator
from typing import Any, NoReturn

import orjson

from lib.errors import Json

MAX_DEPTH = 64
MAX_DIGITS = 4300  # the longest whole number that Python turns from and into text
KEPT_OF_DEEP = 2000  # characters kept of a part that is nested too deep
MAX_BRACKETS = 1_000_000  # looked at to cut what is too deep: more would take seconds
VISIBLE_NUL = "␀"

_DIGITS = bytes(0x30 if 0x30 <= byte <= 0x39 else 0x20 for byte in range(256))  # every digit becomes 0
_LONG_NUMBER = b"0" * 19  # orjson would round it where it exceeds 64 bits
# Possessive, and an unclosed string runs to the end: linear whatever the text.
_TOKEN = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)|[\[\]{}]', re.DOTALL)
_SURROGATE = re.compile("[\ud800-\udfff]")


class JsonError(ValueError):
    """The text is not the JSON that we accept; the message says why and where."""


class NotJson(JsonError):
    """It is no JSON at all."""


class BadNumber(JsonError):
    """A number that JSON does not know (NaN, Infinity), or one too large to hold."""


class TooDeep(JsonError):
    """Lists and objects within each other beyond MAX_DEPTH."""


class RepeatedKey(JsonError):
    """A key stands twice in one object; raised only where that was asked for."""


def loads(raw: bytes | str, *, lenient: bool = False, unique_keys: bool = False) -> Json:
    """Parse JSON; JsonError says what is wrong with it.

    `lenient` is for answers of other services, where refusing loses what was already done: NaN, Infinity and numbers
    too large to hold become text, bytes that are not UTF-8 become U+FFFD, a part nested too deep becomes its own text.
    `unique_keys` refuses an object that repeats a key.
    """
    data = raw.encode("utf-8", "surrogatepass") if isinstance(raw, str) else raw
    if not unique_keys and _LONG_NUMBER not in data.translate(_DIGITS):
        try:
            value = orjson.loads(data)
        except orjson.JSONDecodeError:
            pass  # the slower parser below knows more, and says better what is wrong
        else:
            if _is_shallow(data, value):
                return storable(value) if b"\\u0000" in data else value
            if not lenient:
                raise _too_deep()
    return _loads_slowly(data, lenient=lenient, unique_keys=unique_keys)


def dumps(value: Json) -> bytes:
    """Write compact UTF-8 JSON; NaN and Infinity become null; whole numbers of any size stay exact.

    Raises TypeError for what is no JSON value.
    """
    try:
        return orjson.dumps(value)
    except TypeError:  # a whole number beyond 64 bits, a lone surrogate, deep nesting; or really no JSON
        return json.dumps(_without_nan(value), separators=(",", ":"), allow_nan=False).encode()


def storable(value: Json) -> Json:
    """The same value if `jsonb` takes it, else a copy with what it refuses made visible. Never raises."""
    return value if _fits(value, MAX_DEPTH) else _fitted(value, MAX_DEPTH)


def _is_shallow(data: bytes, value: Json) -> bool:
    """Whether the value keeps within MAX_DEPTH; counting brackets settles it for most texts."""
    if data.count(b"[") + data.count(b"{") <= MAX_DEPTH:
        return True
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [
            child
            for node in level
            if type(node) is dict or type(node) is list
            for child in (node.values() if type(node) is dict else node)
            if type(child) is dict or type(child) is list
        ]
        if not level:
            return True
    return False


def _loads_slowly(data: bytes, *, lenient: bool, unique_keys: bool) -> Json:
    text = _decode(data, lenient=lenient)
    if any(depth > MAX_DEPTH for depth in _depths(text)):
        if not lenient or text.count("[") + text.count("{") > MAX_BRACKETS:
            raise _too_deep()
        text = _flatten(text)
    try:
        value = json.loads(
            text,
            parse_constant=str if lenient else _refuse_number,
            parse_float=_lenient_float if lenient else _strict_float,
            parse_int=_lenient_int if lenient else _strict_int,
            object_pairs_hook=_unique if unique_keys else None,
        )
    except json.JSONDecodeError as error:
        if not text.strip():
            raise NotJson("not JSON: it is empty") from None
        what = error.msg[:1].lower() + error.msg[1:]
        raise NotJson(f"not JSON: {what} at line {error.lineno}, column {error.colno}") from None
    return storable(value)


def _too_deep() -> TooDeep:
    return TooDeep(f"more than {MAX_DEPTH} levels of lists and objects within each other")


def _decode(data: bytes, *, lenient: bool) -> str:
    encoding = json.detect_encoding(data)  # a byte order mark, or the zeros of UTF-16, give it away
    try:
        return data.decode(encoding, "replace" if lenient else "surrogatepass")
    except UnicodeDecodeError as error:
        raise NotJson(f"not JSON: byte {error.start} is not valid UTF-8") from None


def _depths(text: str) -> Iterator[int]:
    depth = 0
    for token in _TOKEN.finditer(text):
        first = text[token.start()]
        if first != '"':
            depth += 1 if first in "[{" else -1
            yield depth


def _flatten(text: str) -> str:
    """Replace every part below MAX_DEPTH by a JSON string of its own text."""
    kept: list[str] = []
    depth = done = start = 0
    for token in _TOKEN.finditer(text):
        first = text[token.start()]
        if first in "[{":
            depth += 1
            if depth == MAX_DEPTH + 1:
                start = token.start()
        elif first in "]}":
            if depth == MAX_DEPTH + 1:
                part = text[start : token.end()]
                kept += [text[done:start], json.dumps(part[:KEPT_OF_DEEP] + ("…" if len(part) > KEPT_OF_DEEP else ""))]
                done = token.end()
            depth -= 1
    return "".join([*kept, text[done:]]) if depth <= MAX_DEPTH else ""  # never closed: no JSON


def _refuse_number(text: str) -> NoReturn:
    raise BadNumber(f"{text[:40]} is not a number that JSON knows")


def _strict_float(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise BadNumber(f"the number {text[:40]} is too large")
    return value


def _lenient_float(text: str) -> float | str:
    value = float(text)
    return text if math.isinf(value) else value


def _strict_int(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise BadNumber(f"the number {text[:40]}… is too large")
    return int(text)


def _lenient_int(text: str) -> int | str:
    return int(text) if len(text) <= MAX_DIGITS else text


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for key, item in pairs:
        if key in value:
            raise RepeatedKey(f"the key {key!r} stands twice in one object")
        value[key] = item
    return value


def _without_nan(value: Json) -> Json:
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _fits(value: Json, depth: int) -> bool:
    """Whether `jsonb` takes the value as it is, with `depth` levels left."""
    kind = type(value)
    if kind is str:
        return _text_fits(value)
    if kind is dict:
        return depth > 0 and all(
            type(key) is str and _text_fits(key) and _fits(item, depth - 1) for key, item in value.items()
        )
    if kind is list:
        return depth > 0 and all(_fits(item, depth - 1) for item in value)
    if kind is float:
        return math.isfinite(value)
    if kind is int:
        return -(2**63) <= value < 2**64 or _has_text(value)
    return value is None or kind is bool


def _text_fits(text: str) -> bool:
    return "\0" not in text and (text.isascii() or not _SURROGATE.search(text))


def _fitted(value: Any, depth: int) -> Json:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _SURROGATE.sub("\ufffd", value).replace("\0", VISIBLE_NUL)
    if isinstance(value, int):
        return int(value) if _has_text(value) else hex(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else _name_of(value)
    if isinstance(value, (dict, list, tuple)) and depth == 0:
        return "…"
    if isinstance(value, dict):
        return {_fitted(str(key), depth): _fitted(item, depth - 1) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_fitted(item, depth - 1) for item in value]
    return _fitted(value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value), depth)


def _has_text(number: int) -> bool:
    """Whether Python can write the number in decimal digits; PostgreSQL takes far longer ones."""
    return number.bit_length() * 0.302 < MAX_DIGITS


def _name_of(number: float) -> str:
    """As JavaScript and PostgreSQL spell it: NaN, Infinity, -Infinity."""
    return "NaN" if math.isnan(number) else "Infinity" if number > 0 else "-Infinity"
