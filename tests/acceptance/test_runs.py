"""Runs: their list, their detail, retries, cancelling, HTTP steps and what other servers do to them."""

import threading
import time
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.acceptance.http_server import Reply, Seen, Target, hang_up, reply
from tests.acceptance.product import Product, at_once, http, result_of, step, step_of, until

RUN_FIELDS = {"id", "scenario", "version", "trigger", "status", "started_at", "finished_at", "error", "steps"}
STEP_FIELDS = {"path", "status", "attempt", "inputs", "result", "error", "started_at", "took_ms"}


def test_a_run_shows_each_step_with_what_went_in_and_came_out(product: Product, target: Target) -> None:
    target.routes["/deals"] = reply({"id": 5, "list": [1, {"a": None}]}, 201, X_Custom="Да".encode().decode("latin-1"))
    scenario = product.scenario(
        http("s2", f"{target.url}/deals", method="POST", format="json", fields={"t": "{{ s1.body.t }}", "n": 3}),
        step(
            "s3",
            "data.set",
            values={"id": "{{ s2.body.id }}", "status": "{{ s2.status }}", "list": "<< s2.body.list >>"},
        ),
    )
    run = product.run(scenario, {"t": "Привет"})
    assert run["status"] == "succeeded", run
    assert set(run) >= RUN_FIELDS | {"steps_next"}
    assert (run["scenario"], run["version"], run["error"], run["steps_next"]) in [
        (scenario["id"], 1, None, None),
        ({"id": scenario["id"], "name": "Проверка"}, 1, None, None),
    ]
    assert target.seen[0].json == {"t": "Привет", "n": 3}
    assert target.seen[0].headers["content-type"].startswith("application/json")
    posted = step_of(run, "s2")
    assert set(posted) >= STEP_FIELDS
    assert (posted["status"], posted["attempt"], posted["error"]) == ("succeeded", 1, None)
    assert posted["inputs"]["fields"] == {"t": "Привет", "n": 3}
    assert posted["result"]["status"] == 201
    assert posted["result"]["headers"]["content-type"].startswith("application/json")
    assert posted["result"]["body"] == {"id": 5, "list": [1, {"a": None}]}
    assert result_of(run, "s3") == {"id": 5, "status": 201, "list": [1, {"a": None}]}
    for moment in (run["started_at"], run["finished_at"], posted["started_at"]):
        assert datetime.fromisoformat(moment).utcoffset() == UTC.utcoffset(None), moment


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (Reply(200, b"", {}), None),
        (Reply(200, b"\xd0\x94\xd0\xb0", {"Content-Type": "text/plain"}), "Да"),
        (Reply(200, "Да".encode("cp1251"), {"Content-Type": "text/plain; charset=windows-1251"}), "Да"),
        (Reply(200, b'{"a": 1}', {"Content-Type": "application/problem+json"}), {"a": 1}),
        (Reply(200, b'"text"', {"Content-Type": "application/json"}), "text"),
        (Reply(200, b"<p>no JSON</p>", {"Content-Type": "text/html"}), "<p>no JSON</p>"),
    ],
    ids=["empty", "text", "cp1251", "problem+json", "a JSON string", "html"],
)
def test_the_body_of_an_answer_is_json_or_text_or_nothing(
    product: Product, target: Target, answer: Reply, body: Any
) -> None:
    target.routes["/x"] = answer
    assert result_of(product.try_steps(http("s2", f"{target.url}/x")), "s2")["body"] == body


@pytest.mark.parametrize(
    "text", [b'{"a": "\\u0000", "b": 1}', b'{"a": "\\ud800"}', b"\xff\xfe not utf-8", b'{"a": NaN}']
)
def test_an_answer_that_cannot_be_stored_as_it_is_still_means_that_the_step_was_done(
    product: Product, target: Target, text: bytes
) -> None:
    target.routes["/x"] = Reply(200, text, {"Content-Type": "application/json"})
    run = product.try_steps(http("s2", f"{target.url}/x", method="POST", format="json", fields={}))
    assert len(target.seen) == 1, "a POST whose answer came must not be sent again"
    assert step_of(run, "s2")["status"] == "succeeded" or run["error"]["code"] == "upstream_invalid", run


