"""Runs that wait for one another: limits of a scenario, services that ask to slow down, deliveries again."""

import threading
import time
from typing import Any

from tests.acceptance.http_server import Reply, Seen, Target, reply
from tests.acceptance.product import Product, at_once, document, http, send, step, step_of, until
from tests.acceptance.test_flow import Crowd, each, put, succeeded

HOOK = {"type": "webhook", "inputs": {}}


def test_one_run_at_a_time_keeps_the_order_of_arrival(product: Product, target: Target) -> None:
    target.routes["/x"] = crowd = Crowd(0.05)
    scenario = product.scenario(
        http("s2", f"{target.url}/x", query={"n": "{{ s1.body.n }}"}),
        step("s3", "flow.delay", seconds=0),
        http("s4", f"{target.url}/x", query={"n": "{{ s1.body.n }}"}),
        trigger=HOOK, settings={"max_concurrent_runs": 1},
    )  # fmt: skip
    url = scenario["trigger"]["url"]
    answers = [send("POST", url, json={"n": n}) for n in range(20)]
    assert {answer.status for answer in answers} == {202}
    for answer in answers:
        succeeded(product.ended(answer.json["run"], within_s=60))
    assert crowd.most == 1
    assert [int(seen.query["n"]) for seen in target.seen] == [n for n in range(20) for _ in range(2)]


def test_a_limit_holds_for_runs_that_come_at_once_and_none_is_lost(product: Product, target: Target) -> None:
    target.routes["/x"] = crowd = Crowd(0.3)
    scenario = product.scenario(
        http("s2", f"{target.url}/x", query={"n": "{{ s1.body.n }}"}), trigger=HOOK, settings={"max_concurrent_runs": 2}
    )
    answers = at_once(20, lambda n: send("POST", scenario["trigger"]["url"], json={"n": n}))
    for answer in answers:
        succeeded(product.ended(answer.json["run"], within_s=60))
    assert crowd.most == 2
    assert sorted(int(seen.query["n"]) for seen in target.seen) == list(range(20))


def test_a_run_that_fails_or_is_cancelled_gives_its_place_to_the_next(product: Product, target: Target) -> None:
    target.routes["/x"] = lambda seen: reply({}, 404 if seen.query["n"] == "0" else 200)
    scenario = product.scenario(
        http("s2", f"{target.url}/x", query={"n": "{{ s1.body.n }}"}),
        step("s3", "flow.delay", seconds=600),
        settings={"max_concurrent_runs": 1},
    )
    failing, waiting, last = (product.start(scenario, {"n": n}) for n in range(3))
    assert product.ended(failing)["status"] == "failed"
    product.reached(waiting, {"waiting"})
    held = product.get(f"runs/{last}/").json
    assert held["status"] == "queued", "a run that waits keeps its place"
    assert [seen.query["n"] for seen in target.seen] == ["0", "1"]
    assert product.post(f"runs/{waiting}/cancel/").status < 300
    product.reached(last, {"waiting"}, within_s=20)
    assert [seen.query["n"] for seen in target.seen] == ["0", "1", "2"]


def test_the_limit_of_one_scenario_delays_no_other(product: Product) -> None:
    limited = product.scenario(step("s2", "flow.delay", seconds=600), settings={"max_concurrent_runs": 1})
    for _ in range(5):
        product.start(limited)
    begun = time.monotonic()
    succeeded(product.try_steps(put("s2", x=1)))
    assert time.monotonic() - begun < 10


def test_a_called_scenario_keeps_its_own_limit(product: Product, target: Target) -> None:
    target.routes["/x"] = crowd = Crowd(0.3)
    child = product.scenario(
        http("s2", f"{target.url}/x", query={"n": "{{ trigger.body }}"}),
        trigger={"type": "scenario"}, settings={"max_concurrent_runs": 1},
    )  # fmt: skip
    call = step("s3", "flow.scenario", scenario=child["id"], payload="{{ item }}")
    run = succeeded(product.try_steps(each("s2", [0, 1, 2, 3], call, parallel=4)))
    assert crowd.most == 1
    assert [one["status"] for one in step_of(run, "s2")["result"]["results"]] == ["succeeded"] * 4


