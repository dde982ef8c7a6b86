"""Webhook intake, in front of Django: checks the raw bytes, stores delivery and run, then answers.

Nothing is parsed, rendered or sent anywhere before the commit; a database that is away is a 503, never a false 202.
"""

import ipaddress
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from http.client import responses
from typing import Any
from urllib.parse import unquote

import psycopg
from django.conf import settings
from django.db import Error as DatabaseError
from django.db import close_old_connections

from connections.masking import mask_headers
from lib import safe_json
from lib.errors import Json
from scenarios import editing, hints, ledger, signatures
from scenarios.document import parse
from scenarios.ledger import Incoming, StoreUnavailable
from scenarios.models import Hook, Run
from scenarios.plans import plan_of
from scenarios.triggers import digest

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
Answer = tuple[int, dict[str, str], bytes]

KNOWN_FOR_S = 2.0  # how long a token's settings are kept in the process
MOST_KNOWN = 10_000
MOST_REJUDGED = 3
LARGEST_HEADERS = 16_384
REPLY_WITHIN_S = 25.0
CHUNK = 65_536
LONGEST_DEDUPE_KEY = 500
TEXTS = {
    400: "The body ended before its Content-Length.",
    401: "The signature is missing or wrong.",
    404: "There is no webhook here, or its scenario is switched off.",
    405: "This webhook does not take this method.",
    413: "The body is too large.",
    429: "Too many runs are waiting. Send it again later.",
    431: "The headers are too large.",
    503: "It could not be stored. Send it again later.",
}
HOP_BY_HOP = frozenset({"connection", "content-length", "transfer-encoding", "keep-alive", "upgrade", "date", "server"})


@dataclass(frozen=True)
class Door:
    """What a token opens: the settings of one scenario's webhook."""

    scenario_id: int
    version_id: int | None
    is_open: bool
    methods: tuple[str, ...]
    signature: Mapping[str, Json]
    secrets: Mapping[str, str]
    dedupe_header: str
    dedupe_path: str
    replies: bool


def application(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """WSGI: any method on /hooks/<token>/."""
    try:
        status, headers, body = answer(environ)
    except (DatabaseError, psycopg.Error):
        status, headers, body = refuse(503)
    finally:
        close_old_connections()
    headers = {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers}
    headers |= {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}
    start_response(f"{status} {responses.get(status, 'Status')}", list(headers.items()))
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]


def answer(environ: Environ) -> Answer:
    parts = environ["PATH_INFO"].strip("/").split("/")
    token = unquote(parts[1]) if len(parts) == 2 else ""
    door = find(token)
    if door is None:
        return refuse(404)
    method = environ["REQUEST_METHOD"]
    if method not in door.methods:
        return refuse(405, {"Allow": ", ".join(door.methods)}) if door.is_open else refuse(404)
    headers = headers_of(environ)
    if sum(len(name) + len(value) for name, value in headers.items()) > LARGEST_HEADERS:
        return refuse(431)
    body, size = read(environ, settings.WEBHOOK_MAX_BYTES)
    for _ in range(MOST_REJUDGED):
        if (answered := settle(environ, door, headers, body, size)) is not None:
            return answered
        # The scenario was published anew while we remembered its old rules.
        forget(token)
        door = find(token)
        if door is None:
            return refuse(404)
    return refuse(503)


def settle(environ: Environ, door: Door, headers: Mapping[str, str], body: bytes | None, size: int) -> Answer | None:
    """Judge and store a delivery; None where it was judged by rules that are no longer in force."""
    verdict, status = judge(door, headers, body, size)
    if verdict == "accepted" and body is None:
        return refuse(400)
    incoming = Incoming(
        scenario_id=door.scenario_id,
        version_id=door.version_id,
        verdict=verdict,
        method=environ["REQUEST_METHOD"],
        query=environ.get("QUERY_STRING", ""),
        headers=masked(headers, door),
        content_type=headers.get("content-type", ""),
        body=body if verdict in {"accepted", "disabled"} else None,
        size=size,
        source=source_of(environ),
        dedupe_key=dedupe_key(door, headers, body) if verdict == "accepted" else None,
    )
    return stored_answer(door, incoming, status)