def test_form_bodies_queries_and_headers_arrive_as_written(product: Product, target: Target) -> None:
    product.try_steps(
        http(
            "s2", f"{target.url}/f?a=1&б=ё", method="POST", format="form", query={"q": "а b&c=+", "n": 2},
            headers={"X-Test": "{{ 1 + 1 }}"}, fields={"result": {"status": "ok", "list": ["x"]}, "plus": "a+b & ё"},
        )
    )  # fmt: skip
    seen = target.seen[0]
    assert seen.query == {"a": "1", "б": "ё", "q": "а b&c=+", "n": "2"}
    assert seen.headers["x-test"] == "2"
    assert seen.headers["content-type"].startswith("application/x-www-form-urlencoded")
    form = seen.form
    assert (form["result[status]"], form["plus"]) == ("ok", "a+b & ё"), form


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "MERGE"])
def test_each_method_arrives_as_itself(product: Product, target: Target, method: str) -> None:
    inputs = {} if method in {"GET", "HEAD"} else {"format": "text", "body": "тело"}
    run = product.try_steps(http("s2", f"{target.url}/m", method=method, **inputs))
    assert run["status"] == "succeeded", run
    assert [(seen.method, seen.body.decode()) for seen in target.seen] == [(method, inputs.get("body", ""))]


def test_an_error_status_is_an_answer_when_fail_on_is_empty(product: Product, target: Target) -> None:
    target.routes["/x"] = reply({"why": "no"}, 422)
    run = product.try_steps(http("s2", f"{target.url}/x", fail_on=""))
    assert (run["status"], result_of(run, "s2")["status"]) == ("succeeded", 422)


def test_redirects_are_followed_for_get_but_not_for_post(product: Product, target: Target) -> None:
    target.routes["/from"] = Reply(302, b"", {"Location": "/to"})
    got = product.try_steps(http("s2", f"{target.url}/from"))
    assert result_of(got, "s2")["body"]["path"] == "/to"
    posted = product.try_steps(http("s2", f"{target.url}/from", method="POST", format="json", fields={}))
    assert len(target.of("/to")) == 1
    assert result_of(posted, "s2")["status"] == 302


def test_a_redirect_to_a_private_address_is_blocked(product: Product, target: Target) -> None:
    target.routes["/from"] = Reply(302, b"", {"Location": "http://169.254.169.254/latest/meta-data/"})
    run = product.try_steps(http("s2", f"{target.url}/from"))
    assert run["error"]["code"] == "destination_blocked", run


BLOCKED = [
    "http://10.0.0.1/", "http://127.0.0.2/", "http://[::1]/", "http://169.254.169.254/", "http://0.0.0.0/",
    "http://2130706434/", "http://0x7f.0.0.2/", "http://[::ffff:10.0.0.1]/", "http://192.168.1.1:8080/",
    "http://93.184.216.34:25/",
]  # fmt: skip


def test_an_address_or_port_that_may_not_be_reached_is_destination_blocked(product: Product) -> None:
    scenario = product.scenario(http("s2", "{{ s1.body.url }}"))
    codes = {url: (product.run(scenario, {"url": url})["error"] or {}).get("code") for url in BLOCKED}
    assert codes == dict.fromkeys(BLOCKED, "destination_blocked")


WRONG_URLS = ["ftp://example.com/", "file:///etc/passwd", "http://", "not a url", "http://a b/"]


def test_a_url_wrong_in_syntax_or_scheme_is_invalid_input(product: Product) -> None:
    scenario = product.scenario(http("s2", "{{ s1.body.url }}"))
    for url in WRONG_URLS:
        error = product.run(scenario, {"url": url})["error"]
        assert (error["code"], error["params"]["field"]) == ("invalid_input", "url"), (url, error)


def test_a_name_that_does_not_resolve_is_host_not_found(product: Product) -> None:
    retry = {"retry": {"attempts": 1}}
    run = product.try_steps(http("s2", "http://nobody.invalid/", more=retry))
    assert run["error"]["code"] == "host_not_found", run["error"]


def test_a_refused_connection_is_upstream_unreachable(product: Product, target: Target) -> None:
    target.__exit__()
    run = product.try_steps(http("s2", target.url, more={"retry": {"attempts": 1}}))
    assert run["error"]["code"] == "upstream_unreachable", run["error"]
    target.thread.join(1)