def test_a_scenario_with_one_place_that_calls_itself_does_not_wait_for_itself(product: Product) -> None:
    one = {"max_concurrent_runs": 1}
    made = product.create(put("s2", x=1), trigger={"type": "scenario"}, settings=one)
    calls = document(step("s2", "flow.scenario", scenario=made["id"]), trigger={"type": "scenario"}, settings=one)
    path = f"scenarios/{made['id']}/"
    assert product.patch(path, {"document": calls, "revision": made["revision"]}).status == 200
    for action in ("publish/", "activate/"):
        assert product.post(path + action).status < 300
    succeeded(product.run(made))


def test_a_service_that_asks_to_slow_down_holds_the_other_runs_of_its_connection_too(
    product: Product, target: Target
) -> None:
    connection = product.connect(
        {"type": "bearer", "name": "CRM", "slug": "crm", "token": "t-1", "api_base_url": target.url}
    )
    refused = threading.Event()

    def busy(seen: Seen) -> Reply:
        if not refused.is_set():
            refused.set()
            return reply({}, 429, Retry_After="4")
        return reply({"ok": True})

    target.routes["/x"] = busy
    signed = product.scenario(http("s2", f"{target.url}/x", connection["slug"]))
    first = product.start(signed)
    assert refused.wait(20)
    refused_at = target.seen[0].at
    others = [product.start(signed) for _ in range(5)]
    unsigned = product.try_steps(http("s2", f"{target.url}/free"))
    succeeded(unsigned)
    assert target.of("/free")[0].at - refused_at < 4, "what does not use the connection is not held"
    held = product.reached(others[-1], {"waiting"}, within_s=10)
    assert held["error"] is None or held["error"]["code"] == "connection_throttled", held
    for run in [first, *others]:
        ended = succeeded(product.ended(run, within_s=40))
        assert step_of(ended, "s2")["attempt"] == (2 if run == first else 1), "to be held is no attempt"
    later = target.of("/x")[1:]
    assert len(later) == 6
    assert min(seen.at for seen in later) - refused_at >= 4


def test_a_delivery_is_delivered_once_more(product: Product, target: Target) -> None:
    scenario = product.scenario(
        http("s2", f"{target.url}/x", query={"n": "{{ s1.body.n }}"}),
        trigger={"type": "webhook", "inputs": {"dedupe_path": "n"}},
    )
    answer = send("POST", scenario["trigger"]["url"], json={"n": 7})
    first = succeeded(product.ended(answer.json["run"]))
    delivery = product.get(f"deliveries/?scenario={scenario['id']}").json["results"][0]
    assert (delivery["run"], delivery["verdict"]) == (first["id"], "accepted")
    again = product.post(f"deliveries/{delivery['id']}/redeliver/")
    assert again.status == 202, again
    second = succeeded(product.ended(again.json["run"]))
    assert second["id"] != first["id"]
    assert [seen.query["n"] for seen in target.seen] == ["7", "7"]
    rows = product.get(f"deliveries/?scenario={scenario['id']}").json["results"]
    assert len(rows) == 2
    assert {row["repeats"] for row in rows} == {None, delivery["id"]}
    assert product.post("deliveries/nothing/redeliver/").status == 404


def test_a_delivery_in_parts_from_many_senders_is_in_order_of_its_ledger(product: Product, target: Target) -> None:
    """What arrives together runs in the order in which it was stored."""
    scenario = product.scenario(
        http("s2", f"{target.url}/x", query={"n": "{{ s1.body.n }}"}), trigger=HOOK, settings={"max_concurrent_runs": 1}
    )
    at_once(12, lambda n: send("POST", scenario["trigger"]["url"], json={"n": n}))
    until(lambda: len(target.seen) == 12, within_s=60)
    rows: list[dict[str, Any]] = product.everything(f"deliveries/?scenario={scenario['id']}")
    order = [row["run"] for row in reversed(rows)]
    started = sorted((product.ended(run)["started_at"], run) for run in order)
    assert [run for _, run in started] == sorted(order), "runs' ids grow with their arrival"
