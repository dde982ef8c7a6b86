"""Attempts, handlers, reviews, cancelling and going on: what docs/format.md and docs/api.md promise of trouble."""

import threading
import time
from collections import Counter
from typing import Any

import pytest

from tests.acceptance.http_server import Reply, Seen, Target, hang_up, reply
from tests.acceptance.product import ENDED, Product, http, result_of, step, step_of, until
from tests.acceptance.test_flow import RECOVERY_S, branch, each, paths, put, succeeded
from tests.processes import Live

POST: dict[str, Any] = {"method": "POST", "format": "json", "fields": {"n": 1}}


# Attempts


def test_attempts_are_counted_and_the_pauses_grow(product: Product, target: Target) -> None:
    target.routes["/x"] = reply({}, 500)
    more = {"retry": {"attempts": 3, "delay_s": 1, "factor": 3}}
    run = product.try_steps(http("s2", f"{target.url}/x", more=more))
    assert (run["status"], run["error"]["code"], step_of(run, "s2")["attempt"]) == ("failed", "upstream_status", 3)
    first, second, third = (seen.at for seen in target.seen)
    assert 0.5 <= second - first < 4
    assert 1.5 <= third - second < 8
    assert [one["attempt"] for one in step_of(run, "s2")["attempts"]] == [1, 2]
    assert {one["error"]["code"] for one in step_of(run, "s2")["attempts"]} == {"upstream_status"}


def test_a_pause_is_never_longer_than_its_bound(product: Product, target: Target) -> None:
    target.routes["/x"] = reply({}, 503)
    more = {"retry": {"attempts": 4, "delay_s": 1, "factor": 10, "max_delay_s": 1}}
    begun = time.monotonic()
    product.try_steps(http("s2", f"{target.url}/x", more=more))
    assert len(target.seen) == 4
    assert time.monotonic() - begun < 12


def test_only_the_errors_that_a_step_names_are_tried_again(product: Product, target: Target) -> None:
    target.routes["/404"], target.routes["/500"] = reply({}, 404), reply({}, 500)
    on_404 = {"retry": {"attempts": 3, "delay_s": 0.1, "on": ["404"]}}
    assert product.try_steps(http("s2", f"{target.url}/404", more=on_404))["status"] == "failed"
    assert len(target.of("/404")) == 3
    assert product.try_steps(http("s2", f"{target.url}/500", more=on_404))["status"] == "failed"
    assert len(target.of("/500")) == 1, "500 is not named"
    on_5xx = {"retry": {"attempts": 2, "delay_s": 0.1, "on": ["5xx", "upstream_timeout"]}}
    assert product.try_steps(http("s2", f"{target.url}/500", more=on_5xx))["status"] == "failed"
    assert len(target.of("/500")) == 3
    target.routes["/slow"] = Reply(200, b"{}", delay_s=5)
    run = product.try_steps(http("s2", f"{target.url}/slow", timeout_s=1, more=on_5xx))
    assert (run["error"]["code"], len(target.of("/slow"))) == ("upstream_timeout", 2)


def test_retry_after_is_obeyed_where_the_own_pause_is_shorter(product: Product, target: Target) -> None:
    target.next_replies = [reply({}, 503, Retry_After="3")]
    run = product.start(product.scenario(http("s2", f"{target.url}/x", more={"retry": {"attempts": 2, "delay_s": 0}})))
    waiting = product.reached(run, {"waiting"}, within_s=10)
    assert waiting["error"]["code"] == "upstream_status", waiting
    succeeded(product.ended(run))
    first, second = (seen.at for seen in target.seen)
    assert 3 <= second - first < 8


def test_a_service_that_asks_to_slow_down_uses_up_no_attempts_of_a_step_without_its_own(
    product: Product, target: Target
) -> None:
    target.next_replies = [reply({}, 429, Retry_After="0") for _ in range(3)]
    own = {"retry": {"attempts": 2, "delay_s": 0.1}}
    assert product.try_steps(http("s2", f"{target.url}/x", more=own))["error"]["code"] == "rate_limited"
    assert len(target.seen) == 2
    target.next_replies = []
    target.seen.clear()
    target.next_replies = [reply({}, 429, Retry_After="1") for _ in range(2)]
    succeeded(product.try_steps(http("s2", f"{target.url}/x", **POST)))
    assert len(target.seen) == 3


def test_a_pass_is_tried_again_and_the_passes_before_it_are_not(product: Product, target: Target) -> None:
    refused = {"2": 2}

    def route(seen: Seen) -> Reply:
        number = seen.query["n"]
        refused[number] = refused.get(number, 0) - 1
        return reply({"n": number}, 503 if refused[number] >= 0 else 200)

    target.routes["/x"] = route
    call = http("s3", f"{target.url}/x", query={"n": "{{ item }}"}, more={"retry": {"attempts": 3, "delay_s": 0.3}})
    run = succeeded(product.try_steps(each("s2", [0, 1, 2, 3], call)))
    assert [seen.query["n"] for seen in target.seen] == ["0", "1", "2", "2", "2", "3"]
    assert (step_of(run, "s2[2]/s3")["attempt"], step_of(run, "s2[1]/s3")["attempt"]) == (3, 1)
    assert step_of(run, "s2")["attempt"] == 1


