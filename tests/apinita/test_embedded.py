"""The embedded servers, apart from `up`."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis

from apinita import embedded, launch
from apinita.embedded import CannotStart, Servers


@pytest.fixture
def data() -> Iterator[Path]:
    """A folder that other users may pass through, as the parents of a data folder are."""
    folder = Path(tempfile.mkdtemp(prefix="apinita-"))
    folder.chmod(0o711)
    yield folder / "data"
    shutil.rmtree(folder)


def stored_twice(data: Path) -> list[int]:
    """Start, write a row, stop, start, read it and write another."""
    for number in (1, 2):
        servers = Servers(data)
        servers.start()
        try:
            with psycopg.connect(embedded.database_url(data)) as connection:
                connection.execute("CREATE TABLE IF NOT EXISTS kept (number int)")
                connection.execute("INSERT INTO kept VALUES (%s)", [number])
                rows = connection.execute("SELECT number FROM kept ORDER BY number").fetchall()
            assert redis.Redis.from_url(embedded.redis_url(data)).ping()
        finally:
            servers.stop()
    return [row[0] for row in rows]


def test_what_was_stored_is_there_after_a_stop(data: Path) -> None:
    assert stored_twice(data) == [1, 2]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become nobody")
def test_root_without_user_namespaces_runs_the_database_as_nobody(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(embedded, "postgres_identity", lambda: launch.AS_NOBODY)
        assert stored_twice(data) == [1, 2]
        assert (data / "postgres").stat().st_uid == launch.NOBODY
    assert stored_twice(data) == [1, 1, 2, 2], "and goes on where namespaces are allowed again"


def test_letters_of_every_script_have_cases(data: Path) -> None:
    servers = Servers(data, durable=False)
    servers.start()
    try:
        with psycopg.connect(embedded.database_url(data)) as connection:
            assert connection.execute("SELECT lower('ЁЖИК'), upper('ñandú')").fetchone() == ("ёжик", "ÑANDÚ")
    finally:
        servers.stop()


def test_a_long_path_gets_short_sockets(tmp_path: Path) -> None:
    long = tmp_path / ("x" * 90)
    assert len(os.fsencode(embedded.socket_folder(long) / ".s.PGSQL.5432")) < 100


def test_a_server_that_cannot_start_says_where_to_look(data: Path) -> None:
    servers = Servers(data, durable=False)
    servers.start()
    servers.stop()
    (data / "postgres" / "PG_VERSION").write_text("9\n")
    with pytest.raises(CannotStart, match=r"postgres\.log"):
        servers.start()
    assert not servers.running
