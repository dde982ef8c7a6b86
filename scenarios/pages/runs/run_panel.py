"""What the panel beside a run shows of one step, or of the trigger: inputs, result, HTTP exchange, attempts."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from http import HTTPStatus
from typing import Any

from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _

from lib import expressions, safe_json
from lib.errors import Json, describe
from scenarios import api_shapes, masked, payloads
from scenarios.engine import DEFAULT_RETRY
from scenarios.models import ENDED, Delivery, Run, StepRun
from scenarios.pages.runs import run_words
from scenarios.pages.runs.run_steps import Node
from scenarios.pages.runs.run_trace import TRIGGER, Line

INPUT, RESULT, HTTP, ATTEMPTS = TABS = ("input", "result", "http", "attempts")
ANSWER = {"status", "headers", "body"}
LONGEST_BODY = 200_000  # characters of a text shown in a page


@dataclass(frozen=True)
class Body:
    """A body of an HTTP message: as a tree where it is JSON, as text where it is not."""

    tree: Json = None
    text: str = ""
    is_json: bool = False
    is_cut: bool = False

    @property
    def is_empty(self) -> bool:
        return not self.is_json and not self.text


@dataclass(frozen=True)
class Message:
    """Half of an exchange: «POST https://…» or «200», with headers and a body."""

    head: str
    headers: Mapping[str, str]
    body: Body


@dataclass(frozen=True)
class Source:
    """Where a value came from: the input's label and its template."""

    label: str
    template: str


@dataclass(frozen=True)
class Policy:
    """How often a step is tried."""

    attempts: int
    is_own: bool


@dataclass(frozen=True)
class Earlier:
    """An attempt that another one followed. `is_interrupted`: its worker died during it."""

    number: int
    at: datetime | None
    took_ms: int | None
    text: str
    status: str

    @property
    def is_interrupted(self) -> bool:
        return self.status == "running"


@dataclass(frozen=True)
class Cut:
    """A large value: its size in bytes, and its beginning."""

    size: int
    start: str


