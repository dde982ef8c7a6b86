"""Renews access tokens: one refresh at a time for a connection, across threads and processes.

Threads of a process share one flight. Processes race for a lease by compare-and-set on `token_version`; no transaction
and no row lock is held over the HTTP call. Who loses waits for the new version. Call it outside of transactions.
"""

import logging
import os
import random
import secrets
import socket
import threading
import time
from dataclasses import dataclass, field, replace
from datetime import timedelta

from django.db import close_old_connections
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone

from accounts import seats
from connections import answers, conversation, events, renewal, tokens
from connections.answers import Answer, TokenRefused
from connections.config import OAuthConfig
from connections.masking import mask_error
from connections.models import Connection
from connections.tokens import Tokens
from lib.errors import UserError

LEASE = timedelta(seconds=30)  # longer than a token request may take, short enough for a killed worker's run
WAIT_S = 10.0  # how long the others wait for the one that refreshes
FIRST_PAUSE_S = 5.0
LONGEST_PAUSE_S = 3600.0

log = logging.getLogger(__name__)


@dataclass
class Flight:
    """One renewal in this process that other threads wait for."""

    done: threading.Event = field(default_factory=threading.Event)
    connection: Connection | None = None
    error: BaseException | None = None


FLIGHTS: dict[tuple[int, int], Flight] = {}
LOCK = threading.Lock()


def renewed(connection: Connection, *, seen: int, by_hand: bool = False) -> Connection:
    """The connection with tokens newer than version `seen`.

    Raises UserError reauthorization_needed (a person must act), token_refresh_paused or token_refresh_busy (a later
    try may help). `by_hand`: a person asked for it, who need not wait for the end of a pause.
    """
    key = (connection.pk, seen)
    with LOCK:
        flight = FLIGHTS.get(key)
        is_pilot = flight is None
        if flight is None:
            flight = FLIGHTS[key] = Flight()
    if not is_pilot:
        return joined(flight, connection)
    try:
        flight.connection = renew(connection, seen, by_hand=by_hand)
    except BaseException as error:
        flight.error = error
        raise
    finally:
        with LOCK:
            del FLIGHTS[key]
        flight.done.set()
    return flight.connection


def joined(flight: Flight, connection: Connection) -> Connection:
    close_old_connections()  # to the pool: many may wait here
    in_time = flight.done.wait(WAIT_S + conversation.TIMEOUT_S)
    if in_time and flight.connection is not None:
        return flight.connection
    if isinstance(flight.error, UserError):
        raise again(flight.error)
    raise busy(connection)


def renew(connection: Connection, seen: int, *, by_hand: bool) -> Connection:
    """Claim the lease and refresh, or wait until somebody else has done it."""
    owner = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(8)}"[-64:]
    deadline = time.monotonic() + WAIT_S
    pause_s = 0.02
    while True:
        if claim(connection, seen, owner, by_hand=by_hand):
            return perform(Connection.objects.get(pk=connection.pk), seen, owner)
        current = Connection.objects.get(pk=connection.pk)
        if current.token_version != seen:
            return require_usable(current)
        if not by_hand:
            require_usable(current)
            refuse_in_pause(current)
        if time.monotonic() > deadline:
            raise busy(current)
        close_old_connections()
        time.sleep(pause_s)
        pause_s = min(pause_s * 1.5, 0.25)


def claim(connection: Connection, seen: int, owner: str, *, by_hand: bool) -> bool:
    free = Q(refresh_lease_until=None) | Q(refresh_lease_until__lt=Now())
    rows = Connection.objects.filter(free, pk=connection.pk, token_version=seen)
    if not by_hand:
        due = Q(refresh_not_before=None) | Q(refresh_not_before__lte=Now())
        rows = rows.filter(due, status__in=("connected", "new"))
    return rows.update(refresh_owner=owner, refresh_lease_until=Now() + LEASE) == 1


def perform(connection: Connection, seen: int, owner: str) -> Connection:
    """Refresh as the holder of the lease."""
    try:
        config, old = tokens.oauth_config(connection), tokens.tokens_of(connection)
        answer = lost_answer(connection, config, seen) or asked_answer(connection, config, old, seen)
    except UserError as error:
        if error.code == "secrets_unreadable":  # our key is missing: that says nothing about the connection
            release(connection, owner)
            raise
        return failed(connection, seen, owner, error)
    except BaseException:
        release(connection, owner)
        raise
    return stored(connection, seen, owner, old.merged(answer), answer)


def lost_answer(connection: Connection, config: OAuthConfig, seen: int) -> Answer | None:
    """An answer to a refresh from this very version that a crash kept from being used: its tokens are the live ones."""
    hidden = tokens.hidden_of(connection)
    for status, body in tokens.kept_answers(connection, version=seen):
        try:
            return answers.parse(status, body, paths=config.token_response, now=timezone.now(), host="", secrets=hidden)
        except UserError:
            continue
    return None


def asked_answer(connection: Connection, config: OAuthConfig, old: Tokens, seen: int) -> Answer:
    if not renewal.can_renew(config, old):
        raise UserError("reauthorization_needed", "no_refresh_token", params=about(connection))
    request = replace(renewal.request_for(connection, config, old), secrets=tokens.hidden_of(connection))
    return conversation.fetch(
        request, keep=lambda status, body: tokens.keep_answer(connection, status, body, version=seen)
    )


