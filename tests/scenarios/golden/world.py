"""A run in memory: real documents and expressions, a JSON journal, and steps that only say that they are next."""

import itertools
import re
import uuid
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from lib import safe_json
from lib.errors import Json, UserError
from scenarios.document import Step, parse
from scenarios.engine import Engine
from scenarios.engine_terms import Attempt, Cancelled, Ended, Entry, Expired, Performed, Prepared, Waits
from scenarios.performing import StepPerformer
from scenarios.plans import Plan, plan_of

START = 1_800_000_000.0  # seconds since the epoch, where every history begins
DIES = "the worker dies"


class Death(BaseException):
    """Nothing after this point happens in this process."""


@dataclass
class KeptJournal:
    """What was only noted goes with the process."""

    durable: dict[str, Entry] = field(default_factory=dict)
    noted: dict[str, Entry] = field(default_factory=dict)

    def recall(self, path: str) -> Entry | None:
        return self.noted.get(path) or self.durable.get(path)

    def last_position(self) -> int:
        return max((entry.position for entry in self.durable.values()), default=0)

    def values(self, paths: Iterable[str]) -> dict[str, Json]:
        return {path: entry.result for path in paths if (entry := self.recall(path)) is not None}

    def note(self, entry: Entry, *, reply: Json = None) -> None:
        earlier = self.recall(entry.path)
        if earlier is not None and entry.inputs is None:
            entry = replace(entry, inputs=earlier.inputs)
        self.noted[entry.path] = entry

    def commit(self, entry: Entry) -> None:
        self.note(entry)
        self.save()

    def save(self) -> None:
        self.durable |= self.noted
        self.noted = {}

    def as_json(self) -> list[Json]:
        """The entries by position, what is as always left out."""
        usual = vars(Entry("", 0, "", "", exchange=None))
        rows = sorted(self.durable.values(), key=lambda entry: (entry.position, entry.path))
        return [{k: v for k, v in vars(row).items() if k not in usual or v != usual[k]} for row in rows]

    @classmethod
    def of(cls, rows: Iterable[Mapping[str, Any]]) -> "KeptJournal":
        return cls({row["path"]: Entry(**row) for row in rows})


@dataclass(frozen=True)
class SayingPerformer(StepPerformer):
    """Resolves inputs and conditions as in the product; what would be done is handed to `act`."""

    act: Callable[[Step, Attempt, Json], Performed] = field(kw_only=True)

    def prepare(self, step: Step, names: Mapping[str, Json], inputs: Json | None) -> Prepared:
        prepared = super().prepare(step, names, inputs)
        return replace(prepared, perform=lambda attempt: self.act(step, attempt, prepared.inputs))

    def client(self, step: Step, action: Any) -> Any:
        return None


@dataclass
class Clock:
    """`says`: "", "cancel" (somebody wants the run cancelled) or "expire" (its deadline is over)."""

    time: float = START
    says: str = ""

    def check(self, *, is_handling: bool = False) -> None:
        if self.says == "cancel":
            raise Cancelled
        if self.says == "expire" and not is_handling:
            raise Expired

    def now(self) -> float:
        return self.time


@dataclass
class OtherRuns:
    """`ended`: by path of the calling step, how the called run ended and its result; the others go on."""

    ended: dict[str, list[Json]] = field(default_factory=dict)
    started: dict[uuid.UUID, str] = field(default_factory=dict)
    refuses: str = ""
    on_start: Callable[[str, Json, Json], None] = field(default=lambda path, scenario, payload: None)

    def start(self, run_id: uuid.UUID, path: str, *, scenario: str, payload: Json) -> None:
        if self.refuses:
            raise UserError(self.refuses, params={"most": 5, "name": scenario})
        self.on_start(path, scenario, payload)
        self.started[run_id] = path

    def outcome(self, run_id: uuid.UUID) -> tuple[str, Json] | None:
        if run_id not in self.started:
            raise LookupError(run_id.hex)
        how = self.ended.get(self.started[run_id])
        return (str(how[0]), how[1]) if how else None