# Errors handled


def test_a_handler_sees_the_error_and_the_run_goes_on_unless_the_handler_fails(
    product: Product, target: Target
) -> None:
    target.routes["/no"] = reply({}, 404)
    told = http("s3", f"{target.url}/told", method="POST", format="json", fields={"why": "{{ error.code }}"})
    failing = http("s2", f"{target.url}/no", more={"on_error": {"steps": [told, put("s4", at="{{ error.path }}")]}})
    run = succeeded(
        product.try_steps(failing, put("s5", code="{{ s2.error.code }}", st="{{ s2.error.params.status }}"))
    )
    assert paths(run) == ["s2", "s2!/s3", "s2!/s4", "s5"]
    assert target.of("/told")[0].json == {"why": "upstream_status"}
    assert result_of(run, "s2!/s4") == {"at": "s2"}
    assert result_of(run, "s5") == {"code": "upstream_status", "st": 404}
    broken = http("s2", f"{target.url}/no", more={"on_error": {"steps": [put("s3", x="{{ 1 / 0 }}")]}})
    run = product.try_steps(broken, put("s4", x=1))
    assert (run["status"], run["error"]["path"]) == ("failed", "s2!/s3"), run
    assert "s4" not in paths(run)


def test_a_handler_is_not_carried_out_where_nothing_failed(product: Product) -> None:
    run = succeeded(product.try_steps(put("s2", x=1) | {"on_error": {"steps": [put("s3", x=1)]}}, put("s4", x=1)))
    assert paths(run) == ["s2", "s4"]


def test_the_handler_of_the_whole_run_tells_and_the_run_has_failed_all_the_same(
    product: Product, target: Target
) -> None:
    told = http(
        "s9", f"{target.url}/told", **(POST | {"fields": {"at": "{{ error.path }}", "why": "{{ error.code }}"}})
    )
    rest: dict[str, Any] = {"on_error": {"steps": [told]}}
    loop = each("s2", [1, 0], put("s3", x="{{ 1 / item }}"))
    run = product.try_steps(loop, **rest)
    assert (run["status"], run["error"]["code"], run["error"]["path"]) == ("failed", "expression_failed", "s2[1]/s3")
    assert [seen.json for seen in target.of("/told")] == [{"at": "s2[1]/s3", "why": "expression_failed"}]
    assert step_of(run, "!/s9")["status"] == "succeeded"
    target.seen.clear()
    succeeded(product.try_steps(put("s2", x=1), **rest))
    filtered = product.try_steps(step("s2", "flow.filter", when=False), **rest)
    handled = product.try_steps(put("s2", x="{{ 1 / 0 }}") | {"on_error": "continue"}, **rest)
    assert [run["status"] for run in (filtered, handled)] == ["succeeded"] * 2
    assert target.seen == [], "nothing has failed"
    target.routes["/told"] = reply({}, 404)
    both = product.try_steps(put("s2", x="{{ 1 / 0 }}"), **rest)
    assert (both["status"], both["error"]["code"], both["error"]["path"]) == ("failed", "expression_failed", "s2")


# Outcomes that nobody knows


@pytest.mark.parametrize("kind", ["loop", "branch"])
@pytest.mark.parametrize("resolved", ["done", "repeat", "failed"])
def test_an_unknown_outcome_inside_is_decided_by_a_person(
    product: Product, target: Target, kind: str, resolved: str
) -> None:
    lost = {"1"}

    def route(seen: Seen) -> Reply:
        number = seen.json["n"]
        if number in lost:
            lost.remove(number)
            return hang_up()
        return reply({"n": number})

    target.routes["/pay"] = route
    pay = http(
        "s3", f"{target.url}/pay", **(POST | {"fields": {"n": "{{ s1.body.n | default(item | default('1')) }}"}})
    )
    after = http("s5", f"{target.url}/after")
    if kind == "loop":
        pay["inputs"]["fields"] = {"n": "{{ item }}"}
        steps, path = [each("s2", ["0", "1", "2"], pay), after], "s2[1]/s3"
    else:
        pay["inputs"]["fields"] = {"n": "1"}
        steps, path = [branch("s2", {"steps": [pay]}), after], "s2/s3"
    run = product.try_steps(*steps)
    assert (run["status"], run["error"]["code"], run["error"]["path"]) == ("needs_review", "unknown_outcome", path)
    assert step_of(run, path)["status"] == "needs_review"
    assert target.of("/after") == []
    before = len(target.of("/pay"))
    assert product.post(f"runs/{run['id']}/resolve/", {"path": "s77", "as": resolved}).status in {400, 404, 409}
    answer = product.post(f"runs/{run['id']}/resolve/", {"path": path, "as": resolved})
    assert 200 <= answer.status < 300, answer
    ended = product.reached(run["id"], ENDED - {"needs_review"})
    sent = Counter(seen.json["n"] for seen in target.of("/pay"))
    if resolved == "failed":
        assert (ended["status"], ended["error"]["path"]) == ("failed", path), ended
        assert (len(target.of("/pay")), target.of("/after")) == (before, [])
        return
    assert ended["status"] == "succeeded", ended
    assert sent["1"] == (2 if resolved == "repeat" else 1)
    assert sent["0"] == sent["2"] == (1 if kind == "loop" else 0)
    assert len(target.of("/after")) == 1


