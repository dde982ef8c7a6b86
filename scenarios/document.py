"""The scenario document as data: JSON ⇄ frozen steps (docs/format.md).

Plain Python. `parse` minds the shape and is all that running needs; what a document means is checked in checking.py.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from zoneinfo import available_timezones

from lib import safe_json
from lib.errors import Json, UserError
from scenarios import words as words  # registers the texts of the problems

FORMAT = 1
KEY = re.compile(r"[a-z][a-z0-9_]{0,63}", re.ASCII)
RETRY_ON = re.compile(r"[1-5](?:[0-9]{2}|xx)|[a-z][a-z_]*", re.ASCII)  # "429", "5xx", "upstream_timeout"
RESERVED = frozenset(
    {"trigger", "vars", "run", "connection", "error", "item", "index", "loop", "true", "false", "none"}
)
ALWAYS_THERE = frozenset({"trigger", "vars", "run", "connection"})
MOST_STEPS = 500
DEEPEST = 20  # steps within steps
MOST_BYTES = 512_000  # of JSON
MOST_EXPRESSIONS = 2_000
OPENINGS = ("{{", "{%", "<<")
LONGEST_NAME = 200


BRANCH = "flow.branch"
FOR_EACH = "flow.for_each"


@dataclass(frozen=True)
class Retry:
    """How often a step is tried (the first try included) and how long it waits in between, in seconds.

    `on`: the errors that are tried again, as codes ("upstream_timeout") or statuses ("429", "5xx"); those that may
    pass by themselves where it is empty.
    """

    attempts: int = 5
    delay_s: float = 2
    factor: float = 2
    max_delay_s: float = 3600
    on: tuple[str, ...] = ()


@dataclass(frozen=True)
class Branch:
    """One way on from a `flow.branch`. `when` is a template that gives true or false; None always matches."""

    name: str = ""
    when: "str | bool | None" = None
    steps: "tuple[Step, ...]" = ()


@dataclass(frozen=True)
class Step:
    """`branches` are those of a `flow.branch`, `steps` the body of a `flow.for_each`; others have neither."""

    key: str
    action: str
    name: str = ""
    connection: str = ""
    inputs: Mapping[str, Json] = field(default_factory=dict)
    retry: Retry | None = None
    on_error: "str | tuple[Step, ...]" = "stop"
    branches: tuple[Branch, ...] = ()
    steps: "tuple[Step, ...]" = ()

    def inner(self) -> "Iterator[tuple[str, tuple[Step, ...]]]":
        """The lists of steps inside this one, each with its place in the JSON: `branches[0].steps`, `steps`, …"""
        for number, branch in enumerate(self.branches):
            yield f"branches[{number}].steps", branch.steps
        if self.action == FOR_EACH:
            yield "steps", self.steps
        if isinstance(self.on_error, tuple):
            yield "on_error.steps", self.on_error


@dataclass(frozen=True)
class Trigger:
    key: str
    type: str
    name: str = ""
    inputs: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True)
class Settings:
    timezone: str = ""
    on_unknown: str = "stop"
    max_concurrent_runs: int = 0


@dataclass(frozen=True)
class Document:
    name: str
    trigger: Trigger
    steps: tuple[Step, ...] = ()
    variables: Mapping[str, Json] = field(default_factory=dict)
    settings: Settings = Settings()
    on_error: tuple[Step, ...] = ()  # what is done when a run fails; it fails all the same

    def walk(self) -> Iterator[tuple[str, Step]]:
        """Every step with its path in the JSON: `steps[0]`, `steps[0].branches[1].steps[0]`, `on_error.steps[0]`, …"""
        yield from walk(self.steps, "steps")
        yield from walk(self.on_error, "on_error.steps")

    def step(self, key: str) -> Step | None:
        return next((step for _, step in self.walk() if step.key == key), None)


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong, and where: `steps[1].inputs.start`. Put into words by `lib.errors.describe`."""

    path: str
    code: str
    params: Mapping[str, Json]

    def as_json(self) -> dict[str, Json]:
        return {"code": self.code, "params": dict(self.params), "path": self.path}


