"""Senders of webhooks that write down, durably, each delivery that was accepted."""

import http.client
import json
import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

TRIES_WITHIN_S = 60.0
PAUSE_S = 0.1


@dataclass(frozen=True)
class Accepted:
    """One 2xx: which delivery, which run it was promised, how long the sender waited."""

    key: str
    run: str
    status: int
    took_ms: float
    duplicate: bool


@dataclass
class Senders:
    """Sends `{"n": key}` to the hooks in turn, again until it is taken, as real senders do.

    Answers other than 2xx are counted in `refusals`, broken connections in `broken`.
    """

    hooks: list[str]
    file: Path
    headers: dict[str, str] = field(default_factory=dict)
    accepted: list[Accepted] = field(default_factory=list)
    refusals: dict[int, int] = field(default_factory=dict)
    broken: int = 0
    slowest_refusal_s: float = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def send_all(self, keys: list[str], *, at_once: int = 8, body: Callable[[str], Any] = lambda key: None) -> None:
        """Returns when each key was accepted."""
        share = [keys[number::at_once] for number in range(at_once)]
        with ThreadPoolExecutor(at_once) as pool:
            for done in [pool.submit(self.deliver, part, body) for part in share]:
                done.result()

    def deliver(self, keys: list[str], body: Callable[[str], Any]) -> None:
        connections: dict[str, http.client.HTTPConnection] = {}
        for key in keys:
            deadline = time.monotonic() + TRIES_WITHIN_S
            content = {"n": key} | (body(key) or {})
            while not self.attempt(connections, key, content):
                assert time.monotonic() < deadline, f"{key} was not taken within {TRIES_WITHIN_S} s: {self.refusals}"
                time.sleep(PAUSE_S)
        for connection in connections.values():
            connection.close()

    def attempt(self, connections: dict[str, http.client.HTTPConnection], key: str, content: Any) -> bool:
        hook = random.choice(self.hooks)
        url = urlsplit(hook)
        started = time.monotonic()
        try:
            connection = connections.get(url.netloc)
            if connection is None:
                connection = connections[url.netloc] = http.client.HTTPConnection(url.netloc, timeout=15)
            connection.request(
                "POST", url.path, json.dumps(content), {"Content-Type": "application/json"} | self.headers
            )
            answer = connection.getresponse()
            said = answer.read()
        except (OSError, http.client.HTTPException):
            connections.pop(url.netloc, None)
            with self.lock:
                self.broken += 1
            return False
        took_s = time.monotonic() - started
        if answer.status not in {200, 202}:
            with self.lock:
                self.refusals[answer.status] = self.refusals.get(answer.status, 0) + 1
                self.slowest_refusal_s = max(self.slowest_refusal_s, took_s)
            return False
        told = json.loads(said)
        self.note(Accepted(key, told["run"], answer.status, took_s * 1000, bool(told.get("duplicate"))))
        return True

    def note(self, accepted: Accepted) -> None:
        with self.lock, self.file.open("a") as file:
            file.write(json.dumps([accepted.key, accepted.run, accepted.status]) + "\n")
            file.flush()
            os.fsync(file.fileno())
            self.accepted.append(accepted)

    def slowest_ms(self, share: float = 0.99) -> float:
        took = sorted(one.took_ms for one in self.accepted)
        return took[min(len(took) - 1, int(len(took) * share))] if took else 0.0


def keys(prefix: str, count: int) -> list[str]:
    return [f"{prefix}-{number}" for number in range(count)]


def until(deadline_s: float, every_s: Callable[[], float]) -> Iterator[float]:
    """Moments until a deadline, with a pause before each: `for at in until(10, lambda: rng.uniform(0.1, 0.5))`."""
    started = time.monotonic()
    while (gone := time.monotonic() - started) < deadline_s:
        time.sleep(every_s())
        yield gone