def test_a_slow_answer_is_upstream_timeout_at_its_deadline(product: Product, target: Target) -> None:
    target.routes["/slow"] = Reply(200, b"{}", delay_s=20)
    begun = time.monotonic()
    run = product.try_steps(http("s2", f"{target.url}/slow", timeout_s=1, more={"retry": {"attempts": 1}}))
    assert run["error"]["code"] == "upstream_timeout", run["error"]
    assert time.monotonic() - begun < 8
    assert step_of(run, "s2")["took_ms"] < 2500


@pytest.mark.parametrize(
    "raw",
    [
        b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"a":',
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Ty",
        b"SSH-2.0-OpenSSH_9.2\r\n",
    ],
    ids=["body cut", "chunk cut", "not gzip", "head cut", "not HTTP"],
)
def test_an_answer_cut_off_or_garbled_is_upstream_invalid(product: Product, target: Target, raw: bytes) -> None:
    target.routes["/x"] = Reply(raw=raw)
    run = product.try_steps(http("s2", f"{target.url}/x", more={"retry": {"attempts": 1}}))
    assert run["status"] == "failed", run
    assert run["error"]["code"] == "upstream_invalid", run["error"]


def test_a_read_is_tried_again_after_temporary_failures(product: Product, target: Target) -> None:
    target.next_replies = [reply({}, 503), hang_up()]
    run = product.try_steps(http("s2", f"{target.url}/x", more={"retry": {"attempts": 3, "delay_s": 0.2}}))
    assert run["status"] == "succeeded", run
    assert len(target.seen) == 3
    assert step_of(run, "s2")["attempt"] in {2, 3}  # a reused connection that turns out closed is not an attempt


def test_a_read_stops_after_the_attempts_that_it_was_given(product: Product, target: Target) -> None:
    target.routes["/x"] = reply({}, 500)
    run = product.try_steps(http("s2", f"{target.url}/x", more={"retry": {"attempts": 2, "delay_s": 0.2}}))
    assert (run["status"], run["error"]["code"], run["error"]["params"]["status"]) == ("failed", "upstream_status", 500)
    assert len(target.seen) == 2


def test_retry_after_is_obeyed_and_a_definite_refusal_repeats_even_a_post(product: Product, target: Target) -> None:
    target.next_replies = [reply({}, 429, Retry_After="2")]
    fields = {"method": "POST", "format": "json", "fields": {"a": 1}}
    run = product.try_steps(http("s2", f"{target.url}/x", more={"retry": {"attempts": 3, "delay_s": 0.1}}, **fields))
    assert run["status"] == "succeeded", run
    first, second = target.seen
    assert second.at - first.at >= 2


def test_a_post_whose_outcome_nobody_knows_is_not_sent_again(product: Product, target: Target) -> None:
    target.next_replies = [hang_up()]
    run = product.try_steps(http("s2", f"{target.url}/pay", method="POST", format="json", fields={"sum": 1}))
    assert len(target.seen) == 1
    assert (run["status"], run["error"]["code"]) == ("needs_review", "unknown_outcome"), run
    resolved = product.post(f"runs/{run['id']}/resolve/", {"path": "s2", "as": "done"})
    assert 200 <= resolved.status < 300, resolved
    assert product.ended(run["id"])["status"] == "succeeded"
    assert len(target.seen) == 1


def test_a_post_on_a_reused_connection_is_not_sent_twice_behind_the_back_of_the_journal(
    product: Product, target: Target
) -> None:
    scenario = product.scenario(
        *[http(f"s{n}", f"{target.url}/warm-up") for n in range(2, 6)],
        http("s6", f"{target.url}/pay", method="POST", format="json", fields={"sum": 1}),
    )
    target.routes["/pay"] = hang_up()
    runs = [product.run(scenario) for _ in range(4)]
    assert [run["status"] for run in runs] == ["needs_review"] * 4
    assert len(target.of("/pay")) == 4


def test_a_review_may_repeat_the_step_or_fail_the_run(product: Product, target: Target) -> None:
    target.next_replies = [hang_up(), hang_up()]
    scenario = product.scenario(http("s2", f"{target.url}/pay", method="POST", format="json", fields={}))
    repeated, failed = product.run(scenario), product.run(scenario)
    assert product.post(f"runs/{repeated['id']}/resolve/", {"path": "s2", "as": "perhaps"}).status == 400
    assert product.post(f"runs/{repeated['id']}/resolve/", {"path": "s2", "as": "repeat"}).status < 300
    assert until(lambda: product.get(f"runs/{repeated['id']}/").json["status"] == "succeeded")
    assert product.post(f"runs/{failed['id']}/resolve/", {"path": "s2", "as": "failed"}).status < 300
    assert until(lambda: product.get(f"runs/{failed['id']}/").json["status"] == "failed")
    assert len(target.seen) == 3