class Panel:
    """A step's or the trigger's side of a run; reads its row when it is first asked for what is in it."""

    def __init__(self, run: Run, line: Line, node: Node | None, tab: str) -> None:
        self.run = run
        self.line = line
        self.node = node
        self.is_trigger = line.path == TRIGGER
        self.row = None if self.is_trigger or not line.status else row_of(run, line.path)
        self.tabs = [INPUT, RESULT] if self.is_pure else list(TABS)
        self.tab = tab if tab in self.tabs else self.best_tab

    @property
    def is_pure(self) -> bool:
        """Whether the step never speaks to anybody: then it has no exchange and no attempts."""
        if self.node is not None and self.node.step.action.startswith("flow."):
            return True
        is_calm = self.row is not None and not self.row.attempts and self.row.status != "waiting"
        return is_calm and self.row is not None and self.row.effect == "pure" and self.row.exchange is None

    @property
    def best_tab(self) -> str:
        return RESULT if self.row is not None and self.row.status == "succeeded" else INPUT

    @property
    def labels(self) -> list[tuple[str, str]]:
        words = {INPUT: _("Input"), RESULT: _("Output"), HTTP: _("HTTP exchange"), ATTEMPTS: _("Attempts")}
        return [(tab, words[tab]) for tab in self.tabs]

    @property
    def error(self) -> dict[str, Json] | None:
        return describe(masked.for_reading(self.row.error), _) if self.row is not None and self.row.error else None

    @property
    def wrong_field(self) -> str:
        """The input that the error is about."""
        return str((self.error or {}).get("params", {}).get("field", ""))

    @property
    def inputs(self) -> dict[str, Json]:
        """The inputs in the order of the form: the database keeps none."""
        given = masked.for_reading(self.row.inputs) if self.row is not None else None
        given = given if isinstance(given, dict) else {}
        declared = [*self.node.action.fields] if self.node and self.node.action else []
        return {name: given[name] for name in [*declared, *(given.keys() - {*declared})] if name in given}

    @property
    def result(self) -> Json:
        """An answer begins with its status and ends with its headers: the database keeps no order."""
        given = masked.for_reading(self.row.result) if self.row is not None else None
        if not isinstance(given, dict) or not given.keys() >= ANSWER:
            return given
        rest = {name: value for name, value in given.items() if name not in ANSWER}
        return {"status": given["status"], "body": given["body"], **rest, "headers": given["headers"]}

    @property
    def fields(self) -> list[tuple[str, Json]]:
        return [(self.label_of(name), value) for name, value in self.inputs.items()]

    @property
    def sources(self) -> list[Source]:
        """The inputs that were worked out, with the templates that they came from."""
        given = masked.for_reading(dict(self.node.step.inputs)) if self.node else {}
        return [
            Source(self.label_of(name), text) for name, value in given.items() if (text := template_in(value)) != ""
        ]

    def label_of(self, name: str) -> str:
        field = self.node.action.fields.get(name) if self.node and self.node.action else None
        return str(field.label) if field else name

    @property
    def request(self) -> Message | None:
        sent = self.exchange.get("request")
        return sent and Message(f"{sent['method']} {sent['url']}", sent["headers"], body_of(sent["body"]))

    @property
    def response(self) -> Message | None:
        got = self.exchange.get("response")
        return got and Message(status_line(got["status"]), got["headers"], body_of(got["body"]))

    @property
    def exchange_ms(self) -> int | None:
        return self.exchange.get("took_ms")

    @property
    def exchange(self) -> dict[str, Json]:
        return (self.row.exchange or {}) if self.row is not None else {}

    @property
    def policy(self) -> Policy:
        retry = self.node.step.retry if self.node else None
        return Policy((retry or DEFAULT_RETRY).attempts, is_own=retry is not None)

    @cached_property
    def earlier(self) -> list[Earlier]:
        """The attempts before the one that the row tells of, the first one first."""
        return [earlier_of(one) for one in (self.row.attempts if self.row is not None else None) or []]

    @property
    def untold(self) -> int:
        """How many earlier attempts there were of which nothing was kept."""
        return max(0, self.row.attempt - 1 - len(self.earlier)) if self.row is not None else 0

    @property
    def next_at(self) -> Any:
        """When a waiting step goes on."""
        if self.row is None or self.row.status != "waiting" or self.run.status in ENDED:
            return None
        return self.row.resume_at or self.run.wake_at

    @property
    def in_pass(self) -> str:
        return run_words.in_pass(self.line.path)

    @property
    def cut(self) -> dict[str, Cut]:
        """What stands apart because it is large: name of the tab → how large it is, and its beginning."""
        if self.row is None:
            return {}
        values = {INPUT: self.row.inputs, RESULT: self.row.result, HTTP: self.row.exchange}
        return {
            tab: Cut(value["_cut"]["bytes"], masked.for_reading(value)["_cut"]["start"])
            for tab, value in values.items()
            if value is not None and payloads.is_cut(value)
        }

    # The trigger

    @property
    def delivery(self) -> Delivery | None:
        return self.run.delivery

    @property
    def given(self) -> Json:
        """What the run's expressions saw of the trigger, secrets masked."""
        return api_shapes.input_of(self.run)


def earlier_of(stored: Mapping[str, Json]) -> Earlier:
    begun = stored.get("started_at")
    return Earlier(
        number=stored.get("attempt") or 1,
        at=parse_datetime(begun) if isinstance(begun, str) else None,
        took_ms=stored.get("took_ms"),
        text=run_words.error_text(stored.get("error")),
        status=str(stored.get("status", "")),
    )


def status_line(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def row_of(run: Run, path: str) -> StepRun | None:
    return run.steps.filter(path=path).first()


def template_in(value: Json) -> str:
    """The template of an input, as JSON where it has several; empty for a plain value."""
    if isinstance(value, str):
        return value if expressions.has_expression(value) else ""
    if isinstance(value, dict | list) and any(expressions.has_expression(text) for text in texts_in(value)):
        return json.dumps(value, ensure_ascii=False, indent=2)
    return ""


def texts_in(value: Json) -> list[str]:
    if isinstance(value, str):
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    return [text for one in inner for text in texts_in(one)]


def body_of(text: str | None) -> Body:
    if not text:
        return Body()
    try:
        value = safe_json.loads(text.encode())
    except ValueError:
        return Body(text=text[:LONGEST_BODY], is_cut=len(text) > LONGEST_BODY)
    if isinstance(value, dict | list):
        return Body(tree=value, is_json=True)
    return Body(text=text[:LONGEST_BODY])
