"""What a run's page reads of the journal: the steps in sight and the passes around the chosen ones, in few queries.

A run may have a hundred thousand steps. Of each loop one pass is open and a window of passes is in sight; which ones,
the document and the chosen path say, so that all rows are found by their paths.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import quote

from django.db import connection
from django.db.models import Case, Q, QuerySet, When
from django.db.models.fields.json import KeyTextTransform, KeyTransform
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from lib import safe_json
from lib.errors import Json
from scenarios import masked
from scenarios.document import FOR_EACH
from scenarios.models import ENDED, Run, StepRun
from scenarios.pages.runs.run_steps import BRANCH, Node, Tree

WINDOW = 50  # passes in sight
MOST_LOOKED_UP = 3_000  # rows by path, for the passes in sight
MOST_FAILED = 100  # failed passes that are named
LONGEST_ITEM = 20_000  # characters of JSON that are read for the name of an item
NAMING = ("name", "title", "summary", "subject", "email", "id")
OPEN = ("running", "waiting", "needs_review")
STATUS_CSS = {
    "": " iter--todo",
    "succeeded": "",
    "failed": " iter--err",
    "running": " iter--run",
    "cancelled": " iter--todo",
}
STATUS_WORDS = {
    "": gettext_lazy("not yet"),
    "succeeded": gettext_lazy("succeeded"),
    "failed": gettext_lazy("failed"),
    "running": gettext_lazy("running"),
    "waiting": gettext_lazy("waiting"),
    "needs_review": gettext_lazy("needs a decision"),
    "cancelled": gettext_lazy("cancelled"),
}

# For each loop in sight: how long its list is, how many passes have begun, which of them failed, the item in sight.
LOOPS = """
SELECT loop.path, COALESCE(
    CASE WHEN jsonb_typeof(step.result->'count') = 'number' THEN (step.result->>'count')::int END,
    CASE WHEN jsonb_typeof(step.inputs->'items') = 'array' THEN jsonb_array_length(step.inputs->'items') END
), begun.number, begun.failed, CASE WHEN length((step.inputs->'items'->loop.pass)::text) < %(longest)s
    THEN (step.inputs->'items'->loop.pass)::text END
FROM unnest(%(paths)s::text[], %(firsts)s::text[], %(passes)s::int[]) AS loop(path, first, pass)
JOIN scenarios_steprun step ON step.run_id = %(run)s AND step.path = loop.path
CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE right(path, length(loop.first) + 2) = ']/' || loop.first) AS number,
        (array_agg(substr(path, length(loop.path) + 2)) FILTER (WHERE status = 'failed'))[1:%(most)s] AS failed
    FROM scenarios_steprun
    WHERE run_id = %(run)s AND path COLLATE "C" >= loop.path || '[' AND path COLLATE "C" < loop.path || '\\'
) AS begun
"""


@dataclass(frozen=True)
class Square:
    """A pass: its number (from 0), its status or nothing where it has not begun, and where it leads."""

    number: int
    status: str
    path: str
    is_current: bool

    def html(self, url: str) -> SafeString:
        """Drawn here and not by a template: a page has many. `url` is the run's page."""
        shown = self.number + 1
        name = _("Pass {n}, {status}").format(n=shown, status=STATUS_WORDS.get(self.status, self.status))
        address = f"{url}?step={quote(self.path, safe='')}"
        current = SafeString(' aria-current="true"') if self.is_current else ""
        return format_html(
            '<a class="iter{}" href="{}" hx-get="{}" hx-target="#run" hx-ext="morph" hx-swap="morph:outerHTML"'
            ' hx-push-url="true"{} aria-label="{}">{}</a>',
            STATUS_CSS.get(self.status, " iter--warn"), address, address, current, name, shown,
        )  # fmt: skip


