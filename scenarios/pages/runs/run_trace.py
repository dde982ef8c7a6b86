"""The course of a run: its trigger and steps as lines with bars on one axis of time, nested as the scenario is."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet
from django.db.models.fields.json import KeyTextTransform, KeyTransform
from django.utils import timezone

from scenarios.models import Run, StepRun
from scenarios.pages.runs import run_words
from scenarios.pages.runs.run_steps import Node, walk
from scenarios.triggers import TRIGGERS

TRIGGER = "trigger"  # stands for the trigger's panel where a path stands for a step's
MOST_STEPS = 500
LEAST_WIDTH = 0.8  # per cent: a bar that can be seen
OPEN = frozenset({"running", "waiting", "needs_review"})


@dataclass(frozen=True)
class Line:
    """One line. `x` and `width` are per cent of the run's time; `width` is None where nothing was executed.

    `status` is the step's, or empty where it has not begun.
    """

    path: str
    title: str
    kind: str
    icon: str
    number: int | None = None
    status: str = ""
    sub: str = ""
    attempt: int = 1
    took_ms: int | None = None
    started_at: datetime | None = None
    x: float = 0
    width: float | None = None
    is_current: bool = False
    inner: tuple["Line", ...] = ()

    @property
    def is_bad(self) -> bool:
        return self.status == "failed"


@dataclass(frozen=True)
class Axis:
    start: datetime
    end: datetime

    @property
    def took_ms(self) -> float:
        return max(1.0, (self.end - self.start).total_seconds() * 1000)

    def at(self, moment: datetime) -> float:
        passed = (moment - self.start).total_seconds() * 1000
        return min(100 - LEAST_WIDTH, max(0.0, passed / self.took_ms * 100))

    def width(self, took_ms: float, x: float) -> float:
        return min(100 - x, max(LEAST_WIDTH, took_ms / self.took_ms * 100))


def axis_of(run: Run) -> Axis:
    start = run.started_at or run.created_at
    return Axis(start, max(start, run.finished_at or timezone.now()))


def journal_of(run: Run) -> dict[str, StepRun]:
    """The run's steps by path, in the order of execution, without what they took and gave. One query."""
    rows: QuerySet[StepRun] = run.steps.defer("inputs", "exchange", "result").annotate(
        http_status=KeyTextTransform("status", KeyTransform("response", "exchange"))
    )
    return {row.path: row for row in rows.order_by("position", "path")[:MOST_STEPS]}


def lines_of(
    run: Run, nodes: tuple[Node, ...], journal: Mapping[str, StepRun], *, trigger_title: str, current: str
) -> list[Line]:
    axis = axis_of(run)
    known = {node.path for node in walk(nodes)}
    stray = [row for path, row in journal.items() if path not in known]
    return [
        trigger_line(run, trigger_title, current=current == TRIGGER),
        *(line_of(node, journal, axis, current) for node in nodes),
        *(stray_line(row, axis, current) for row in stray),
    ]


def trigger_line(run: Run, title: str, *, current: bool) -> Line:
    kind, cause = TRIGGERS.get(run.trigger), run_words.cause(run)
    return Line(
        path=TRIGGER,
        title=title,
        kind="trigger",
        icon=kind.icon if kind else "zap",
        status="succeeded",
        started_at=run.created_at,
        sub=cause.removeprefix(title).removeprefix(", "),
        is_current=current,
    )


def line_of(node: Node, journal: Mapping[str, StepRun], axis: Axis, current: str) -> Line:
    row = journal.get(node.path)
    inner = tuple(line_of(one, journal, axis, current) for one in node.inner)
    line = Line(node.path, node.title, node.kind, node.icon, node.number, is_current=current == node.path, inner=inner)
    return with_facts(line, row, axis) if row else line


def stray_line(row: StepRun, axis: Axis, current: str) -> Line:
    """A step that the version does not place: shown by its path rather than not at all."""
    line = Line(row.path, row.path, "action", "circle-dot", is_current=current == row.path)
    return with_facts(line, row, axis)


def with_facts(line: Line, row: StepRun, axis: Axis) -> Line:
    x = axis.at(row.started_at) if row.started_at else 0
    took = row.took_ms
    if took is None and row.status == "running" and row.started_at:
        took = round((axis.end - row.started_at).total_seconds() * 1000)
    return Line(
        path=line.path,
        title=line.title,
        kind=line.kind,
        icon=line.icon,
        number=line.number,
        status=row.status,
        sub=sub_of(row),
        attempt=row.attempt,
        took_ms=row.took_ms,
        started_at=row.started_at,
        x=round(x, 2),
        width=round(axis.width(took, x), 2) if took is not None else None,
        is_current=line.is_current,
        inner=line.inner,
    )


def sub_of(row: StepRun) -> str:
    if row.error:
        return run_words.error_text(row.error)
    status = getattr(row, "http_status", None)
    return f"HTTP {status}" if status else ""


def step_to_show(run: Run, lines: Iterable[Line]) -> str:
    """The step that a person wants to see first: where it went wrong or is going on, else the last that was done."""
    shown = [one for line in lines for one in (line, *line.inner)]
    named = (run.error or {}).get("path", "")
    if any(line.path == named for line in shown):
        return str(named)
    open_step = next((line.path for line in shown if line.status in OPEN), "")
    return open_step or next((line.path for line in reversed(shown) if line.status and line.path != TRIGGER), TRIGGER)