def stored(connection: Connection, seen: int, owner: str, new: Tokens, answer: Answer) -> Connection:
    """Write the new tokens, unless somebody wrote newer ones in the meantime (an authorization, a disconnection)."""
    is_ours = Connection.objects.filter(pk=connection.pk, token_version=seen, refresh_owner=owner).update(
        tokens=tokens.sealed(connection, "tokens", new.as_json()),
        token_version=seen + 1,
        expires_at=answer.expires_at,
        refreshed_at=timezone.now(),
        scopes=answer.scopes if answer.scopes is not None else connection.scopes,
        status="connected",
        error=None,
        refresh_owner="",
        refresh_lease_until=None,
        refresh_failures=0,
        refresh_not_before=None,
    )
    current = Connection.objects.get(pk=connection.pk)
    if is_ours:
        tokens.forget_answers(connection)
        if connection.status != "connected":
            events.tell_authorized(current)
    return current


def failed(connection: Connection, seen: int, owner: str, error: UserError) -> Connection:
    """Note a refusal or a failure. Nothing stored is deleted: the next try may find the service in better health."""
    mask_error(error, tokens.hidden_of(connection))
    current = Connection.objects.get(pk=connection.pk)
    if current.token_version != seen:  # somebody else's refresh made ours come too late: theirs is the live token
        release(connection, owner)
        return require_usable(current)
    if isinstance(error, TokenRefused):
        tokens.forget_answers(connection)
    held = Connection.objects.filter(pk=connection.pk, token_version=seen, refresh_owner=owner)
    released = {"refresh_owner": "", "refresh_lease_until": None, "error": error.as_json()}
    if may_pass(error):
        pause_s = pause_after(connection.refresh_failures, error)
        held.update(
            **released,
            refresh_failures=connection.refresh_failures + 1,
            refresh_not_before=timezone.now() + timedelta(seconds=pause_s),
        )
        log.warning("connection %s: refresh failed (%s), next try in %.0f s", connection.public_id, error, pause_s)
        raise paused(connection, error.as_json(), pause_s)
    is_gone = error.code == "reauthorization_needed" or (isinstance(error, TokenRefused) and error.is_final)
    held.update(**released, status="needs_reauthorization" if is_gone else "misconfigured", refresh_failures=0)
    log.warning("connection %s: refresh refused (%s)", connection.public_id, error)
    return require_usable(Connection.objects.get(pk=connection.pk))


def release(connection: Connection, owner: str) -> None:
    Connection.objects.filter(pk=connection.pk, refresh_owner=owner).update(refresh_owner="", refresh_lease_until=None)


def may_pass(error: UserError) -> bool:
    return error.retry or error.code in {"upstream_unreachable", "upstream_timeout", "upstream_invalid"}


def pause_after(failures: int, error: UserError) -> float:
    """5 s, doubling to an hour, with jitter; the time that the service names is obeyed."""
    pause_s = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(failures, 20)) * random.uniform(0.9, 1.1)  # noqa: S311
    return max(pause_s, min(error.retry_after_s or 0.0, LONGEST_PAUSE_S))


def require_usable(connection: Connection) -> Connection:
    """Raises UserError reauthorization_needed where only a person can bring the connection back."""
    if connection.status in {"connected", "new"}:
        return connection
    raise needs_person(connection)


def needs_person(connection: Connection) -> UserError:
    why = (connection.error or {}).get("params", {}).get("reason", "")
    reason = {"misconfigured": "misconfigured", "new": "not_connected"}.get(connection.status, "")
    return UserError(
        "reauthorization_needed",
        reason or ("no_refresh_token" if why == "no_refresh_token" else ""),
        params=about(connection),
    )


def refuse_in_pause(connection: Connection) -> None:
    if connection.refresh_not_before and connection.refresh_not_before > timezone.now():
        left = (connection.refresh_not_before - timezone.now()).total_seconds()
        raise paused(connection, connection.error, left)


def paused(connection: Connection, cause: object, pause_s: float) -> UserError:
    return UserError(
        "token_refresh_paused",
        params={**about(connection), "cause": cause},
        retry=True,
        retry_after_s=max(1.0, pause_s),
    )


def busy(connection: Connection) -> UserError:
    return UserError("token_refresh_busy", params=about(connection), retry=True, retry_after_s=2)


def about(connection: Connection) -> dict[str, str]:
    return {"connection": connection.slug, "name": connection.name}


def again(error: UserError) -> UserError:
    """The same error for another thread: an exception is raised in one place only."""
    return UserError(
        error.code,
        error.reason,
        params=error.params,
        retry=error.retry,
        retry_after_s=error.retry_after_s,
        unknown=error.unknown,
    )


def renewed_by_hand(connection: Connection) -> Connection:
    """As `renewed`, for a person who presses the button: raises what the service said, not what follows from it."""
    try:
        with seats.seat():
            return renewed(connection, seen=connection.token_version, by_hand=True)
    except UserError as error:
        cause = Connection.objects.get(pk=connection.pk).error
        if not cause or error.code not in {"reauthorization_needed", "token_refresh_paused"}:
            raise
        params = dict(cause.get("params") or {})
        raise UserError(cause["code"], params.pop("reason", ""), params=params, retry=error.retry) from None
