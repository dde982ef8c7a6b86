"""Branches, loops, filters, delays, stops and called scenarios, as docs/format.md promises them."""

import json
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from accounts.models import User
from tests.acceptance.http_server import Json, Reply, Seen, Target, reply
from tests.acceptance.product import Product, document, http, result_of, step, step_of, until
from tests.processes import Live

RECOVERY_S = 90


def put(key: str, /, **values: Json) -> dict[str, Any]:
    return step(key, "data.set", values=values)


def branch(key: str, *branches: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"key": key, "action": "flow.branch", "branches": list(branches)} | more


def each(key: str, items: Json, *steps: dict[str, Any], more: dict[str, Any] | None = None, **inputs: Any) -> Any:
    inside = {"steps": list(steps)} | (more or {})
    return step(key, "flow.for_each", more=inside, items=items, **inputs)


def paths(run: dict[str, Any]) -> list[str]:
    return [one["path"] for one in run["steps"]]


def succeeded(run: dict[str, Any]) -> dict[str, Any]:
    assert run["status"] == "succeeded", run
    return run


class Crowd:
    """A slow route that counts how many requests are in it at once."""

    def __init__(self, slow_s: float = 0.4) -> None:
        self.lock = threading.Lock()
        self.inside = self.most = 0
        self.slow_s = slow_s

    def __call__(self, seen: Seen) -> Reply:
        with self.lock:
            self.inside += 1
            self.most = max(self.most, self.inside)
        time.sleep(self.slow_s)
        with self.lock:
            self.inside -= 1
        return reply({"n": int(seen.query["n"])})


# Branches


def test_the_first_true_branch_is_taken_one_without_a_condition_always_and_maybe_none(product: Product) -> None:
    scenario = product.scenario(
        branch(
            "s2",
            {"name": "много", "when": "{{ s1.body.n > 10 }}", "steps": [put("s3", x="many")]},
            {"name": "есть", "when": "{{ s1.body.n > 0 }}", "steps": [put("s4", x="some")]},
            {"name": "больше одного", "when": "{{ s1.body.n > 1 }}", "steps": [put("s5", x="never")]},
        ),
        branch("s6", {"name": "Иначе", "steps": [put("s7", x="{{ s2.name }}")]}),
    )
    many, some, none = (succeeded(product.run(scenario, {"n": n})) for n in (11, 2, 0))
    assert paths(many) == ["s2", "s2/s3", "s6", "s6/s7"]
    assert paths(some) == ["s2", "s2/s4", "s6", "s6/s7"]
    assert paths(none) == ["s2", "s6", "s6/s7"]
    assert [result_of(run, "s2") for run in (many, some, none)] == [
        {"branch": 0, "name": "много"}, {"branch": 1, "name": "есть"}, {"branch": None, "name": ""},
    ]  # fmt: skip
    assert result_of(some, "s6/s7") == {"x": "есть"}


@pytest.mark.parametrize(
    ("condition", "taken"),
    [
        ("{{ true }}", True), ("{{ 1 }}", True), ("{{ 'text' }}", True), ("{{ [0] }}", True), (True, True),
        ("{{ false }}", False), ("{{ 0 }}", False), ("{{ '' }}", False), ("{{ [] }}", False), ("{{ none }}", False),
        ("false", False), ("<< 1 > 2 >>", False),
    ],
)  # fmt: skip
def test_what_counts_as_a_true_condition(product: Product, condition: Json, taken: bool) -> None:
    run = succeeded(product.try_steps(branch("s2", {"name": "a", "when": condition, "steps": [put("s3", x=1)]})))
    assert ("s2/s3" in paths(run)) is taken