def test_of_two_doubts_in_parallel_passes_each_is_decided_and_then_the_run_goes_on(
    product: Product, target: Target
) -> None:
    lost = {0, 1}
    meet = threading.Barrier(2)

    def route(seen: Seen) -> Reply:
        number = seen.json["n"]
        if number in lost:
            meet.wait(10)
            lost.discard(number)
            return hang_up()
        return reply({"n": number})

    target.routes["/pay"] = route
    pay = http("s3", f"{target.url}/pay", **(POST | {"fields": {"n": "{{ item }}"}}))
    run = product.try_steps(each("s2", [0, 1, 2], pay, parallel=2), http("s4", f"{target.url}/after"))
    doubtful = sorted(one["path"] for one in run["steps"] if one["status"] == "needs_review")
    assert (run["status"], doubtful) == ("needs_review", ["s2[0]/s3", "s2[1]/s3"]), run
    resolve = f"runs/{run['id']}/resolve/"
    assert product.post(resolve, {"path": "s2[0]/s3", "as": "done"}).status < 300
    time.sleep(1)
    left = product.get(f"runs/{run['id']}/").json
    assert (left["status"], left["error"]["path"]) == ("needs_review", "s2[1]/s3"), left
    assert product.post(resolve, {"path": "s2[1]/s3", "as": "repeat"}).status < 300
    ended = product.reached(run["id"], ENDED - {"needs_review"})
    assert ended["status"] == "succeeded", ended
    assert sorted(seen.json["n"] for seen in target.of("/pay")) == [0, 1, 1, 2]
    assert len(target.of("/after")) == 1


def test_on_unknown_repeat_sends_again_by_itself(product: Product, target: Target) -> None:
    target.next_replies = [hang_up()]
    loop = each("s2", [0, 1], http("s3", f"{target.url}/pay", **(POST | {"fields": {"n": "{{ item }}"}})))
    succeeded(product.try_steps(loop, settings={"on_unknown": "repeat"}))
    assert [seen.json["n"] for seen in target.seen] == [0, 0, 1]


# Kills


def test_a_worker_killed_in_the_middle_of_three_hundred_posts(product: Product, live: Live, target: Target) -> None:
    """Keyed ones take effect once; of those that may act twice none is sent twice."""
    half = threading.Event()

    def keyed(seen: Seen) -> Reply:
        if len(target.of("/keyed")) >= 120:
            half.set()
        return reply({"n": seen.json["n"]})

    target.routes["/keyed"] = keyed
    posts = each(
        "s2", "{{ range(0, 300) | list }}",
        http("s3", f"{target.url}/keyed", idempotency_key="auto", **(POST | {"fields": {"n": "{{ item }}"}})),
        parallel=4,
    )  # fmt: skip
    once = each(
        "s2", "{{ range(0, 300) | list }}", http("s3", f"{target.url}/once", **(POST | {"fields": {"n": "{{ item }}"}}))
    )
    runs = product.start(product.scenario(posts, put("s4", x="{{ s2.count }}"))), product.start(product.scenario(once))
    assert half.wait(60)
    live.worker.kill()
    live.worker.ensure()
    first = succeeded(product.ended(runs[0], within_s=RECOVERY_S))
    assert result_of(first, "s2")["count"] == 300
    keys: dict[str, set[int]] = {}
    for seen in target.of("/keyed"):
        keys.setdefault(seen.headers["idempotency-key"], set()).add(seen.json["n"])
    assert len(keys) == 300
    assert sorted(number for numbers in keys.values() for number in numbers) == list(range(300)), "one key, one effect"
    assert len(target.of("/keyed")) <= 300 + 4, "only what was under way is sent again"
    second = product.ended(runs[1], within_s=RECOVERY_S)
    while second["status"] == "needs_review":
        product.post(f"runs/{runs[1]}/resolve/", {"path": second["error"]["path"], "as": "done"})
        second = product.reached(runs[1], ENDED - {"needs_review"}, within_s=60)
    sent = Counter(seen.json["n"] for seen in target.of("/once"))
    assert second["status"] == "succeeded", second
    assert set(sent.values()) == {1}, "nothing is sent twice"
    assert len(sent) >= 299, "what nobody knows of is at most what was under way"


