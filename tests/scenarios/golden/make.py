"""Records the histories beside it: `python -m tests.scenarios.golden.make [NAME …]`; without names, only what is new.

A history is what a release left of a run in the middle, and what its engine did next. A later engine that does
something else decides differently about runs that are under way: record such a history anew only where that is meant.
"""

import json
import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from lib.errors import Json

FOLDER = Path(__file__).resolve().parent
URL = "https://crm.example"
REFUSED = {"error": {"code": "upstream_status", "params": {"status": 503}, "retry": True}}
WRONG = {"error": {"code": "upstream_status", "params": {"status": 404}}}
SLOW_DOWN = {"error": {"code": "rate_limited", "params": {"status": 429}, "retry": True, "retry_after_s": 7}}
UNKNOWN = {"error": {"code": "upstream_timeout", "retry": True, "unknown": True}}
SIGNED_OUT = {"error": {"code": "reauthorization_needed", "params": {"waits_for": "connection:7"}}}
THROTTLED = {"error": {"code": "connection_throttled", "params": {"waits_for": "rate:7"}, "retry_after_s": 30}}
DIES = "the worker dies"

Case = dict[str, Any]


def put(key: str, /, **values: Json) -> dict[str, Any]:
    return {"key": key, "action": "data.set", "inputs": {"values": values}}


def post(key: str, /, more: dict[str, Any] | None = None, **fields: Json) -> dict[str, Any]:
    """May act twice."""
    inputs = {"method": "POST", "url": f"{URL}/{key}", "format": "json", "fields": fields}
    return {"key": key, "action": "http.request", "inputs": inputs, **(more or {})}


def get(key: str, /, more: dict[str, Any] | None = None, **query: Json) -> dict[str, Any]:
    return {
        "key": key,
        "action": "http.request",
        "inputs": {"method": "GET", "url": URL, "query": query},
        **(more or {}),
    }


def keyed(key: str, /, more: dict[str, Any] | None = None, **fields: Json) -> dict[str, Any]:
    made = post(key, more, **fields)
    made["inputs"]["idempotency_key"] = "auto"
    return made


def flow(key: str, kind: str, more: dict[str, Any] | None = None, **inputs: Json) -> dict[str, Any]:
    return {"key": key, "action": f"flow.{kind}", "inputs": inputs, **(more or {})}


def each(key: str, items: Json, *steps: Json, more: dict[str, Any] | None = None, **inputs: Json) -> dict[str, Any]:
    return flow(key, "for_each", {"steps": list(steps), **(more or {})}, items=items, **inputs)


def branch(key: str, *branches: Json, more: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"key": key, "action": "flow.branch", "branches": list(branches), **(more or {})}


def way(name: str, when: Json, *steps: Json) -> dict[str, Any]:
    return {"name": name, **({} if when is None else {"when": when}), "steps": list(steps)}


def handler(*steps: Json) -> dict[str, Any]:
    return {"on_error": {"steps": list(steps)}}


def case(name: str, *steps: Json, **given: Any) -> Case:
    """`given`: rest (of the document), body, answers, walks (until it is saved), later_s, ended, refuses, control,
    decided (by a person), loses_calls (the worker dies before the called run is there)."""
    rest = given.pop("rest", {})
    document = {
        "format": 1,
        "name": name,
        "trigger": {"key": "s1", "type": "manual", "inputs": {}},
        "steps": list(steps),
    }
    return {"name": name, "document": {**document, **rest}, **given}


