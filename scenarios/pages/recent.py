"""The last runs of many scenarios at once, for ticks in lists: one look at the index for each scenario."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

SHOWN = 24

LAST = """
SELECT given.id, run.status, run.created_at
FROM unnest(%s::bigint[]) AS given(id)
CROSS JOIN LATERAL (
    SELECT id, status, created_at FROM scenarios_run WHERE scenario_id = given.id ORDER BY id DESC LIMIT %s::int
) AS run
ORDER BY given.id, run.id
"""


@dataclass(frozen=True)
class Recent:
    """The statuses of a scenario's last runs, oldest first, and when the newest began."""

    statuses: tuple[str, ...] = ()
    last_at: datetime | None = None


def by_scenario(ids: Iterable[int], count: int = SHOWN) -> dict[int, Recent]:
    """For each scenario that has run at all. One query."""
    wanted = list(ids)
    if not wanted:
        return {}
    found: dict[int, Recent] = {}
    with connection.cursor() as cursor:
        cursor.execute(LAST, [wanted, count])
        for scenario_id, status, created_at in cursor.fetchall():
            earlier = found.get(scenario_id, Recent())
            found[scenario_id] = Recent((*earlier.statuses, status), created_at)
    return found
