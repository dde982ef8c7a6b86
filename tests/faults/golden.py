"""Journals of runs in the middle, as a release left them, and what its engine did next.

A deploy meets such journals by the thousand: the engine of the next release must go on from each as this one would.
Where a change means another next action, that is a decision about runs under way: record anew with
`python -m tests.faults.golden`, and say so in the changelog.
"""

import json
import os
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import django

from lib.errors import Json, UserError
from scenarios.document import Document, Step, parse
from scenarios.engine import Engine
from scenarios.engine_terms import Attempt, Ended, Entry, Performed, Prepared

FILE = Path(__file__).with_name("golden.json")
DOCUMENTS, SEED, MOST_STATES = 150, 54, 10
COLUMNS = ("path", "position", "status", "effect", "attempt", "inputs", "result", "error", "resume_at")
NOW = 1_800_000_000.0
EFFECTS = ("pure", "read", "keyed", "once")
USUAL = {"flow.for_each": {"parallel": 1, "on_item_error": "stop"}, "flow.stop": {"message": "", "status": "succeeded"}}
FAILURES: dict[str, dict[str, Any]] = {
    "refused": {"code": "rate_limited", "retry": True, "params": {"status": 429}},
    "wrong": {"code": "upstream_status", "params": {"status": 404}},
    "unknown": {"code": "upstream_timeout", "retry": True, "unknown": True},
}


class Crash(BaseException):
    """The worker dies here."""


@dataclass
class Kept:
    """A journal of which only what was committed is left; it dies after so many commits."""

    durable: dict[str, Entry] = field(default_factory=dict)
    noted: dict[str, Entry] = field(default_factory=dict)
    lives: int = -1

    def recall(self, path: str) -> Entry | None:
        return self.noted.get(path) or self.durable.get(path)

    def last_position(self) -> int:
        return max((entry.position for entry in self.durable.values()), default=0)

    def values(self, paths: Iterable[str]) -> dict[str, Json]:
        return {path: entry.result for path in paths if (entry := self.recall(path))}

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
        self.lives -= 1
        if self.lives == 0:
            raise Crash


@dataclass
class World:
    """Steps whose inputs say what becomes of them; `first` is what was done first, and then the worker dies."""

    dies_at_once: bool
    first: list[Json] = field(default_factory=list)

    def prepare(self, step: Step, names: Mapping[str, Json], inputs: Json | None) -> Prepared:
        given = step.inputs.get("values") or {}

        def perform(attempt: Attempt) -> Performed:
            if self.dies_at_once:
                self.first = ["perform", attempt.path, attempt.number, attempt.repeated]
                raise Crash
            if given["becomes"] in FAILURES and not (given["becomes"] == "refused" and attempt.number > 1):
                return Performed(error=UserError(**FAILURES[given["becomes"]]))
            return Performed({"n": attempt.path})

        return Prepared(inputs or {"is": "prepared"}, given["effect"], False, perform)

    def values(self, step: Step, names: Mapping[str, Json]) -> dict[str, Json]:
        return {**USUAL.get(step.action, {}), **step.inputs}

    def choose(self, step: Step, names: Mapping[str, Json]) -> int | None:
        return next((n for n, branch in enumerate(step.branches) if branch.when in (None, True)), None)

    def reads(self, step: Step) -> frozenset[str]:
        return frozenset()


class Clock:
    def check(self, *, is_handling: bool = False) -> None:
        pass

    def now(self) -> float:
        return NOW


