"""The one way out: send a request, follow redirects if asked to, answer or raise what went wrong."""

import re
import time
import tomllib
from collections.abc import Callable, Mapping
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from urllib.parse import urljoin

from lib.egress import errors, urls
from lib.egress.abort import Abort, Aborted
from lib.egress.answer import Answer, read_answer
from lib.egress.connection import Connection, Deadline, connect
from lib.egress.messages import Request, Response
from lib.egress.packing import Unusable
from lib.egress.policy import Policy, current
from lib.egress.pool import IDLE_S, POOL, Key
from lib.egress.request_head import encode
from lib.egress.urls import Origin, Url
from lib.errors import UserError

REPEATABLE = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})  # RFC 9110, 9.2.2
REDIRECTS = frozenset({301, 302, 303, 307, 308})
KEPT_ELSEWHERE = frozenset({"accept", "accept-language", "user-agent"})
SENT_AT_ONCE = 65536  # bytes: up to here the body goes out in one write with the head
BODY_HEADERS = re.compile(r"content-", re.IGNORECASE)

Stamp = Callable[[Origin], Mapping[str, str]]


def send(
    request: Request,
    *,
    timeout_s: float = 30,
    max_bytes: int = 5_000_000,
    redirects: int = 0,
    pool: str = "",
    policy: Policy | None = None,
    before_send: Callable[[], None] | None = None,
    abort: Abort | None = None,
    stamp: Stamp | None = None,
) -> Response:
    """Send it within `timeout_s`, all redirects (at most `redirects`) included; take at most `max_bytes`, unpacked.

    `pool` names who may share open connections: a workspace. `before_send` is called right before the first byte is
    written; what it raises stops the request. `abort` lets another thread end it: a lookup of the host excepted, at
    once. `stamp` gives the headers that are the installation's own for an origin, after each redirect anew. Raises
    UserError: `invalid_input`, `destination_blocked`, `host_not_found`, `upstream_unreachable`, `upstream_timeout`,
    `upstream_invalid`, `cancelled` (unknown once a byte may have left).
    """
    started = time.monotonic()
    call = _Call(policy or current(), pool, Deadline(timeout_s), max_bytes, before_send, abort, stamp)
    method, url, headers, body = request.method.upper(), urls.parse(request.url), request.headers, request.body
    answer = call.perform(method, url, headers, body)
    left = redirects
    try:
        while redirects and answer.status in REDIRECTS and (location := answer.headers.get("location")):
            if not left:
                raise errors.invalid(url.origin.host, "redirects")
            left -= 1
            there = _follow(url, location)
            method, headers, body = _redirected(method, headers, body, answer.status)
            if there.origin != url.origin:
                if body:
                    raise errors.invalid(url.origin.host, "redirect_with_body")
                headers = {name: value for name, value in headers.items() if name.lower() in KEPT_ELSEWHERE}
            url = there
            answer = call.perform(method, url, headers, body)
    except UserError as error:
        error.unknown = True  # the first request has left, whatever became of the next one
        raise
    return Response(answer.status, answer.headers, answer.body, str(url), round((time.monotonic() - started) * 1000))


class _DeadConnection(Exception):
    """A kept connection had been closed by the other side; `sent` if bytes of the request went into it."""

    def __init__(self, sent: bool) -> None:
        super().__init__()
        self.sent = sent


