"""The page of one run: facts, error with its remedies, course, and the panel of the chosen step."""

import hashlib
import re
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
from scenarios import access, masked, retention, standing
from scenarios.document import Document, parse
from scenarios.engine import DEFAULT_RETRY
from scenarios.models import ENDED, Run, StepRun, Version, WorkerBeat
from scenarios.pages import wording
from scenarios.pages.runs import run_trace, run_words
from scenarios.pages.runs.run_course import Course, focus_of
from scenarios.pages.runs.run_panel import Panel
from scenarios.pages.runs.run_steps import Node, Tree, by_path, tree_of
from scenarios.pages.runs.run_trace import TRIGGER, Line, Lines, Trace, walk
from scenarios.paths import generic
from scenarios.triggers import run_id_of

TAIL = 8  # of an id's 32 digits: the first ones are a time, and the same for hours
BEAT_FRESH = timedelta(seconds=15)
PATH = re.compile(r"[a-z0-9_/!\[\]]{1,2000}", re.ASCII)
ABOUT_CONNECTIONS = frozenset({"reconnect", "open_connection"})  # buttons under an error
QUIET = frozenset({"filtered", "stopped"})  # ends that the scenario wished for


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
        self.asked_step = step if PATH.fullmatch(step) else ""
        self.asked_tab = tab
        self.may_act = actor.may(Role.EDITOR)

    # The course

    @cached_property
    def document(self) -> Document:
        return parse(self.run.version.document)

    @cached_property
    def tree(self) -> Tree:
        return tree_of(self.document)

    @cached_property
    def known(self) -> dict[str, Node]:
        return by_path(self.tree)

    @cached_property
    def course(self) -> Course:
        return Course(self.run, self.tree, focus_of(self.run, self.asked_step))

    @property
    def journal(self) -> dict[str, StepRun]:
        return self.course.rows

    @cached_property
    def lines(self) -> list[Line]:
        return self.trace.lines(self.trigger_title)

    @cached_property
    def handler(self) -> Lines | None:
        return self.trace.handler()

    @property
    def trigger_title(self) -> str:
        trigger = self.document.trigger
        is_usual = self.run.trigger == trigger.type
        return (trigger.name or wording.trigger(self.document)) if is_usual else run_words.trigger(self.run)

    @cached_property
    def trace(self) -> Trace:
        return Trace(self.course, self.axis, self.chosen)

    @cached_property
    def chosen(self) -> str:
        """The path of the step in the panel."""
        if self.asked_step == TRIGGER or self.asked_step in {*self.course.in_sight, *self.journal}:
            return self.asked_step
        trace = Trace(self.course, self.axis)
        handler = trace.handler()
        return run_trace.step_to_show(self.run, [*trace.lines(""), *(handler.lines if handler else ())])

    @cached_property
    def panel(self) -> Panel:
        shown = walk([*self.lines, *(self.handler.lines if self.handler else ())])
        line = next((one for one in shown if one.is_current), None) or self.trace.stray(self.journal[self.chosen])
        return Panel(self.run, line, self.known.get(generic(line.path)), self.asked_tab)

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
        facts = (run.status, run.fence, run.wake_at, run.waits_for, run.cancel_requested_at, self.nobody_works)
        return hashlib.sha256(repr((facts, self.course.fingerprint)).encode()).hexdigest()[:16]

    @property
    def crumb(self) -> str:
        return f"…{self.tail}"

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
    def reason(self) -> str:
        """What the run waits for, as one of standing.REASONS."""
        return standing.reason(self.run)

    @property
    def waits_until(self) -> str:
        return run_words.clock_of(self.run)

    @property
    def is_quiet(self) -> bool:
        """Whether the run succeeded because its scenario said so: a filter, a stop."""
        return self.run.status == "succeeded" and (self.run.error or {}).get("code") in QUIET

    @property
    def most_at_a_time(self) -> int:
        return self.run.scenario.max_concurrent

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
        return self.known.get(generic(self.failed_path))

    @property
    def failed_path(self) -> str:
        return str((self.run.error or {}).get("path") or "")

    @property
    def failed_step(self) -> str:
        node = self.failed_node
        if node is None:
            return ""
        words = (run_words.numbered(node.number, node.title), run_words.in_pass(self.failed_path))
        return run_words.joined(", ".join(filter(None, words)), "")

    @cached_property
    def cause_of_doubt(self) -> dict[str, Json] | None:
        """What happened before nobody knew: the error under «unknown outcome»."""
        cause = (self.run.error or {}).get("params", {}).get("cause")
        return describe(masked.for_reading(cause), _) if isinstance(cause, dict) else None

    @cached_property
    def answer(self) -> tuple[int, str] | None:
        """Status and body of what the other side answered to the step that failed."""
        if self.failed_node is None:
            return None
        exchange = self.run.steps.filter(path=self.failed_path).values_list("exchange", flat=True).first()
        response = (exchange or {}).get("response")
        return (response["status"], response["body"]) if response else None

    @property
    def attempts(self) -> str:
        row = self.journal.get(self.failed_path)
        if self.failed_node is not None and self.failed_node.step.action.startswith("flow."):
            return ""
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
        return self.may_act and self.has_ended and self.has_data

    @cached_property
    def has_data(self) -> bool:
        """Whether what the run took and gave is still kept."""
        return not self.has_ended or retention.has_data(self.run)

    @property
    def retry_from(self) -> str:
        """The path from which a retry may go on: the step that failed, if anything stands before it."""
        if self.run.status == "needs_review" or self.failed_path not in self.journal:
            return ""
        return self.failed_path if len(self.journal) > 1 else ""

    @property
    def can_go_on(self) -> bool:
        """Whether a repeat may go on from where the run came to, although no step failed."""
        is_cut_off = self.run.status in {"failed", "cancelled"} and self.failed_path not in self.journal
        return is_cut_off and any(row.status == "succeeded" for row in self.journal.values())

    @property
    def can_retry_panel(self) -> bool:
        """Whether a repeat may begin with the step in the panel."""
        return self.can_retry and not self.panel.is_trigger and self.panel.node is not None and bool(self.panel.row)

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
        if self.connection is not None:
            label = _("Open the connection “{name}”").format(name=self.connection.name)
            url = reverse("connections:detail", args=[self.connection.public_id])
            found.append(Remedy(label, url, "plug-zap"))
        called = run_id_of(str(self.params.get("run", ""))) if self.button == "open_run" else None
        if called is not None:
            found.append(Remedy(_("Open the run that was called"), url_of(called), "activity"))
        node = self.failed_node
        if self.button == "publish" and self.scenario_is_there:
            url = reverse("scenarios:edit", args=[self.run.scenario.public_id])
            found.append(Remedy(_("Publish"), url, "workflow"))
        elif node is not None and self.scenario_is_there:
            field = self.label_of(str(self.params.get("field", "")))
            label = _("Mend the field “{name}”").format(name=field) if field else _("Open the step in the editor")
            url = reverse("scenarios:step", args=[self.run.scenario.public_id, node.step.key])
            found.append(Remedy(label, url, "pencil"))
        return found

    @property
    def params(self) -> dict[str, Json]:
        return (self.run.error or {}).get("params") or {}

    @property
    def button(self) -> str:
        """What the error says that can be pressed (lib.errors.BUTTONS)."""
        return str((self.error or {}).get("button", ""))

    def label_of(self, name: str) -> str:
        action = self.failed_node.action if self.failed_node else None
        field = action.fields.get(name) if action else None
        return str(field.label) if field else ""

    @cached_property
    def connection(self) -> Connection | None:
        """The connection that an error is about, or that a run waits for."""
        kind, _colon, key = self.run.waits_for.partition(":")
        mine = Connection.objects.filter(workspace=self.actor.workspace)
        if kind in {"rate", "connection"} and key.isdecimal():
            return mine.filter(pk=int(key)).first()
        is_about = self.button in ABOUT_CONNECTIONS or self.reason in {standing.REAUTHORIZATION, standing.THROTTLED}
        step = self.failed_node.step if self.failed_node else None
        slug = (step.connection if step else "") or self.params.get("connection")
        return mine.filter(slug=slug).first() if is_about and isinstance(slug, str) and slug else None

    @cached_property
    def parent(self) -> Run | None:
        """The run whose step called this one."""
        if self.run.parent_id is None:
            return None
        rows = access.runs(self.actor).select_related(None).select_related("scenario")
        return rows.only("id", "scenario__name").filter(pk=self.run.parent_id).first()

    @property
    def parent_url(self) -> str:
        path = urlencode({"step": self.run.parent_path or ""})
        return f"{url_of(self.parent.id)}?{path}" if self.parent else ""

    @property
    def waited_url(self) -> str:
        """The page of the run that this one waits for."""
        key = run_id_of(standing.child(self.run))
        return url_of(key) if key else ""

    @property
    def alike_url(self) -> str:
        """The list of this scenario's runs that failed as this one did."""
        given = {
            "status": "failed",
            "scenario": self.run.scenario.public_id,
            "error": self.error and self.error["code"],
        }
        return f"{reverse('runs:list')}?{urlencode(given)}"

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


def found(actor: Actor, run_id: str) -> Run:
    """The run with what its page shows of its neighbours. Raises Http404, for somebody else's too."""
    key = run_id_of(run_id)
    rows = access.runs(actor).select_related("scenario", "version", "started_by", "delivery")
    row = rows.defer("scenario__document", "scenario__samples", "reply").filter(pk=key).first() if key else None
    if row is None:
        raise Http404
    return row