def written(rng: random.Random, depth: int, number: "list[int]") -> list[dict[str, Any]]:
    """Some steps, with others inside them."""
    steps = []
    for _ in range(rng.randint(1, 4)):
        number[0] += 1
        made: dict[str, Any] = {"key": f"s{number[0]}"}
        kind = rng.choice(["act"] * 5 + ["branch", "for_each", "delay", "filter", "stop"])
        if kind == "branch" and depth:
            branches = [{"name": "a", "when": rng.random() < 0.5, "steps": written(rng, depth - 1, number)}]
            made |= {
                "action": "flow.branch",
                "branches": [*branches, {"name": "b", "steps": written(rng, depth - 1, number)}],
            }
        elif kind == "for_each" and depth:
            inputs = {"items": list(range(rng.randint(0, 3))), "on_item_error": rng.choice(["stop", "continue"])}
            made |= {"action": "flow.for_each", "inputs": inputs, "steps": written(rng, depth - 1, number)}
        elif kind == "delay":
            made |= {"action": "flow.delay", "inputs": {"seconds": 60}}
        elif kind == "filter" and depth < 2:
            made |= {"action": "flow.filter", "inputs": {"when": rng.random() < 0.7}}
        elif kind == "stop" and depth < 2 and rng.random() < 0.3:
            made |= {
                "action": "flow.stop",
                "inputs": {"status": rng.choice(["succeeded", "failed"]), "message": "enough"},
            }
        else:
            becomes = rng.choice(["fine"] * 6 + list(FAILURES))
            made |= {"action": "data.set", "inputs": {"values": {"effect": rng.choice(EFFECTS), "becomes": becomes}}}
            if rng.random() < 0.3:
                made["on_error"] = rng.choice(["continue", {"steps": written(rng, 0, number)}])
            if rng.random() < 0.2:
                made["retry"] = {"attempts": 2, "delay_s": 5}
        steps.append(made)
    return steps


def document_of(rng: random.Random) -> dict[str, Any]:
    number = [1]
    made: dict[str, Any] = {
        "format": 1,
        "name": "Golden",
        "trigger": {"key": "s1", "type": "manual", "inputs": {}},
        "settings": {"on_unknown": rng.choice(["stop", "repeat"])},
        "steps": written(rng, 2, number),
    }
    return made | ({"on_error": {"steps": written(rng, 0, number)}} if rng.random() < 0.3 else {})


def next_of(document: Document, journal: list[list[Json]]) -> Json:
    """What the engine does first with this journal: perform a step, end the run, or wait."""
    entries = [Entry(**dict(zip(COLUMNS, row, strict=False)), started_at=NOW) for row in journal]
    kept = Kept({entry.path: entry for entry in entries})
    world = World(dies_at_once=True)
    engine = Engine(document, kept, world, Clock(), {"trigger": {"body": 1}}, jitter=lambda: 1.0)
    try:
        outcome = engine.run()
    except Crash:
        return world.first
    error = (outcome.error or {}).get("code", "")
    if isinstance(outcome, Ended):
        return ["end", outcome.status, error, (outcome.error or {}).get("path", "")]
    return ["wait", round(outcome.seconds, 3), outcome.waits_for, error]


def journals_of(document: Document) -> Iterable[list[list[Json]]]:
    """The journal after each commit before the run's end; what waits is due at the next walk."""
    for lives in range(1, 200):
        kept, ended = Kept(lives=lives), False
        try:
            for _walk in range(20):
                world = World(dies_at_once=False)
                engine = Engine(document, kept, world, Clock(), {"trigger": {"body": 1}}, jitter=lambda: 1.0)
                ended = isinstance(engine.run(), Ended)
                kept.save()
                if ended:
                    break
                due = {
                    path: replace(entry, resume_at=NOW - 1 if entry.resume_at else None)
                    for path, entry in kept.durable.items()
                }
                kept.durable = due
        except Crash:
            pass
        if ended:
            return
        yield [said(entry) for entry in kept.durable.values()]


def said(entry: Entry) -> list[Json]:
    """The columns that matter, without the empty ones at the end."""
    row = [getattr(entry, name) for name in COLUMNS]
    while row[-1] is None:
        row.pop()
    return row


def record() -> list[dict[str, Any]]:
    rng = random.Random(SEED)
    cases = []
    for _ in range(DOCUMENTS):
        text = document_of(rng)
        document = parse(text)
        seen: set[str] = set()
        states = []
        for journal in journals_of(document):
            if (shown := json.dumps(journal, sort_keys=True)) not in seen:
                seen.add(shown)
                states.append({"journal": journal, "next": next_of(document, journal)})
        kept = sorted(rng.sample(range(len(states)), min(MOST_STATES, len(states))))
        cases.append({"document": text, "states": [states[number] for number in kept]})
    return cases


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "apinita.settings")
    django.setup()
    recorded = record()
    FILE.write_text("[\n" + ",\n".join(json.dumps(case, separators=(",", ":")) for case in recorded) + "\n]\n")
    print(f"{sum(len(case['states']) for case in recorded)} journals of {len(recorded)} documents")
