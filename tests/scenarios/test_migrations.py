"""An installation of before partitions is brought to today's tables, with all that was in it."""

import contextlib
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from scenarios.hot_sql import connect
from scenarios.partitions import key_at
from tests.processes import ROOT

pytestmark = pytest.mark.django_db(transaction=True)

NAME = "apinita_before_partitions"
OLD = ("scenarios", "0004")
NOW = datetime.now(UTC)
RUNS = [key_at(NOW - timedelta(days=days)) for days in (0, 40)]
STRANGE = uuid.UUID("00000000-0000-4000-8000-000000000001")  # not ours, and of no time
DELIVERY = key_at(NOW - timedelta(days=40, seconds=1))

FILL = f"""
INSERT INTO accounts_workspace (id, public_id, name, timezone, created_at) VALUES (1, 'w', 'W', 'UTC', now());
INSERT INTO scenarios_scenario (id, public_id, workspace_id, name, document, revision, samples, status, created_at,
    updated_at) VALUES (1, 's', 1, 'S', '{{}}', 1, '{{}}', 'draft', now(), now());
INSERT INTO scenarios_version (id, scenario_id, number, document, published_at) VALUES (1, 1, 1, '{{}}', now());
INSERT INTO scenarios_delivery (id, workspace_id, scenario_id, verdict, method, query, headers, content_type, body,
    size, dedupe_key, run_id)
VALUES ('{DELIVERY}', 1, 1, 'accepted', 'POST', 'a=1', '{{"x": "1"}}', 'text/plain', 'raw', 3, 'evt-1', '{RUNS[1]}'),
    ('{key_at(NOW)}', 1, 1, 'duplicate', 'POST', '', '{{}}', '', NULL, 0, 'evt-1', '{RUNS[1]}');
INSERT INTO scenarios_run (id, workspace_id, scenario_id, version_id, trigger, input, key, status, fence, owner,
    waits_for, stalls, delivery_id)
SELECT id, 1, 1, 1, 'webhook', '{{"n": 12345678901234567890123}}', id, 'queued', 7, '', '', 0, delivery::uuid
FROM (VALUES ('{RUNS[0]}'::uuid, NULL), ('{RUNS[1]}', '{DELIVERY}'), ('{STRANGE}', NULL)) AS rows(id, delivery);
INSERT INTO scenarios_steprun (run_id, path, position, status, attempt, fence, effect, result)
SELECT id, 's4[3]/s5', 2, 'succeeded', 3, 7, 'once', '{{"ok": true}}' FROM scenarios_run;
"""


@pytest.fixture
def address() -> Iterator[str]:
    """An empty database of its own."""
    with contextlib.closing(connect()) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {NAME}")
        connection.execute(f"CREATE DATABASE {NAME}")
        yield make_conninfo(os.environ["DATABASE_URL"], dbname=NAME)
        connection.execute(f"DROP DATABASE {NAME} WITH (FORCE)")


def migrate(address: str, *target: str) -> None:
    command = [sys.executable, "manage.py", "migrate", "--skip-checks", "-v0", *target]
    subprocess.run(command, env={**os.environ, "DATABASE_URL": address}, cwd=ROOT, check=True)


def test_rows_move_into_the_pieces_of_their_time(address: str) -> None:
    migrate(address, *OLD)
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(FILL)
        migrate(address)
        runs = connection.execute(
            "SELECT id, tableoid::regclass::text, status, fence, input->>'n', delivery_id"
            " FROM scenarios_run ORDER BY id"
        ).fetchall()
        then = NOW - timedelta(days=40)
        assert runs == [
            (STRANGE, "scenarios_run_default", "queued", 7, "12345678901234567890123", None),
            (RUNS[1], f"scenarios_run_p{then:%Y_%m}", "queued", 7, "12345678901234567890123", DELIVERY),
            (RUNS[0], f"scenarios_run_p{NOW:%Y_%m}", "queued", 7, "12345678901234567890123", None),
        ]
        steps = connection.execute(
            "SELECT run_id, path, position, attempt, result FROM scenarios_steprun ORDER BY run_id"
        ).fetchall()
        assert steps == [(run[0], "s4[3]/s5", 2, 3, {"ok": True}) for run in runs]
        kept = connection.execute(
            "SELECT id, query, body, run_id FROM scenarios_delivery WHERE verdict = 'accepted'"
        ).fetchall()
        assert kept == [(DELIVERY, "a=1", b"raw", RUNS[1])]
        # A sender that repeats itself after the upgrade is still known.
        keys = connection.execute("SELECT scenario_id, key, run_id FROM scenarios_dedupekey").fetchall()
        assert keys == [(1, "evt-1", RUNS[1])]
        with pytest.raises(psycopg.errors.UniqueViolation):
            connection.execute(
                "INSERT INTO scenarios_dedupekey (scenario_id, key, run_id) VALUES (1, 'evt-1', %s)", (STRANGE,)
            )
