"""Sealed columns: what is secret in a row, bound to its table, column, row and workspace."""

from django.conf import settings

from lib import safe_json
from lib.crypto import Keyring
from lib.errors import Json


def seal(plain: bytes, *, table: str, column: str, row: str | int, workspace: int) -> bytes:
    return ring().seal(plain, context=place(table, column, row, workspace))


def open(sealed: bytes, *, table: str, column: str, row: str | int, workspace: int) -> bytes:
    """Raises lib.crypto.CannotOpen where the key is missing or the value belongs to another place."""
    return ring().open(sealed, context=place(table, column, row, workspace))


def seal_json(value: Json, *, table: str, column: str, row: str | int, workspace: int) -> bytes:
    return seal(safe_json.dumps(value), table=table, column=column, row=row, workspace=workspace)


def open_json(sealed: bytes, *, table: str, column: str, row: str | int, workspace: int) -> Json:
    """Raises lib.crypto.CannotOpen."""
    return safe_json.loads(open(sealed, table=table, column=column, row=row, workspace=workspace))


def place(table: str, column: str, row: str | int, workspace: int) -> str:
    return f"{table}|{column}|{row}|{workspace}"


def ring() -> Keyring:
    keyring: Keyring = settings.KEYRING
    return keyring
