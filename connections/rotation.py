"""Re-seals every sealed column with the key that writes now: online, resumable, by compare-and-set.

A package registers its sealed columns here or, where it may not import this package, is registered from above.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from django.db import models

from accounts import vault
from connections.models import AuthorizationFlow, Connection, TokenAnswer
from connections.tokens import ANSWERS, TABLE
from lib.crypto import CannotOpen, key_id_of

BATCH = 200

Place = Callable[[Any], tuple[str | int, int]]  # (row, workspace) as they were when the value was sealed


@dataclass(frozen=True)
class Sealed:
    """A sealed column: `place` gives a row's part of the associated data, `joined` what it needs loaded."""

    model: type[models.Model]
    column: str
    place: Place
    table: str = ""
    joined: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return f"{self.model._meta.label}.{self.column}"


@dataclass
class Outcome:
    resealed: int = 0
    already: int = 0
    changed_meanwhile: int = 0
    unreadable: int = 0


COLUMNS: list[Sealed] = [
    Sealed(Connection, "secrets", lambda row: (row.public_id, row.workspace_id), TABLE),
    Sealed(Connection, "tokens", lambda row: (row.public_id, row.workspace_id), TABLE),
    Sealed(
        TokenAnswer,
        "answer",
        lambda row: (f"{row.connection.public_id}/{row.token_version}", row.connection.workspace_id),
        ANSWERS,
        ("connection",),
    ),
    Sealed(
        AuthorizationFlow,
        "verifier",
        lambda row: (bytes(row.state_digest).hex(), row.connection.workspace_id),
        joined=("connection",),
    ),
]


def register(column: Sealed) -> None:
    if column.name not in {known.name for known in COLUMNS}:
        COLUMNS.append(column)


def rotate(column: Sealed) -> Outcome:
    """Seal this column's values anew; what already has the writing key is left, so that a stopped run goes on."""
    outcome = Outcome()
    for row in rows(column):
        old = bytes(getattr(row, column.column))
        row_id, workspace = column.place(row)
        place = {"table": column.table or column.model._meta.db_table, "column": column.column}
        try:
            if key_id_of(old) == vault.ring().writing_id:
                outcome.already += 1
                continue
            plain = vault.open(old, row=row_id, workspace=workspace, **place)
        except CannotOpen:
            outcome.unreadable += 1
            continue
        new = vault.seal(plain, row=row_id, workspace=workspace, **place)
        # Somebody may have stored a newer value since: theirs has the new key and stays.
        same = column.model._default_manager.filter(pk=row.pk, **{column.column: old})
        if same.update(**{column.column: new}):
            outcome.resealed += 1
        else:
            outcome.changed_meanwhile += 1
    return outcome


def rows(column: Sealed) -> Iterator[models.Model]:
    """All rows with a value, in batches by key: no long transaction, whatever their number."""
    last: Any = None
    everything = column.model._default_manager.exclude(**{column.column: None}).order_by("pk")
    if column.joined:
        everything = everything.select_related(*column.joined)
    while batch := list((everything if last is None else everything.filter(pk__gt=last))[:BATCH]):
        yield from batch
        last = batch[-1].pk


def keys_in_use(column: Sealed) -> dict[str, int]:
    """How many values each key has sealed."""
    counts: dict[str, int] = {}
    for row in rows(column):
        try:
            key = key_id_of(bytes(getattr(row, column.column)))
        except CannotOpen:
            key = "?"
        counts[key] = counts.get(key, 0) + 1
    return counts