def plain() -> Iterator[Case]:
    yield case("nothing has been done yet", put("s2", x="{{ s1.body.n }}"), post("s3"), body={"n": 5})
    yield case("nothing is left to do", put("s2", x=1), get("s3"))
    yield case("a read was under way", put("s2", x=1), get("s3", n="{{ s2.x }}"), answers={"s3": [DIES]})
    yield case("a keyed step was under way", keyed("s2", n=1), get("s3"), answers={"s2": [DIES]})
    yield case("a once step was under way", post("s2", n=1), get("s3"), answers={"s2": [DIES]})
    repeat = {"settings": {"on_unknown": "repeat"}}
    yield case("a once step was under way and may be repeated", post("s2", n=1), rest=repeat, answers={"s2": [DIES]})
    yield case(
        "what was computed before the once step is not computed anew",
        put("s2", u="{{ uuid() }}"),
        post("s3", u="{{ s2.u }}"),
        get("s4", u="{{ s2.u }}"),
        answers={"s4": [DIES]},
    )
    yield case(
        "random inputs of an attempt stay for the next", get("s2", u="{{ random(1, 1000000) }}"), answers={"s2": [DIES]}
    )
    for decision in ("done", "repeat", "failed"):
        yield case(
            f"an outcome that nobody knows, decided: {decision}",
            post("s2"),
            get("s3"),
            answers={"s2": [UNKNOWN]},
            decided={"s2": decision},
        )
    yield case(
        "a once step that died, decided: repeat",
        post("s2"),
        get("s3"),
        answers={"s2": [DIES]},
        walks=2,
        decided={"s2": "repeat"},
    )
    yield case("cancelled before the second step", get("s2"), get("s3"), answers={"s3": [DIES]}, control="cancel")
    yield case(
        "the deadline is over before the second step", get("s2"), get("s3"), answers={"s3": [DIES]}, control="expire"
    )
    yield case("cancelled while a once step was under way", post("s2"), answers={"s2": [DIES]}, control="cancel")


def waiting() -> Iterator[Case]:
    own = {"retry": {"attempts": 3, "delay_s": 10, "factor": 3}}
    yield case("waits for its second attempt, due", get("s2", own), answers={"s2": [REFUSED]})
    yield case("waits for its second attempt, not due", get("s2", own), answers={"s2": [REFUSED]}, later_s=4)
    yield case("waits for its third and last attempt", get("s2", own), answers={"s2": [REFUSED]}, walks=2)
    yield case("all attempts are used up", get("s2", own), get("s3"), answers={"s2": [REFUSED]}, walks=3)
    yield case("the fifth attempt of a read without a retry of its own", get("s2"), answers={"s2": [REFUSED]}, walks=4)
    yield case("five attempts are all that a read has by itself", get("s2"), answers={"s2": [REFUSED]}, walks=5)
    yield case("killed in its second attempt", get("s2", own), answers={"s2": [REFUSED, DIES]}, walks=2)
    yield case("a once step was refused and has no retry of its own", post("s2"), answers={"s2": [SLOW_DOWN]})
    yield case("429 is patient: the ninth attempt", get("s2"), answers={"s2": [SLOW_DOWN]}, walks=8)
    yield case("429 with a retry of its own has an end", get("s2", own), answers={"s2": [SLOW_DOWN]}, walks=3)
    named = {"retry": {"attempts": 4, "delay_s": 1, "on": ["404"]}}
    yield case("an error that the step names is tried again", get("s2", named), answers={"s2": [WRONG]})
    yield case("signed out: no attempt is used up", get("s2"), answers={"s2": [SIGNED_OUT]})
    yield case("throttled: a once step goes out for the first time", post("s2"), answers={"s2": [THROTTLED]}, walks=3)
    yield case(
        "cancelled while it waits for an attempt",
        get("s2", own),
        answers={"s2": [REFUSED]},
        control="cancel",
        later_s=1,
    )
    yield case("a delay, not over", put("s2", x=1), flow("s3", "delay", seconds=600), post("s4"), later_s=100)
    yield case(
        "a delay, over", put("s2", x=1), flow("s3", "delay", seconds=600), post("s4", x="{{ s2.x }}"), later_s=601
    )
    yield case(
        "a delay until a moment that has passed",
        flow("s2", "delay", until="2020-12-31T21:45:00+03:00"),
        post("s3", at="{{ s2.until }}"),
        answers={"s3": [SLOW_DOWN]},
    )
    yield case(
        "the deadline is over while it waits for an attempt",
        get("s2", own),
        answers={"s2": [REFUSED]},
        control="expire",
    )


