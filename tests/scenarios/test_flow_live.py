"""Routers, loops, delays, stops and called scenarios, executed by a real worker."""

import itertools
from typing import Any

import pytest

from accounts.models import User
from lib.errors import Json
from scenarios import editing, running
from scenarios.models import Run, Scenario, StepRun
from tests.people import actor_of
from tests.processes import Worker, wait_until
from tests.scenarios.making import made


def values(key: str, **given: Json) -> dict[str, Json]:
    return {"key": key, "action": "data.set", "inputs": {"values": given}}


def scenario_of(user: User, *steps: dict[str, Json], trigger: str = "manual", **rest: Json) -> Scenario:
    data: dict[str, Any] = {
        "name": "Проба",
        "trigger": {"key": "s1", "type": trigger, "inputs": {}},
        "steps": list(steps),
    }
    return made(user, data | rest)


def ended(run: Run, *, timeout_s: float = 20) -> Run:
    def run_has_ended() -> bool:
        run.refresh_from_db()
        return run.finished_at is not None

    wait_until(run_has_ended, timeout_s=timeout_s)
    return run


def started(user: User, scenario: Scenario, body: Json = None) -> Run:
    return running.start_by_hand(actor_of(user), scenario, body)


def results(run: Run) -> dict[str, Json]:
    return dict(StepRun.objects.filter(run=run).values_list("path", "result"))


def test_the_first_true_branch_is_taken_and_no_other(alice: User, worker: Worker) -> None:
    branches: list[Json] = [
        {"name": "нет", "when": "{{ s1.body.n > 5 }}", "steps": [values("s3", said="many")]},
        {"name": "да", "when": "{{ s1.body.n > 0 }}", "steps": [values("s4", said="{{ s1.body.n }}")]},
        {"name": "иначе", "steps": [values("s5", said="none")]},
    ]
    router: dict[str, Json] = {"key": "s2", "action": "flow.branch", "inputs": {}, "branches": branches}
    run = ended(started(alice, scenario_of(alice, router, values("s6", took="{{ s2.name }}")), {"n": 2}))
    assert run.error is None, run.error
    assert run.status == "succeeded"
    assert results(run) == {"s2": {"branch": 1, "name": "да"}, "s2/s4": {"said": 2}, "s6": {"took": "да"}}


@pytest.mark.parametrize("parallel", [1, 4])
def test_a_loop_gives_the_last_result_of_each_pass(alice: User, worker: Worker, parallel: int) -> None:
    loop: dict[str, Json] = {
        "key": "s2",
        "action": "flow.for_each",
        "inputs": {"items": "{{ s1.body }}", "parallel": parallel},
        "steps": [values("s3", double="{{ item * 2 }}"), values("s4", n="{{ s3.double + index }}")],
    }
    total = values("s5", sum="{{ s2.results | column('n') | join('+') }}")
    run = ended(started(alice, scenario_of(alice, loop, total), [1, 2, 3]))
    assert run.error is None, run.error
    assert run.status == "succeeded"
    assert results(run)["s2"] == {"count": 3, "results": [{"n": 2}, {"n": 5}, {"n": 8}]}
    assert results(run)["s5"] == {"sum": "2+5+8"}


def test_a_very_long_loop_leaves_its_results_in_the_journal(alice: User, worker: Worker) -> None:
    loop: dict[str, Json] = {
        "key": "s2",
        "action": "flow.for_each",
        "inputs": {"items": "{{ range(0, 1200) }}", "parallel": 8},
        "steps": [values("s3", n="{{ index }}")],
    }
    run = ended(started(alice, scenario_of(alice, loop, values("s4", last="{{ s2.results[1199].n }}"))), timeout_s=60)
    assert run.error is None, run.error
    assert run.status == "succeeded"
    assert results(run)["s2"] == {"count": 1200, "results": {"_passes": 1200}}
    assert results(run)["s4"] == {"last": 1199}