def stored_answer(door: Door, incoming: Incoming, status: int) -> Answer | None:
    try:
        stored = ledger.shared().store(incoming)
    except StoreUnavailable:
        # A refusal stands whether or not it could be written down.
        return refuse(status if status != 202 else 503, {"Retry-After": "5"} if status == 202 else {})
    if stored.verdict == "stale":
        return None
    if stored.verdict == "duplicate":
        return as_json(200, {"run": stored.run_id.hex, "duplicate": True})
    if stored.verdict != "accepted":
        return refuse(404 if stored.verdict == "disabled" else status)
    hints.shared().wake()
    return reply(stored.run_id) if door.replies else as_json(202, {"run": stored.run_id.hex})


def judge(door: Door, headers: Mapping[str, str], body: bytes | None, size: int) -> tuple[str, int]:
    """Our verdict on a delivery, and the status that goes with it."""
    if not door.is_open:
        return "disabled", 404
    if size > settings.WEBHOOK_MAX_BYTES:
        return "too_large", 413
    if body is not None and not signatures.verify(door.signature, door.secrets, headers, body):
        return "bad_signature", 401
    return "accepted", 202


def find(token: str) -> Door | None:
    """The door of a token: from the process's memory, or from the database. An unknown one is not remembered."""
    now = time.monotonic()
    key = digest(token)
    known = _known.get(key)
    if known is not None and known[0] > now:
        return known[1]
    hook = Hook.objects.select_related("scenario__published").filter(digest=key).first()
    if hook is None or hook.scenario.deleted_at is not None:
        return None
    door = door_of(hook)
    if not door.is_open:
        return door  # it may be switched on at any moment, and counts from then on
    with _lock:
        if len(_known) >= MOST_KNOWN:
            _known.clear()
        _known[key] = (now + KNOWN_FOR_S, door)
    return door


def forget(token: str) -> None:
    with _lock:
        _known.pop(digest(token), None)


_known: dict[bytes, tuple[float, Door]] = {}
_lock = threading.Lock()


def door_of(hook: Hook) -> Door:
    scenario = hook.scenario
    document = parse(scenario.published.document) if scenario.published else None
    is_open = document is not None and scenario.status == "active" and document.trigger.type == "webhook"
    inputs: Mapping[str, Json] = document.trigger.inputs if document else {}
    secrets = editing.secrets_of(scenario, scenario.published) if scenario.published else {}
    return Door(
        scenario_id=scenario.pk,
        version_id=scenario.published_id,
        is_open=is_open,
        methods=tuple(inputs.get("methods") or ["POST"]),
        signature=inputs.get("signature") or {"mode": "none"},
        secrets=secrets,
        dedupe_header=str(inputs.get("dedupe_header") or "").lower(),
        dedupe_path=str(inputs.get("dedupe_path") or ""),
        replies=is_open and document is not None and plan_of(document).replies,
    )


def read(environ: Environ, most: int) -> tuple[bytes | None, int]:
    """The raw body and its size; no body where it is over the limit or was cut off. Never holds more than the limit."""
    length = environ.get("CONTENT_LENGTH") or ""
    declared = int(length) if length.isascii() and length.isdecimal() and len(length) < 16 else None
    if declared is not None and declared > most:
        return None, declared
    stream, pieces, size = environ["wsgi.input"], [], 0
    while declared is None or size < declared:
        piece = stream.read(min(CHUNK, most + 1 - size if declared is None else declared - size))
        if not piece:
            break
        pieces.append(piece)
        size += len(piece)
        if size > most:
            return None, size
    return (None, size) if declared is not None and size < declared else (b"".join(pieces), size)


