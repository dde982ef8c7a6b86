"""Sends the requests of steps: signed in with a connection and only to its hosts, or plain; keeps masked exchanges."""

import base64
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from urllib.parse import quote

from django.db import Error as DatabaseError
from django.db import close_old_connections, transaction
from django.db.models import Q
from django.utils import timezone

from actions.base import MAX_BYTES, Request
from connections import ownhost, refresh, renewal, tokens
from connections.admission import Admission
from connections.config import BasicConfig, BearerConfig, Config, KeyConfig, OAuthConfig
from connections.hosts import require_allowed
from connections.masking import SCHEMES, mask_body, mask_headers, mask_text
from connections.models import Connection
from connections.rendering import Names, render, render_address, render_text_pairs
from lib import egress
from lib.egress.urls import Origin, parse
from lib.errors import Json, UserError

SEEN_EVERY = timedelta(minutes=1)  # how exact `last_used_at` is
SECRET_NAMES = frozenset({"client_secret", "access_token", "refresh_token", "key", "password", "token"})
SAFE_METHODS = frozenset({"GET", "HEAD"})

BeforeSend = Callable[[], None]

log = logging.getLogger(__name__)


class PlainClient:
    """Without a connection: no secrets, any host that the egress lets through."""

    connection_id: int | None = None

    def __init__(
        self,
        *,
        base_url: str = "",
        pool: str = "",
        before_send: BeforeSend | None = None,
        abort: egress.Abort | None = None,
        depth: int = 0,
    ) -> None:
        self.base_url = base_url
        self.exchanges: list[dict[str, Json]] = []
        self.secrets: frozenset[str] = frozenset()
        self.pool = pool
        # The database connection goes back to the pool: an answer may take its time.
        self.before_send = before_send or close_old_connections
        self.abort = abort
        self.depth = depth

    def send(
        self, request: Request, *, timeout_s: float = 30, redirects: int = 0, max_bytes: int = MAX_BYTES
    ) -> egress.Response:
        """Raises UserError cancelled after an abort (unknown once a byte may have left), or as the egress."""
        return self.exchange(request.encoded(self.base_url), timeout_s, redirects, max_bytes)

    def exchange(
        self,
        request: egress.Request,
        timeout_s: float,
        redirects: int,
        max_bytes: int,
        before_send: BeforeSend | None = None,
    ) -> egress.Response:
        """Send, and note what went over the wire; where no answer came, the request alone."""
        request = ownhost.without_depth(request)
        noted: dict[str, Json] = {"request": self.noted_request(request), "response": None, "took_ms": None}
        self.exchanges.append(noted)
        response = egress.send(
            request,
            timeout_s=timeout_s,
            max_bytes=max_bytes,
            redirects=redirects,
            pool=self.pool,
            before_send=before_send or self.before_send,
            abort=self.abort,
            stamp=self.stamp,
        )
        noted["took_ms"] = response.took_ms
        noted["response"] = {
            "status": response.status,
            "headers": mask_headers(response.headers, self.secrets),
            "body": mask_body(response.body, self.secrets),
        }
        return response

    def stamp(self, origin: Origin) -> dict[str, str]:
        return ownhost.stamp(origin, self.depth)

    def noted_request(self, request: egress.Request) -> dict[str, Json]:
        return {
            "method": request.method,
            "url": mask_text(request.url, self.secrets),
            "headers": mask_headers(request.headers, self.secrets),
            "body": mask_body(request.body, self.secrets),
        }


