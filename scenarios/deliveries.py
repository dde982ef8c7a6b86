"""The webhook ledger as people read it: verdicts in words, headers and query masked, and a request as a curl command.

Whoever may only look sees what is masked; the bytes themselves are for editors (redelivering.py, the API, the pages).
"""

import shlex
import uuid
from collections.abc import Collection
from urllib.parse import parse_qsl

from django.db.models import QuerySet
from django.db.models.fields.json import KeyTextTransform

from connections.masking import mask_text
from lib.errors import Json
from scenarios import masked, triggers
from scenarios.depth import HEADER, MOST_DEPTH, depth_of
from scenarios.models import VERDICTS, Delivery
from scenarios.triggers import run_id_of

REPEATS = "x-apinita-redelivery-of"  # stands in the headers of a delivery that was made of an earlier one
KEPT_BODIES = frozenset({"accepted", "duplicate"})
LARGEST_IN_CURL = 10_000  # bytes
SHOWN_BYTES = 4_096  # of a body that is no text
NOT_IN_CURL = frozenset(
    {"host", "content-length", "connection", "accept-encoding", "transfer-encoding", "expect", HEADER, REPEATS}
)
UNSHOWN = ("body", "headers", "query", "scenario__document", "scenario__samples", "scenario__trigger_secrets")


def listed(rows: QuerySet[Delivery], verdicts: Collection[str] = ()) -> QuerySet[Delivery]:
    """Without what may be large; of the headers only the two that a list tells something of."""
    if verdicts:
        rows = rows.filter(verdict__in=verdicts)
    said = {"said_depth": KeyTextTransform(HEADER, "headers"), "said_repeats": KeyTextTransform(REPEATS, "headers")}
    return rows.defer(*UNSHOWN).annotate(**said)


def verdicts() -> list[str]:
    return [verdict for verdict, _label in VERDICTS]


def reason_of(row: Delivery) -> str:
    """What an `over_limit` was about: "loop_detected", or "backlog"; else "". For rows of a list, too."""
    if row.verdict != "over_limit":
        return ""
    return "loop_detected" if depth_of({HEADER: said_by(row, "said_depth", HEADER)}) > MOST_DEPTH else "backlog"


def repeated_by(row: Delivery) -> uuid.UUID | None:
    """The delivery that this one repeats, as somebody wished."""
    said = said_by(row, "said_repeats", REPEATS)
    return run_id_of(str(said)) if said else None


def said_by(row: Delivery, annotation: str, header: str) -> str:
    """A header of a whole row, or of one that `listed` found."""
    said = getattr(row, annotation) if hasattr(row, annotation) else row.headers.get(header)
    return str(said or "")


def headers_of(row: Delivery) -> dict[str, Json]:
    return masked.without_secrets(masked.for_reading({"headers": row.headers})["headers"])


def query_of(row: Delivery) -> str:
    """The query with the values of secret names masked."""
    return masked.query_for_reading(row.query)


def query_pairs(row: Delivery) -> list[tuple[str, str]]:
    return parse_qsl(query_of(row), keep_blank_values=True)


def body_of(row: Delivery) -> Json:
    """The body as steps see it, tokens that are known by their look masked; None where none is kept."""
    return masked.for_reading(triggers.body_of(bytes(row.body or b""), row.content_type))


def text_of(row: Delivery) -> str | None:
    """The body as text, masked; None where it is none: bytes that are not UTF-8, or hold NUL."""
    try:
        text = bytes(row.body or b"").decode()
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else mask_text(text, frozenset())


def hex_of(row: Delivery) -> str:
    """The first bytes as editors of bytes show them: offset, sixteen bytes, their letters."""
    raw = bytes((row.body or b"")[:SHOWN_BYTES])
    lines = []
    for offset in range(0, len(raw), 16):
        piece = raw[offset : offset + 16]
        letters = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in piece)
        lines.append(f"{offset:06x}  {piece.hex(' '):<47}  {letters}")
    return "\n".join(lines)


def curl(row: Delivery, url: str) -> str:
    """The request as a command, secrets masked. A large body, and one that is no text, is taken from a file."""
    query = query_of(row)
    parts = ["curl", "-X", row.method, shlex.quote(f"{url}?{query}" if query else url)]
    for name, value in headers_of(row).items():
        if name not in NOT_IN_CURL and not name.startswith(("x-forwarded-", "x-real-")):
            parts += ["-H", shlex.quote(f"{name}: {value}")]
    if row.size:
        text = text_of(row) if row.body is not None and row.size < LARGEST_IN_CURL else None
        # --data-raw: a body that begins with @ is no file.
        parts += ["--data-binary", f"@{file_name(row)}"] if text is None else ["--data-raw", shlex.quote(text)]
    return " ".join(parts)


def file_name(row: Delivery) -> str:
    return f"delivery-{row.id.hex[-8:]}.bin"