def branches() -> Iterator[Case]:
    router = branch(
        "s2",
        way("many", "{{ s1.body.n > 10 }}", post("s3")),
        way("some", "{{ s1.body.n > 0 }}", put("s4", x=1), get("s5", n="{{ s1.body.n }}")),
        way("else", None, post("s6")),
    )
    yield case("a branch was taken", router, get("s7"), body={"n": 2}, answers={"s2/s5": [DIES]})
    yield case(
        "the decision stands although its reason is gone",
        branch("s2", way("a", "{{ now() | date('%Y') == '1990' }}", post("s3")), way("b", None, get("s4"))),
        answers={"s2/s4": [DIES]},
    )
    yield case("a branch is over", router, get("s7", took="{{ s2.name }}"), body={"n": 11}, answers={"s7": [DIES]})
    yield case(
        "no branch was true",
        branch("s2", way("a", "{{ false }}", post("s3"))),
        get("s4", b="{{ s2.branch }}"),
        answers={"s4": [DIES]},
    )
    yield case(
        "a condition cannot be evaluated", branch("s2", way("a", "{{ s1.body.gone }}", post("s3"))), get("s4"), body={}
    )
    yield case(
        "a step in a branch waits for its next attempt",
        branch("s2", way("a", None, get("s3"))),
        get("s4"),
        answers={"s2/s3": [REFUSED]},
    )
    yield case(
        "an unknown outcome in a branch", branch("s2", way("a", None, post("s3"))), get("s4"), answers={"s2/s3": [DIES]}
    )
    yield case(
        "a failed branch that is gone over",
        branch("s2", way("a", None, get("s3")), more={"on_error": "continue"}),
        post("s4", why="{{ s2.error.path }}"),
        answers={"s2/s3": [WRONG], "s4": [SLOW_DOWN]},
    )
    yield case(
        "two branches deep",
        branch("s2", way("a", None, branch("s3", way("b", None, get("s4"), post("s5"))))),
        answers={"s2/s3/s5": [SLOW_DOWN]},
    )


def loops() -> Iterator[Case]:
    ten = "{{ range(0, 10) | list }}"
    yield case(
        "in the seventh pass",
        each("s2", ten, get("s3", n="{{ item }}"), post("s4", n="{{ s3.body }}")),
        answers={"s2[6]/s3": [DIES], "s3": [{"body": "b"}]},
    )
    yield case(
        "in the seventh pass, its once step under way",
        each("s2", ten, post("s3", n="{{ index }}")),
        answers={"s2[6]/s3": [DIES]},
    )
    yield case(
        "the list is the one that was there at the start",
        each("s2", "{{ [uuid(), uuid()] }}", get("s3", n="{{ item }}")),
        answers={"s2[1]/s3": [DIES]},
    )
    yield case(
        "in the seventh pass, waiting for an attempt",
        each("s2", ten, get("s3", n="{{ item }}")),
        answers={"s2[6]/s3": [REFUSED]},
    )
    yield case(
        "the loop is over",
        each("s2", [1, 2], get("s3", n="{{ item }}")),
        post("s4", r="{{ s2.results }}"),
        answers={"s4": [SLOW_DOWN]},
    )
    yield case(
        "an empty loop is over",
        each("s2", "{{ s1.body }}", get("s3")),
        post("s4", r="{{ s2.count }}"),
        body=[],
        answers={"s4": [SLOW_DOWN]},
    )
    yield case(
        "a failed pass has stopped the loop",
        each("s2", ten, get("s3", n="{{ item }}")),
        get("s4"),
        answers={"s2[3]/s3": [WRONG]},
    )
    goes_on: dict[str, Any] = {"on_item_error": "continue"}
    yield case(
        "a failed pass was gone over",
        each("s2", ten, get("s3", n="{{ item }}"), **goes_on),
        answers={"s2[3]/s3": [WRONG], "s2[5]/s3": [DIES]},
    )
    yield case(
        "results with a failed pass among them",
        each("s2", [1, 2], get("s3"), **goes_on),
        post("s4", r="{{ s2.results[0].error.code }}"),
        answers={"s2[0]/s3": [WRONG], "s4": [SLOW_DOWN]},
    )
    yield case(
        "a filtered pass is over",
        each("s2", [1, 2, 3], flow("s3", "filter", when="{{ item != 2 }}"), post("s4", n="{{ item }}")),
        answers={"s2[2]/s4": [SLOW_DOWN]},
    )
    yield case(
        "a filter in the middle of a pass has been decided",
        each("s2", [1, 2, 3], flow("s3", "filter", when="{{ random(0, 1) < 2 }}"), get("s4")),
        answers={"s2[1]/s4": [DIES]},
    )
    yield case(
        "parallel passes, two wait",
        each("s2", [0, 1, 2, 3], get("s3", n="{{ item }}"), parallel=2),
        answers={"s2[0]/s3": [REFUSED, {}], "s2[1]/s3": [REFUSED, {}]},
    )
    for decision in ("done", "repeat", "failed"):
        yield case(
            f"a pass of which nobody knows, decided: {decision}",
            each("s2", [0, 1, 2, 3], post("s3", n="{{ item }}"), parallel=2),
            answers={"s2[1]/s3": [UNKNOWN]},
            decided={"s2[1]/s3": decision},
        )
    yield case(
        "a loop in a loop",
        each("s2", [[1, 2], [3, 4]], each("s3", "{{ item }}", get("s4", n="{{ item }}", i="{{ index }}"))),
        answers={"s2[1]/s3[0]/s4": [DIES]},
    )
    yield case(
        "a branch in the third pass",
        each(
            "s2",
            [1, 2, 3],
            branch(
                "s3", way("odd", "{{ item % 2 == 1 }}", get("s4", n="{{ item }}")), way("even", None, put("s5", x=1))
            ),
        ),
        answers={"s2[2]/s3/s4": [DIES]},
    )
    yield case(
        "a delay in the second pass",
        each("s2", [0, 1], flow("s3", "delay", seconds="{{ item * 100 }}"), post("s4")),
        later_s=50,
    )
    yield case(
        "cancelled in the seventh pass", each("s2", ten, get("s3")), answers={"s2[6]/s3": [DIES]}, control="cancel"
    )


