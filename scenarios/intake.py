"""Webhook intake, in front of Django: checks the raw bytes, stores delivery and run, then answers.

Nothing is parsed, rendered or sent anywhere before the commit; a database that is away is a 503, never a false 202.
"""

import hashlib
import uuid
from collections.abc import Callable, Iterable, Mapping
from http.client import responses
from typing import Any
from urllib.parse import unquote

from django.conf import settings

from accounts.addresses import client_address
from connections.masking import mask_headers
from lib import safe_json
from lib.errors import Json
from scenarios import backlog, doors, hints, ledger, signatures, waiting
from scenarios.deliveries import REPEATS
from scenarios.depth import MOST_DEPTH, depth_of
from scenarios.doors import DatabaseAway, Door
from scenarios.ledger import Incoming, StoreUnavailable
from scenarios.models import Run
from scenarios.refusals import PERHAPS_STORED, REFUSALS, Refusal, in_words

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
Answer = tuple[int, dict[str, str], "bytes | Refusal"]  # a refusal is put into words last, in the sender's language

MOST_REJUDGED = 4
LARGEST_HEADERS = 16_384
REPLY_WITHIN_S = 25.0
CHUNK = 65_536
LONGEST_DEDUPE_KEY = 500
NOTED_PER_S = 10  # refused deliveries of one verdict and scenario that a process writes down
NOTED_IN_ALL_PER_S = 200
BY_THE_DOOR = frozenset({401, 404, 405})  # refusals that the rules decide, and those may have just changed
RARELY_NOTED = frozenset({"bad_signature", "too_large", "disabled", "over_limit"})
noted = backlog.Few(NOTED_PER_S, in_all=NOTED_IN_ALL_PER_S)
HOP_BY_HOP = frozenset({"connection", "content-length", "transfer-encoding", "keep-alive", "upgrade", "date", "server"})


def application(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """WSGI: any method on /hooks/<token>/."""
    try:
        status, headers, body = answer(environ)
    except DatabaseAway:
        status, headers, body = refuse(503)
    if isinstance(body, Refusal):
        body = in_words(body, str(environ.get("HTTP_ACCEPT_LANGUAGE") or ""))
    headers = {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers}
    headers |= {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}
    start_response(f"{status} {responses.get(status, 'Status')}", list(headers.items()))
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]


def answer(environ: Environ) -> Answer:
    """Raises DatabaseAway."""
    parts = environ["PATH_INFO"].strip("/").split("/")
    token = unquote(parts[1]) if len(parts) == 2 else ""
    known = doors.known(token)
    door = known or doors.look_up(token)
    if door is None:
        return refuse(404)
    headers = headers_of(environ)
    if sum(len(name) + len(value) for name, value in headers.items()) > LARGEST_HEADERS:
        return refuse(431)
    body, size = read(environ, settings.WEBHOOK_MAX_BYTES)
    for _again in range(MOST_REJUDGED):
        if (answered := settle(environ, door, headers, body, size, is_known=door is known)) is not None:
            return answered
        # Another version may have been published while we remembered the old rules.
        door = doors.look_up(token)
        if door is None:
            return refuse(404)
    return refuse(503)


def settle(
    environ: Environ, door: Door, headers: Mapping[str, str], body: bytes | None, size: int, *, is_known: bool
) -> Answer | None:
    """Judge and store a delivery; None where the door is to be looked up and the delivery judged once more.

    `is_known`: the door is a remembered one, by which nobody is turned away.
    """
    verdict, status = judge(environ["REQUEST_METHOD"], door, headers, body, size)
    if is_known and status in BY_THE_DOOR:
        return None
    if verdict == "accepted" and body is None:
        return refuse(400)
    if not verdict or (verdict in RARELY_NOTED and not noted.passes((verdict, door.scenario_id))):
        return refuse(status, door)
    incoming = Incoming(
        scenario_id=door.scenario_id,
        version_id=door.version_id,
        verdict=verdict,
        method=environ["REQUEST_METHOD"],
        query=environ.get("QUERY_STRING", ""),
        headers=masked(headers, door),
        content_type=headers.get("content-type", ""),
        body=body if verdict == "accepted" else None,
        size=size,
        source=source_of(environ),
        dedupe_key=dedupe_key(door, headers, body) if verdict == "accepted" else None,
        depth=depth_of(headers),
    )
    return stored_answer(door, incoming, status)


