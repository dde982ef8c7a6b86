"""Whether this process lives (`/healthz`) and whether the installation can work (`/readyz`), for probes.

They are answered before Django's middleware: a probe asks by address, without TLS, and has no session.
"""

import contextlib
import json
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any

import psycopg
import redis
from django.conf import settings
from django.db import DatabaseError, InterfaceError, close_old_connections, connection
from django.db.migrations.executor import MigrationExecutor
from django.db.models.functions import Now

from scenarios.hot_sql import connect
from scenarios.models import WorkerBeat

WORKER_SEEN_WITHIN = timedelta(seconds=15)
BROKER_ANSWERS_WITHIN_S = 2
DATABASE_PATIENCE: dict[str, Any] = {
    "connect_timeout": 2,
    "tcp_user_timeout": 2000,
    "options": "-c statement_timeout=2s",
}
JSON_HEADERS = [("Content-Type", "application/json"), ("Cache-Control", "no-store")]


def alive(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    start_response("200 OK", JSON_HEADERS)
    return [b'{"status": "ok"}']


def ready(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """200 when all parts answer, else 503; the body names each part's state either way (docs/api.md)."""
    close_old_connections()
    try:
        found = states()
    finally:
        close_old_connections()
    all_well = set(found.values()) == {"ok"}
    start_response("200 OK" if all_well else "503 Service Unavailable", JSON_HEADERS)
    return [json.dumps(found).encode()]


def states() -> dict[str, str]:
    """Each part as "ok" or "down"; what only the database knows of is down with it, and not asked for."""
    has_database = holds(database_answers)
    parts: dict[str, Callable[[], bool]] = {
        "database": lambda: has_database,
        "broker": broker_answers,
        "worker": lambda: has_database and worker_is_seen(),
        "migrations": lambda: has_database and no_migration_waits(),
    }
    return {name: "ok" if holds(is_well) else "down" for name, is_well in parts.items()}


def holds(is_well: Callable[[], bool]) -> bool:
    try:
        return is_well()
    except (DatabaseError, InterfaceError, psycopg.Error, redis.exceptions.RedisError):
        return False


def database_answers() -> bool:
    """Asked on a connection of its own: a probe must not stand in the queue for those of the pool."""
    with contextlib.closing(connect(**DATABASE_PATIENCE)) as asked:
        asked.execute("SELECT 1")
    return True


def broker_answers() -> bool:
    options = {"socket_connect_timeout": BROKER_ANSWERS_WITHIN_S, "socket_timeout": BROKER_ANSWERS_WITHIN_S}
    with redis.Redis.from_url(settings.REDIS_URL, **options) as client:
        return bool(client.ping())


def worker_is_seen(since: datetime | None = None) -> bool:
    """Whether a worker has written to the database lately: a process that lives but does nothing is not well."""
    beats = WorkerBeat.objects.filter(seen_at__gt=Now() - WORKER_SEEN_WITHIN)
    if since is not None:
        beats = beats.filter(seen_at__gt=since)
    return beats.exists()


_migrated = False


def no_migration_waits() -> bool:
    """Remembered once true: migrations are not taken back under a running process."""
    global _migrated
    if not _migrated:
        executor = MigrationExecutor(connection)
        _migrated = not executor.migration_plan(executor.loader.graph.leaf_nodes())
    return _migrated