def test_a_keyed_post_is_repeated_under_the_same_key(product: Product, target: Target) -> None:
    target.next_replies = [hang_up(), reply({}, 500)]
    more = {"retry": {"attempts": 4, "delay_s": 0.1}}
    fields = {"method": "POST", "format": "json", "fields": {}, "idempotency_key": "auto"}
    scenario = product.scenario(http("s2", f"{target.url}/pay", more=more, **fields))
    assert product.run(scenario)["status"] == "succeeded"
    keys = [seen.headers["idempotency-key"] for seen in target.seen]
    assert (len(keys), len(set(keys))) == (3, 1)
    product.run(scenario)
    assert target.seen[-1].headers["idempotency-key"] != keys[0], "another run has another key"


def test_an_idempotency_key_may_be_a_template_in_a_header_of_its_own(product: Product, target: Target) -> None:
    fields = {"method": "POST", "format": "json", "fields": {}, "idempotency_header": "X-Request-Id"}
    run = product.try_steps(http("s2", f"{target.url}/pay", idempotency_key="k-{{ run.key }}", **fields))
    assert run["status"] == "succeeded", run
    assert target.seen[0].headers["x-request-id"].startswith("k-")
    assert "idempotency-key" not in target.seen[0].headers


def test_on_error_continue_lets_later_steps_test_the_error(product: Product, target: Target) -> None:
    target.routes["/no"] = reply({}, 404)
    run = product.try_steps(
        http("s2", f"{target.url}/no", more={"on_error": "continue"}),
        step(
            "s3",
            "data.set",
            values={"code": "{{ s2.error.code }}", "st": "{{ s2.error.params.status }}", "path": "{{ s2.error.path }}"},
        ),
    )
    assert run["status"] == "succeeded", run
    assert step_of(run, "s2")["status"] == "failed"
    assert result_of(run, "s3") == {"code": "upstream_status", "st": 404, "path": "s2"}


def test_on_error_continue_leaves_no_error_where_all_went_well(product: Product, target: Target) -> None:
    run = product.try_steps(
        http("s2", f"{target.url}/yes", more={"on_error": "continue"}),
        step("s3", "data.set", values={"e": "{{ s2.error is defined and s2.error }}"}),
    )
    assert result_of(run, "s3")["e"] in (False, None), run


def test_a_retry_makes_a_new_run_that_names_the_old_one(product: Product, target: Target) -> None:
    target.routes["/x"] = reply({}, 404)
    scenario = product.scenario(
        step("s2", "data.set", values={"u": "{{ uuid() }}", "k": "{{ run.key }}"}), http("s3", f"{target.url}/x")
    )
    first = product.run(scenario, {"n": 1})
    assert first["status"] == "failed"
    del target.routes["/x"]
    whole = product.post(f"runs/{first['id']}/retry/", {})
    assert whole.status == 202, whole
    second = product.ended(whole.json["run"])
    assert (second["status"], second["replay_of"]) == ("succeeded", first["id"])
    assert second["id"] != first["id"]
    assert result_of(second, "s2")["k"] == result_of(first, "s2")["k"], "run.key is the same in a run and its retries"
    assert result_of(second, "s2")["u"] != result_of(first, "s2")["u"]
    part = product.ended(product.post(f"runs/{first['id']}/retry/", {"from": "s3"}).json["run"])
    assert part["status"] == "succeeded"
    assert result_of(part, "s2")["u"] == result_of(first, "s2")["u"], "steps before `from` keep their results"
    assert product.get(f"runs/{first['id']}/").json["status"] == "failed"