def errors() -> Iterator[Case]:
    yield case(
        "a handler is under way",
        get("s2", handler(post("s8", why="{{ error.code }}"), get("s9"))),
        get("s3"),
        answers={"s2": [WRONG], "s2!/s9": [DIES]},
    )
    yield case(
        "a handler is over",
        get("s2", handler(put("s9", x=1))),
        post("s3", why="{{ s2.error.code }}"),
        answers={"s2": [WRONG], "s3": [SLOW_DOWN]},
    )
    yield case(
        "a handler waits", get("s2", handler(get("s9"))), get("s3"), answers={"s2": [WRONG], "s2!/s9": [REFUSED]}
    )
    yield case(
        "a handler has failed", get("s2", handler(get("s9"))), get("s3"), answers={"s2": [WRONG], "s2!/s9": [WRONG]}
    )
    yield case(
        "an error that is gone over",
        get("s2", {"on_error": "continue"}),
        get("s3", c="{{ s2.error.code }}"),
        answers={"s2": [WRONG], "s3": [DIES]},
    )
    run_wide = {"rest": {"on_error": {"steps": [put("s8", x=1), post("s9", at="{{ error.path }}")]}}}
    yield case(
        "the handler of the whole run is under way", get("s2"), answers={"s2": [WRONG], "!/s9": [SLOW_DOWN]}, **run_wide
    )
    yield case("the handler of the whole run is over", get("s2"), answers={"s2": [WRONG]}, **run_wide)
    yield case(
        "the handler of the whole run goes on after the deadline",
        get("s2"),
        answers={"s2": [WRONG], "!/s9": [SLOW_DOWN]},
        control="expire",
        **run_wide,
    )
    yield case("a filter has ended the run", flow("s2", "filter", when="{{ false }}"), get("s3"), **run_wide)
    yield case("a stop has ended the run", flow("s2", "stop", status="failed", message="no"), get("s3"), rest={})
    yield case(
        "a stop in a loop has ended the run", each("s2", [1, 2], flow("s3", "stop", message="{{ item }}")), get("s4")
    )


