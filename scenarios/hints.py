"""Hints through Redis: "a run is due", "a reply is there". Losing, doubling or forging one harms nothing.

Whoever gives a hint is never held up by Redis: hints leave from a thread of their own, with short timeouts, and not
at all for a while after a failure. Whoever waits for one looks at the database now and then all the same.
"""

import contextlib
import logging
import os
import threading
import time
import uuid
from collections.abc import Iterator

import redis
from celery import current_app
from django.conf import settings

log = logging.getLogger(__name__)

WAKE_KEY = "apinita:wake"
WAKE_LASTS_S = 10
REPLY_LASTS_S = 60
TIMEOUT_S = 0.2
LOOK_S = 0.5  # who waits looks at the database at least this often
PAUSE_AFTER_FAILURE_S = 5.0


_shared: "tuple[int, Hints] | None" = None


def shared() -> "Hints":
    """This process's hints; made anew after a fork."""
    global _shared
    if _shared is None or _shared[0] != os.getpid():
        _shared = (os.getpid(), Hints())
    return _shared[1]


class Hints:
    """One per process. Every method returns at once and never raises."""

    def __init__(self) -> None:
        self.client = redis.Redis.from_url(
            settings.REDIS_URL, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S, max_connections=64
        )
        self.patient = redis.Redis.from_url(
            settings.REDIS_URL, socket_timeout=2 * LOOK_S, socket_connect_timeout=TIMEOUT_S, max_connections=256
        )
        self.wanted = threading.Event()
        self.silent_until = 0.0
        self.thread = threading.Thread(target=self.work, name="hints", daemon=True)
        self.thread.start()

    def wake(self) -> None:
        """Some run is due."""
        self.wanted.set()

    def work(self) -> None:
        while True:
            self.wanted.wait()
            self.wanted.clear()
            if self.quiet():
                continue
            with self.tolerant():
                # Only the change from idle to busy sends a message; a draining worker finds the rest by itself.
                if self.client.set(WAKE_KEY, 1, nx=True, ex=WAKE_LASTS_S):
                    current_app.send_task("scenarios.drain", retry=False, ignore_result=True)

    def asleep(self) -> None:
        """A worker is about to look for the last time: from now on a new run sends a message again."""
        if not self.quiet():
            with self.tolerant():
                self.client.delete(WAKE_KEY)

    def replied(self, run_id: uuid.UUID) -> None:
        """The run's reply, or its end, is in the database."""
        if self.quiet():
            return
        with self.tolerant():
            pipeline = self.client.pipeline(transaction=False)
            pipeline.lpush(f"apinita:reply:{run_id.hex}", 1)
            pipeline.expire(f"apinita:reply:{run_id.hex}", REPLY_LASTS_S)
            pipeline.execute()

    def await_reply(self, run_id: uuid.UUID, seconds: float) -> None:
        """Return when a reply may be there, at the latest after `seconds`."""
        if self.quiet():
            time.sleep(min(seconds, TIMEOUT_S))
            return
        try:
            self.patient.blpop([f"apinita:reply:{run_id.hex}"], timeout=min(seconds, LOOK_S))
        except redis.RedisError:
            self.silent_until = time.monotonic() + PAUSE_AFTER_FAILURE_S

    def quiet(self) -> bool:
        return time.monotonic() < self.silent_until

    @contextlib.contextmanager
    def tolerant(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # kombu and redis raise many kinds; none of them may reach a request or a run
            self.silent_until = time.monotonic() + PAUSE_AFTER_FAILURE_S
            log.warning("no hint could be given: %s", type(error).__name__)