def test_a_retry_takes_the_same_version_or_the_current_one(product: Product) -> None:
    scenario = product.scenario(step("s2", "data.set", values={"x": "one"}))
    first = product.run(scenario)
    document = scenario["document"] | {"steps": [step("s2", "data.set", values={"x": "two"})]}
    path = f"scenarios/{scenario['id']}/"
    assert product.patch(path, {"document": document, "revision": scenario["revision"]}).status == 200
    product.post(path + "publish/")
    same = product.ended(product.post(f"runs/{first['id']}/retry/", {}).json["run"])
    current = product.ended(product.post(f"runs/{first['id']}/retry/", {"version": "current"}).json["run"])
    assert [result_of(run, "s2")["x"] for run in (same, current)] == ["one", "two"]
    assert product.post(f"runs/{first['id']}/retry/", {"version": "future"}).status == 400
    assert product.post(f"runs/{first['id']}/retry/", {"from": "s77"}).status == 400


def test_an_ended_run_is_not_cancelled(product: Product) -> None:
    run = product.try_steps(step("s2", "data.set", values={"x": 1}))
    answer = product.post(f"runs/{run['id']}/cancel/")
    assert (answer.status, answer.json["code"]) == (409, "run_ended"), answer


def test_a_waiting_run_is_cancelled_at_once(product: Product, target: Target) -> None:
    target.routes["/x"] = reply({}, 503, Retry_After="600")
    scenario = product.scenario(http("s2", f"{target.url}/x"), http("s3", f"{target.url}/after"))
    run = product.start(scenario)
    product.reached(run, {"waiting"})
    assert product.post(f"runs/{run}/cancel/").status < 300
    ended = product.ended(run, within_s=5)
    assert (ended["status"], ended["error"]["code"]) == ("cancelled", "cancelled")
    assert target.of("/after") == []


def test_a_running_run_is_cancelled_before_its_next_step(product: Product, target: Target) -> None:
    going = threading.Event()

    def slow(seen: Seen) -> Reply:
        going.set()
        return Reply(200, b"{}", delay_s=4)

    target.routes["/slow"] = slow
    scenario = product.scenario(http("s2", f"{target.url}/slow"), http("s3", f"{target.url}/after"))
    run = product.start(scenario)
    assert going.wait(20)
    assert product.post(f"runs/{run}/cancel/").status < 300
    assert product.ended(run, within_s=15)["status"] == "cancelled"
    assert target.of("/after") == []


def test_the_list_of_runs_is_filtered_and_paginated(product: Product, target: Target) -> None:
    target.routes["/no"] = reply({}, 404)
    good = product.scenario(step("s2", "data.set", values={"x": 1}))
    bad = product.scenario(http("s2", f"{target.url}/no"))
    started = [product.start(good) for _ in range(12)]
    middle = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    failed = product.run(bad)
    for run in started:
        product.ended(run)

    def ids(query: str) -> list[str]:
        found, url = [], f"runs/?{query}"
        while url:
            page = product.get(url)
            assert page.status == 200, page
            found += [row["id"] for row in page.json["results"]]
            url = page.json["next"]
        return found

    everything = ids("page_size=5")
    assert len(everything) == len(set(everything)) == 13
    assert everything[0] == failed["id"], "the newest first"
    assert sorted(ids(f"scenario={good['id']}")) == sorted(started)
    assert ids("status=failed") == [failed["id"]]
    assert ids(f"since={middle}") == [failed["id"]]
    assert ids(f"scenario={good['id']}&status=failed") == []
    assert product.get("runs/?status=flying").status == 400
    assert product.get("runs/?since=yesterday").status == 400
    assert product.get("runs/nothing/").status == 404


def test_a_long_run_has_its_steps_in_pages(product: Product) -> None:
    steps = [step(f"n{number}", "data.set", values={"x": number}) for number in range(207)]
    run = product.try_steps(*steps)
    assert run["status"] == "succeeded"
    assert len(run["steps"]) == 200
    rest = product.get(run["steps_next"])
    assert rest.status == 200, rest
    assert rest.json["next"] is None
    assert [one["path"] for one in run["steps"] + rest.json["results"]] == [f"n{number}" for number in range(207)]


def test_fifty_runs_at_once_all_end_once(product: Product, target: Target) -> None:
    scenario = product.scenario(http("s2", f"{target.url}/x", query={"n": "{{ s1.body.n }}"}))
    runs = at_once(50, lambda n: product.start(scenario, {"n": n}))
    ended = [product.ended(run, within_s=60)["status"] for run in runs]
    assert ended == ["succeeded"] * 50
    assert sorted(int(seen.query["n"]) for seen in target.seen) == list(range(50))
