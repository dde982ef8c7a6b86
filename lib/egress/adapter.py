"""The same way out for libraries that speak `requests`, such as requests-oauthlib."""

from collections.abc import Mapping
from io import BytesIO
from typing import Any

import requests
from requests.structures import CaseInsensitiveDict

from lib.egress.messages import Request
from lib.egress.policy import Policy
from lib.egress.sending import send

# What requests adds by itself and request_head.encode writes anyway.
_WRITTEN_ANYWAY = frozenset({"content-length", "connection", "accept-encoding"})


class Adapter(requests.adapters.BaseAdapter):
    """Mount it on a session for http:// and https://. It never follows redirects, uses neither proxies nor the
    environment, and raises UserError as `send` does; `timeout`, `verify`, `cert` and `proxies` are not looked at."""

    def __init__(
        self, timeout_s: float = 15, max_bytes: int = 1_000_000, pool: str = "", policy: Policy | None = None
    ) -> None:
        super().__init__()
        self._timeout_s = timeout_s
        self._max_bytes = max_bytes
        self._pool = pool
        self._policy = policy

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: float | tuple[float, float] | tuple[float, None] | None = None,
        verify: bool | str = True,
        cert: bytes | str | tuple[bytes | str, bytes | str] | None = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        body = request.body or b""
        if not isinstance(body, (bytes, str)):
            raise TypeError("a body that is read while it is sent is not supported")
        answer = send(
            Request(
                request.method or "GET",
                request.url or "",
                _headers(request.headers),
                body.encode() if isinstance(body, str) else body,
            ),
            timeout_s=self._timeout_s,
            max_bytes=self._max_bytes,
            pool=self._pool,
            policy=self._policy,
        )
        response = _Response()
        response.status_code = answer.status
        response.headers = CaseInsensitiveDict(answer.headers)
        response.raw = BytesIO(answer.body)
        response._content = answer.body
        response.url = answer.url
        response.encoding = requests.utils.get_encoding_from_headers(response.headers)
        response.request = request
        return response

    def close(self) -> None:
        """Connections are kept by the process, not by the adapter."""


class _Response(requests.Response):
    @property
    def is_redirect(self) -> bool:
        """Says no, so that no session follows: it would carry the request's secrets along."""
        return False


def session(
    *, timeout_s: float = 15, max_bytes: int = 1_000_000, pool: str = "", policy: Policy | None = None
) -> requests.Session:
    """A session with no other way out."""
    made = requests.Session()
    made.trust_env = False
    made.adapters.clear()
    made.headers.pop("User-Agent", None)
    adapter = Adapter(timeout_s=timeout_s, max_bytes=max_bytes, pool=pool, policy=policy)
    made.mount("https://", adapter)
    made.mount("http://", adapter)
    return made


def _headers(headers: Mapping[str, Any]) -> dict[str, str]:
    return {_text(name): _text(value) for name, value in headers.items() if _text(name).lower() not in _WRITTEN_ANYWAY}


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value