def test_the_steps_of_another_branch_are_not_visible_and_the_draft_says_where(product: Product) -> None:
    router = branch(
        "s2",
        {"name": "a", "when": "{{ true }}", "steps": [put("s3", x=1)]},
        {"name": "b", "steps": [put("s4", x="{{ s3.x }}")]},
    )
    answer = product.post("scenarios/", {"document": document(router)})
    assert answer.status == 400, answer
    assert "steps[0].branches[1].steps[0].inputs.values" in " ".join(answer.json["errors"]), answer
    after = product.post(
        "scenarios/", {"document": document(branch("s2", {"steps": [put("s3", x=1)]}), put("s4", x="{{ s3.x }}"))}
    )
    assert after.status == 400, after
    loop = product.post(
        "scenarios/", {"document": document(each("s2", [1], put("s3", x=1)), put("s4", x="{{ item }}"))}
    )
    assert loop.status == 400, loop
    condition = product.post(
        "scenarios/", {"document": document(branch("s2", {"when": "{{ s3.x }}", "steps": [put("s3", x=1)]}))}
    )
    assert condition.status == 400, condition
    assert "steps[0].branches[0].when" in condition.json["errors"], condition


@pytest.mark.parametrize(
    ("wrong", "where"),
    [
        (branch("s2", {"whne": "{{ true }}", "steps": []}), "steps[0].branches[0].whne"),
        (branch("s2", {"when": 5, "steps": []}), "steps[0].branches[0].when"),
        (branch("s2", {"when": "{{ 1 + }}", "steps": []}), "steps[0].branches[0].when"),
        (branch("s2", {"steps": []}, {"name": "after one that always matches", "steps": []}), "steps[0].branches[1]"),
        (each("s2", [1], put("s3", x=1), parallel=17), "steps[0].inputs.parallel"),
        (each("s2", [1], put("s3", x=1), parallel=0), "steps[0].inputs.parallel"),
        (each("s2", [1], put("s3", x=1), on_item_error="ignore"), "steps[0].inputs.on_item_error"),
        (each("s2", [1], put("s2", x=1)), "steps[0].steps[0].key"),
        (step("s2", "flow.for_each"), "steps[0].inputs.items"),
        (step("s2", "flow.filter"), "steps[0].inputs.when"),
        (step("s2", "flow.delay", seconds=-1), "steps[0].inputs.seconds"),
        (step("s2", "flow.delay", until="tomorrow"), "steps[0].inputs.until"),
        (step("s2", "flow.stop", status="cancelled"), "steps[0].inputs.status"),
        (step("s2", "data.set", more={"steps": []}, values={}), "steps[0].steps"),
        (step("s2", "data.set", more={"branches": []}, values={}), "steps[0].branches"),
    ],
)  # fmt: skip
def test_a_wrong_flow_step_is_refused_and_its_place_is_named(
    product: Product, wrong: dict[str, Any], where: str
) -> None:
    answer = product.post("scenarios/", {"document": document(wrong)})
    assert answer.status == 400, answer
    assert where in answer.json["errors"], answer


# Loops


def test_a_loop_keeps_the_order_and_gives_the_last_result_of_each_pass(product: Product, target: Target) -> None:
    run = succeeded(
        product.try_steps(
            each(
                "s2", "{{ s1.body }}",
                put("s3", double="{{ item.n * 2 }}"),
                http("s4", f"{target.url}/x", query={"n": "{{ s3.double }}", "i": "{{ index }}"}),
                put("s5", seen="{{ s4.body.query.n }}", at="{{ index }}"),
            ),
            put("s6", count="{{ s2.count }}", last="{{ s2.results[-1].seen }}"),
            body=[{"n": 3}, {"n": 1}, {"n": 2}],
        )
    )  # fmt: skip
    assert [(seen.query["i"], seen.query["n"]) for seen in target.seen] == [("0", "6"), ("1", "2"), ("2", "4")]
    assert result_of(run, "s2") == {
        "count": 3, "results": [{"seen": "6", "at": 0}, {"seen": "2", "at": 1}, {"seen": "4", "at": 2}],
    }  # fmt: skip
    assert result_of(run, "s6") == {"count": 3, "last": "4"}
    assert paths(run) == ["s2"] + [f"s2[{n}]/{key}" for n in range(3) for key in ("s3", "s4", "s5")] + ["s6"]


@pytest.mark.parametrize("parallel", [2, 5, 16])
def test_parallel_passes_are_really_parallel_bounded_and_in_order(
    product: Product, target: Target, parallel: int
) -> None:
    target.routes["/x"] = crowd = Crowd()
    loop = each("s2", list(range(24)), http("s3", f"{target.url}/x", query={"n": "{{ item }}"}), parallel=parallel)
    run = succeeded(product.try_steps(loop))
    assert 2 <= crowd.most <= parallel
    assert [one["body"]["n"] for one in result_of(run, "s2")["results"]] == list(range(24))
    assert len(target.seen) == 24