# Cancelling, going on


def test_a_long_request_is_broken_off_when_its_run_is_cancelled(product: Product, target: Target) -> None:
    going = threading.Event()

    def slow(seen: Seen) -> Reply:
        going.set()
        return Reply(200, b"{}", delay_s=25)

    target.routes["/slow"] = slow
    run = product.start(
        product.scenario(http("s2", f"{target.url}/slow", timeout_s=60), http("s3", f"{target.url}/after"))
    )
    assert going.wait(20)
    asked = time.monotonic()
    assert product.post(f"runs/{run}/cancel/").status < 300
    ended = product.ended(run, within_s=10)
    took = time.monotonic() - asked
    assert ended["status"] == "cancelled", ended
    assert took < 6, f"{took:.1f} s"
    assert step_of(ended, "s2")["status"] in {"cancelled", "failed"}
    time.sleep(1)
    later = product.get(f"runs/{run}/").json
    assert (later["status"], later["finished_at"], target.of("/after")) == ("cancelled", ended["finished_at"], [])
    assert product.post(f"runs/{run}/cancel/").json["code"] == "run_ended"


def test_cancelling_ends_a_loop_between_its_passes(product: Product, target: Target) -> None:
    target.routes["/x"] = Reply(200, b"{}", delay_s=0.2)
    loop = each("s2", "{{ range(0, 400) | list }}", http("s3", f"{target.url}/x"), parallel=2)
    run = product.start(product.scenario(loop, http("s4", f"{target.url}/after")))
    until(lambda: len(target.seen) > 6)
    product.post(f"runs/{run}/cancel/")
    ended = product.ended(run, within_s=10)
    count = len(target.seen)
    assert (ended["status"], ended["error"]["code"]) == ("cancelled", "cancelled")
    time.sleep(1)
    assert len(target.seen) == count < 400
    assert target.of("/after") == []
    assert step_of(ended, "s2")["status"] == "cancelled"


def test_a_retry_from_inside_a_pass_sends_only_the_rest(product: Product, target: Target) -> None:
    broken = {"3"}
    target.routes["/b"] = lambda seen: reply({}, 404 if seen.query["n"] in broken else 200)
    scenario = product.scenario(
        each(
            "s2", [0, 1, 2, 3, 4],
            http("s3", f"{target.url}/a", query={"n": "{{ item }}"}),
            http("s5", f"{target.url}/b", query={"n": "{{ item }}"}),
        ),
        http("s6", f"{target.url}/after"),
    )  # fmt: skip
    failed = product.run(scenario)
    assert (failed["status"], failed["error"]["path"]) == ("failed", "s2[3]/s5")
    target.seen.clear()
    broken.clear()
    answer = product.post(f"runs/{failed['id']}/retry/", {"from": "s2[3]/s5"})
    assert answer.status == 202, answer
    again = succeeded(product.ended(answer.json["run"]))
    assert [seen.target for seen in target.seen] == ["/b?n=3", "/a?n=4", "/b?n=4", "/after"]
    assert (again["replay_of"], result_of(again, "s2")["count"]) == (failed["id"], 5)
    assert len(result_of(again, "s2")["results"]) == 5
    target.seen.clear()
    whole = succeeded(product.ended(product.post(f"runs/{failed['id']}/retry/", {}).json["run"]))
    assert (len(target.seen), result_of(whole, "s2")["count"]) == (11, 5)


def test_a_retry_from_inside_a_branch_takes_the_branch_that_was_taken(product: Product, target: Target) -> None:
    target.routes["/x"] = reply({}, 404)
    router = branch(
        "s2",
        {
            "name": "a",
            "when": "{{ s1.body.n == 1 }}",
            "steps": [put("s3", u="{{ uuid() }}"), http("s4", f"{target.url}/x")],
        },
        {"name": "b", "steps": []},
    )
    failed = product.run(product.scenario(router, put("s5", took="{{ s2.name }}")), {"n": 1})
    assert failed["error"]["path"] == "s2/s4"
    del target.routes["/x"]
    again = succeeded(product.ended(product.post(f"runs/{failed['id']}/retry/", {"from": "s2/s4"}).json["run"]))
    assert result_of(again, "s2/s3") == result_of(failed, "s2/s3")
    assert result_of(again, "s5") == {"took": "a"}
    for wrong in ("s2/s5", "s2[0]/s4", "s4", "s2/"):
        assert product.post(f"runs/{failed['id']}/retry/", {"from": wrong}).status == 400, wrong