def calls() -> Iterator[Case]:
    call = flow("s2", "scenario", scenario="b7mq2xk4", payload={"n": "{{ s1.body.n }}"})
    body = {"body": {"n": 3}}
    after = get("s3", r="{{ s2.result.x }}", how="{{ s2.status }}")
    yield case("the id of a called run is kept, the run was not started", call, after, loses_calls=True, **body)
    yield case("a called run goes on", call, after, **body)
    yield case("a called run has ended", call, after, ended={"s2": ["succeeded", {"x": 9}]}, **body)
    yield case("a called run has failed", call, after, ended={"s2": ["failed", {"x": 0}]}, **body)
    strict = flow("s2", "scenario", scenario="b7mq2xk4", on_failure="fail")
    yield case("a called run has failed, and so does the step", strict, get("s3"), ended={"s2": ["cancelled", None]})
    yield case(
        "a scenario that may not be called", call, after, refuses="scenario_not_callable", loses_calls=True, **body
    )
    yield case(
        "calls in two parallel passes, one has ended",
        each(
            "s2",
            [1, 2, 3],
            flow("s3", "scenario", scenario="b7mq2xk4", payload="{{ item }}"),
            get("s4", r="{{ s3.result }}"),
            parallel=2,
        ),
        ended={"s2[1]/s3": ["succeeded", 5]},
    )
    yield case("cancelled while a called run goes on", call, after, control="cancel", **body)


THEMES = {"plain": plain, "waiting": waiting, "branches": branches, "loops": loops, "errors": errors, "calls": calls}


def recorded(made: Case) -> Case:
    """The history that this engine leaves behind, and what it does next."""
    from tests.scenarios.golden.world import START, Clock, Death, OtherRuns, World, next_of, renamed

    def lose(*_given: Json) -> None:
        raise Death

    others = OtherRuns(on_start=lose) if made.pop("loses_calls", False) else OtherRuns()
    answers = {path: list(left) for path, left in made.pop("answers", {}).items()}
    world = World(made["document"], answers, clock=Clock(START), others=others, body=made.get("body"))
    later_s, ended = made.pop("later_s", 3600), made.pop("ended", {})
    walks = made.pop("walks", 0 if made["name"] == "nothing has been done yet" else 1)
    world.go_on(walks)
    for path, decision in made.pop("decided", {}).items():
        decide(world.journal, path, decision)
    made["called"] = {key.hex: ended.get(path) for key, path in others.started.items()}
    # The clock of `go_on` stands where the last wait is over: only the first part of it has passed here.
    made["now"] = max((entry.started_at or START for entry in world.journal.durable.values()), default=START) + later_s
    made["journal"] = world.journal.as_json()
    made = json.loads(renamed(json.dumps(made, ensure_ascii=False)))
    made["next"] = json.loads(json.dumps(next_of(made)))
    return {name: made[name] for name in ORDER if made.get(name) not in (None, "", {})}


def decide(journal: Any, path: str, decision: str) -> None:
    """As scenarios.running.resolve does."""
    entry = journal.durable[path]
    assert entry.status == "needs_review", entry
    status = {"done": "succeeded", "repeat": "waiting", "failed": "failed"}[decision]
    error = entry.error if decision == "failed" else None
    journal.durable[path] = replace(entry, status=status, error=error, resume_at=None)


ORDER = ("name", "document", "body", "control", "refuses", "called", "journal", "now", "next")


def main(names: list[str]) -> None:
    for theme, cases in THEMES.items():
        file = FOLDER / f"{theme}.json"
        known = {kept["name"]: kept for kept in json.loads(file.read_text())} if file.exists() else {}
        for made in cases():
            if made["name"] not in known or made["name"] in names:
                known[made["name"]] = recorded(made)
        file.write_text(as_text(list(known.values())))
        print(f"{file.name}: {len(known)}")


def as_text(cases: list[Case]) -> str:
    """A line for each entry of a journal and each other part of a case, so that changes can be read."""
    told = []
    for one in cases:
        parts = []
        for name, value in one.items():
            text = json.dumps(value, ensure_ascii=False)
            if name == "journal" and value:
                text = "[\n   " + ",\n   ".join(json.dumps(entry, ensure_ascii=False) for entry in value) + "\n  ]"
            parts.append(f"  {json.dumps(name)}: {text}")
        told.append(" {\n" + ",\n".join(parts) + "\n }")
    return "[\n" + ",\n".join(told) + "\n]\n"


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "apinita.settings")
    import django

    from lib.crypto import Keyring

    os.environ.setdefault("APINITA_SECRET_KEYS", Keyring.generate("golden"))
    django.setup()
    main(sys.argv[1:])
