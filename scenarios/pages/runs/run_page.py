"""The page of one run: facts, error with its remedies, course, and the panel of the chosen step."""

import hashlib
import uuid
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

from django.http import Http404
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.access import Actor
from accounts.roles import Role
from connections.models import Connection
from lib.errors import Json, describe
from scenarios import access, masked
from scenarios.document import Document, parse
from scenarios.engine import DEFAULT_RETRY
from scenarios.models import ENDED, Run, StepRun, Version, WorkerBeat
from scenarios.pages import wording
from scenarios.pages.runs import run_trace, run_words
from scenarios.pages.runs.run_panel import Panel
from scenarios.pages.runs.run_steps import Node, by_path, nodes_of
from scenarios.pages.runs.run_trace import Line
from scenarios.triggers import run_id_of

TAIL = 8  # of an id's 32 digits: the first ones are a time, and the same for hours
BEAT_FRESH = timedelta(seconds=15)
CONNECTION_CODES = frozenset(
    {"reauthorization_needed", "no_connection", "insufficient_scope", "destination_not_allowed", "secrets_unreadable"}
)


@dataclass(frozen=True)
class Remedy:
    """A place where an error may be mended."""

    label: str
    url: str
    icon: str


class RunPage:
    """Everything that the template asks for. `step` and `tab` are those of the address, possibly empty."""

    def __init__(self, actor: Actor, run: Run, *, step: str = "", tab: str = "") -> None:
        self.actor = actor
        self.run = run
        self.asked_step = step
        self.asked_tab = tab
        self.may_act = actor.may(Role.EDITOR)

    # The course

    @cached_property
    def document(self) -> Document:
        return parse(self.run.version.document)

    @cached_property
    def nodes(self) -> tuple[Node, ...]:
        return nodes_of(self.document)

    @cached_property
    def known(self) -> dict[str, Node]:
        return by_path(self.nodes)

    @cached_property
    def journal(self) -> dict[str, StepRun]:
        return run_trace.journal_of(self.run)

    @cached_property
    def lines(self) -> list[Line]:
        trigger = self.document.trigger
        is_usual = self.run.trigger == trigger.type
        title = (trigger.name or wording.trigger(self.document)) if is_usual else run_words.trigger(self.run)
        lines = self.lines_with(title, current="")
        return self.lines_with(title, current=self.chosen_of(lines))

    def lines_with(self, title: str, *, current: str) -> list[Line]:
        return run_trace.lines_of(self.run, self.nodes, self.journal, trigger_title=title, current=current)

    def chosen_of(self, lines: list[Line]) -> str:
        paths = {one.path for line in lines for one in walk(line)}
        return self.asked_step if self.asked_step in paths else run_trace.step_to_show(self.run, lines)

    @cached_property
    def panel(self) -> Panel:
        line = next(one for top in self.lines for one in walk(top) if one.is_current)
        return Panel(self.run, line, self.known.get(line.path), self.asked_tab)

    @property
    def axis(self) -> run_trace.Axis:
        return run_trace.axis_of(self.run)

    @property
    def took_ms(self) -> float | None:
        return self.axis.took_ms if self.run.finished_at and self.run.started_at else None

    # How it stands

    @property
    def tail(self) -> str:
        return self.run.id.hex[-TAIL:]

    @property
    def has_ended(self) -> bool:
        return self.run.status in ENDED

    @property
    def is_live(self) -> bool:
        """A run that needs a decision goes on only when somebody decides: nothing to wait for."""
        return not self.has_ended

    @cached_property
    def fingerprint(self) -> str:
        """Changes when the page would."""
        run = self.run
        steps = [(row.path, row.status, row.attempt) for row in self.journal.values()]
        facts = (run.status, run.fence, run.wake_at, run.cancel_requested_at, steps, self.nobody_works)
        return hashlib.sha256(repr(facts).encode()).hexdigest()[:16]

    @property
    def crumb(self) -> str:
        return f"…{self.tail}"

    @property
    def has_more(self) -> bool:
        return len(self.journal) >= run_trace.MOST_STEPS

    @property
    def most(self) -> int:
        return run_trace.MOST_STEPS

    @property
    def cause(self) -> str:
        return run_words.cause(self.run)

    @property
    def tries_again(self) -> str:
        return _("Tries again at {time}").format(time=run_words.clock_of(self.run))

    @property
    def raw_title(self) -> str:
        return _("Answer of the service: {status}").format(status=self.answer[0]) if self.answer else ""

    @cached_property
    def is_held(self) -> bool:
        return run_words.is_held(self.run)

    @cached_property
    def nobody_works(self) -> bool:
        """Whether a queued run waits although no worker lives."""
        if self.run.status != "queued":
            return False
        fresh = timezone.now() - BEAT_FRESH
        return not WorkerBeat.objects.filter(seen_at__gte=fresh).exists()

    @cached_property
    def error(self) -> dict[str, Json] | None:
        return describe(masked.for_reading(self.run.error), _) if self.run.error else None

    @cached_property
    def failed_node(self) -> Node | None:
        return self.known.get((self.run.error or {}).get("path", ""))

    @property
    def failed_step(self) -> str:
        node = self.failed_node
        return run_words.joined(run_words.numbered(node.number, node.title), "") if node else ""

    @cached_property
    def cause_of_doubt(self) -> dict[str, Json] | None:
        """What happened before nobody knew: the error under «unknown outcome»."""
        cause = (self.run.error or {}).get("params", {}).get("cause")
        return describe(masked.for_reading(cause), _) if isinstance(cause, dict) else None

    @cached_property
    def answer(self) -> tuple[int, str] | None:
        """Status and body of what the other side answered to the step that failed."""
        row = self.run.steps.filter(path=self.failed_node.path).only("exchange").first() if self.failed_node else None
        response = (row.exchange or {}).get("response") if row else None
        return (response["status"], response["body"]) if response else None

    @property
    def attempts(self) -> str:
        row = self.journal.get(self.failed_node.path) if self.failed_node else None
        retry = self.failed_node.step.retry if self.failed_node else None
        most = (retry or DEFAULT_RETRY).attempts
        return _("attempt {n} of {most}").format(n=row.attempt, most=most) if row else ""

    # What may be done

    @property
    def can_cancel(self) -> bool:
        return self.may_act and not self.has_ended

    @property
    def is_being_cancelled(self) -> bool:
        return not self.has_ended and self.run.cancel_requested_at is not None

    @property
    def can_retry(self) -> bool:
        return self.may_act and self.has_ended

    @property
    def retry_from(self) -> str:
        """The path from which a retry may go on: the step that failed, if anything stands before it."""
        node = self.failed_node
        return node.path if node and node.path in self.journal and self.run.status != "needs_review" else ""

    @cached_property
    def current_version(self) -> Version | None:
        """The version in force, where it is another than the run's."""
        current = self.run.scenario.published_id
        if current is None or current == self.run.version_id:
            return None
        return Version.objects.defer("document").filter(pk=current).first()

    @property
    def scenario_is_there(self) -> bool:
        return self.run.scenario.deleted_at is None

    @cached_property
    def remedies(self) -> list[Remedy]:
        found = []
        connection = self.connection
        if connection is not None:
            label = _("Open the connection “{name}”").format(name=connection.name)
            found.append(Remedy(label, reverse("connections:detail", args=[connection.public_id]), "plug-zap"))
        node = self.failed_node
        if node is not None and self.scenario_is_there:
            field = self.label_of(str((self.run.error or {}).get("params", {}).get("field", "")))
            label = _("Mend the field “{name}”").format(name=field) if field else _("Open the step in the editor")
            url = reverse("scenarios:step", args=[self.run.scenario.public_id, node.step.key])
            found.append(Remedy(label, url, "pencil"))
        return found

    def label_of(self, name: str) -> str:
        action = self.failed_node.action if self.failed_node else None
        field = action.fields.get(name) if action else None
        return str(field.label) if field else ""

    @cached_property
    def connection(self) -> Connection | None:
        """The connection that an error is about."""
        error = self.run.error or {}
        if error.get("code") not in CONNECTION_CODES or self.failed_node is None:
            return None
        return Connection.objects.filter(
            workspace=self.actor.workspace, slug=self.failed_node.step.connection or error["params"].get("connection")
        ).first()

    # Where to go from here

    @cached_property
    def newer_url(self) -> str:
        row = self.siblings.filter(id__gt=self.run.id).order_by("id").first()
        return url_of(row) if row else ""

    @cached_property
    def older_url(self) -> str:
        row = self.siblings.filter(id__lt=self.run.id).order_by("-id").first()
        return url_of(row) if row else ""

    @property
    def siblings(self) -> Any:
        return Run.objects.filter(workspace=self.actor.workspace, scenario_id=self.run.scenario_id).values_list(
            "id", flat=True
        )

    @property
    def url(self) -> str:
        return url_of(self.run.id)

    @property
    def replay_of_url(self) -> str:
        return url_of(self.run.replay_of) if self.run.replay_of else ""

    @property
    def live_url(self) -> str:
        given = {"step": self.asked_step, "tab": self.asked_tab, "seen": self.fingerprint}
        return f"{self.url}?{urlencode({name: value for name, value in given.items() if value})}"


def url_of(run_id: uuid.UUID) -> str:
    return reverse("runs:detail", args=[run_id.hex])


def walk(line: Line) -> list[Line]:
    return [line, *(inner for one in line.inner for inner in walk(one))]


def found(actor: Actor, run_id: str) -> Run:
    """The run with what its page shows of its neighbours. Raises Http404, for somebody else's too."""
    key = run_id_of(run_id)
    rows = access.runs(actor).select_related("scenario", "version", "started_by", "delivery")
    row = rows.defer("scenario__document", "scenario__samples", "reply").filter(pk=key).first() if key else None
    if row is None:
        raise Http404
    return row