class InvalidDocument(UserError):
    def __init__(self, problems: list[Problem], reason: str = "", **params: Json) -> None:
        given = {"count": len(problems), **params}
        super().__init__("invalid_document", reason, params=given, path=problems[0].path)
        self.problems = problems


class DocumentTooLarge(InvalidDocument):
    def __init__(self) -> None:
        limits = {"most": MOST_EXPRESSIONS, "most_kb": MOST_BYTES // 1000}
        super().__init__([wrong("", "too_large", **limits)], "too_large", **limits)


def parse(data: Json) -> Document:
    """Read a document's shape. Raises InvalidDocument with every problem found."""
    reader = Reader()
    document = reader.document(data)
    if reader.problems:
        raise InvalidDocument(reader.problems)
    return document


def check_size(data: Json) -> None:
    """Cheap, unlike compiling: asked before anything else looks at a document. Raises DocumentTooLarge."""
    if len(safe_json.dumps(data)) > MOST_BYTES or sum(map(openings, texts_in(data))) > MOST_EXPRESSIONS:
        raise DocumentTooLarge


def openings(text: str) -> int:
    return sum(text.count(mark) for mark in OPENINGS)


def texts_in(data: Json) -> Iterator[str]:
    left = [data]
    while left:
        value = left.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict | list):
            left.extend(value.values() if isinstance(value, dict) else value)


def dump(document: Document) -> dict[str, Json]:
    """The JSON of a document, defaults left out."""
    settings = {name: value for name, value in vars(document.settings).items() if value != getattr(Settings(), name)}
    return {
        "format": FORMAT,
        "name": document.name,
        **({"variables": dict(document.variables)} if document.variables else {}),
        **({"settings": settings} if settings else {}),
        "trigger": dump_trigger(document.trigger),
        "steps": dump_steps(document.steps),
        **({"on_error": {"steps": dump_steps(document.on_error)}} if document.on_error else {}),
    }


def next_key(document: Document) -> str:
    """The key that the next new step gets: s2, s3, … in the order of creation."""
    used = [document.trigger.key, *(step.key for _, step in document.walk())]
    numbers = [int(key[1:]) for key in used if re.fullmatch(r"s[0-9]+", key, re.ASCII)]
    return f"s{max(numbers, default=0) + 1}"


def walk(steps: tuple[Step, ...], path: str) -> Iterator[tuple[str, Step]]:
    for number, step in enumerate(steps):
        here = f"{path}[{number}]"
        yield here, step
        for place, inner in step.inner():
            yield from walk(inner, f"{here}.{place}")


def dump_trigger(trigger: Trigger) -> dict[str, Json]:
    name = {"name": trigger.name} if trigger.name else {}
    return {"key": trigger.key, "type": trigger.type, **name, "inputs": dict(trigger.inputs)}


def dump_steps(steps: tuple[Step, ...]) -> list[Json]:
    return [dump_step(step) for step in steps]


def dump_step(step: Step) -> dict[str, Json]:
    on_error: Json = step.on_error
    if isinstance(step.on_error, tuple):
        on_error = {"steps": dump_steps(step.on_error)}
    return {
        "key": step.key,
        "action": step.action,
        **({"name": step.name} if step.name else {}),
        **({"connection": step.connection} if step.connection else {}),
        "inputs": dict(step.inputs),
        **({"branches": [dump_branch(branch) for branch in step.branches]} if step.action == BRANCH else {}),
        **({"steps": dump_steps(step.steps)} if step.action == FOR_EACH else {}),
        **({"retry": dump_retry(step.retry)} if step.retry else {}),
        **({"on_error": on_error} if on_error != "stop" else {}),
    }


def dump_branch(branch: Branch) -> dict[str, Json]:
    when = {} if branch.when is None else {"when": branch.when}
    return {"name": branch.name, **when, "steps": dump_steps(branch.steps)}