def test_by_default_one_pass_goes_after_the_other(product: Product, target: Target) -> None:
    target.routes["/x"] = crowd = Crowd(0.1)
    succeeded(product.try_steps(each("s2", list(range(6)), http("s3", f"{target.url}/x", query={"n": "{{ item }}"}))))
    assert crowd.most == 1
    assert [seen.query["n"] for seen in target.seen] == list("012345")


@pytest.mark.parametrize("parallel", [1, 3])
def test_a_failed_item_stops_the_loop_or_is_passed_over(product: Product, target: Target, parallel: int) -> None:
    target.routes["/x"] = lambda seen: reply({}, 404 if seen.query["n"] == "1" else 200)
    call = http("s3", f"{target.url}/x", query={"n": "{{ item }}"})
    stopped = product.try_steps(each("s2", list(range(8)), call, parallel=parallel))
    assert (stopped["status"], stopped["error"]["code"], stopped["error"]["path"]) == (
        "failed", "upstream_status", "s2[1]/s3",
    )  # fmt: skip
    assert step_of(stopped, "s2")["status"] == "failed"
    assert len(target.seen) < 8
    if parallel == 1:
        assert [seen.query["n"] for seen in target.seen] == ["0", "1"]
    target.seen.clear()
    went_on = succeeded(
        product.try_steps(each("s2", list(range(8)), call, parallel=parallel, on_item_error="continue"))
    )
    assert len(target.seen) == 8
    results = result_of(went_on, "s2")["results"]
    assert results[1]["error"]["code"] == "upstream_status"
    assert [one["status"] for number, one in enumerate(results) if number != 1] == [200] * 7


def test_a_failed_loop_may_be_handled_or_gone_over(product: Product) -> None:
    broken = put("s3", x="{{ 1 / item }}")
    run = succeeded(
        product.try_steps(
            each("s2", [1, 0], broken, more={"on_error": "continue"}),
            put("s4", path="{{ s2.error.path }}"),
        )
    )
    assert result_of(run, "s4") == {"path": "s2[1]/s3"}
    inside = each(
        "s2", [1, 0, 2], broken | {"on_error": {"steps": [put("s5", why="{{ error.code }} {{ item }} {{ index }}")]}}
    )
    run = succeeded(product.try_steps(inside))
    assert result_of(run, "s2[1]/s3!/s5") == {"why": "expression_failed 0 1"}
    assert [*result_of(run, "s2")["results"][1]] == ["error"]


def test_an_empty_list_is_no_pass(product: Product) -> None:
    run = succeeded(
        product.try_steps(each("s2", "{{ s1.body }}", put("s3", x=1)), put("s4", x="{{ s2.count }}"), body=[])
    )
    assert result_of(run, "s2") == {"count": 0, "results": []}
    assert paths(run) == ["s2", "s4"]
    run = succeeded(product.try_steps(each("s2", [1, 2])))
    assert result_of(run, "s2")["count"] == 2


@pytest.mark.parametrize("items", [{"a": 1}, 5, True, "text", "", None])
def test_what_is_no_list_is_a_typed_error_with_a_hint(product: Product, items: Json) -> None:
    run = product.try_steps(each("s2", "{{ s1.body.items }}", put("s3", x=1)), body={"items": items})
    assert (run["status"], run["error"]["code"], run["error"]["path"]) == ("failed", "not_a_list", "s2"), run
    assert run["error"]["params"]["field"] == "items"
    assert run["error"]["hint"]
    assert paths(run) == ["s2"]


