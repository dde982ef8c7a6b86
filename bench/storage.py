"""What runs leave behind, and whether it slows down those that come.

    python bench/storage.py [--runs 1000] [--kept 1000000] [--json FILE]

Starts APInita in a folder of its own and sends webhooks to three scenarios: W1 webhook → respond, W2 webhook → 3
transforms → 1 POST, L webhook → a loop of 100 passes with 1 POST each. Tells the bytes per run of tables, indexes and
large values (TOAST) as they lie on disk, and of the log (WAL). Then stops it, fills in ended runs of the last 90 days,
and measures a claim of one run and of fifty.
"""

import argparse
import contextlib
import json
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import psycopg

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from product import BODY, RESPOND, TRANSFORMS, Product, free_port, third_party

from apinita import embedded

KEPT_DAYS = 90
CLAIMS = 400
WARMING_UP = 40
SIZES = """
SELECT sum(pg_relation_size(relid)), sum(pg_indexes_size(relid)),
    sum(COALESCE(pg_total_relation_size(NULLIF(reltoastrelid, 0)), 0))
FROM unnest(ARRAY['scenarios_run', 'scenarios_steprun', 'scenarios_payload', 'scenarios_delivery']) AS name,
    LATERAL pg_partition_tree(name::regclass) AS tree JOIN pg_class ON pg_class.oid = tree.relid
WHERE isleaf
"""
FILL = """
INSERT INTO scenarios_run (id, workspace_id, scenario_id, version_id, trigger, key, status, fence, owner, waits_for,
    stalls, wake_at, created_at, started_at, finished_at)
SELECT id, workspace_id, scenario_id, version_id, 'webhook', id, 'succeeded', 1, '', '', 0, NULL, at, at, at
FROM (
    SELECT workspace_id, id AS scenario_id, published_id AS version_id FROM scenarios_scenario LIMIT 1
) AS model, LATERAL (
    SELECT at, (lpad(to_hex((extract(epoch FROM at) * 1000)::int8), 12, '0')
        || '7' || substr(md5(n::text), 1, 3) || '8' || substr(md5(n::text), 4, 15))::uuid AS id
    FROM generate_series(1, %(count)s) AS n,
        LATERAL (SELECT now() - n * %(days)s * interval '1 day' / %(count)s AS at) AS moment
) AS made
"""
QUEUE = """
INSERT INTO scenarios_run (id, workspace_id, scenario_id, version_id, trigger, key, status, fence, owner, waits_for,
    stalls)
SELECT given, workspace_id, scenario_id, version_id, 'webhook', given, 'queued', 0, '', '', 0
FROM unnest(%s::uuid[]) AS given, (
    SELECT workspace_id, id AS scenario_id, published_id AS version_id FROM scenarios_scenario LIMIT 1
) AS model
"""
END = "UPDATE scenarios_run SET status = 'succeeded', finished_at = now(), lease_until = NULL WHERE id = ANY(%s)"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--runs", type=int, default=1000)
    options.add_argument("--kept", type=int, default=1_000_000)
    options.add_argument("--json", type=Path)
    given = options.parse_args()
    port = free_port()
    upstream = multiprocessing.Process(target=third_party, args=(port,), daemon=True)
    upstream.start()
    with tempfile.TemporaryDirectory(prefix="apinita-bench-") as folder:
        data = Path(folder)
        figures: dict[str, Any] = {"bytes per run": bytes_per_run(data, port, given.runs)}
        figures["claim"] = claims(data, given.kept)
    upstream.terminate()
    text = json.dumps(figures, indent=2, ensure_ascii=False)
    print(text)
    if given.json:
        given.json.write_text(text + "\n")