@dataclass
class World:
    """One run of `document`, in as many processes as it takes. `answers`: by path, what each next attempt gives.

    The last answer stays; one is a result, `{"error": {...}}` in the words of UserError, or DIES.
    """

    document: Json
    answers: dict[str, list[Json]] = field(default_factory=dict)
    journal: KeptJournal = field(default_factory=KeptJournal)
    clock: Clock = field(default_factory=Clock)
    others: OtherRuns = field(default_factory=OtherRuns)
    body: Json = None
    performed: list[tuple[str, int]] = field(default_factory=list)

    def act(self, step: Step, attempt: Attempt, inputs: Json) -> Performed:
        self.performed.append((attempt.path, attempt.number))
        usual = inputs["values"] if step.action == "data.set" else {"body": attempt.path}
        left = self.answers.get(attempt.path) or self.answers.get(step.key) or [usual]
        answer = left.pop(0) if len(left) > 1 else left[0]
        if answer == DIES:
            left[:] = left if len(left) > 1 else [usual]
            raise Death
        if isinstance(answer, dict) and "error" in answer:
            given = dict(answer["error"])
            return Performed(error=UserError(given.pop("code"), **given))
        return Performed(result=answer)

    def walk(self, act: Callable[[Step, Attempt, Json], Performed] | None = None) -> Ended | Waits:
        """In one process, until the run ends, waits, or dies (raises Death)."""
        plan = planned(safe_json.dumps(self.document).decode())
        performer = SayingPerformer(plan, 0, "r1", "k1", "Europe/Moscow", act=act or self.act)
        names = {
            plan.document.trigger.key: {"body": self.body}, "trigger": {"body": self.body},
            "vars": dict(plan.document.variables), **plan.document.variables, "run": {"id": "r1", "key": "k1"},
        }  # fmt: skip
        engine = Engine(
            plan.document, self.journal, performer, self.clock, names, calls=self.others, spawn=at_once,
            jitter=lambda: 1.0,
        )  # fmt: skip
        try:
            outcome = engine.run()
            self.journal.save()
        except Death:
            self.journal.noted = {}
            raise
        return outcome

    def go_on(self, walks: int = 1) -> Ended | Waits | None:
        """So many processes one after the other, each as soon as the one before allows; None where the last died."""
        outcome: Ended | Waits | None = None
        for _ in range(walks):
            try:
                outcome = self.walk()
            except Death:
                outcome = None
            if isinstance(outcome, Ended):
                break
            self.clock.time += outcome.seconds if isinstance(outcome, Waits) else 60
        return outcome


@cache
def planned(text: str) -> Plan:
    return plan_of(parse(safe_json.loads(text)))


def at_once(work: Callable[[], None]) -> "Future[None]":
    """The other hands of a parallel loop, one after the other, so that every history is told in one order."""
    future: Future[None] = Future()
    try:
        work()
    except BaseException as error:
        future.set_exception(error)
    else:
        future.set_result(None)
    return future


def next_of(case: Mapping[str, Any]) -> Json:
    """What the engine does first with a saved history: a step, a call, or an end or a wait without either."""
    first: list[Json] = []

    def act(step: Step, attempt: Attempt, inputs: Json) -> Performed:
        again = {"repeated": True} if attempt.repeated else {}
        first.append({"performs": attempt.path, "attempt": attempt.number, **again, "inputs": inputs})
        raise Death

    def call(path: str, scenario: Json, payload: Json) -> None:
        first.append({"calls": scenario, "for": path, "payload": payload})
        raise Death

    called = {uuid.UUID(hex=key): key for key in case.get("called", {})}
    ended = {key: how for key, how in case.get("called", {}).items() if how is not None}
    world = World(
        case["document"],
        journal=KeptJournal.of(case["journal"]),
        clock=Clock(case["now"], case.get("control", "")),
        others=OtherRuns(ended, called, case.get("refuses", ""), call),
        body=case.get("body"),
    )
    try:
        outcome = world.walk(act)
    except Death:
        return first[0]
    if first:  # another hand of a loop has died, and this one told of its end
        return first[0]
    return told(outcome)


def told(outcome: Ended | Waits) -> Json:
    error = {name: (outcome.error or {})[name] for name in ("code", "path") if name in (outcome.error or {})}
    if isinstance(outcome, Ended):
        return {"ends": outcome.status, **error}
    waits_for = {"for": outcome.waits_for} if outcome.waits_for else {}
    return {
        "waits_s": round(outcome.seconds, 3),
        **waits_for,
        **({"wanted": True} if outcome.is_wanted else {}),
        **error,
    }


def renamed(text: str) -> str:
    """The same with ids of called runs that are the same whenever it is made."""
    numbers = itertools.count(1)
    known: dict[str, str] = {}

    def of(old: str) -> str:
        return known.setdefault(old, uuid.uuid5(uuid.NAMESPACE_OID, str(next(numbers))).hex)

    return re.sub(r"\b[0-9a-f]{32}\b", lambda match: of(match.group()), text)
