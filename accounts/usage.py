"""What a workspace has used this month. Each package adds its own counts to `counters`."""

import zoneinfo
from collections.abc import Callable, Mapping
from datetime import datetime

from django.utils import timezone
from django.utils.translation import gettext

from accounts.models import Workspace
from lib.errors import gettext_noop as _

Counter = Callable[[Workspace, datetime], Mapping[str, int]]

# Called with the workspace and the month's first instant; each answers with counts by name: {"runs": 120, …}.
counters: list[Counter] = []

# What the counts are called on the page; an unknown one is shown by its own name.
TITLES: dict[str, str] = {
    "members": _("Members"),
    "tokens": _("API tokens"),
    "runs": _("Runs"),
    "scenarios": _("Scenarios"),
    "connections": _("Connections"),
}


def this_month(workspace: Workspace) -> dict[str, int]:
    """All counts of the workspace, by name."""
    since = month_start(workspace)
    counts: dict[str, int] = {}
    for counter in [of_accounts, *counters]:
        counts.update(counter(workspace, since))
    return counts


def in_words(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    """[("Members", 3), …] in the reader's language."""
    return [(gettext(TITLES[name]) if name in TITLES else name, count) for name, count in counts.items()]


def month_start(workspace: Workspace) -> datetime:
    """The first instant of the current month by the workspace's clock."""
    now = timezone.now().astimezone(zoneinfo.ZoneInfo(workspace.timezone))
    return now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def of_accounts(workspace: Workspace, since: datetime) -> Mapping[str, int]:
    return {
        "members": workspace.memberships.count(),
        "tokens": workspace.api_tokens.filter(revoked_at=None).count(),
    }