def test_loops_and_branches_stand_in_one_another_five_deep(product: Product) -> None:
    inner = put("s8", at="{{ index }}", item="{{ item }}", n="{{ s6.n }}", first="{{ s3.n }}")
    deep = each(
        "s2", "{{ s1.body }}",
        put("s3", n="{{ index }}"),
        branch(
            "s4",
            {"name": "even", "when": "{{ index % 2 == 0 }}", "steps": [
                each("s5", "{{ item }}",
                    put("s6", n="{{ item }}"),
                    branch("s7", {"name": "always", "steps": [
                        each("s9", [10, 20], inner),
                    ]}),
                ),
            ]},
        ),
    )  # fmt: skip
    run = succeeded(product.try_steps(deep, body=[["a", "b"], ["never"], ["c"]]))
    assert result_of(run, "s2[0]/s4/s5[1]/s7/s9[0]/s8") == {"at": 0, "item": 10, "n": "b", "first": 0}
    assert result_of(run, "s2[2]/s4/s5[0]/s7/s9[1]/s8") == {"at": 1, "item": 20, "n": "c", "first": 2}
    assert not [path for path in paths(run) if path.startswith("s2[1]/s4/")]
    assert result_of(run, "s2[1]/s4") == {"branch": None, "name": ""}


def test_more_than_five_hundred_passes_are_counted_and_still_readable(product: Product) -> None:
    run = succeeded(
        product.try_steps(
            each("s2", "{{ range(0, 600) | list }}", put("s3", n="{{ index }}"), parallel=8),
            put(
                "s4",
                count="{{ s2.count }}",
                last="{{ s2.results[599].n }}",
                sum="{{ s2.results | sum(attribute='n') }}",
            ),
        )
    )
    assert result_of(run, "s2")["count"] == 600
    rest, url = [], run["steps_next"]
    while url:
        page = product.get(url)
        assert page.status == 200, page
        rest += page.json["results"]
        url = page.json["next"]
    everything = run["steps"] + rest
    assert len({one["path"] for one in everything}) == len(everything) == 602
    last = next(one for one in everything if one["path"] == "s4")
    assert last["result"] == {"count": 600, "last": 599, "sum": 179_700}


# Filters, delays, stops


def test_a_filter_ends_the_run_as_succeeded_and_says_filtered(product: Product) -> None:
    scenario = product.scenario(step("s2", "flow.filter", when="{{ s1.body.n > 5 }}"), put("s3", x=1))
    out, through = product.run(scenario, {"n": 5}), product.run(scenario, {"n": 6})
    assert (out["status"], out["error"]["code"], out["error"]["path"]) == ("succeeded", "filtered", "s2")
    assert paths(out) == ["s2"]
    assert result_of(out, "s2") == {"passed": False}
    assert (through["status"], through["error"], paths(through)) == ("succeeded", None, ["s2", "s3"])
    assert result_of(through, "s2") == {"passed": True}


def test_a_filter_in_a_loop_ends_the_pass_alone_also_from_a_branch_inside(product: Product) -> None:
    run = succeeded(
        product.try_steps(
            each(
                "s2", [1, 2, 3, 4],
                branch("s3", {"when": "{{ item < 4 }}", "steps": [step("s4", "flow.filter", when="{{ item % 2 }}")]}),
                put("s5", n="{{ item }}"),
            ),
            put("s6", x="after"),
        )
    )  # fmt: skip
    assert run["error"] is None
    assert [path for path in paths(run) if path.endswith("s5")] == ["s2[0]/s5", "s2[2]/s5", "s2[3]/s5"]
    assert result_of(run, "s2")["count"] == 4
    assert [result_of(run, "s2")["results"][n] for n in (0, 2, 3)] == [{"n": 1}, {"n": 3}, {"n": 4}]
    assert paths(run)[-1] == "s6"


def test_a_delay_waits_at_least_so_long_and_the_run_says_that_it_waits(product: Product, target: Target) -> None:
    scenario = product.scenario(
        http("s2", f"{target.url}/before"), step("s3", "flow.delay", seconds=2), http("s4", f"{target.url}/after")
    )
    run = product.start(scenario)
    waiting = product.reached(run, {"waiting"}, within_s=10)
    assert waiting["error"] is None
    assert step_of(waiting, "s3")["status"] == "waiting"
    assert target.of("/after") == []
    ended = succeeded(product.ended(run))
    before, after = target.of("/before")[0].at, target.of("/after")[0].at
    assert 2 <= after - before < 8
    promised = datetime.fromisoformat(result_of(ended, "s3")["until"])
    assert promised.timestamp() <= after
    assert len(target.of("/before")) == 1