def bytes_per_run(data: Path, port: int, runs: int) -> dict[str, Any]:
    product = Product(data, port)
    try:
        with psycopg.connect(embedded.database_url(data), autocommit=True) as connection:
            shapes = {"W1": [RESPOND], "W2": [*TRANSFORMS, post_to(port)], "L": [loop_of(port)]}
            return {
                name: measured(product, connection, name, steps, max(10, runs // 50) if name == "L" else runs)
                for name, steps in shapes.items()
            }
    finally:
        product.stop()


def post_to(port: int) -> dict[str, Any]:
    fields = {"name": "{{ s4.text }}", "total": "{{ s2.total }}"}
    inputs = {"method": "POST", "url": f"http://127.0.0.1:{port}/", "fields": fields}
    return {"key": "s5", "action": "http.request", "inputs": inputs}


def loop_of(port: int) -> dict[str, Any]:
    fields = {"n": "{{ index }}", "who": "{{ trigger.body.order.customer.name }}"}
    inputs = {"method": "POST", "url": f"http://127.0.0.1:{port}/", "fields": fields}
    inside = [{"key": "s3", "action": "http.request", "inputs": inputs}]
    return {"key": "s2", "action": "flow.for_each", "inputs": {"items": "<< range(100) >>"}, "steps": inside}


def measured(
    product: Product, connection: psycopg.Connection, name: str, steps: list[dict[str, Any]], runs: int
) -> dict[str, float]:
    path = product.scenario(name, steps)
    send(product.port, path, 1)
    settle(product)
    connection.execute("CHECKPOINT")
    before = figures_of(connection)
    send(product.port, path, runs)
    settle(product)
    after = figures_of(connection)
    names = ("tables", "indexes", "toast", "log")
    told: dict[str, float] = {one: round((b - a) / runs) for one, a, b in zip(names, before, after, strict=True)}
    return {"runs": runs, **told, "kept": told["tables"] + told["indexes"] + told["toast"]}


def send(port: int, path: str, count: int) -> None:
    def one(share: int) -> None:
        with contextlib.closing(HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
            for _ in range(share):
                connection.request("POST", path, BODY.encode(), {"Content-Type": "application/json"})
                answer = connection.getresponse()
                answer.read()
                if answer.status >= 300:
                    raise SystemExit(f"answered {answer.status}")

    shares = [count // 8 + (number < count % 8) for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(one, shares))


def settle(product: Product) -> None:
    while product.waiting():
        time.sleep(0.2)
    time.sleep(1)


def figures_of(connection: psycopg.Connection) -> tuple[int, ...]:
    sizes = connection.execute(SIZES).fetchone()
    log = connection.execute("SELECT (pg_current_wal_lsn() - '0/0')::int8").fetchone()
    assert sizes is not None
    assert log is not None
    return (*map(int, sizes), int(log[0]))


def claims(data: Path, kept: int) -> dict[str, Any]:
    """With no other runs, and with those of 90 days; without waiting for the disk."""
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "apinita.settings",
        "APINITA_DATA": str(data),
        "DATABASE_URL": embedded.database_url(data),
        "REDIS_URL": embedded.redis_url(data),
    }
    servers = embedded.Servers(data)
    servers.start()
    try:
        import django

        django.setup()
        from scenarios.hot_sql import connect

        with connect() as connection:
            connection.execute("SET synchronous_commit = off")  # the disk's own time is not asked
            connection.execute("TRUNCATE scenarios_run, scenarios_steprun, scenarios_delivery, scenarios_payload")
            found = {"0": claim_ms(connection)}
            fill(connection, kept)
            return {**found, f"{kept:,}": claim_ms(connection)}
    finally:
        servers.stop()


def fill(connection: psycopg.Connection, kept: int) -> None:
    from scenarios import partitions

    now = datetime.now(UTC)
    there = {piece.begin for piece in partitions.pieces(connection, partitions.RUN)}
    for period in partitions.periods(partitions.RUN, now - timedelta(days=KEPT_DAYS), now):
        if period.begin not in there:
            partitions.make(connection, partitions.RUN, period)
    connection.execute(FILL, {"count": kept, "days": KEPT_DAYS})
    connection.execute("VACUUM ANALYZE scenarios_run")


def claim_ms(connection: psycopg.Connection) -> dict[str, float]:
    """The median of a claim, in ms; one run, and fifty at once."""
    from lib.ids import uuid7
    from scenarios import leases

    found = {}
    for at_once in (1, 50):
        times = []
        for _ in range(WARMING_UP + CLAIMS // at_once):
            ids: list[uuid.UUID] = [uuid7() for _ in range(at_once)]
            connection.execute(QUEUE, (ids,))
            began = time.perf_counter()
            claimed = leases.claim(connection, "bench", at_once)
            times.append((time.perf_counter() - began) * 1000)
            assert len(claimed) == at_once
            connection.execute(END, (ids,))
        found[f"of {at_once}"] = round(statistics.median(times[WARMING_UP:]), 2)
    return found


if __name__ == "__main__":
    main()