def dump_retry(retry: Retry) -> dict[str, Json]:
    return {**vars(retry), "on": list(retry.on)} if retry.on else {k: v for k, v in vars(retry).items() if k != "on"}


class Reader:
    """Reads JSON into the dataclasses and collects what does not fit; never raises."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.count = 0
        self.depth = 0

    def problem(self, path: str, reason: str, **params: Json) -> None:
        self.problems.append(Problem(path, "invalid_document", {"reason": reason, **params}))

    def document(self, data: Json) -> Document:
        known = ("format", "name", "variables", "settings", "trigger", "steps", "on_error")
        data = self.object(data, "", known, needed=("trigger",))
        if data.get("format", FORMAT) != FORMAT:
            self.problem("format", "not_one_of", there=str(FORMAT))
        return Document(
            name=self.text(data, "name", ""),
            variables=self.object(data.get("variables", {}), "variables"),
            settings=self.settings(data.get("settings", {})),
            trigger=self.trigger(data.get("trigger", {})),
            steps=self.steps(data.get("steps", []), "steps"),
            on_error=self.handler(data["on_error"], "on_error") if data.get("on_error") is not None else (),
        )

    def settings(self, data: Json) -> Settings:
        data = self.object(data, "settings", ("timezone", "on_unknown", "max_concurrent_runs"))
        on_unknown = self.one_of(data.get("on_unknown", "stop"), "settings.on_unknown", ("stop", "repeat"))
        most = self.number(data, "max_concurrent_runs", "settings", 0, whole=True, least=0)
        timezone = self.text(data, "timezone", "settings")
        if timezone and timezone not in available_timezones():
            self.problem("settings.timezone", "unknown_timezone", name=timezone)
        return Settings(timezone=timezone, on_unknown=on_unknown, max_concurrent_runs=int(most))

    def trigger(self, data: Json) -> Trigger:
        data = self.object(data, "trigger", ("key", "type", "name", "inputs"), needed=("type",))
        return Trigger(
            key=self.key(data.get("key", "s1"), "trigger.key"),
            type=self.text(data, "type", "trigger"),
            name=self.text(data, "name", "trigger"),
            inputs=self.object(data.get("inputs", {}), "trigger.inputs"),
        )

    def steps(self, data: Json, path: str) -> tuple[Step, ...]:
        if not isinstance(data, list):
            self.problem(path, "not_a_list")
            return ()
        self.count += len(data)
        if self.count > MOST_STEPS:
            self.problem(path, "too_many_steps", most=MOST_STEPS)
            return ()
        if self.depth >= DEEPEST:
            self.problem(path, "too_deep", most=DEEPEST)
            return ()
        self.depth += 1
        steps = tuple(self.step(step, f"{path}[{number}]") for number, step in enumerate(data))
        self.depth -= 1
        return steps

    def step(self, data: Json, path: str) -> Step:
        known = ["key", "action", "name", "connection", "inputs", "retry", "on_error"]
        kind = data.get("action") if isinstance(data, dict) else None
        known += ["branches"] if kind == BRANCH else ["steps"] if kind == FOR_EACH else []
        data = self.object(data, path, known, needed=("key", "action"))
        return Step(
            key=self.key(data.get("key", ""), f"{path}.key") if "key" in data else "",
            action=self.text(data, "action", path),
            name=self.text(data, "name", path),
            connection=self.text(data, "connection", path),
            inputs=self.object(data.get("inputs", {}), f"{path}.inputs"),
            retry=self.retry(data["retry"], f"{path}.retry") if data.get("retry") is not None else None,
            on_error=self.on_error(data.get("on_error", "stop"), f"{path}.on_error"),
            branches=self.branches(data.get("branches", []), f"{path}.branches") if kind == BRANCH else (),
            steps=self.steps(data.get("steps", []), f"{path}.steps") if kind == FOR_EACH else (),
        )

    def branches(self, data: Json, path: str) -> tuple[Branch, ...]:
        if not isinstance(data, list):
            self.problem(path, "not_a_list")
            return ()
        return tuple(self.branch(branch, f"{path}[{number}]") for number, branch in enumerate(data))

    def branch(self, data: Json, path: str) -> Branch:
        data = self.object(data, path, ("name", "when", "steps"))
        when = data.get("when")
        if when is not None and not isinstance(when, str | bool):
            self.problem(f"{path}.when", "not_a_condition")
            when = None
        steps = self.steps(data.get("steps", []), f"{path}.steps")
        return Branch(name=self.text(data, "name", path), when=when, steps=steps)

    def retry(self, data: Json, path: str) -> Retry:
        data = self.object(data, path, ("attempts", "delay_s", "factor", "max_delay_s", "on"))
        return Retry(
            attempts=int(self.number(data, "attempts", path, Retry.attempts, whole=True, least=1, most=100)),
            delay_s=self.number(data, "delay_s", path, Retry.delay_s, least=0, most=86400),
            factor=self.number(data, "factor", path, Retry.factor, least=1, most=10),
            max_delay_s=self.number(data, "max_delay_s", path, Retry.max_delay_s, least=0, most=86400),
            on=self.retry_on(data.get("on", []), f"{path}.on"),
        )

    def retry_on(self, data: Json, path: str) -> tuple[str, ...]:
        if not isinstance(data, list):
            self.problem(path, "not_a_list")
            return ()
        for number, one in enumerate(data):
            if not isinstance(one, str) or not RETRY_ON.fullmatch(one):
                self.problem(f"{path}[{number}]", "not_an_error")
        return tuple(str(one) for one in data)

    def on_error(self, data: Json, path: str) -> str | tuple[Step, ...]:
        if isinstance(data, dict):
            return self.handler(data, path)
        return self.one_of(data, path, ("stop", "continue"))

    def handler(self, data: Json, path: str) -> tuple[Step, ...]:
        data = self.object(data, path, ("steps",), needed=("steps",))
        return self.steps(data.get("steps", []), f"{path}.steps")

    def object(
        self, data: Json, path: str, known: Collection[str] = (), needed: Collection[str] = ()
    ) -> dict[str, Json]:
        if not isinstance(data, dict):
            self.problem(path, "not_an_object")
            return {}
        for name in data.keys() - set(known) if known else ():
            self.problem(joined(path, name), "unknown_key", name=name, there=", ".join(known))
        for name in needed:
            if name not in data:
                self.problem(joined(path, name), "missing_key", name=name)
        return data

    def text(self, data: Mapping[str, Json], name: str, path: str) -> str:
        value = data.get(name)
        if value is None:
            return ""
        if not isinstance(value, str) or (name == "name" and len(value) > LONGEST_NAME):
            self.problem(joined(path, name), "not_a_text", most=LONGEST_NAME)
            return ""
        return value

    def one_of(self, value: Json, path: str, choices: tuple[str, ...]) -> str:
        if value in choices:
            return str(value)
        self.problem(path, "not_one_of", there=", ".join(choices))
        return choices[0]

    def number(
        self,
        data: Mapping[str, Json],
        name: str,
        path: str,
        default: float,
        *,
        whole: bool = False,
        least: float = 0,
        most: float = 1_000_000,
    ) -> float:
        value = data.get(name, default)
        fits = isinstance(value, int | float) and not isinstance(value, bool) and least <= value <= most
        if fits and not (whole and value != int(value)):
            return float(value) if isinstance(value, float) else int(value)
        self.problem(joined(path, name), "not_a_number", least=f"{least:g}", most=f"{most:g}")
        return default

    def key(self, value: Json, path: str) -> str:
        if isinstance(value, str) and KEY.fullmatch(value):
            if value in RESERVED:
                self.problem(path, "reserved_key", name=value)
            return value
        self.problem(path, "bad_key", name=str(value))
        return ""


def joined(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def wrong(path: str, reason: str, **params: Json) -> Problem:
    return Problem(path, "invalid_document", {"reason": reason, **params})