class SignedIn(PlainClient):
    """With a connection. It renews the token once for a request, where the service refuses it or its life ends."""

    def __init__(
        self,
        connection: Connection,
        *,
        base_url: str = "",
        before_send: BeforeSend | None = None,
        abort: egress.Abort | None = None,
        depth: int = 0,
    ) -> None:
        pool = str(connection.workspace_id)
        super().__init__(base_url=base_url, pool=pool, before_send=before_send, abort=abort, depth=depth)
        self.connection_id = connection.pk
        self.take(connection)
        own_base = self.config.api_base_url
        self.base_url = render_address(own_base, self.names) if own_base else base_url

    def take(self, connection: Connection) -> None:
        """Work with this row from now on: its settings, secrets and tokens."""
        self.connection = connection
        self.read_at = time.monotonic()
        self.config: Config = tokens.config(connection)
        typed, given = tokens.secrets_of(connection), tokens.tokens_of(connection)
        self.tokens = given
        self.names: Names = tokens.names_of(connection, self.config, typed, given)
        self.secrets = self.secrets | tokens.secret_values(typed, given)

    def send(
        self, request: Request, *, timeout_s: float = 30, redirects: int = 0, max_bytes: int = MAX_BYTES
    ) -> egress.Response:
        """Raises UserError destination_not_allowed, connection_throttled, connection_busy, reauthorization_needed,
        token_refresh_*, cancelled, or as the egress."""
        plain = request.encoded(self.base_url)
        # First of all: nothing is rendered, renewed or sent for a host that is not the connection's.
        origin = require_allowed(self.connection, self.config, plain.url)
        if self.abort is not None and self.abort.is_set:
            raise UserError("cancelled")
        limit = self.config.max_concurrent
        with Admission(self.connection, read_at=self.read_at, limit=limit, timeout_s=timeout_s) as admission:
            self.read_at = admission.read_at
            self.make_ready()
            note_use(self.connection)
            return self.send_admitted(plain, origin, admission, timeout_s, redirects, max_bytes)

    def send_admitted(
        self,
        plain: egress.Request,
        origin: Origin,
        admission: Admission,
        timeout_s: float,
        redirects: int,
        max_bytes: int,
    ) -> egress.Response:
        """Sign and send; once more with a new token where the service says that the old one has ended."""

        def exchange(signed: egress.Request) -> tuple[egress.Response, bool]:
            """An answer of the service itself, and not that it asks to wait, may say that the token has ended."""
            before_send = Chain(admission.before_send, self.before_send)
            response = self.exchange(signed, timeout_s, redirects, max_bytes, before_send)
            is_own = parse(response.url).origin == origin
            asks_to_wait = admission.learn(response, is_own=is_own)
            return response, is_own and not asks_to_wait

        signed = self.signed(plain)
        response, may_say_so = exchange(signed)
        if not may_say_so or not self.says_expired(response):
            return response
        # Where it was led on from, something was done already: only reading may begin again there.
        if str(parse(response.url)) != str(parse(signed.url)) and plain.method not in SAFE_METHODS:
            return response
        self.renew()
        admission.go_on()
        # A refusal is definite: nothing was done, so that sending it again is safe whatever the step does.
        again, _ = exchange(self.signed(plain))
        USELESS.note(self.connection, still_refused=again.status == response.status and again.status != 401)
        return again

    def make_ready(self) -> None:
        """A token that is there and will live a little longer; other types have nothing to renew."""
        if not isinstance(self.config, OAuthConfig):
            if not tokens.has_secret(self.connection):
                raise UserError("reauthorization_needed", "not_connected", params=refresh.about(self.connection))
            return
        refresh.require_usable(self.connection)
        if not self.tokens.access_token:
            if not self.config.is_for_client:
                raise UserError("reauthorization_needed", "not_connected", params=refresh.about(self.connection))
            self.renew()
            return
        now = timezone.now()
        if renewal.is_due(self.connection, self.config, now) and renewal.can_renew(self.config, self.tokens):
            self.renew_ahead(is_over=self.connection.expires_at is not None and now >= self.connection.expires_at)

    def renew_ahead(self, *, is_over: bool) -> None:
        try:
            self.renew()
        except UserError as error:
            # The old token still lives: a token endpoint that is down for a moment need not stop anybody.
            if is_over or not error.retry:
                raise

    def renew(self) -> None:
        """Work with a newer token. A database in trouble says nothing about the request, of which nothing was done."""
        try:
            self.take(refresh.renewed(self.connection, seen=self.connection.token_version))
        except DatabaseError:
            log.exception("connection %s: could not be renewed", self.connection.public_id)
            raise refresh.busy(self.connection) from None

    def says_expired(self, response: egress.Response) -> bool:
        config = self.config
        if not isinstance(config, OAuthConfig) or not self.tokens.access_token:
            return False
        if response.status in config.expired_statuses:
            # A 403 may also mean "not for you": where a fresh token did not help, it is not asked for again and again.
            return response.status == 401 or not USELESS.holds(self.connection)
        return bool(config.expired_when) and self.condition_holds(config.expired_when, response)

    def condition_holds(self, condition: str, response: egress.Response) -> bool:
        try:
            body = response.json() if response.body else None
        except UserError:
            body = response.text()
        names = {"status": response.status, "headers": response.headers, "body": body}
        try:
            value = render(condition, names)
        except UserError:  # a body of another shape than the condition expects says nothing about the token
            return False
        return value not in (False, None, "", 0, "false", "False")

    def signed(self, request: egress.Request) -> egress.Request:
        headers, query = self.credentials()
        self.secrets = self.secrets | self.rendered_secrets(headers, query)
        named = {name.lower() for name in headers}
        kept = {name: value for name, value in request.headers.items() if name.lower() not in named}
        return replace(request, url=with_parameters(request.url, query), headers=kept | headers)

    def credentials(self) -> tuple[dict[str, str], dict[str, str]]:
        """Headers and query parameters that sign a request."""
        headers = render_text_pairs(self.config.request_headers, self.names)
        query = render_text_pairs(self.config.request_query, self.names)
        config, names = self.config, self.names
        if isinstance(config, KeyConfig):
            value = joined_prefix(config.prefix) + str(names["key"])
            (headers if config.header else query)[config.header or config.query] = value
        elif isinstance(config, BasicConfig):
            headers["Authorization"] = f"Basic {basic(config.username, str(names['password']))}"
        elif isinstance(config, BearerConfig):
            headers["Authorization"] = f"Bearer {names['token']}"
        return headers, query

    def rendered_secrets(self, headers: Mapping[str, str], query: Mapping[str, str]) -> frozenset[str]:
        """What templates and types made of secrets: the `dXNlcjpwYXNz` of `Basic dXNlcjpwYXNz`."""
        made: set[str] = set()
        for pairs, rendered in ((self.config.request_headers, headers), (self.config.request_query, query)):
            for name, value in rendered.items():
                template = pairs.get(name, "")
                if not template or any(word in template for word in SECRET_NAMES):
                    made |= {part for part in value.split() if part not in template and part not in SCHEMES}
        return frozenset(made)