class _Call:
    """What stays the same through the redirects of one call."""

    def __init__(
        self,
        policy: Policy,
        pool: str,
        deadline: Deadline,
        max_bytes: int,
        before_send: Callable[[], None] | None,
        abort: Abort | None,
        stamp: Stamp | None,
    ) -> None:
        self._policy = policy
        self._pool = pool
        self._deadline = deadline
        self._max_bytes = max_bytes
        self._before_send = before_send
        self._abort = abort
        self._stamp = stamp

    def perform(self, method: str, url: Url, headers: Mapping[str, str], body: bytes) -> Answer:
        if self._stamp:
            headers = {**headers, **self._stamp(url.origin)}
        head = encode(method, url, headers, body, self._policy.user_agent or default_user_agent())
        key = (self._policy, self._pool, url.origin)
        try:
            return self._attempt(key, method, head, body, fresh=False)
        except _DeadConnection as dead:
            try:
                return self._attempt(key, method, head, body, fresh=True)
            except UserError as error:
                error.unknown = error.unknown or dead.sent
                raise

    def _attempt(self, key: Key, method: str, head: bytes, body: bytes, *, fresh: bool) -> Answer:
        """One exchange. Raises UserError, or _DeadConnection if the request may go out again on a new connection."""
        origin = key[2]
        try:
            conn = self._open(key, fresh=fresh)
        except Aborted:
            raise errors.cancelled(unknown=False) from None
        try:
            if self._before_send:
                self._before_send()
        except BaseException:
            self._keep(key, conn)  # nothing was written: it is as good as before
            raise
        try:
            answer = self._exchange(conn, method, head, body)
        except Aborted:
            conn.close()
            raise errors.cancelled(unknown=conn.sent) from None
        except (OSError, Unusable) as error:
            conn.close()
            if _is_dead_on_reuse(conn, error) and (method in REPEATABLE or not conn.sent):
                raise _DeadConnection(conn.sent) from None
            raise self._failure(origin.host, conn, error) from None
        except BaseException:
            conn.close()
            raise
        if answer.keep_s:
            self._keep(key, conn, keep_s=answer.keep_s)
        else:
            conn.close()
        return answer

    def _open(self, key: Key, *, fresh: bool) -> Connection:
        """A kept connection or a new one. Raises UserError, Aborted."""
        if self._abort:
            self._abort.check()
        conn = None if fresh else POOL.take(key)
        if conn is None:
            conn = connect(key[2], self._policy, self._deadline, pool=self._pool, abort=self._abort)
        try:
            conn.watched_by(self._abort)
        except Aborted:
            POOL.put(key, conn)
            raise
        return conn

    def _keep(self, key: Key, conn: Connection, *, keep_s: float = IDLE_S) -> None:
        """For the next request; one that was shut down in the meantime does not come out of the pool again."""
        conn.watched_by(None)
        POOL.put(key, conn, keep_s=keep_s)

    def _exchange(self, conn: Connection, method: str, head: bytes, body: bytes) -> Answer:
        """Raises Unusable, Aborted, TimeoutError, or OSError when the connection broke."""
        try:
            if len(body) < SENT_AT_ONCE:
                conn.write(head + body, self._deadline)
            else:
                conn.write(head, self._deadline)
                conn.write(body, self._deadline)
        except TimeoutError:
            raise
        except OSError:
            if not conn.sent:
                raise
            # It may have answered before it closed: "413 too large", while we were still sending.
            answer = read_answer(conn, method, self._deadline, self._max_bytes)
            answer.keep_s = 0
            return answer
        return read_answer(conn, method, self._deadline, self._max_bytes)

    def _failure(self, host: str, conn: Connection, error: OSError | Unusable) -> UserError:
        if isinstance(error, Unusable):
            return self._invalid(host, error)
        if isinstance(error, TimeoutError):
            return errors.timeout(host, self._deadline.seconds, unknown=conn.sent)
        return errors.unreachable(host, "broken_off" if conn.sent else "", unknown=conn.sent)

    def _invalid(self, host: str, error: Unusable) -> UserError:
        if error.reason == "too_large":
            return errors.invalid(host, error.reason, limit_mb=max(round(self._max_bytes / 1_000_000, 1), 0.1))
        return errors.invalid(host, error.reason, **error.params)


def _is_dead_on_reuse(conn: Connection, error: Exception) -> bool:
    """Whether the other side had closed a kept connection: it broke without a byte of an answer."""
    return conn.reused and not conn.received and isinstance(error, OSError) and not isinstance(error, TimeoutError)


@lru_cache(maxsize=1)
def default_user_agent() -> str:
    """APInita/<version>; an installed package knows its version, a working tree has it in pyproject.toml."""
    try:
        version = metadata.version("apinita")
    except metadata.PackageNotFoundError:
        project = Path(__file__).parents[2] / "pyproject.toml"
        version = tomllib.loads(project.read_text())["project"]["version"] if project.exists() else "0"
    return f"APInita/{version}"


def _follow(url: Url, location: str) -> Url:
    """The address of the redirect. Raises UserError `upstream_invalid` or `destination_blocked`."""
    try:
        there = urls.parse(urljoin(str(url), location.strip().replace(" ", "%20")))
    except (UserError, ValueError) as error:
        if isinstance(error, UserError) and error.code == "destination_blocked":
            raise
        raise errors.invalid(url.origin.host, "redirects") from None
    if url.origin.scheme == "https" and there.origin.scheme == "http":
        raise errors.invalid(url.origin.host, "downgrade")
    return there


def _redirected(
    method: str, headers: Mapping[str, str], body: bytes, status: int
) -> tuple[str, Mapping[str, str], bytes]:
    """What a redirect makes of the request: RFC 9110, 15.4."""
    becomes_get = (status == 303 and method != "HEAD") or (status in (301, 302) and method == "POST")
    if not becomes_get:
        return method, headers, body
    return "GET", {name: value for name, value in headers.items() if not BODY_HEADERS.match(name)}, b""
