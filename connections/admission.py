"""Lets a request of a connection begin, or holds it back before anything of it leaves; and learns from its answer."""

import logging
import secrets
import time
from collections.abc import Callable
from types import TracebackType

from django.db import Error as DatabaseError

from connections import slots, throttling
from connections.models import Connection
from lib import egress
from lib.errors import UserError

MARGIN_S = 40.0  # a lease outlives its request by this: a token may have to be renewed first
READ_FOR_S = 0.5  # an older row is read again: another process may have been told to wait
NO_ANSWER = frozenset({"upstream_timeout", "upstream_unreachable"})

log = logging.getLogger(__name__)


class Admission:
    """`with Admission(…) as admission:` around a request. Costs nothing where the row says that nothing is amiss.

    `read_at` is when the row was read, by this process's monotonic clock; `limit` 0 is none. Entering raises UserError
    connection_throttled or connection_busy: nothing was sent then.
    """

    def __init__(self, connection: Connection, *, read_at: float, limit: int, timeout_s: float) -> None:
        self.connection = connection
        self.read_at = read_at
        self.limit = limit
        self.lease_s = timeout_s + MARGIN_S
        self.good_until = float("inf")
        self.owner = ""
        self.is_probe = False
        self.has_slot = False

    def __enter__(self) -> "Admission":
        if not self.limit and not self.may_be_held:
            return self
        self.owner = secrets.token_hex(16)
        self.good_until = time.monotonic() + self.lease_s
        if self.may_be_held:
            self.is_probe = throttling.ask(self.connection, self.owner, lease_s=self.lease_s)
            if not self.is_probe:
                self.connection.blocked_until, self.read_at = None, time.monotonic()
        if self.limit:
            self.take_slot()
        return self

    @property
    def may_be_held(self) -> bool:
        return (
            self.connection.blocked_until is not None
            or time.monotonic() - self.read_at > READ_FOR_S
            or throttling.LATEST.is_later(self.connection.pk, self.read_at)
        )

    def take_slot(self) -> None:
        try:
            slots.take(self.connection, self.owner, limit=self.limit, lease_s=self.lease_s)
        except BaseException:
            self.end_probe()
            raise
        self.has_slot = True

    def before_send(self) -> None:
        """The last look before the first byte: a process that was stopped meanwhile has lost what it was given."""
        if time.monotonic() > self.good_until:
            if self.has_slot:
                raise slots.busy(self.connection)
            raise throttling.held(self.connection, 1.0)

    def go_on(self) -> None:
        """The request is sent once more, after a refusal: its leases begin anew. Raises UserError connection_busy."""
        good_until = time.monotonic() + self.lease_s
        try:
            if self.has_slot:
                slots.extend(self.connection, self.owner, lease_s=self.lease_s)
            if self.is_probe:
                throttling.extend(self.connection, self.owner, lease_s=self.lease_s)
        except DatabaseError:  # it says nothing about the request, of which nothing was done
            log.exception("connection %s: a lease could not be extended", self.connection.public_id)
            raise slots.busy(self.connection) from None
        if self.has_slot or self.is_probe:
            self.good_until = good_until

    def learn(self, response: egress.Response, *, is_own: bool) -> bool:
        """Whether an answer asks to wait; `is_own`: it came from the service itself, not from where it led on to."""
        wishes, wait_s = throttling.wish_of(response) if is_own else (False, None)
        if wishes:
            self.quietly(lambda: throttling.block(self.connection, wait_s, self.owner or throttling.NOBODY))
            self.is_probe = False
        elif self.is_probe:
            self.quietly(lambda: throttling.let_through(self.connection, self.owner))
            self.is_probe = False
        return wishes

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.has_slot:
            self.quietly(lambda: slots.leave(self.connection, self.owner))
        self.end_probe(error)

    def end_probe(self, error: BaseException | None = None) -> None:
        """Of a probe that got no answer: a service that is silent is left alone for a while, as one that says 429."""
        if not self.is_probe:
            return
        code = error.code if isinstance(error, UserError) else ""
        if code in NO_ANSWER:
            self.quietly(lambda: throttling.block(self.connection, None, self.owner))
        elif code == "upstream_invalid":
            self.quietly(lambda: throttling.let_through(self.connection, self.owner))
        else:
            self.quietly(lambda: throttling.free(self.connection, self.owner))
        self.is_probe = False

    def quietly(self, note: Callable[[], None]) -> None:
        """An answer that came must not be lost because nobody could be told; leases end by themselves."""
        try:
            note()
        except DatabaseError:
            log.warning("connection %s: its state could not be noted", self.connection.public_id, exc_info=True)
