"""What must hold before `up` starts anything: each function either finds it in order or refuses with one sentence."""

import fcntl
import os
import socket
from pathlib import Path
from typing import IO

import psycopg
import redis
from django.conf import settings
from django.db import connection

from accounts.models import KeyFingerprint
from apinita import embedded
from lib.crypto import Keyring
from lib.errors import UserError, describe


class Refused(Exception):
    """The product does not start; the message is one sentence for the operator, and nothing was changed."""


def lock(data: Path) -> IO[str]:
    """Make sure that no other `up` uses this data folder, for as long as the file that is given back stays open."""
    try:
        embedded.make_private(data)
        file = (data / "up.lock").open("a+")
    except embedded.CannotStart as error:
        raise Refused(str(error)) from error
    except OSError as error:
        raise Refused(f"The data folder {data} is not writable: {error.strerror}.") from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        holder = file.read().strip() or "unknown"
        raise Refused(
            f"APInita already runs with the data folder {data} (process {holder}); stop it first, "
            "or name another folder with APINITA_DATA."
        ) from None
    file.truncate(0)
    file.write(str(os.getpid()))
    file.flush()
    return file


def port_is_free(host: str, port: int, *, option: str) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise Refused(f"Port {port} on {host} cannot be used ({reason}); choose another: {option}.") from None


def keys_are_readable() -> bool:
    """Whether there are secret keys; false where none were ever made. Refuses unreadable ones."""
    given = os.environ.get("APINITA_SECRET_KEYS", "").strip() or embedded.secret_keys(settings.DATA)
    if given and not settings.HAS_KEYS:
        raise Refused(f"The secret keys cannot be read: {settings.KEYS_PROBLEM}.")
    if not given and settings.EMBEDDED and embedded.has_database(settings.DATA):
        raise Refused(
            f"The database in {settings.DATA} needs its secret keys, and "
            f"{embedded.secret_keys_file(settings.DATA)} is missing: put the file back, or set APINITA_SECRET_KEYS."
        )
    return bool(given)


def make_keys(data: Path) -> Path:
    """Write the file of secret keys; it is there whole or not at all."""
    path = embedded.secret_keys_file(data)
    unfinished = path.with_suffix(".new")
    unfinished.unlink(missing_ok=True)
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(Keyring.generate() + "\n")
        file.flush()
        os.fsync(file.fileno())
    unfinished.rename(path)
    return path


def database_answers() -> None:
    """Only for a database of one's own: the embedded one has just been started."""
    try:
        connection.ensure_connection()
    except Exception as error:
        if not isinstance(error.__cause__ or error, psycopg.Error):
            raise
        reason = " ".join(str(error).split())
        raise Refused(f"The database that DATABASE_URL names does not answer: {reason}") from error


def broker_answers() -> None:
    try:
        with redis.Redis.from_url(settings.REDIS_URL, socket_connect_timeout=5, socket_timeout=5) as client:
            client.ping()
    except (redis.exceptions.RedisError, ValueError) as error:
        raise Refused(f"The broker that REDIS_URL names does not answer: {error}") from error


def database_is_new() -> bool:
    """Whether no key was ever used with this database."""
    return not has_fingerprints() or not KeyFingerprint.objects.exists()


def keys_fit() -> None:
    """The keys are those that this database was used with. Before any migration: there may be no table yet."""
    from accounts.keys import check_keyring

    if not has_fingerprints():
        return
    try:
        check_keyring(settings.KEYRING)
    except UserError as error:
        words = describe(error.as_json())
        raise Refused(" ".join(filter(None, (words["text"], words["hint"])))) from error


def has_fingerprints() -> bool:
    return KeyFingerprint._meta.db_table in connection.introspection.table_names()