def stored_answer(door: Door, incoming: Incoming, status: int) -> Answer | None:
    try:
        stored = ledger.shared().store(incoming)
    except StoreUnavailable as error:
        # A refusal stands whether or not it could be written down.
        if status != 202:
            return refuse(status)
        return refuse(503, why=PERHAPS_STORED) if error.is_unknown else refuse(503)
    if stored.verdict == "stale":
        return None
    if stored.verdict == "duplicate":
        return as_json(200, {"run": stored.run_id.hex, "duplicate": True})
    if stored.verdict != "accepted":
        return refuse(404 if stored.verdict == "disabled" else status)
    hints.shared().wake()
    return reply(stored.run_id) if door.replies else as_json(202, {"run": stored.run_id.hex})


def judge(method: str, door: Door, headers: Mapping[str, str], body: bytes | None, size: int) -> tuple[str, int]:
    """Our verdict on a delivery, "" where there is none to note, and the status that goes with it.

    What is not signed as it should be is never called by a name that only the scenario's own senders deserve.
    """
    if method not in door.methods:
        return "", 405 if door.is_open else 404
    if size > settings.WEBHOOK_MAX_BYTES:
        return ("too_large", 413) if door.is_open else ("", 404)
    if body is not None and not signatures.verify(door.signature, door.secrets, headers, body):
        return ("bad_signature", 401) if door.is_open else ("", 404)
    if not door.is_open:
        return "disabled", 404
    if depth_of(headers) > MOST_DEPTH:
        return "over_limit", 508
    if backlog.is_full(door.workspace_id):
        return "over_limit", 429
    return "accepted", 202


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
    shown.pop(REPEATS, None)  # ours to say
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
    key = ledger.storable(str(value))
    return key if len(key) <= LONGEST_DEDUPE_KEY else "sha256:" + hashlib.sha256(key.encode()).hexdigest()


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
    """The sender's address, without the zone of a link-local one: PostgreSQL's inet has no place for it."""
    address = client_address(environ)
    return address and address.partition("%")[0]


def reply(run_id: uuid.UUID) -> Answer:
    """What the run's `webhook.respond` says; where it came to none, or may not be waited for, 202 with the run's id."""
    said = waiting.until(lambda: said_by(run_id), run_id, REPLY_WITHIN_S)
    return replied(said, run_id) if said else as_json(202, {"run": run_id.hex})


def said_by(run_id: uuid.UUID) -> dict[str, Json] | None:
    """A run's reply; {} where it ended without one, None where it goes on."""
    found = Run.objects.filter(pk=run_id).values_list("reply", "finished_at").first()
    if found is None or found[0] is not None:
        return found and found[0]
    return None if found[1] is None else {}


def replied(said: Mapping[str, Json], run_id: uuid.UUID) -> Answer:
    """A scenario's own answer. Its HTML must not act in our name: it goes out sandboxed."""
    headers = {
        str(name): str(value)
        for name, value in (said.get("headers") or {}).items()
        if name.lower() not in HOP_BY_HOP and name.lower() != "set-cookie"
    }
    headers |= {"Content-Security-Policy": "sandbox; default-src 'none'", "X-Apinita-Run": run_id.hex}
    return int(said["status"]), headers, str(said.get("body") or "").encode()


def refuse(status: int, door: Door | None = None, *, why: Refusal | None = None) -> Answer:
    why = why or REFUSALS[status]
    headers = {"Allow": ", ".join(door.methods)} if status == 405 and door else {}
    if why.retry_after_s is not None:
        headers["Retry-After"] = str(why.retry_after_s)
    return status, headers, why


def as_json(status: int, value: Json) -> Answer:
    return status, {}, safe_json.dumps(value)