@dataclass(frozen=True)
class Passes:
    """The passes of a loop: those in sight, and the ways to the others. `total` is None where nobody knows it yet."""

    loop: str
    first_key: str
    url: str
    current: int
    begun: int
    total: int | None
    squares: tuple[Square, ...]
    earlier: str = ""
    later: str = ""
    failed: tuple[Square, ...] = ()
    item: str = ""

    @property
    def count(self) -> int:
        return max(self.begun, self.total or 0)

    @property
    def first_shown(self) -> int:
        return self.squares[0].number + 1 if self.squares else 0

    @property
    def last_shown(self) -> int:
        return self.squares[-1].number + 1 if self.squares else 0

    @property
    def drawn(self) -> SafeString:
        return SafeString("".join(one.html(self.url) for one in self.squares))

    @property
    def drawn_failed(self) -> SafeString:
        return SafeString("".join(one.html(self.url) for one in self.failed))

    @property
    def is_long(self) -> bool:
        return self.count > len(self.squares)


class Course:
    """The steps of a run that are in sight. `focus`: paths in whose passes we look, the most wanted first."""

    def __init__(self, run: Run, tree: Tree, focus: Iterable[str]) -> None:
        self.run = run
        self.tree = tree
        self.focus = tuple(filter(None, focus))

    def pass_of(self, loop: str) -> int:
        """The number of the pass of a loop that is open."""
        for path in self.focus:
            if found := re.match(re.escape(loop) + r"\[([0-9]{1,9})\]/", path):
                return int(found[1])
        return 0

    def places(self, nodes: tuple[Node, ...], prefix: str) -> Iterator[tuple[str, Node]]:
        """Each step that may be in sight, with its path in the run."""
        for node in nodes:
            path = f"{prefix}{node.step.key}"
            yield path, node
            for group in node.groups:
                yield from self.places(group.nodes, group.prefix(path, self.pass_of(path)))

    @cached_property
    def in_sight(self) -> dict[str, Node]:
        return dict([*self.places(self.tree.nodes, ""), *self.places(self.tree.handler, "!/")])

    @cached_property
    def rows(self) -> dict[str, StepRun]:
        """The rows of the steps in sight, without what they took and gave. One query."""
        flow = [path for path, node in self.in_sight.items() if node.step.action.startswith("flow.")]
        others = ~Q(path__in=flow)
        found: QuerySet[StepRun] = self.run.steps.defer("inputs", "exchange", "result").annotate(
            http_status=Case(When(others, then=KeyTextTransform("status", KeyTransform("response", "exchange")))),
            branch=Case(When(path__in=flow, then=KeyTextTransform("branch", "inputs"))),
            called=Case(When(path__in=flow, then=KeyTextTransform("run", "inputs"))),
        )
        rows = found.filter(path__in=[*self.in_sight, *self.focus]).order_by("position", "path")
        return {row.path: row for row in rows}

    @cached_property
    def loops(self) -> dict[str, Node]:
        return {path: node for path, node in self.in_sight.items() if self.is_loop(path, node)}

    def is_loop(self, path: str, node: Node) -> bool:
        return node.step.action == FOR_EACH and bool(node.step.steps) and path in self.rows

    @cached_property
    def facts(self) -> dict[str, tuple[int | None, int, list[str], Json]]:
        """Loop → (length of its list, passes begun, ends of the paths of failed steps, the open pass's item)."""
        if not self.loops:
            return {}
        given: dict[str, Any] = {
            "run": self.run.pk,
            "paths": list(self.loops),
            "firsts": [node.step.steps[0].key for node in self.loops.values()],
            "passes": [self.pass_of(path) for path in self.loops],
            "longest": LONGEST_ITEM,
            "most": MOST_FAILED * 2,
        }
        with connection.cursor() as cursor:
            cursor.execute(LOOPS, given)
            return {path: (total, begun, failed or [], item) for path, total, begun, failed, item in cursor.fetchall()}

    @cached_property
    def statuses(self) -> dict[str, str]:
        """The statuses of the steps of the passes in sight. One query."""
        paths = [
            f"{loop}[{number}]/{step.key}"
            for loop, node in self.loops.items()
            for number in self.window(loop)
            for step in node.step.steps
        ]
        rows = self.run.steps.filter(path__in=paths[:MOST_LOOKED_UP]) if paths else self.run.steps.none()
        return dict(rows.values_list("path", "status"))

    def window(self, loop: str) -> range:
        total, begun, *_rest = self.facts[loop]
        begin = self.pass_of(loop) // WINDOW * WINDOW
        return range(begin, min(begin + WINDOW, max(total or 0, begun)))

    def passes(self, loop: str) -> Passes | None:
        node = self.loops.get(loop)
        if node is None or loop not in self.facts:
            return None
        total, begun, failed, item = self.facts[loop]
        window = self.window(loop)
        failing = {step.key for step in node.step.steps if step.on_error == "stop"}
        numbers = sorted({int(number) for number, key in map(split, failed) if key in failing})
        return Passes(
            loop=loop,
            first_key=node.step.steps[0].key,
            url=reverse("runs:detail", args=[self.run.pk.hex]),
            current=self.pass_of(loop),
            begun=begun,
            total=total,
            squares=tuple(self.square(loop, node, number) for number in window),
            earlier=self.way(loop, node, window.start - WINDOW) if window.start else "",
            later=self.way(loop, node, window.stop) if window.stop < max(total or 0, begun) else "",
            failed=tuple(
                Square(number, "failed", self.way(loop, node, number), number == self.pass_of(loop))
                for number in numbers[:MOST_FAILED]
                if number not in window
            ),
            item=name_of(item),
        )

    def way(self, loop: str, node: Node, number: int) -> str:
        return f"{loop}[{number}]/{node.step.steps[0].key}"

    def square(self, loop: str, node: Node, number: int) -> Square:
        found = [(step, self.statuses.get(f"{loop}[{number}]/{step.key}", "")) for step in node.step.steps]
        failed = next((step for step, status in found if status == "failed" and step.on_error == "stop"), None)
        status = next((status for _step, status in found if status in (*OPEN, "cancelled")), "")
        if not status and any(status for _step, status in found):
            status = "failed" if failed else "succeeded"
        leads_to = failed.key if failed else node.step.steps[0].key
        return Square(number, status, f"{loop}[{number}]/{leads_to}", number == self.pass_of(loop))

    def taken(self, path: str, node: Node) -> int | None:
        """The number of the branch that a router took."""
        row = self.rows.get(path)
        number = getattr(row, "branch", None)
        if isinstance(number, str) and number.isdecimal():
            return int(number)
        # What was decided is not there any more, but what came of it is.
        for group in node.groups:
            if group.kind == BRANCH and any(f"{path}/{one.step.key}" in self.rows for one in group.nodes):
                return group.number
        return None

    @cached_property
    def children(self) -> dict[str, tuple[str, str]]:
        """Path → (id, status) of the run that the step there called. One query, and only where a step calls."""
        calls = [path for path, node in self.in_sight.items() if node.step.action == "flow.scenario"]
        if not calls:
            return {}
        rows = Run.objects.filter(parent_id=self.run.pk, parent_path__in=calls).order_by("id")
        found = rows.values_list("id", "parent_path", "status")
        return {path: (key.hex, status) for key, path, status in found if path}

    @property
    def fingerprint(self) -> tuple[object, ...]:
        rows = [(row.path, row.status, row.attempt) for row in self.rows.values()]
        return (rows, [facts[:2] for facts in self.facts.values()], self.statuses, self.children)


def focus_of(run: Run, asked: str) -> tuple[str, ...]:
    """In whose passes we look: the asked step, the step that the run failed at, or the one that is going on."""
    named = str((run.error or {}).get("path") or "")
    if asked or named or run.status in ENDED:
        return (asked, named)
    rows = run.steps.filter(status__in=OPEN, path__contains="[").order_by("-position", "path")
    return (rows.values_list("path", flat=True).first() or "",)


def split(end: str) -> tuple[str, str]:
    """`7]/s5` → ("7", "s5")."""
    number, _bracket, key = end.partition("]/")
    return number, key


def name_of(item: Json) -> str:
    """What an item of a list is called, as far as it can be told."""
    value = masked.for_reading(safe_json.loads(item.encode(), lenient=True)) if isinstance(item, str) else None
    if isinstance(value, dict):
        value = next((value[name] for name in NAMING if isinstance(value.get(name), str | int)), None)
    return str(value)[:80] if isinstance(value, str | int | float) and not isinstance(value, bool) else ""