def test_a_delay_until_a_moment_waits_for_it_and_not_where_it_has_passed(product: Product) -> None:
    moment = (datetime.now(UTC) + timedelta(seconds=3)).replace(microsecond=0)
    scenario = product.scenario(step("s2", "flow.delay", until="{{ s1.body.at }}"), put("s3", x=1))
    run = succeeded(product.run(scenario, {"at": moment.isoformat()}))
    assert datetime.fromisoformat(step_of(run, "s3")["started_at"]) >= moment
    begun = time.monotonic()
    run = succeeded(product.run(scenario, {"at": "2020-12-31T21:45:00+03:00"}))
    assert time.monotonic() - begun < 3
    assert datetime.fromisoformat(result_of(run, "s2")["until"]) == datetime(2020, 12, 31, 18, 45, tzinfo=UTC)
    wrong = product.run(scenario, {"at": "soon"})
    assert (wrong["status"], wrong["error"]["code"], wrong["error"]["params"]["field"]) == (
        "failed",
        "invalid_input",
        "until",
    )
    both = product.post(
        "scenarios/", {"document": document(step("s2", "flow.delay", seconds=1, until="2020-12-31T21:45:00Z"))}
    )
    assert both.status == 400, both


def test_delays_hold_no_worker(product: Product) -> None:
    """Many more than the worker has threads, all over together."""
    scenario = product.scenario(step("s2", "flow.delay", seconds=3))
    begun = time.monotonic()
    runs = [product.start(scenario) for _ in range(12)]
    for run in runs:
        succeeded(product.ended(run))
    assert time.monotonic() - begun < 12


def test_a_delay_inside_parallel_passes_is_waited_for_once(product: Product, target: Target) -> None:
    loop = each(
        "s2", [0, 1, 2], step("s3", "flow.delay", seconds=2), http("s4", f"{target.url}/x", query={"n": "{{ item }}"}),
        parallel=3,
    )  # fmt: skip
    begun = time.monotonic()
    run = succeeded(product.try_steps(loop))
    assert 2 <= time.monotonic() - begun < 10
    assert sorted(seen.query["n"] for seen in target.seen) == ["0", "1", "2"]
    assert result_of(run, "s2")["count"] == 3


@pytest.mark.parametrize("status", ["succeeded", "failed"])
def test_a_stop_ends_the_run_with_its_message_from_wherever_it_stands(product: Product, status: str) -> None:
    run = product.try_steps(
        each(
            "s2",
            [1, 2],
            branch("s3", {"steps": [step("s4", "flow.stop", status=status, message="Хватит {{ index }}")]}),
        ),
        put("s5", x=1),
    )
    assert (run["status"], run["error"]["code"]) == (status, "stopped"), run
    assert run["error"]["params"]["message"] == "Хватит 0"
    assert "Хватит 0" in run["error"]["text"]
    assert paths(run) == ["s2", "s2[0]/s3", "s2[0]/s3/s4"]
    assert {one["status"] for one in run["steps"]} <= {"succeeded", "failed"}


# Called scenarios


def test_a_called_scenario_is_waited_for_and_is_a_run_of_its_own(product: Product) -> None:
    child = product.scenario(put("s2", double="{{ trigger.body.n * 2 }}"), trigger={"type": "scenario"})
    run = succeeded(
        product.try_steps(
            step("s2", "flow.scenario", scenario=child["id"], payload={"n": "{{ s1.body.n }}"}),
            put("s3", got="{{ s2.result.double }}"),
            body={"n": 21},
        )
    )
    told = result_of(run, "s2")
    assert (told["status"], told["result"], result_of(run, "s3")) == ("succeeded", {"double": 42}, {"got": 42})
    called = product.get(f"runs/{told['run']}/").json
    assert (called["scenario"], called["trigger"], called["parent"]) == (
        child["id"], "scenario", {"run": run["id"], "path": "s2"},
    )  # fmt: skip
    assert [one["run"] for one in run["children"]] == [told["run"]]
    listed = product.get(f"runs/?scenario={child['id']}").json["results"]
    assert [one["id"] for one in listed] == [told["run"]]


