"""What the overview shows: what needs a person, the last day in figures, scenarios, runs. Few and bounded queries."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from statistics import median
from typing import Any

from django.db.models import CharField, Count, F, Func, JSONField, OuterRef, Q, Subquery, Value
from django.db.models.fields.json import KeyTransform
from django.db.models.functions import Cast, Coalesce, Concat, TruncHour
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from accounts.access import Actor
from accounts.roles import Role
from actions.base import Action
from connections.models import Connection
from lib.errors import describe
from scenarios import masked
from scenarios.document import Document, Trigger
from scenarios.editing import known_action
from scenarios.models import Run, Scenario
from scenarios.pages import recent, wording
from scenarios.pages.runs import run_listing, run_words
from scenarios.selecting import first_id
from scenarios.triggers import TRIGGERS

WINDOW = timedelta(hours=24)
HOURS = 24
SCENARIOS_READ, SCENARIOS_SHOWN = 200, 8
RUNS_READ, RUNS_SHOWN = 50, 7
TROUBLES_READ = 500
CONNECTIONS_SHOWN, NEXT_SHOWN, TILES = 5, 4, 3
PAUSED_SHOWN = 5
BROKEN = ("needs_reauthorization", "misconfigured")
TROUBLED = Q(status="failed") | Q(status="needs_review")


@dataclass(frozen=True)
class Bar:
    """An hour of the chart. Heights are per cent of the axis."""

    start: datetime
    ok: int
    failed: int
    ok_height: float
    failed_height: float
    is_last: bool

    @property
    def end(self) -> datetime:
        return self.start + timedelta(hours=1)

    @property
    def query(self) -> str:
        return f"?since={stamp(self.start)}&until={stamp(self.end)}"

    @property
    def ok_y(self) -> float:
        return 100 - self.ok_height

    @property
    def failed_y(self) -> float:
        return 100 - self.ok_height - self.failed_height - (1 if self.ok else 0)


@dataclass(frozen=True)
class Chart:
    """Runs per hour. `marks` are the numbers on the axis, from the top."""

    bars: tuple[Bar, ...]
    marks: tuple[int, ...]
    worst: Bar | None


@dataclass(frozen=True)
class Figures:
    total: int
    succeeded: int
    failed: int

    @property
    def share(self) -> float | None:
        """Per cent of the ended runs that succeeded."""
        ended = self.succeeded + self.failed
        return self.succeeded * 100 / ended if ended else None


@dataclass(frozen=True)
class Item:
    """A scenario in the list."""

    id: str
    name: str
    status: str
    sub: str
    tiles: tuple[tuple[str, str], ...]
    ticks: tuple[str, ...]
    last_at: datetime | None
    next_at: datetime | None

    @property
    def is_on(self) -> bool:
        return self.status == "active"


@dataclass(frozen=True)
class Failing:
    """A scenario that failed within the day: how often, and the last time."""

    id: str
    name: str
    count: int
    run_id: str
    text: str
    at: datetime


@dataclass(frozen=True)
class Paused:
    """A scenario that was paused for its own good: why, and what to do."""

    id: str
    name: str
    code: str
    text: str
    hint: str
    at: datetime | None


class Dashboard:
    def __init__(self, actor: Actor) -> None:
        self.actor = actor
        self.now = timezone.now()
        self.may_edit = actor.may(Role.EDITOR)

    # What needs a person

    @cached_property
    def connections(self) -> list[Connection]:
        """The workspace's connections, broken ones first; each with `waiting`, the runs that wait for it."""
        held = (
            Run.objects.filter(status="waiting", waits_for=OuterRef("waits_as"), workspace=self.actor.workspace)
            .order_by()
            .values("waits_for")
            .annotate(n=Count("id"))
            .values("n")
        )
        rows = Connection.objects.filter(workspace=self.actor.workspace).annotate(
            waits_as=Concat(Value("connection:"), Cast("pk", CharField())),
            waiting=Coalesce(Subquery(held), 0),
            is_broken=Q(status__in=BROKEN),
        )
        return list(rows.defer("secrets", "tokens").order_by("-is_broken", "name", "id"))

    @property
    def broken_connections(self) -> list[Connection]:
        return [row for row in self.connections if row.status in BROKEN]

    @cached_property
    def troubles(self) -> list[Run]:
        """All runs that need a decision, then those that failed within the day; each newest first."""
        of_today = Q(status="failed", id__gte=first_id(self.now - WINDOW))
        rows = Run.objects.filter(TROUBLED, of_today | Q(status="needs_review"), workspace=self.actor.workspace)
        shown = rows.select_related("scenario").only(
            "id", "status", "error", "created_at", "scenario__public_id", "scenario__name"
        )
        return list(shown.order_by("-status", "-id")[:TROUBLES_READ])

    @cached_property
    def paused(self) -> list[Paused]:
        """The scenarios that we paused ourselves, and why; the newest first."""
        rows = [row for row in self.scenario_rows if row["paused_reason"]]
        found = [paused_of(row["public_id"], row["name"], row["paused_reason"]) for row in rows]
        return sorted(found, key=lambda one: one.at or self.now, reverse=True)[:PAUSED_SHOWN]

    @property
    def are_troubles_cut(self) -> bool:
        """There are more than were read: numbers by scenario would be too small."""
        return len(self.troubles) == TROUBLES_READ

    @property
    def to_decide(self) -> list[Run]:
        return [run for run in self.troubles if run.status == "needs_review"]

    @cached_property
    def failing(self) -> list[Failing]:
        """By scenario, the newest failure first."""
        found: dict[str, list[Run]] = {}
        for run in self.troubles:
            if run.status == "failed":
                found.setdefault(run.scenario.public_id, []).append(run)
        return [
            Failing(
                id=public_id,
                name=runs[0].scenario.name,
                count=len(runs),
                run_id=runs[0].id.hex,
                text=run_words.error_text(runs[0].error),
                at=runs[0].created_at,
            )
            for public_id, runs in found.items()
        ]

    # The day in figures

    @cached_property
    def hours(self) -> dict[datetime, dict[str, int]]:
        """Start of an hour → status → number of runs. One query, bounded by the key."""
        rows = (
            Run.objects.filter(workspace=self.actor.workspace, id__gte=first_id(self.first_hour))
            .order_by()
            .annotate(hour=TruncHour("created_at"))
            .values_list("hour", "status")
            .annotate(n=Count("id"))
        )
        found: dict[datetime, dict[str, int]] = {}
        for hour, status, number in rows:
            found.setdefault(hour, {})[status] = number
        return found

    @property
    def first_hour(self) -> datetime:
        here = timezone.localtime(self.now).replace(minute=0, second=0, microsecond=0)
        return here - timedelta(hours=HOURS - 1)

    @cached_property
    def figures(self) -> Figures:
        sums: dict[str, int] = {}
        for statuses in self.hours.values():
            for status, number in statuses.items():
                sums[status] = sums.get(status, 0) + number
        return Figures(sum(sums.values()), sums.get("succeeded", 0), sums.get("failed", 0))

    @cached_property
    def chart(self) -> Chart:
        starts = [self.first_hour + timedelta(hours=number) for number in range(HOURS)]
        numbers = [split_of(self.hours.get(start, {})) for start in starts]
        top = rounded_up(max((ok + failed for ok, failed in numbers), default=0))
        bars = tuple(
            Bar(
                start=start,
                ok=ok,
                failed=failed,
                ok_height=round(ok * 100 / top, 2),
                failed_height=round(max(failed * 100 / top, 2), 2) if failed else 0,
                is_last=start == starts[-1],
            )
            for start, (ok, failed) in zip(starts, numbers, strict=True)
        )
        worst = max(bars, key=lambda bar: bar.failed)
        return Chart(bars, tuple(top * part // 3 for part in (3, 2, 1, 0)), worst if worst.failed else None)

    @property
    def chart_words(self) -> str:
        figures = self.figures
        words = _("Runs per hour of the last 24 hours: {total}, of them failed {failed}.").format(
            total=figures.total, failed=figures.failed
        )
        worst = self.chart.worst
        if worst is None:
            return words
        hour = date_format(timezone.localtime(worst.start), "H:i")
        return f"{words} " + _("Most failures from {hour}: {n}.").format(hour=hour, n=worst.failed)

    # Runs

    @cached_property
    def last_runs(self) -> list[Run]:
        return list(run_listing.listed(self.actor).order_by("-id")[:RUNS_READ])

    @cached_property
    def rows(self) -> list[tuple[Run, str]]:
        """The newest runs, each with how it stands."""
        return [(run, run_words.standing(run, "")) for run in self.last_runs[:RUNS_SHOWN]]

    @property
    def usual_ms(self) -> float | None:
        """The median of the last runs that succeeded."""
        took = [
            (run.finished_at - run.started_at).total_seconds() * 1000
            for run in self.last_runs
            if run.status == "succeeded" and run.started_at and run.finished_at
        ]
        return median(took) if took else None

    # Scenarios

    @cached_property
    def scenario_rows(self) -> list[dict[str, Any]]:
        """All scenarios, those that are on first, with the little of their documents that a list shows."""
        document = Coalesce("published__document", "document")
        rows = (
            Scenario.objects.filter(workspace=self.actor.workspace, deleted_at=None)
            .annotate(is_on=Q(status="active"), is_paused=Q(paused_reason__isnull=False), shown=document)
            .annotate(
                trigger=KeyTransform("trigger", "shown"),
                actions=Func(
                    F("shown"), Value("$.steps[*].action"), function="jsonb_path_query_array", output_field=JSONField(),
                    template="%(function)s(%(expressions)s::jsonpath)",
                ),
                next_at=F("schedule__next_at"),
            )
        )  # fmt: skip
        names = ("pk", "public_id", "name", "status", "trigger", "actions", "next_at", "paused_reason")
        return list(rows.order_by("-is_on", "-is_paused", "-updated_at").values(*names)[:SCENARIOS_READ])

    @property
    def active(self) -> int:
        return sum(row["status"] == "active" for row in self.scenario_rows)

    @cached_property
    def items(self) -> list[Item]:
        shown = self.scenario_rows[:SCENARIOS_SHOWN]
        lately = recent.by_scenario(row["pk"] for row in shown)
        return [item_of(row, lately.get(row["pk"], recent.Recent())) for row in shown]

    @cached_property
    def next_fires(self) -> list[dict[str, Any]]:
        due = [row for row in self.scenario_rows if row["next_at"] and row["status"] == "active"]
        return sorted(due, key=lambda row: row["next_at"])[:NEXT_SHOWN]

    # The first steps

    @property
    def is_new(self) -> bool:
        return not self.scenario_rows and not self.last_runs

    @cached_property
    def first_steps(self) -> dict[str, bool]:
        return {
            "connection": any(row.status == "connected" for row in self.connections),
            "scenario": bool(self.scenario_rows),
            "on": self.active > 0,
            "run": any(run.status == "succeeded" for run in self.last_runs),
        }

    @property
    def steps_done(self) -> int:
        return sum(self.first_steps.values())

    @property
    def shows_first_steps(self) -> bool:
        return self.may_edit and not self.is_new and not self.first_steps["run"]


def paused_of(public_id: str, name: str, reason: Mapping[str, Any]) -> Paused:
    told = describe(masked.for_reading(reason), _)
    at = reason.get("at")
    moment = parse_datetime(at) if isinstance(at, str) else None
    return Paused(public_id, name, told["code"], told["text"], told["hint"], moment)


def item_of(row: Mapping[str, Any], lately: recent.Recent) -> Item:
    trigger = row["trigger"] if isinstance(row["trigger"], dict) else {}
    kind = TRIGGERS.get(trigger.get("type", ""))
    found = [action for key in row["actions"] or [] if (action := known_action(key))]
    modules = dict.fromkeys(str(action.title) for action in found)
    words = wording.trigger(Document("", Trigger("s1", trigger.get("type", ""), inputs=trigger.get("inputs") or {})))
    return Item(
        id=row["public_id"],
        name=row["name"],
        status=row["status"],
        sub=" · ".join([words, *list(modules)[:2]]),
        tiles=(("trigger", kind.icon if kind else "zap"), *(tile_of(action) for action in found[: TILES - 1])),
        ticks=lately.statuses,
        last_at=lately.last_at,
        next_at=row["next_at"],
    )


def tile_of(action: type[Action]) -> tuple[str, str]:
    return action.kind, action.icon


def split_of(statuses: Mapping[str, int]) -> tuple[int, int]:
    """Runs that did not fail, and those that did."""
    failed = statuses.get("failed", 0)
    return sum(statuses.values()) - failed, failed


def rounded_up(most: int) -> int:
    """A top for the axis that three even parts divide: 3, 6, 9, 15, 30, 60, …"""
    top = 3
    while top < most:
        top = next(round_number for round_number in steps_from(top) if round_number > top)
    return top


def steps_from(top: int) -> list[int]:
    scale = 1
    while scale * 30 <= top:
        scale *= 10
    return [number * scale for number in (3, 6, 9, 15, 21, 30)] + [60 * scale]


def stamp(moment: datetime) -> str:
    return moment.astimezone(timezone.get_fixed_timezone(0)).strftime("%Y-%m-%dT%H:%M:%SZ")
