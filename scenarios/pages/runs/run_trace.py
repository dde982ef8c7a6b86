"""The course of a run: its trigger and steps as lines with bars on one axis of time, nested as the scenario is."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from django.utils import timezone
from django.utils.translation import gettext as _

from scenarios.models import Run, StepRun
from scenarios.pages.runs import run_words
from scenarios.pages.runs.run_course import Course, Passes
from scenarios.pages.runs.run_steps import BRANCH, HANDLER, LOOP, Group, Node
from scenarios.triggers import TRIGGERS

TRIGGER = "trigger"  # stands for the trigger's panel where a path stands for a step's
LEAST_WIDTH = 0.8  # per cent: a bar that can be seen
OPEN = frozenset({"running", "waiting", "needs_review"})


@dataclass(frozen=True)
class Lines:
    """The lines of steps inside a step. `is_aside`: nothing in it was executed, so that it is folded away.

    `kind` is branch, loop or handler.
    """

    kind: str
    title: str
    lines: tuple["Line", ...]
    is_aside: bool = False
    passes: Passes | None = None

    @property
    def look(self) -> str:
        return {BRANCH: "logic", LOOP: "loop"}.get(self.kind, "err")

    @property
    def is_open(self) -> bool:
        """Whether the chosen step is in it."""
        return any(line.is_current or any(group.is_open for group in line.groups) for line in self.lines)


@dataclass(frozen=True)
class Line:
    """One line. `x` and `width` are per cent of the run's time; `width` is None where nothing was executed.

    `status` is the step's, or empty where it has not begun; `is_taken_over`: an earlier run has executed it.
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
    is_taken_over: bool = False
    called: tuple[str, str] | None = None  # the run that the step called, and its status
    groups: tuple[Lines, ...] = ()

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


@dataclass(frozen=True)
class Trace:
    """Makes the lines of a run. `current` is the path of the chosen one."""

    course: Course
    axis: Axis
    current: str = ""

    @property
    def run(self) -> Run:
        return self.course.run

    def lines(self, trigger_title: str) -> list[Line]:
        return [
            trigger_line(self.run, trigger_title, current=self.current == TRIGGER),
            *(self.line(node, node.step.key) for node in self.course.tree.nodes),
        ]

    def handler(self) -> Lines | None:
        """The steps for the failure of the whole run."""
        nodes = self.course.tree.handler
        if not nodes:
            return None
        lines = tuple(self.line(node, node.path) for node in nodes)
        return Lines(HANDLER, _("When the run fails"), lines, is_aside=not any(line.status for line in lines))

    def line(self, node: Node, path: str) -> Line:
        row = self.course.rows.get(path)
        line = Line(path, node.title, node.kind, node.icon, node.number, is_current=self.current == path)
        if row is not None:
            line = self.with_facts(line, row, node)
        return replace(line, groups=tuple(self.groups(node, path)), called=self.course.children.get(path))

    def groups(self, node: Node, path: str) -> Iterator[Lines]:
        for group in node.groups:
            prefix = group.prefix(path, self.course.pass_of(path))
            lines = tuple(self.line(one, f"{prefix}{one.step.key}") for one in group.nodes)
            if lines or group.kind != HANDLER:
                yield self.lines_of(group, lines, node, path)

    def lines_of(self, group: Group, lines: tuple[Line, ...], node: Node, path: str) -> Lines:
        if group.kind == BRANCH:
            taken = self.course.taken(path, node)
            return Lines(BRANCH, branch_name(group), lines, is_aside=taken != group.number)
        if group.kind == LOOP:
            passes = self.course.passes(path)
            return Lines(LOOP, "", lines, is_aside=passes is None or not passes.count, passes=passes)
        return Lines(HANDLER, _("In case of an error"), lines, is_aside=not any(line.status for line in lines))

    def with_facts(self, line: Line, row: StepRun, node: Node | None = None) -> Line:
        x = self.axis.at(row.started_at) if row.started_at else 0
        took = row.took_ms
        if took is None and row.status == "running" and row.started_at:
            took = round((self.axis.end - row.started_at).total_seconds() * 1000)
        is_taken_over = row.fence == 0 and self.run.replay_of is not None
        return replace(
            line,
            status=row.status,
            sub=self.sub_of(row, node),
            attempt=row.attempt,
            took_ms=row.took_ms,
            started_at=row.started_at,
            x=round(x, 2),
            width=round(self.axis.width(took, x), 2) if took is not None and not is_taken_over else None,
            is_taken_over=is_taken_over,
        )

    def sub_of(self, row: StepRun, node: Node | None) -> str:
        if node is not None and any(group.kind == BRANCH for group in node.groups):
            return self.branch_words(node, row.path)
        if node is not None and (passes := self.course.passes(row.path)) is not None:
            return run_words.passes(passes.begun, passes.total)
        if row.error:
            return run_words.error_text(row.error)
        if row.status == "waiting" and row.resume_at:
            return _("until {time}").format(time=run_words.clock(row.resume_at))
        status = getattr(row, "http_status", None)
        return f"HTTP {status}" if status else ""

    def branch_words(self, node: Node, path: str) -> str:
        taken = self.course.taken(path, node)
        found = next((one for one in node.groups if one.kind == BRANCH and one.number == taken), None)
        return _("branch “{name}”").format(name=branch_name(found)) if found else _("no branch fitted")

    def stray(self, row: StepRun) -> Line:
        """A step that the version does not place: shown by its path rather than not at all."""
        line = Line(row.path, row.path, "action", "circle-dot", is_current=self.current == row.path)
        return self.with_facts(line, row)


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


def branch_name(group: Group) -> str:
    return group.name or _("Branch {n}").format(n=group.number + 1)


def walk(lines: Iterable[Line]) -> Iterator[Line]:
    for line in lines:
        yield line
        for group in line.groups:
            yield from walk(group.lines)


def step_to_show(run: Run, lines: Iterable[Line]) -> str:
    """The step that a person wants to see first: where it went wrong or is going on, else the last that was done."""
    shown = list(walk(lines))
    named = (run.error or {}).get("path", "")
    if any(line.path == named for line in shown):
        return str(named)
    open_step = next((line.path for line in reversed(shown) if line.status in OPEN), "")
    top = [line for line in lines if line.status and line.path != TRIGGER]
    return open_step or (top[-1].path if top else TRIGGER)