def test_a_failed_item_stops_the_loop_or_is_gone_over(alice: User, worker: Worker) -> None:
    def loop(**inputs: Json) -> dict[str, Json]:
        steps: list[Json] = [values("s3", n="{{ 10 / item }}")]
        return {"key": "s2", "action": "flow.for_each", "inputs": {"items": [1, 0, 2], **inputs}, "steps": steps}

    run = ended(started(alice, scenario_of(alice, loop())))
    assert (run.status, run.error["path"]) == ("failed", "s2[1]/s3")
    assert "s2[2]/s3" not in results(run)
    run = ended(started(alice, scenario_of(alice, loop(on_item_error="continue"))))
    assert run.status == "succeeded"
    first, second, third = results(run)["s2"]["results"]
    assert (first, third) == ({"n": 10}, {"n": 5})
    assert second["error"]["path"] == "s2[1]/s3"
    run = ended(
        started(alice, scenario_of(alice, loop() | {"on_error": "continue"}, values("s4", why="{{ s2.error.path }}")))
    )
    assert (run.status, results(run)["s4"]) == ("succeeded", {"why": "s2[1]/s3"})


def test_a_filter_ends_the_run_and_in_a_loop_the_pass(alice: User, worker: Worker) -> None:
    no: dict[str, Json] = {"key": "s2", "action": "flow.filter", "inputs": {"when": "{{ s1.body.n > 5 }}"}}
    run = ended(started(alice, scenario_of(alice, no, values("s3", said=1)), {"n": 1}))
    assert (run.status, run.error["code"], list(results(run))) == ("succeeded", "filtered", ["s2"])
    odd: dict[str, Json] = {"key": "s3", "action": "flow.filter", "inputs": {"when": "{{ item % 2 == 1 }}"}}
    loop: dict[str, Json] = {
        "key": "s2",
        "action": "flow.for_each",
        "inputs": {"items": [1, 2, 3]},
        "steps": [odd, values("s4", n="{{ item }}")],
    }
    run = ended(started(alice, scenario_of(alice, loop, values("s5", count="{{ s2.count }}"))))
    assert (run.status, run.error, results(run)["s5"]) == ("succeeded", None, {"count": 3})
    assert results(run)["s2"]["results"] == [{"n": 1}, {"passed": False}, {"n": 3}]


def test_a_delay_is_not_early_and_holds_no_worker(alice: User, worker: Worker) -> None:
    wait: dict[str, Json] = {"key": "s2", "action": "flow.delay", "inputs": {"seconds": 2}}
    run = started(alice, scenario_of(alice, wait, values("s3", said=1)))

    def run_waits() -> bool:
        run.refresh_from_db()
        return run.status == "waiting"

    wait_until(run_waits)
    assert run.owner == ""
    ended(run)
    assert run.status == "succeeded"
    step = StepRun.objects.get(run=run, path="s2")
    assert 2 <= (step.finished_at - step.started_at).total_seconds() < 6
    past: dict[str, Json] = {"key": "s2", "action": "flow.delay", "inputs": {"until": "2020-12-31T21:45:00+03:00"}}
    run = ended(started(alice, scenario_of(alice, past)))
    assert results(run) == {"s2": {"until": "2020-12-31T18:45:00.000Z"}}


@pytest.mark.parametrize("status", ["succeeded", "failed"])
def test_a_stop_ends_the_run_from_anywhere(alice: User, worker: Worker, status: str) -> None:
    stop: dict[str, Json] = {
        "key": "s3",
        "action": "flow.stop",
        "inputs": {"status": status, "message": "Хватит {{ index }}"},
    }
    loop: dict[str, Json] = {"key": "s2", "action": "flow.for_each", "inputs": {"items": [1, 2]}, "steps": [stop]}
    run = ended(started(alice, scenario_of(alice, loop, values("s4", said=1))))
    assert (run.status, run.error["code"], run.error["params"]["message"]) == (status, "stopped", "Хватит 0")
    assert "s4" not in results(run)
    assert StepRun.objects.get(run=run, path="s2").status == status


