"""The least client that an action can be given: the real way out, and a bearer token if there is one."""

from dataclasses import replace
from typing import Any

from actions.base import Client, Context, Request
from lib import egress

POLICY = egress.Policy.from_settings("127.0.0.1")


class PlainClient:
    def __init__(self, base_url: str = "", token: str = "") -> None:
        self.base_url = base_url
        self.token = token
        self.exchanges: list[dict[str, Any]] = []

    def send(
        self, request: Request, *, timeout_s: float = 30, redirects: int = 0, max_bytes: int = 5_000_000
    ) -> egress.Response:
        if self.token:
            request = replace(request, headers={**request.headers, "Authorization": f"Bearer {self.token}"})
        self.exchanges.append({"method": request.method, "url": request.url, "timeout_s": timeout_s})
        encoded = request.encoded(self.base_url)
        return egress.send(encoded, timeout_s=timeout_s, redirects=redirects, max_bytes=max_bytes, policy=POLICY)


def context(client: Client | None = None, **changes: Any) -> Context:
    known: dict[str, Any] = {
        "run_id": "0193", "run_key": "0193", "path": "s2", "attempt": 1, "client": client or PlainClient(),
        "timezone": "Europe/Moscow",
    }  # fmt: skip
    return Context(**known | changes)
