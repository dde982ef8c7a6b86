"""What a workspace has used this month. Each package adds its own counts to `counters`."""

import zoneinfo
from collections.abc import Callable, Mapping
from datetime import datetime

from django.utils import timezone

from accounts.models import Workspace

Counter = Callable[[Workspace, datetime], Mapping[str, int]]

# Called with the workspace and the month's first instant; each answers with counts by name: {"runs": 120, …}.
counters: list[Counter] = []


def this_month(workspace: Workspace) -> dict[str, int]:
    """All counts of the workspace, by name."""
    since = month_start(workspace)
    counts: dict[str, int] = {}
    for counter in [of_accounts, *counters]:
        counts.update(counter(workspace, since))
    return counts


def month_start(workspace: Workspace) -> datetime:
    """The first instant of the current month by the workspace's clock."""
    now = timezone.now().astimezone(zoneinfo.ZoneInfo(workspace.timezone))
    return now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def of_accounts(workspace: Workspace, since: datetime) -> Mapping[str, int]:
    return {
        "members": workspace.memberships.count(),
        "tokens": workspace.api_tokens.filter(revoked_at=None).count(),
    }