def test_a_failed_called_scenario_is_told_in_the_result_or_fails_the_step(product: Product) -> None:
    child = product.scenario(put("s2", x="{{ 1 / 0 }}"), trigger={"type": "scenario"})
    call = step("s2", "flow.scenario", scenario=child["id"])
    told = succeeded(product.try_steps(call, put("s3", how="{{ s2.status }}")))
    assert result_of(told, "s3") == {"how": "failed"}
    failing = step("s2", "flow.scenario", scenario=child["id"], on_failure="fail")
    failed = product.try_steps(failing, put("s3", x=1))
    assert (failed["status"], failed["error"]["code"], failed["error"]["path"]) == ("failed", "child_failed", "s2")
    assert failed["error"]["params"]["run"] == failed["children"][0]["run"]


def test_a_loop_calls_one_run_for_each_pass(product: Product) -> None:
    child = product.scenario(put("s2", square="{{ trigger.body * trigger.body }}"), trigger={"type": "scenario"})
    loop = each("s2", [1, 2, 3, 4], step("s3", "flow.scenario", scenario=child["id"], payload="{{ item }}"), parallel=2)
    run = succeeded(product.try_steps(loop))
    assert [one["result"]["square"] for one in result_of(run, "s2")["results"]] == [1, 4, 9, 16]
    assert sorted(one["path"] for one in run["children"]) == [f"s2[{n}]/s3" for n in range(4)]
    assert len(product.everything(f"runs/?scenario={child['id']}")) == 4


def test_a_scenario_that_cannot_be_called_is_the_same_typed_error_whosever_it_is(
    product: Product, as_person: Any, charlie: User
) -> None:
    theirs = as_person(charlie).scenario(put("s2", x=1), trigger={"type": "scenario"})
    unpublished = product.create(put("s2", x=1), trigger={"type": "scenario"})
    scenario = product.scenario(step("s2", "flow.scenario", scenario="{{ s1.body.id }}"))
    told = []
    for wanted in (theirs["id"], unpublished["id"], "nosuchid"):
        run = product.run(scenario, {"id": wanted})
        error = run["error"]
        assert (run["status"], error["code"], error["path"]) == ("failed", "scenario_not_callable", "s2"), run
        assert error["hint"]
        assert run["children"] == []
        told.append((error["text"].replace(wanted, "…"), error["hint"].replace(wanted, "…"), [*error["params"]]))
    assert told[0] == told[1] == told[2], "nothing tells which ids exist elsewhere"
    assert as_person(charlie).everything("runs/") == []


def test_a_scenario_that_calls_itself_ends_five_deep(product: Product) -> None:
    made = product.create(put("s2", x=1), trigger={"type": "scenario"})
    calls = document(step("s2", "flow.scenario", scenario=made["id"], on_failure="fail"), trigger={"type": "scenario"})
    path = f"scenarios/{made['id']}/"
    assert product.patch(path, {"document": calls, "revision": made["revision"]}).status == 200
    assert product.post(path + "publish/").status < 300
    assert product.post(path + "activate/").status < 300
    run = product.run(made, within_s=60)
    assert (run["status"], run["error"]["code"]) == ("failed", "child_failed")
    runs = product.everything(f"runs/?scenario={made['id']}")
    assert sorted(one["depth"] for one in runs) == [0, 1, 2, 3, 4, 5]
    assert [one["error"]["code"] for one in runs if one["depth"] == 5] == ["too_deep"]


def test_a_worker_killed_while_another_run_is_waited_for_starts_no_second_one(
    product: Product, live: Live, target: Target
) -> None:
    slow = threading.Event()

    def hold(seen: Seen) -> Reply:
        slow.set()
        return Reply(200, b"{}", delay_s=3)

    target.routes["/x"] = hold
    child = product.scenario(http("s2", f"{target.url}/x"), put("s3", x="done"), trigger={"type": "scenario"})
    scenario = product.scenario(
        each("s2", [1, 2], step("s3", "flow.scenario", scenario=child["id"], payload="{{ item }}"), parallel=2)
    )
    run = product.start(scenario)
    assert slow.wait(20)
    live.worker.kill()
    live.worker.ensure()
    ended = succeeded(product.ended(run, within_s=RECOVERY_S))
    assert [one["result"] for one in result_of(ended, "s2")["results"]] == [{"x": "done"}] * 2
    children = product.everything(f"runs/?scenario={child['id']}")
    assert len(children) == 2, children
    assert {one["parent"]["path"] for one in children} == {"s2[0]/s3", "s2[1]/s3"}


