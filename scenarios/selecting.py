"""Which runs are meant: by scenario, status, time and error. The lists, the API and what is done to many ask here."""

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db.models import QuerySet

from lib.errors import Json
from scenarios.models import Run

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LAST = (1 << 128) - 1
SLACK = timedelta(hours=1)  # a run's id is made by the clock of the machine that made it


@dataclass(frozen=True)
class Selection:
    """What is empty does not narrow. `error` is a code; `until` itself is not included."""

    scenario: str = ""
    statuses: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    error: str = ""

    def narrowed(self, rows: QuerySet[Run]) -> QuerySet[Run]:
        if self.scenario:
            rows = rows.filter(scenario__public_id=self.scenario)
        if self.statuses:
            rows = rows.filter(status__in=self.statuses)
        if self.since is not None:
            rows = rows.filter(created_at__gte=self.since, id__gte=first_id(self.since, slack=-SLACK))
        if self.until is not None:
            rows = rows.filter(created_at__lt=self.until, id__lt=first_id(self.until, slack=SLACK))
        return rows.filter(error__code=self.error) if self.error else rows

    def facts(self) -> dict[str, Json]:
        """What narrows, as JSON."""
        given = {
            "scenario": self.scenario,
            "status": ",".join(self.statuses),
            "since": self.since.isoformat() if self.since else "",
            "until": self.until.isoformat() if self.until else "",
            "error": self.error,
        }
        return {name: value for name, value in given.items() if value}


def first_id(moment: datetime, *, slack: timedelta = timedelta()) -> uuid.UUID:
    """No run that began at this moment or later has a smaller id: UUIDv7 begins with its milliseconds."""
    passed = moment - EPOCH + slack
    return uuid.UUID(int=min(LAST, max(0, passed // timedelta(milliseconds=1)) << 80))
