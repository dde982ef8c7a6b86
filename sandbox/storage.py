"""Rows kept in memory and, where a file is given, written through to it at once, so that a restart finds them."""

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, TypeVar

FORMAT = 1


class Row(Protocol):
    """A dataclass of JSON values."""

    __dataclass_fields__: ClassVar[dict[str, Any]]


T = TypeVar("T", bound=Row)


class StorageError(Exception):
    """The data cannot be read or written; the text says why, in one sentence."""


class Disk:
    """One SQLite file. Callers hold the store's lock: it is one connection for all threads."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "sandbox.sqlite3"
        self.is_closed = False  # a request that is cut off by the end writes nothing any more
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.connection = sqlite3.connect(self.path, check_same_thread=False, isolation_level=None)
            self.path.chmod(0o600)
            self.prepare()
        except (OSError, sqlite3.Error) as failure:
            raise StorageError(f"The sandbox cannot keep its data in {folder}: {failure}.") from failure

    def prepare(self) -> None:
        # No waiting for the disk: a power cut may lose the last seconds of a sandbox, a killed process loses nothing.
        self.connection.execute("PRAGMA journal_mode = WAL")
        self.connection.execute("PRAGMA synchronous = OFF")
        (found,) = self.connection.execute("PRAGMA user_version").fetchone()
        if found not in (0, FORMAT):
            raise StorageError(f"{self.path} was written by another version of the sandbox; delete it to begin anew.")
        self.connection.execute(f"PRAGMA user_version = {FORMAT}")
        self.connection.execute(
            "CREATE TABLE IF NOT EXISTS row (kind TEXT, key TEXT, data TEXT, PRIMARY KEY (kind, key))"
        )

    def rows(self, kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
        for key, data in self.connection.execute("SELECT key, data FROM row WHERE kind = ? ORDER BY rowid", (kind,)):
            yield key, json.loads(data)

    def put(self, kind: str, key: str, data: dict[str, Any]) -> None:
        self.connection.execute(
            "INSERT INTO row VALUES (?, ?, ?) ON CONFLICT (kind, key) DO UPDATE SET data = excluded.data",
            (kind, key, json.dumps(data)),
        )

    def remove(self, kind: str, key: str) -> None:
        self.connection.execute("DELETE FROM row WHERE kind = ? AND key = ?", (kind, key))

    def clear(self, kind: str) -> None:
        self.connection.execute("DELETE FROM row WHERE kind = ?", (kind,))

    def close(self) -> None:
        self.connection.close()
        self.is_closed = True


class Table(Generic[T]):
    """Rows of one dataclass by key, in the order of their making."""

    def __init__(self, kind: type[T], disk: Disk | None) -> None:
        self.name = kind.__name__
        self.disk = disk
        self.by_key: dict[str, T] = {}
        if disk is not None:
            self.by_key = {key: kind(**data) for key, data in disk.rows(self.name)}

    def get(self, key: str) -> T | None:
        return self.by_key.get(key)

    def put(self, key: str, row: T) -> T:
        self.by_key[key] = row
        if self.disk is not None and not self.disk.is_closed:
            self.disk.put(self.name, key, asdict(row))
        return row

    def remove(self, key: str) -> None:
        is_there = self.by_key.pop(key, None) is not None
        if is_there and self.disk is not None and not self.disk.is_closed:
            self.disk.remove(self.name, key)

    def clear(self) -> None:
        self.by_key.clear()
        if self.disk is not None and not self.disk.is_closed:
            self.disk.clear(self.name)

    def rows(self) -> list[T]:
        return list(self.by_key.values())

    def __contains__(self, key: str) -> bool:
        return key in self.by_key

    def __len__(self) -> int:
        return len(self.by_key)
