"""How much of a workspace waits to be run: beyond a limit its webhooks are told to come later."""

import threading
import time
from collections import Counter
from collections.abc import Hashable

from django.conf import settings

from scenarios import doors

COUNTED_FOR_S = 1.0
MOST_KNOWN = 10_000
COUNT = """
SELECT count(*) FROM (
    SELECT FROM scenarios_run
        WHERE workspace_id = %s AND status = 'queued' AND wake_at IS NOT NULL
    UNION ALL SELECT FROM scenarios_run
        WHERE workspace_id = %s AND status = 'queued' AND wake_at IS NULL
    LIMIT %s
) AS waiting
"""


def is_full(workspace_id: int) -> bool:
    """Whether a workspace has as many queued runs as it may, counted at most a second ago. Raises DatabaseAway."""
    now = time.monotonic()
    counted = _counted.get(workspace_id)
    if counted is None or counted[0] <= now:
        # Whoever comes while we count goes by the old number.
        with _lock:
            if len(_counted) >= MOST_KNOWN:
                _counted.clear()
            _counted[workspace_id] = (now + COUNTED_FOR_S, counted[1] if counted else 0)
        counted = (now + COUNTED_FOR_S, queued(workspace_id))
        _counted[workspace_id] = counted
    return counted[1] >= settings.MAX_QUEUED


def queued(workspace_id: int) -> int:
    (row,) = doors.ask(COUNT, (workspace_id, workspace_id, settings.MAX_QUEUED))
    return int(row[0])


def forget_all() -> None:
    with _lock:
        _counted.clear()


_counted: dict[int, tuple[float, int]] = {}
_lock = threading.Lock()


class Few:
    """Lets so many of each kind pass in a second: what is refused by the thousand is not written down by the thousand.

    `in_all` is the limit of all kinds together, and so of what is remembered.
    """

    def __init__(self, per_s: int, in_all: int) -> None:
        self.per_s = per_s
        self.in_all = in_all
        self.second = 0
        self.passed: Counter[Hashable] = Counter()
        self.lock = threading.Lock()

    def passes(self, kind: Hashable) -> bool:
        with self.lock:
            if self.second != (second := int(time.monotonic())):
                self.second = second
                self.passed.clear()
            if self.passed[kind] >= self.per_s or self.passed.total() >= self.in_all:
                return False
            self.passed[kind] += 1
            return True
