"""The pool of database connections, after the database was away."""

from typing import Any
from weakref import WeakSet

from psycopg_pool import ConnectionPool

_known: "WeakSet[ConnectionPool[Any]]" = WeakSet()


def look_after(connection: Any, **_signal: Any) -> None:
    """Called with each new connection of Django's, when its pool is there; none is made for it."""
    pool = getattr(connection, "pool", None)
    if pool is not None and pool not in _known:
        _known.add(pool)
        forget_all_with_the_first_broken(pool)


def forget_all_with_the_first_broken(pool: "ConnectionPool[Any]") -> None:
    """Let whoever meets a broken connection renew them all.

    After a restart of PostgreSQL all are broken. The pool tries one after the other and pauses between them, 1, 2 and 4
    seconds: with five of them a request would wait for seven, with more than that it would fail.
    """

    def check(connection: Any) -> None:
        try:
            ConnectionPool.check_connection(connection)
        except Exception:
            pool.drain()
            raise

    pool._check = check  # Django gives each pool its own check, and no way to another one
