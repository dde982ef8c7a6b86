"""One running sandbox's parts, together: what it remembers, what it has seen, what trouble is planned."""

from dataclasses import dataclass, field

from sandbox.demo import Demo
from sandbox.faults import Trouble
from sandbox.journal import Journal
from sandbox.store import Store

KEPT_REQUESTS = 10_000


@dataclass
class State:
    store: Store = field(default_factory=Store)
    is_demo: bool = False
    journal: Journal = field(default_factory=lambda: Journal(KEPT_REQUESTS))
    trouble: Trouble = field(default_factory=Trouble)

    def __post_init__(self) -> None:
        self.demo = Demo(self.store)
        self.prepare()

    def prepare(self) -> None:
        """Today's demonstration events, where they are wanted and missing. Callers hold the store's lock."""
        if self.is_demo:
            self.demo.refresh()

    def reset(self) -> None:
        """Back to the beginning; settings and clients stay."""
        with self.store.lock:
            self.store.reset()
            self.journal.clear()
            self.trouble.clear()
            self.demo = Demo(self.store)
            self.prepare()
