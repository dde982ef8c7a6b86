"""What goes over the wire, as values: a request that has been read and the answer to be sent."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl, unquote

FORM = "application/x-www-form-urlencoded"

Json = Any  # what json.loads gives
Pairs = list[tuple[str, str]]


class Unreadable(ValueError):
    """The request's text is not what it claims to be: broken UTF-8, broken JSON, a form of another type."""


@dataclass(frozen=True)
class Request:
    """`target`: path and query as they were sent; header names are lower-case; `time`: seconds since 1970."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes
    time: float

    @cached_property
    def path(self) -> str:
        """The path as sent, percent-encoding untouched."""
        return self.target.partition("?")[0]

    @cached_property
    def segments(self) -> tuple[str, ...]:
        """The path's segments, each decoded by itself, so that an encoded `/` or `#` stays inside its segment."""
        try:
            return tuple(unquote(segment, errors="strict") for segment in self.path.split("/")[1:])
        except UnicodeDecodeError as broken:
            raise Unreadable("the path is not UTF-8") from broken

    @cached_property
    def query_pairs(self) -> Pairs:
        """Name and value as sent, in order, blank values kept."""
        return parse_pairs(self.target.partition("?")[2])

    @cached_property
    def query(self) -> dict[str, str | list[str]]:
        """The query as an object; a repeated name is a list."""
        return gather(self.query_pairs)

    @property
    def content_type(self) -> str:
        """The media type without its parameters, in lower case."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def origin(self) -> str:
        """The address that the client used for this server, such as `http://127.0.0.1:8010`."""
        return f"http://{self.headers.get('host', '127.0.0.1')}"

    def form_pairs(self) -> Pairs:
        return parse_pairs(self.text())

    def form(self) -> dict[str, str | list[str]]:
        """The body as a form; a repeated name is a list."""
        return gather(self.form_pairs())

    def json(self) -> Json:
        try:
            return json.loads(self.text())
        except (json.JSONDecodeError, RecursionError) as broken:
            raise Unreadable("the body is not JSON") from broken

    def text(self) -> str:
        try:
            return self.body.decode()
        except UnicodeDecodeError as broken:
            raise Unreadable("the body is not UTF-8") from broken


@dataclass(frozen=True)
class Response:
    """An answer. `dropped` closes the connection instead of sending it."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    dropped: bool = False

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)


def json_response(status: int, value: Json, headers: Iterable[tuple[str, str]] = ()) -> Response:
    body = json.dumps(value, ensure_ascii=False, indent=1).encode()
    return Response(status, body, (("Content-Type", "application/json; charset=UTF-8"), *headers))


def html_response(status: int, page: str, headers: Iterable[tuple[str, str]] = ()) -> Response:
    return Response(status, page.encode(), (("Content-Type", "text/html; charset=utf-8"), *headers))


def redirect(location: str) -> Response:
    return Response(302, b"", (("Location", location), ("Cache-Control", "no-store")))


def method_not_allowed(*allowed: str) -> Response:
    return json_response(405, {"error": "method_not_allowed"}, [("Allow", ", ".join(allowed))])


def parse_pairs(text: str) -> Pairs:
    try:
        return parse_qsl(text, keep_blank_values=True, errors="strict")
    except (UnicodeDecodeError, ValueError) as broken:
        raise Unreadable("the parameters are not UTF-8") from broken


def gather(pairs: Pairs) -> dict[str, str | list[str]]:
    gathered: dict[str, str | list[str]] = {}
    for name, value in pairs:
        before = gathered.get(name)
        if before is None:
            gathered[name] = value
        elif isinstance(before, list):
            before.append(value)
        else:
            gathered[name] = [before, value]
    return gathered
