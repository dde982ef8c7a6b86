"""What goes out and what comes back, as callers see it."""

import codecs
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from lib import safe_json
from lib.egress import errors
from lib.errors import Json

_CHARSET = re.compile(r"charset\s*=\s*[\"']?([A-Za-z0-9_.:-]{1,40})", re.IGNORECASE)
# Codecs of Python that are no charsets of the web, some of them slow on purpose-made input.
_NO_CHARSETS = frozenset({"idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined", "mbcs", "oem"})


@dataclass(frozen=True)
class Request:
    """`url` is absolute, http or https."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True)
class Response:
    """`headers` have lower-case names, repeated ones are joined by ", ". `body` is unpacked. `url` is where the answer
    came from, after redirects."""

    status: int
    headers: dict[str, str]
    body: bytes
    url: str
    took_ms: int

    def text(self) -> str:
        """The body in the charset of its Content-Type, UTF-8 by default; what does not fit becomes U+FFFD."""
        return self.body.decode(self._charset() or "utf-8-sig", "replace")

    def json(self) -> Json:
        """Parse the body, leniently: refusing an answer would lose what the request has done.

        Raises UserError `upstream_invalid`.
        """
        charset = self._charset()
        try:
            return safe_json.loads(self.text() if charset else self.body, lenient=True)
        except safe_json.JsonError as error:
            raise errors.invalid(urlsplit(self.url).hostname or "", "not_json", why=str(error)) from None

    def _charset(self) -> str:
        """The charset that Content-Type names, "" for UTF-8 or one that nobody knows."""
        match = _CHARSET.search(self.headers.get("content-type", ""))
        if match is None:
            return ""
        try:
            codec = codecs.lookup(match[1])
        except LookupError:
            return ""
        is_text = getattr(codec, "_is_text_encoding", True) and codec.name not in _NO_CHARSETS
        return codec.name if is_text and codec.name != "utf-8" else ""
