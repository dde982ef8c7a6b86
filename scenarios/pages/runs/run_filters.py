"""Which runs a list shows: the filters as they stand in the address, and the query that they mean."""

import re
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.db.models import Q, QuerySet
from django.db.models.fields import TextField
from django.db.models.functions import Cast, Right
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext_lazy as _

from lib.errors import Json
from scenarios.models import RUN_STATUSES, Run
from scenarios.selecting import first_id
from scenarios.triggers import run_id_of

UNDER_WAY = "active"  # queued or running: what a person calls "under way"
STATUSES: dict[str, tuple[str, ...]] = {
    UNDER_WAY: ("queued", "running"),
    **{status: (status,) for status, _label in RUN_STATUSES},
}
PERIODS = {"1": _("24 hours"), "7": _("7 days"), "14": _("14 days"), "30": _("30 days"), "": _("All time")}
CODE = re.compile(r"[a-z_]{1,64}")
PART_OF_ID = re.compile(r"[0-9a-f]{6,32}")
LONGEST_TAIL = 12  # digits of a UUID behind its last hyphen


@dataclass(frozen=True)
class Filters:
    """Each as text, as it stands in the address; what cannot be read is left out."""

    status: str = ""
    scenario: str = ""
    period: str = ""
    q: str = ""
    error: str = ""  # an error's code
    since: str = ""
    until: str = ""
    before: str = ""
    after: str = ""
    pick: str = ""  # rows are being chosen, to do something to many

    @classmethod
    def read(cls, query: Mapping[str, str]) -> "Filters":
        given = {name: query.get(name, "").strip()[:200] for name in asdict(cls())}
        usable = {
            "status": given["status"] in STATUSES,
            "period": given["period"] in PERIODS,
            "since": instant(given["since"]) is not None,
            "until": instant(given["until"]) is not None,
            "error": CODE.fullmatch(given["error"]) is not None,
            "pick": given["pick"] == "1",
            "before": run_id_of(given["before"]) is not None,
            "after": run_id_of(given["after"]) is not None,
        }
        return cls(**{name: value for name, value in given.items() if usable.get(name, True)})

    def query(self, **changes: str) -> str:
        """`?status=failed&q=…`; changing a filter goes back to the newest runs."""
        changed = replace(self, **({"before": "", "after": ""} | changes))
        given = {name: value for name, value in asdict(changed).items() if value}
        return f"?{urlencode(given)}" if given else "?"

    @property
    def narrows(self) -> bool:
        return replace(self, before="", after="", pick="") != Filters()

    @property
    def is_newest(self) -> bool:
        return not self.before and not self.after

    @property
    def statuses(self) -> tuple[str, ...]:
        return STATUSES[self.status] if self.status else ()

    def facts(self) -> dict[str, Json]:
        """What narrows, as JSON."""
        beside = {"before", "after", "pick"}
        return {name: value for name, value in asdict(self).items() if value and name not in beside}

    def narrowed(self, rows: QuerySet[Run]) -> QuerySet[Run]:
        if self.status:
            rows = rows.filter(status__in=self.statuses)
        if self.scenario:
            rows = rows.filter(scenario__public_id=self.scenario)
        if self.period:
            rows = rows.filter(id__gte=first_id(timezone.now() - timedelta(days=int(self.period))))
        if since := instant(self.since):
            rows = rows.filter(id__gte=first_id(since))
        if until := instant(self.until):
            rows = rows.filter(id__lt=first_id(until))
        if self.error:
            rows = rows.filter(error__code=self.error)
        return searched(rows, self.q) if self.q else rows


def searched(rows: QuerySet[Run], text: str) -> QuerySet[Run]:
    """By the beginning or the end of a run's id, else by the scenario's name."""
    digits = text.lower().replace("-", "").removeprefix("…")
    if not PART_OF_ID.fullmatch(digits):
        return rows.filter(scenario__name__icontains=text)
    least, most = uuid.UUID(digits.ljust(32, "0")), uuid.UUID(digits.ljust(32, "f"))
    found = Q(id__gte=least, id__lte=most)
    if len(digits) <= LONGEST_TAIL:
        tail: Any = Right(Cast("id", TextField()), len(digits))
        rows, found = rows.annotate(tail=tail), found | Q(tail=digits)
    return rows.filter(found)


def instant(text: str) -> datetime | None:
    try:
        moment = parse_datetime(text.replace(" ", "+"))
    except ValueError:
        return None
    return moment if moment is not None and moment.tzinfo is not None else None