class Chain:
    """Before the first byte of a request: a look that only counts then, and what is called before each of its parts."""

    def __init__(self, first: BeforeSend, each: BeforeSend) -> None:
        self.first: BeforeSend | None = first
        self.each = each

    def __call__(self) -> None:
        first, self.first = self.first, None
        if first is not None:
            first()
        self.each()


class Useless:
    """Connections whose refresh did not help against a status other than 401, with the version that it led to."""

    def __init__(self) -> None:
        self.versions: dict[int, int] = {}

    def note(self, connection: Connection, *, still_refused: bool) -> None:
        if still_refused:
            self.versions[connection.pk] = connection.token_version
        else:
            self.versions.pop(connection.pk, None)

    def holds(self, connection: Connection) -> bool:
        is_over = connection.expires_at is not None and connection.expires_at <= timezone.now()
        return self.versions.get(connection.pk) == connection.token_version and not is_over


USELESS = Useless()


def note_use(connection: Connection) -> None:
    now = timezone.now()
    if connection.last_used_at is None or connection.last_used_at < now - SEEN_EVERY:
        old = Q(last_used_at=None) | Q(last_used_at__lt=now - SEEN_EVERY)
        try:
            with transaction.atomic():  # a failure must not end a transaction of the caller's
                Connection.objects.filter(old, pk=connection.pk).update(last_used_at=now)
        except DatabaseError:  # nobody's request fails because of a note
            log.warning("connection %s: its use could not be noted", connection.public_id, exc_info=True)
        connection.last_used_at = now


def with_parameters(url: str, query: Mapping[str, str]) -> str:
    if not query:
        return url
    address, hash_, fragment = url.partition("#")
    added = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in query.items())
    joint = "" if address.endswith(("?", "&")) else "&" if "?" in address else "?"
    return f"{address}{joint}{added}{hash_}{fragment}"


def joined_prefix(prefix: str) -> str:
    """`Token` and `Token ` mean the same; a prefix that ends in a sign is put right before the key."""
    return f"{prefix} " if prefix and prefix[-1].isalnum() else prefix


def basic(username: str, password: str) -> str:
    return base64.b64encode(f"{username}:{password}".encode()).decode()
