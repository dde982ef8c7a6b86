"""What lies in the queue cannot take down a worker."""

import pytest
import redis

from tests.processes import Worker, wait_until


@pytest.mark.parametrize("message", [b"not json", b"{}", b"[" * 100_000])
def test_a_message_that_cannot_be_read_is_dropped_and_the_worker_lives(
    worker: Worker,
    redis_server: str,
    message: bytes,
) -> None:
    pid = worker.pid
    said = worker.text().count("cannot be read was dropped")
    with redis.Redis.from_url(redis_server) as valkey:
        valkey.lpush("engine", message)
        wait_until(lambda: worker.text().count("cannot be read was dropped") > said)
        assert valkey.llen("engine") == 0
    assert worker.is_running()
    assert worker.pid == pid
