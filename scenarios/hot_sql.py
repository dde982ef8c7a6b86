"""Connections of the hot path's own: autocommit, prepared statements, apart from Django's request handling."""

from collections.abc import Iterable, Sequence
from typing import Any

import psycopg
from django.db import connections


def connect(**options: Any) -> psycopg.Connection:
    """A fresh connection to the database that Django uses (the tests' one in tests)."""
    given = connections["default"].settings_dict
    parameters = {
        "host": given["HOST"],
        "port": given["PORT"],
        "user": given["USER"],
        "password": given["PASSWORD"],
        "dbname": given["NAME"],
        "connect_timeout": 5,
        **WATCHED,
        **{key: value for key, value in given["OPTIONS"].items() if key in LIBPQ},
        **options,
    }
    wanted = [given["OPTIONS"].get("options"), options.get("options"), *LET_GO]
    parameters["options"] = " ".join(filter(None, wanted))
    return psycopg.connect(
        **{key: value for key, value in parameters.items() if value not in ("", None)},
        autocommit=True,
        prepare_threshold=0,
    )


# A server that vanished without a word is noticed within seconds, not hours (libpq: connection parameters).
WATCHED = {"keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3, "tcp_user_timeout": 10_000}
# For statements over few rows: a plan made while the tables were empty must not be kept when they are full.
BY_INDEX = {"options": "-c enable_seqscan=off"}
# And the server must not keep the rows of a process that was stopped in the middle of a transaction, or cut off.
LET_GO = (
    "-c idle_in_transaction_session_timeout=10s",
    "-c tcp_keepalives_idle=10",
    "-c tcp_keepalives_interval=5",
    "-c tcp_keepalives_count=3",
)
LIBPQ = frozenset(
    {
        *WATCHED,
        *("sslmode", "sslrootcert", "sslcert", "sslkey", "options", "application_name", "target_session_attrs"),
        *("channel_binding", "passfile", "service"),
    }
)


def as_columns(rows: Iterable[Sequence[object]]) -> list[list[object]]:
    """Rows turned into the arrays that `unnest` takes."""
    return [list(column) for column in zip(*rows, strict=True)]
