"""Speaks to a token endpoint: requests-oauthlib's conversation with our templates, sent through the egress.

Its session is handed what the connection's fields say (method, format, parameters, headers, path of the token in the
answer), and each answer is passed on before anybody parses it.
"""

import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

import requests
from django.db import Error as DatabaseError
from django.db import close_old_connections
from django.utils import timezone
from oauthlib.oauth2 import Client as OAuthClient
from oauthlib.oauth2.rfc6749.tokens import OAuth2Token
from requests_oauthlib import OAuth2Session

from connections import answers
from connections.answers import Answer
from connections.masking import SCHEMES, is_secret_name, mask_error
from lib import egress, safe_json
from lib.errors import Json, UserError

TIMEOUT_S = 15
MAX_BYTES = 1_000_000
ACCEPT = "application/json, application/x-www-form-urlencoded;q=0.8"

# oauthlib refuses http:// by an environment variable. Whether an address may be reached is the egress's policy and the
# lint's advice here: a private server, the sandbox and a loopback address have no certificate.
os.environ.setdefault("OAUTHLIB_INSECURE_TRANSPORT", "1")

# At DEBUG it would log the tokens themselves.
for name in ("requests_oauthlib", "oauthlib"):
    logging.getLogger(name).setLevel(logging.INFO)

log = logging.getLogger(__name__)


@dataclass(frozen=True, repr=False)
class TokenRequest:
    """A request to a token endpoint, with all templates rendered. `paths` say where an unusual answer has what.

    `secrets` are the values that no error and nothing else that people see may repeat.
    """

    url: str
    method: str = "POST"
    format: str = "form"
    params: Mapping[str, Json] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    paths: Mapping[str, str] = field(default_factory=dict)
    pool: str = ""
    secrets: frozenset[str] = frozenset()

    @property
    def host(self) -> str:
        return urlsplit(self.url).netloc

    @property
    def hidden(self) -> frozenset[str]:
        """The secrets, and what was sent under the name of one: a key that was typed into a template, say."""
        sent = [*self.params.items(), *self.headers.items()]
        values = [text_of(value) for name, value in sent if is_secret_name(name)]
        return self.secrets | {part for value in values for part in (value, *value.split()) if part not in SCHEMES}

    def as_arguments(self) -> dict[str, Any]:
        """How `requests` is to send it. A redirect is never followed: the secrets are in the request."""
        arguments: dict[str, Any] = {"allow_redirects": False}
        if self.method == "GET":
            arguments["params"] = {name: text_of(value) for name, value in self.params.items()}
        elif self.format == "json":
            arguments["data"] = safe_json.dumps(dict(self.params))
        else:
            arguments["data"] = urlencode({name: text_of(value) for name, value in self.params.items()})
        return arguments

    def all_headers(self) -> dict[str, str]:
        content_type = "application/json" if self.format == "json" else "application/x-www-form-urlencoded"
        headers = {"Accept": ACCEPT} | ({"Content-Type": content_type} if self.method != "GET" else {})
        named = {name.lower() for name in self.headers}
        return {name: value for name, value in headers.items() if name.lower() not in named} | dict(self.headers)


def fetch(request: TokenRequest, *, keep: Callable[[int, bytes], None]) -> Answer:
    """Ask for a token. `keep(status, body)` stores the raw answer before it is parsed.

    Raises TokenRefused, UserError token_answer_unreadable, and what the egress raises; no secret is in their words.
    """
    reader = Reader(request, keep)
    close_old_connections()  # to the pool: the service may take its time
    try:
        with session(reader, pool=request.pool) as talk:
            # The hook is there since requests-oauthlib 1.4; the stubs do not know it.
            talk.register_compliance_hook("access_token_request", reader.as_configured)  # type: ignore[call-overload]
            talk.register_compliance_hook("access_token_response", reader.read)
            talk.fetch_token(request.url, method=request.method, include_client_id=True)
    except UserError as error:
        mask_error(error, request.hidden)
        raise
    assert reader.answer is not None
    return reader.answer


def session(client: OAuthClient, *, pool: str) -> OAuth2Session:
    made = OAuth2Session(client=client)
    made.trust_env = False
    made.headers.pop("User-Agent", None)  # the egress says who we are
    adapter = egress.Adapter(timeout_s=TIMEOUT_S, max_bytes=MAX_BYTES, pool=pool)
    made.adapters.clear()
    made.mount("https://", adapter)
    made.mount("http://", adapter)
    return made


class Reader(OAuthClient):
    """The client half of the conversation: says what to send, and keeps, then reads what came."""

    def __init__(self, request: TokenRequest, keep: Callable[[int, bytes], None]) -> None:
        super().__init__(client_id="")
        self.request = request
        self.keep = keep
        self.status = 0
        self.body = b""
        self.answer: Answer | None = None

    def prepare_request_body(self, *args: Any, **kwargs: Any) -> str:
        return ""  # the parameters are the connection's own: `as_configured`

    def as_configured(
        self, url: str, headers: Mapping[str, str], arguments: Mapping[str, Any]
    ) -> tuple[str, dict[str, str], dict[str, Any]]:
        return url, self.request.all_headers(), self.request.as_arguments()

    def read(self, response: requests.Response) -> requests.Response:
        self.status, self.body = response.status_code, response.content
        self.keep_before_reading()
        return response

    def keep_before_reading(self) -> None:
        """A database that is away for a moment must not cost a rotated token: it may be back for the next write."""
        try:
            self.keep(self.status, self.body)
        except DatabaseError:
            log.exception("an answer of %s could not be kept before it was read", self.request.host)
            close_old_connections()

    def parse_request_body_response(self, body: str, scope: Any = None, **kwargs: Any) -> OAuth2Token:
        self.answer = answers.parse(
            self.status,
            self.body,
            paths=self.request.paths,
            now=timezone.now(),
            host=self.request.host,
            secrets=self.request.hidden,
        )
        self.token = OAuth2Token({"access_token": self.answer.access_token})
        return self.token


def text_of(value: Json) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else safe_json.dumps(value).decode()
