"""The pool after a restart of PostgreSQL."""

import time

import psycopg
from django.db import connection
from psycopg.conninfo import make_conninfo
from psycopg_pool import ConnectionPool

from apinita import pooling


def test_a_pool_of_broken_connections_gives_a_sound_one_at_once(transactional_db: None) -> None:
    given = connection.settings_dict
    address = make_conninfo(host=given["HOST"], port=given["PORT"], user=given["USER"], dbname=given["NAME"])
    mine = make_conninfo(address, application_name="test-pooling")
    with ConnectionPool(mine, min_size=8, kwargs={"autocommit": True}, check=ConnectionPool.check_connection) as pool:
        pooling.forget_all_with_the_first_broken(pool)
        pool.wait()
        with psycopg.connect(address, autocommit=True) as other:
            other.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'test-pooling'"
            )
        started = time.monotonic()
        with pool.connection(timeout=5) as sound:
            assert sound.execute("SELECT 1").fetchone() == (1,)
        assert time.monotonic() - started < 0.9


def test_the_products_own_pool_is_such_a_one(transactional_db: None) -> None:
    connection.ensure_connection()
    assert connection.pool is not None
    assert connection.pool._check.__module__ == pooling.__name__
