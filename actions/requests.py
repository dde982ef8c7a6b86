"""An HTTP request as an action describes it: readable before it is sent, encoded the same way each time."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote

from lib import egress, safe_json
from lib.errors import Json

UNSET: Any = object()
JSON_TYPE = "application/json"
FORM_TYPE = "application/x-www-form-urlencoded"
ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")

Query = Mapping[str, "str | list[str]"]


@dataclass(frozen=True)
class Request:
    """`url` is absolute, or relative to the client's base. At most one of `json`, `form` and `body` is given.

    `form` may be nested: {"result": {"status": "ok"}} is sent as `result[status]=ok`.
    """

    method: str
    url: str
    query: Query = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    json: Json = UNSET
    form: Mapping[str, Json] = UNSET
    body: bytes = b""

    def under(self, base: str) -> "Request":
        """The same request with an absolute address."""
        if ABSOLUTE.match(self.url) or not base:
            return self
        return replace(self, url=f"{base.rstrip('/')}/{self.url.lstrip('/')}")

    def encoded(self, base: str = "") -> "egress.Request":
        """As it goes out: query in the address, body in bytes, with the Content-Type that belongs to it."""
        body, content_type = self._body()
        headers = dict(self.headers)
        if content_type and not any(name.lower() == "content-type" for name in headers):
            headers["Content-Type"] = content_type
        return egress.Request(self.method, with_query(self.under(base).url, self.query), headers, body)

    def _body(self) -> tuple[bytes, str]:
        if self.json is not UNSET:
            return safe_json.dumps(self.json), JSON_TYPE
        if self.form is not UNSET:
            return form_encode(self.form), FORM_TYPE
        return self.body, ""


def segment(text: str) -> str:
    """Percent-encoded, to stand between two slashes of an address whatever it holds."""
    # A lone "." or ".." would be taken for a step in the path even when encoded by some servers.
    encoded = quote(text, safe="")
    return encoded.replace(".", "%2E") if encoded in {".", ".."} else encoded


def with_query(url: str, query: Query) -> str:
    """Add parameters to an address; a space becomes %20 and a plus %2B, so that every server reads them alike."""
    url, _hash, _fragment = url.partition("#")
    pairs = [(name, one) for name, value in query.items() for one in (value if isinstance(value, list) else [value])]
    if not pairs:
        return url
    joint = "" if url.endswith(("?", "&")) else "&" if "?" in url else "?"
    return url + joint + "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in pairs)


def form_encode(fields: Mapping[str, Json]) -> bytes:
    pairs = (pair for name, value in fields.items() for pair in flattened(name, value))
    return "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in pairs).encode()


def flattened(name: str, value: Json) -> Iterator[tuple[str, str]]:
    """PHP's brackets: {"a": {"b": 1}} is a[b]=1, {"a": [1, 2]} is a[0]=1, a[1]=2; null is left out."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from flattened(f"{name}[{key}]", item)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from flattened(f"{name}[{index}]", item)
    elif value is not None:
        yield name, value if isinstance(value, str) else safe_json.dumps(value).decode()