def test_a_called_scenario_is_awaited_and_gives_its_last_result(alice: User, worker: Worker) -> None:
    child = scenario_of(alice, values("s2", double="{{ trigger.body.n * 2 }}"), trigger="scenario")
    call: dict[str, Json] = {
        "key": "s2",
        "action": "flow.scenario",
        "inputs": {"scenario": child.public_id, "payload": {"n": "{{ s1.body }}"}},
    }
    run = ended(started(alice, scenario_of(alice, call, values("s3", got="{{ s2.result.double }}")), 21))
    assert run.error is None, run.error
    assert run.status == "succeeded"
    called = Run.objects.get(parent_id=run.id)
    assert results(run) == {
        "s2": {"run": called.id.hex, "status": "succeeded", "result": {"double": 42}},
        "s3": {"got": 42},
    }
    assert (called.parent_path, called.depth, called.trigger) == ("s2", 1, "scenario")


def test_a_scenario_that_calls_itself_ends(alice: User, worker: Worker) -> None:
    scenario = scenario_of(alice, values("s2", said=1))
    call: dict[str, Json] = {
        "key": "s2",
        "action": "flow.scenario",
        "inputs": {"scenario": scenario.public_id, "on_failure": "fail"},
    }
    document = scenario.document | {"steps": [call]}
    editing.save(actor_of(alice), scenario, document, revision=None)
    editing.publish(actor_of(alice), scenario)
    scenario.refresh_from_db()
    run = ended(started(alice, scenario), timeout_s=40)
    assert (run.status, run.error["code"]) == ("failed", "child_failed")
    assert Run.objects.count() == 6
    assert set(Run.objects.exclude(pk=run.pk).values_list("error__code", flat=True)) == {"child_failed", "too_deep"}


def test_what_went_wrong_is_handled_for_a_step_and_for_the_whole_run(alice: User, worker: Worker) -> None:
    broken = values("s2", n="{{ 1 / 0 }}")
    handled = broken | {"on_error": {"steps": [values("s3", why="{{ error.code }} {{ error.path }}")]}}
    run = ended(started(alice, scenario_of(alice, handled, values("s4", seen="{{ s2.error.code }}"))))
    assert run.status == "succeeded"
    assert results(run)["s2!/s3"] == {"why": f"{results(run)['s4']['seen']} s2"}
    notify: dict[str, Json] = {"steps": [values("s9", why="{{ error.path }}")]}
    run = ended(started(alice, scenario_of(alice, broken, on_error=notify)))
    assert (run.status, run.error["path"], results(run)["!/s9"]) == ("failed", "s2", {"why": "s2"})


def test_a_limit_of_one_keeps_the_order(alice: User, worker: Worker) -> None:
    wait: dict[str, Json] = {"key": "s2", "action": "flow.delay", "inputs": {"seconds": 1}}
    scenario = scenario_of(alice, wait, settings={"max_concurrent_runs": 1})
    runs = [started(alice, scenario, number) for number in range(3)]
    for run in runs:
        ended(run, timeout_s=30)
    spans = [(run.started_at, run.finished_at) for run in runs]
    assert all(earlier[1] <= later[0] for earlier, later in itertools.pairwise(spans))


def test_a_large_value_is_stored_apart_and_read_back(alice: User, worker: Worker) -> None:
    large = values("s2", text="{{ s1.body }}")
    wait: dict[str, Json] = {"key": "s3", "action": "flow.delay", "inputs": {"seconds": 1}}
    size = values("s4", size="{{ s2.text | length }}")
    run = ended(started(alice, scenario_of(alice, large, wait, size), "x" * 400_000))
    assert run.error is None, run.error
    assert results(run)["s4"] == {"size": 400_000}
    assert results(run)["s2"]["_cut"]["bytes"] > 400_000