def test_cancelling_a_run_that_waits_for_another_ends_it(product: Product, target: Target) -> None:
    child = product.scenario(step("s2", "flow.delay", seconds=600), trigger={"type": "scenario"})
    scenario = product.scenario(step("s2", "flow.scenario", scenario=child["id"]), http("s3", f"{target.url}/after"))
    run = product.start(scenario)
    until(lambda: product.get(f"runs/{run}/").json["children"], what="the called run")
    product.reached(run, {"waiting"})
    assert product.post(f"runs/{run}/cancel/").status < 300
    ended = product.ended(run, within_s=5)
    assert ended["status"] == "cancelled"
    assert product.ended(ended["children"][0]["run"], within_s=5)["status"] == "cancelled", "the called run ends too"
    assert target.seen == []


# The page


@pytest.mark.parametrize("page", ["format.md", "format.ru.md"])
def test_the_examples_of_the_page_are_taken_as_they_stand(product: Product, target: Target, page: str) -> None:
    product.connect({"type": "bearer", "name": "Google", "slug": "google", "token": "t", "api_base_url": target.url})
    text = (Path(__file__).parents[2] / "docs" / page).read_text(encoding="utf-8")
    examples = [json.loads(block.partition("```")[0]) for block in text.split("```json\n")[1:]]
    assert len(examples) == 2
    for example in examples:
        answer = product.post("scenarios/", {"document": example})
        assert answer.status == 201, answer
        assert product.post(f"scenarios/{answer.json['id']}/publish/").status < 300


def test_the_worked_example_does_what_the_page_says(product: Product, target: Target) -> None:
    product.connect({"type": "bearer", "name": "Google", "slug": "google", "token": "t", "api_base_url": target.url})
    called = product.scenario(put("s2", n="{{ trigger.body.lessons }}"), trigger={"type": "scenario"})
    text = (Path(__file__).parents[2] / "docs" / "format.md").read_text(encoding="utf-8")
    for old, new in (
        ("https://crm.example", target.url),
        ("https://chat.example", target.url),
        ("b7mq2xk4", called["id"]),
    ):
        text = text.replace(old, new)
    example = json.loads(text.split("```json\n")[2].partition("```")[0])
    example["trigger"] = {"key": "s1", "type": "manual", "inputs": {}}
    at = "{{ s1.body.scheduled_for }}"
    example["steps"][0]["inputs"]["time_min"] = at
    example["steps"][1]["branches"][1]["steps"][0]["inputs"]["message"] = f"No lessons after {at}"
    events: list[Json] = [{"id": "1", "summary": "Физика", "attendees": []}, {"id": "2", "summary": "Обед"}]
    target.routes["/calendars/primary/events"] = lambda seen: reply({"items": events})
    scenario = product.scenario(*example["steps"], **{k: example[k] for k in ("settings", "on_error")})
    body = {"scheduled_for": "2026-03-02T06:00:00Z"}
    run = succeeded(product.run(scenario, body))
    assert [seen.json for seen in target.of("/deals")] == [{"title": "Физика", "n": 0}]
    assert result_of(run, "s3/s7")["result"] == {"n": 2}
    events.clear()
    stopped = product.run(scenario, body)
    assert (stopped["status"], stopped["error"]["params"]["message"]) == (
        "succeeded",
        f"No lessons after {body['scheduled_for']}",
    )
    target.routes["/calendars/primary/events"] = reply({"error": {"message": "no"}}, 404)
    failed = product.run(scenario, body)
    assert (failed["status"], step_of(failed, "!/s9")["status"]) == ("failed", "succeeded")
    assert target.of("/hook")[0].json["text"].startswith("s2: ")