def headers_of(environ: Environ) -> dict[str, str]:
    """Lower-case names, as the scenario will see them."""
    found = {
        name[5:].replace("_", "-").lower(): str(value) for name, value in environ.items() if name.startswith("HTTP_")
    }
    if environ.get("CONTENT_TYPE"):
        found["content-type"] = environ["CONTENT_TYPE"]
    if environ.get("CONTENT_LENGTH"):
        found["content-length"] = environ["CONTENT_LENGTH"]
    return found


def masked(headers: Mapping[str, str], door: Door) -> dict[str, str]:
    """What is kept of the headers: none of those that prove the sender."""
    shown = mask_headers(headers, frozenset(door.secrets.values()))
    for name in (str(door.signature.get("name") or ""), str(door.signature.get("header") or "")):
        if name.lower() in shown:
            shown[name.lower()] = "••••••"
    return shown


def dedupe_key(door: Door, headers: Mapping[str, str], body: bytes | None) -> str | None:
    """The sender's own number for this delivery; None where it has none, and every delivery counts."""
    if door.dedupe_header:
        value: Json = headers.get(door.dedupe_header)
    elif door.dedupe_path:
        value = at_path(body or b"", door.dedupe_path)
    else:
        return None
    if value is None or value == "" or isinstance(value, dict | list):
        return None
    return str(value)[:LONGEST_DEDUPE_KEY]


def at_path(body: bytes, path: str) -> Json:
    try:
        value = safe_json.loads(body, lenient=True)
    except ValueError:
        return None
    for name in path.split("."):
        if isinstance(value, dict):
            value = value.get(name)
        elif isinstance(value, list) and name.isdecimal() and int(name) < len(value):
            value = value[int(name)]
        else:
            return None
    return value


def source_of(environ: Environ) -> str | None:
    """The sender's address; behind a proxy that we were told of, the one that the proxy saw."""
    if settings.BEHIND_PROXY and environ.get("HTTP_X_FORWARDED_FOR"):
        return valid_address(str(environ["HTTP_X_FORWARDED_FOR"]).rsplit(",", 1)[-1].strip())
    return valid_address(str(environ.get("REMOTE_ADDR") or ""))


def valid_address(text: str) -> str | None:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return None


def reply(run_id: uuid.UUID) -> Answer:
    """What the run's `webhook.respond` says; after 25 seconds, or where it came to none, 202 with the run's id."""
    deadline = time.monotonic() + REPLY_WITHIN_S
    while (left := deadline - time.monotonic()) > 0:
        hints.shared().await_reply(run_id, left)
        found = Run.objects.filter(pk=run_id).values_list("reply", "finished_at").first()
        close_old_connections()
        if found and found[0] is not None:
            return replied(found[0], run_id)
        if found and found[1] is not None:
            break
    return as_json(202, {"run": run_id.hex})


def replied(said: Mapping[str, Json], run_id: uuid.UUID) -> Answer:
    """A scenario's own answer. Its HTML must not act in our name: it goes out sandboxed."""
    headers = {
        str(name): str(value)
        for name, value in (said.get("headers") or {}).items()
        if name.lower() not in HOP_BY_HOP and name.lower() != "set-cookie"
    }
    headers |= {"Content-Security-Policy": "sandbox; default-src 'none'", "X-Apinita-Run": run_id.hex}
    return int(said["status"]), headers, str(said.get("body") or "").encode()


def refuse(status: int, headers: Mapping[str, str] | None = None) -> Answer:
    wait = {"Retry-After": "5"} if status in {429, 503} else {}
    return as_json(status, {"code": CODES[status], "text": TEXTS[status]}, {**wait, **(headers or {})})


CODES = {
    400: "invalid_input",
    401: "bad_signature",
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
    429: "over_limit",
    431: "too_large",
    503: "unavailable",
}


def as_json(status: int, value: Json, headers: Mapping[str, str] | None = None) -> Answer:
    return status, dict(headers or {}), safe_json.dumps(value)
