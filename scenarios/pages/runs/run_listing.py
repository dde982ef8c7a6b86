"""The list of runs: one page of rows with their steps, in a fixed number of queries."""

import hashlib
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Q, QuerySet

from accounts.access import Actor
from scenarios import access
from scenarios.document import parse
from scenarios.models import Run, Scenario, StepRun, Version
from scenarios.pages.runs import run_words
from scenarios.pages.runs.run_filters import UNDER_WAY, Filters
from scenarios.pages.runs.run_steps import Node, Tree, by_path, tree_of
from scenarios.paths import generic

PAGE = 50
MOST_COUNTED = 1000
COUNTED = {"queued": UNDER_WAY, "running": UNDER_WAY, "waiting": "waiting", "needs_review": "needs_review"}
SHOWN = (
    *("id", "workspace_id", "version_id", "trigger", "replay_of", "status", "fence", "error"),
    *("wake_at", "waits_for", "created_at", "started_at", "finished_at"),
    *("scenario__public_id", "scenario__name", "scenario__deleted_at"),
    *("started_by__name", "started_by__email", "delivery__method"),
)


@dataclass(frozen=True)
class Row:
    """A run in a list. `rail` holds the statuses of its steps, `standing` says in words how it stands."""

    run: Run
    cause: str
    standing: str
    rail: tuple[str, ...]

    @property
    def at(self) -> datetime:
        return self.run.created_at

    @property
    def took_ms(self) -> float | None:
        begun, ended = self.run.started_at, self.run.finished_at
        return (ended - begun).total_seconds() * 1000 if begun and ended else None

    @property
    def can_be_retried(self) -> bool:
        return self.run.status in {"failed", "cancelled"} and self.run.scenario.deleted_at is None

    @property
    def retry_from(self) -> str:
        """The step that failed; also one for which nothing stands before it: then nothing is taken over."""
        return str((self.run.error or {}).get("path") or "")


@dataclass(frozen=True)
class Page:
    """Rows, newest first, and the ids at which the pages before and after go on."""

    rows: tuple[Row, ...]
    newer: str = ""
    older: str = ""

    @property
    def is_live(self) -> bool:
        return any(row.run.finished_at is None for row in self.rows)

    @property
    def fingerprint(self) -> str:
        """Changes when anything on the page does."""
        facts = [(row.run.id.hex, row.run.status, row.run.fence, row.rail, row.standing) for row in self.rows]
        return hashlib.sha256(repr((facts, self.newer, self.older)).encode()).hexdigest()[:16]


def listed(actor: Actor) -> QuerySet[Run]:
    """The runs with what a row shows of them, and nothing large."""
    rows = access.runs(actor).select_related(None).select_related("scenario", "started_by", "delivery")
    return rows.only(*SHOWN)


def page_of(actor: Actor, filters: Filters) -> Page:
    """One page. Three queries: the runs, their steps, their versions."""
    rows = filters.narrowed(listed(actor))
    if filters.after:
        newest_last = list(rows.filter(id__gt=uuid.UUID(filters.after)).order_by("id")[: PAGE + 1])
        runs, more_newer, more_older = newest_last[:PAGE][::-1], len(newest_last) > PAGE, True
    else:
        if filters.before:
            rows = rows.filter(id__lt=uuid.UUID(filters.before))
        found = list(rows.order_by("-id")[: PAGE + 1])
        runs, more_newer, more_older = found[:PAGE], bool(filters.before), len(found) > PAGE
    return Page(
        rows_of(runs),
        newer=runs[0].id.hex if runs and more_newer else "",
        older=runs[-1].id.hex if runs and more_older else "",
    )


def rows_of(runs: Iterable[Run]) -> tuple[Row, ...]:
    """Two queries, however many runs."""
    all_runs = list(runs)
    trees = trees_by_version({run.version_id for run in all_runs})
    statuses = statuses_of(all_runs, trees.values())
    return tuple(row_of(run, trees.get(run.version_id, Tree(())), statuses.get(run.id, {})) for run in all_runs)


def row_of(run: Run, tree: Tree, statuses: Mapping[str, str]) -> Row:
    rail = tuple(statuses.get(node.path, "skipped") for node in tree.nodes)
    return Row(run, run_words.cause(run), run_words.standing(run, step_in_question(run, tree, statuses)), rail)


def step_in_question(run: Run, tree: Tree, statuses: Mapping[str, str]) -> str:
    """The step that a run failed at, stops at or is at, in words."""
    path = (run.error or {}).get("path") or ""
    if run.status == "running":
        path = under_way(tree.nodes, statuses)
    node = by_path(tree).get(generic(path)) if path else None
    if node is None:
        return ""
    return ", ".join(filter(None, (run_words.numbered(node.number, node.title), run_words.in_pass(path))))


def under_way(nodes: tuple[Node, ...], statuses: Mapping[str, str]) -> str:
    """The step that is being executed: the one that has begun, else the first that has not ended."""
    ended = {"succeeded", "failed", "skipped"}
    begun = next((path for path, status in statuses.items() if status not in ended), "")
    return begun or next((node.path for node in nodes if node.path not in statuses), "")


def trees_by_version(ids: Iterable[int]) -> dict[int, Tree]:
    documents = Version.objects.filter(pk__in=set(ids)).values_list("pk", "document")
    return {pk: tree_of(parse(document)) for pk, document in documents}


def statuses_of(runs: list[Run], trees: Iterable[Tree]) -> dict[uuid.UUID, dict[str, str]]:
    """Run → path → status, of the outermost steps: found by their paths, however many stand inside."""
    paths = {node.path for tree in trees for node in tree.nodes}
    steps = StepRun.objects.filter(run__in=[run.pk for run in runs], path__in=paths).order_by("position")
    found: dict[uuid.UUID, dict[str, str]] = {}
    for run_id, path, status in steps.values_list("run_id", "path", "status"):
        found.setdefault(run_id, {})[path] = status
    return found


def matching(actor: Actor, filters: Filters) -> int:
    """How many runs the filters find; no more than MOST_COUNTED + 1 are counted."""
    return filters.narrowed(access.runs(actor)).order_by()[: MOST_COUNTED + 1].count()


def counts(actor: Actor) -> dict[str, int]:
    """How many runs are under way, wait or need a decision: the partial indexes hold just these."""
    open_runs = Q(status="running") | Q(status__in=["queued", "waiting"]) | Q(status="needs_review")
    found = Run.objects.filter(open_runs, workspace=actor.workspace).values_list("status").annotate(Count("id"))
    numbers: dict[str, int] = {}
    for status, number in found.order_by():
        numbers[COUNTED[status]] = numbers.get(COUNTED[status], 0) + number
    return numbers


def scenario_choices(actor: Actor) -> list[tuple[str, str]]:
    """(public id, name) of the scenarios to choose from."""
    rows = Scenario.objects.filter(workspace=actor.workspace, deleted_at=None).order_by("name", "id")
    return list(rows.values_list("public_id", "name"))
