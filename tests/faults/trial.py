"""What each fault test holds: the cluster, its scenarios, its senders, a seeded chance, and the line of the report."""

import os
import random
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Thread
from typing import Any

from tests.acceptance.product import Product
from tests.acceptance.product import document as document
from tests.acceptance.product import http as http
from tests.acceptance.product import step as step
from tests.faults.checker import Findings, check
from tests.faults.client import Accepted, Senders
from tests.faults.cluster import Cluster, Member
from tests.faults.report import Result

SCALE = float(os.environ.get("APINITA_FAULTS_SCALE", "1"))  # nightly: more runs, more faults
TAKEN_OVER = """
SELECT extract(epoch FROM min(at))::float8 FROM faults.run_event
WHERE run_id = %s AND new = 'running' AND fence > %s
"""
WEBHOOK = {"type": "webhook", "inputs": {"dedupe_path": "n"}}
POST = {"method": "POST", "format": "json", "fields": {"n": 1}}
KINDS: dict[str, dict[str, Any]] = {
    "read": {"method": "GET"},
    "keyed": POST | {"idempotency_key": "auto"},
    "once": POST,
}


def scaled(count: int) -> int:
    return max(1, round(count * SCALE))


@dataclass
class Trial:
    cluster: Cluster
    result: Result
    rng: random.Random
    scenarios: list[dict[str, Any]] = field(default_factory=list)
    killed: list[tuple[float, list[tuple[uuid.UUID, int]]]] = field(default_factory=list)

    @property
    def product(self) -> Product:
        return self.cluster.owner

    # Scenarios and load

    def call(self, key: str, path: str, kind: str = "read", /, *, at: str = "", item: str = "", **more: Any) -> Any:
        """A step that calls the provider and tells it who calls; `at` is its path where that is not its key."""
        query = {"run": "{{ run.id }}", "step": at or key} | ({"item": item} if item else {})
        outside = {name: more.pop(name) for name in ("retry", "on_error") if name in more}
        inputs = KINDS[kind] | {"query": query} | more
        return http(key, f"{self.cluster.provider}/{path}", None, outside, **inputs)

    def scenario(self, *steps: dict[str, Any], owner: Product | None = None, **rest: Any) -> dict[str, Any]:
        """Published, active, and part of what `check` looks at."""
        made = (owner or self.product).scenario(*steps, **{"trigger": WEBHOOK} | rest)
        self.scenarios.append(made)
        return made

    def senders(self, scenario: Mapping[str, Any], webs: Sequence[int] = (0, 1)) -> Senders:
        hooks = [self.cluster.hook(scenario, web) for web in webs]
        return Senders(hooks, self.cluster.folder / "accepted.jsonl")

    def keys(self, count: int) -> list[str]:
        prefix = uuid.uuid4().hex[:8]
        return [f"{prefix}-{number}" for number in range(count)]

    @contextmanager
    def meanwhile(self, act: Callable[[], Any]) -> Any:
        """Do this in a thread while the body goes on; wait for its end, and raise what it raised."""
        failures: list[BaseException] = []

        def guarded() -> None:
            try:
                act()
            except BaseException as failure:
                failures.append(failure)

        thread = Thread(target=guarded, daemon=True)
        thread.start()
        yield thread
        thread.join(timeout=120)
        if failures:
            raise failures[0]
        assert not thread.is_alive(), "the load has not ended"

    # Faults

    def kill(self, member: Member) -> None:
        """kill -9; what it held is watched for its recovery."""
        held = self.cluster.kill(member)
        self.killed.append((time.time(), held))
        self.result.faults += 1

    def recoveries(self) -> list[float]:
        """Seconds from each kill until each of its runs was claimed by somebody else; of those that were."""
        took = []
        for at, held in self.killed:
            for run, fence in held:
                claimed_at = self.cluster.one(TAKEN_OVER, run, fence)
                if claimed_at is not None:
                    took.append(claimed_at - at)
        return took

    # What came of it

    def settle(self, within_s: float = 60) -> float:
        return self.cluster.wait_all_ended(*self.scenarios, within_s=within_s)

    def check(self, accepted: Iterable[Accepted] = (), **options: Any) -> Findings:
        """All invariants over this test's scenarios; the numbers go into the report first."""
        found = check(self.cluster, self.scenarios, list(accepted), **options)
        self.result.runs += found.runs
        self.result.lost += found.lost
        self.result.doubled += found.doubled
        self.result.sent_again += found.sent_again
        self.result.needs_review += found.statuses["needs_review"]
        assert not found.problems, "\n".join(found.problems)
        return found

    def note(self, text: str) -> None:
        self.result.notes.append(text)
        print(f"  {self.result.test} {text}")
