"""Drafts, versions and what the API says about a document that is wrong."""

from collections.abc import Callable
from typing import Any

import pytest

from accounts.models import User
from tests.acceptance.http_server import Reply, Target, reply
from tests.acceptance.product import Product, document, http, result_of, step, step_of

PLAIN = "http://127.0.0.1:9/x"


def errors_of(product: Product, document: dict[str, Any]) -> dict[str, list[str]]:
    answer = product.post("scenarios/", {"document": document})
    assert answer.status == 400, answer
    assert {"code", "text", "errors"} <= set(answer.json), answer
    errors = answer.json["errors"]
    assert all(isinstance(texts, list) and all(isinstance(text, str) for text in texts) for texts in errors.values())
    return dict(errors)


def test_a_scenario_is_created_read_changed_and_deleted(product: Product) -> None:
    first = document(step("s2", "data.set", values={"x": 1}))
    made = product.post("scenarios/", {"document": first})
    assert made.status == 201, made
    assert {"id", "revision"} <= set(made.json)
    read = product.get(f"scenarios/{made.json['id']}/")
    assert read.status == 200
    assert read.json["document"]["steps"][0]["inputs"] == {"values": {"x": 1}}
    assert read.json["name"] == "Проверка"
    assert read.json["status"] == "draft"
    second = document(step("s2", "data.set", values={"x": 2}), name="Другое имя")
    changed = product.patch(f"scenarios/{made.json['id']}/", {"document": second, "revision": read.json["revision"]})
    assert changed.status == 200, changed
    assert changed.json["revision"] != read.json["revision"]
    assert changed.json["name"] == "Другое имя"
    assert product.delete(f"scenarios/{made.json['id']}/").status == 204
    assert product.get(f"scenarios/{made.json['id']}/").status == 404


def test_a_stale_revision_is_refused_with_409_and_changes_nothing(product: Product) -> None:
    made = product.create(step("s2", "data.set", values={"x": 1}))
    path = f"scenarios/{made['id']}/"
    changed = document(step("s2", "data.set", values={"x": 2}))
    assert product.patch(path, {"document": changed, "revision": made["revision"]}).status == 200
    stale = document(step("s2", "data.set", values={"x": 3}))
    answer = product.patch(path, {"document": stale, "revision": made["revision"]})
    assert answer.status == 409, answer
    assert product.get(path).json["document"]["steps"][0]["inputs"]["values"] == {"x": 2}


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"steps": [step("s2", "no.such_action")]}, "steps[0].action"),
    ({"steps": [http("s2", PLAIN) | {"whne": 1}]}, "steps[0].whne"),
    ({"steps": [http("s2", PLAIN, urll="x")]}, "steps[0].inputs.urll"),
    ({"steps": [step("s2", "http.request", method="GET")]}, "steps[0].inputs.url"),
    ({"steps": [http("s2", PLAIN, method="BREW")]}, "steps[0].inputs.method"),
    ({"steps": [http("s2", PLAIN, timeout_s=301)]}, "steps[0].inputs.timeout_s"),
    ({"steps": [http("s2", PLAIN, "no-such-connection")]}, "steps[0].connection"),
    ({"steps": [http("s2", PLAIN), http("s2", PLAIN)]}, "steps[1].key"),
    ({"steps": [http("Плохой", PLAIN)]}, "steps[0].key"),
    ({"steps": [http("s2", "{{ s3.body }}"), http("s3", PLAIN)]}, "steps[0].inputs.url"),
    ({"steps": [http("s2", "{{ s2.body }}")]}, "steps[0].inputs.url"),
    ({"steps": [http("s2", "{{ 1 + }}")]}, "steps[0].inputs.url"),
    ({"steps": [http("s2", PLAIN, headers={"X": "{{ nosuch }}"})]}, "steps[0].inputs.headers.X"),
    ({"steps": [http("s2", PLAIN, more={"retry": {"attemps": 3}})]}, "steps[0].retry.attemps"),
    ({"steps": [http("s2", PLAIN, more={"on_error": "explode"})]}, "steps[0].on_error"),
    ({"trigger": {"key": "s1", "type": "schedule", "inputs": {"cron": "61 * * * *"}}}, "trigger.inputs.cron"),
    ({"trigger": {"key": "s1", "type": "telepathy", "inputs": {}}}, "trigger.type"),
    ({"trigger": {"key": "s1", "type": "webhook", "inputs": {"metods": ["GET"]}}}, "trigger.inputs.metods"),
    ({"settings": {"timezone": "Europe/Moskow"}}, "settings.timezone"),
    ({"settings": {"on_unknown": "guess"}}, "settings.on_unknown"),
    ({"colour": "red"}, "colour"),
    ({"format": 2}, "format"),
]


def test_an_error_in_a_document_is_named_by_its_path(product: Product) -> None:
    found = {path: errors_of(product, document() | change) for change, path in WRONG}
    assert {path: errors for path, errors in found.items() if path not in errors} == {}


def test_all_errors_of_a_document_are_told_at_once(product: Product) -> None:
    wrong = document(step("s2", "no.such"), http("s3", "{{ 1 + }}"), http("s3", PLAIN, bogus=1))
    assert {"steps[0].action", "steps[1].inputs.url", "steps[2].key", "steps[2].inputs.bogus"} <= set(
        errors_of(product, wrong)
    )


def test_a_draft_with_problems_is_kept_but_not_published(product: Product) -> None:
    wrong = document(step("s2", "http.request", method="GET"))
    answer = product.post("scenarios/?draft=true", {"document": wrong})
    assert answer.status == 201, answer
    problems = answer.json["problems"]
    assert [set(problem) >= {"path", "code", "text"} for problem in problems] == [True]
    assert problems[0]["path"] == "steps[0].inputs.url"
    refused = product.post(f"scenarios/{answer.json['id']}/publish/")
    assert refused.status == 400, refused
    assert "steps[0].inputs.url" in refused.json["errors"], refused
    patched = product.patch(
        f"scenarios/{answer.json['id']}/?draft=true",
        {"document": document(http("s2", "{{ 1 + }}")), "revision": answer.json["revision"]},
    )
    assert patched.status == 200, patched
    assert [problem["path"] for problem in patched.json["problems"]] == ["steps[0].inputs.url"]


def test_a_draft_that_has_not_even_the_right_shape_is_refused(product: Product) -> None:
    assert product.post("scenarios/?draft=true", {"document": {"steps": "none"}}).status == 400
    assert product.post("scenarios/?draft=true", {"document": []}).status == 400


def test_only_a_published_scenario_becomes_active_and_a_run_keeps_its_version(product: Product) -> None:
    made = product.create(step("s2", "data.set", values={"x": "one"}))
    path = f"scenarios/{made['id']}/"
    refused = product.post(path + "activate/")
    assert 400 <= refused.status < 500, refused
    assert product.post(path + "publish/").json["version"] == 1
    assert 200 <= product.post(path + "activate/").status < 300
    active = product.get(path).json
    assert (active["status"], active["version"]) == ("active", 1)
    first = product.run(active)
    changed = document(step("s2", "data.set", values={"x": "two"}))
    assert product.patch(path, {"document": changed, "revision": active["revision"]}).status == 200
    assert result_of(product.run(active), "s2") == {"x": "one"}, "a draft does not run before it is published"
    assert product.post(path + "publish/").json["version"] == 2
    second = product.run(active)
    assert (result_of(first, "s2"), first["version"]) == ({"x": "one"}, 1)
    assert (result_of(second, "s2"), second["version"]) == ({"x": "two"}, 2)
    assert 200 <= product.post(path + "deactivate/").status < 300
    assert product.get(path).json["status"] == "paused"


def test_run_with_wait_answers_with_the_whole_run_when_it_ended(product: Product) -> None:
    scenario = product.scenario(step("s2", "data.set", values={"x": "{{ trigger.body.n + 1 }}"}))
    answer = product.post(f"scenarios/{scenario['id']}/run/?wait=30", {"n": 41})
    assert answer.status == 200, answer
    assert answer.json["status"] == "succeeded"
    assert answer.json["run"]
    assert result_of(answer.json, "s2") == {"x": 42}
    read = product.get(f"runs/{answer.json['run']}/").json
    assert {name: answer.json[name] for name in read} == read


def test_run_with_wait_answers_202_when_it_takes_longer(product: Product, target: Target) -> None:
    target.routes["/slow"] = Reply(200, b"{}", delay_s=30)
    scenario = product.scenario(http("s2", f"{target.url}/slow"))
    answer = product.post(f"scenarios/{scenario['id']}/run/?wait=1", {})
    assert answer.status == 202, answer
    assert set(answer.json) == {"run"}
    assert product.post(f"runs/{answer.json['run']}/cancel/").status < 300


@pytest.mark.parametrize("body", ["text", ["a", None, 1.5], {"вложено": {"x": [1]}}, 0, False, None])
def test_the_body_of_a_run_by_hand_arrives_as_it_was_sent(product: Product, body: Any) -> None:
    scenario = product.scenario(step("s2", "data.set", values={"x": "{{ s1.body }}", "same": "{{ trigger.body }}"}))
    answer = product.call("POST", f"scenarios/{scenario['id']}/run/?wait=30", body) if body is not None else None
    if answer is None:
        answer = product.post(
            f"scenarios/{scenario['id']}/run/?wait=30", data=b"null", headers={"Content-Type": "application/json"}
        )
    assert answer.status == 200, answer
    assert result_of(answer.json, "s2") == {"x": body, "same": body}


def test_a_step_is_tested_on_given_results_and_without_sending(product: Product, target: Target) -> None:
    scenario = product.create(
        step("s2", "data.set", values={"id": 1}),
        http("s3", f"{target.url}/items/{{{{ s2.id }}}}", method="POST", format="json", fields={"n": "{{ s2.n }}"}),
    )
    path = f"scenarios/{scenario['id']}/steps/s3/test/"
    results = {"results": {"s2": {"id": 7, "n": [1, 2]}}}
    dry = product.post(path + "?send=false", results)
    assert dry.status == 200, dry
    assert dry.json["inputs"]["url"] == f"{target.url}/items/7"
    assert dry.json["inputs"]["fields"] == {"n": [1, 2]}
    assert dry.json["request"]["url"] == f"{target.url}/items/7"
    assert target.seen == []
    wet = product.post(path, results)
    assert wet.status == 200, wet
    assert {"status", "inputs", "request", "result", "took_ms"} <= set(wet.json)
    assert wet.json["status"] == "succeeded"
    assert wet.json["result"]["body"]["body"] == '{"n": [1, 2]}' or target.seen[0].json == {"n": [1, 2]}
    broken = product.post(path, {"results": {"s2": {"id": 7}}})
    assert broken.json["status"] == "failed", broken
    assert broken.json["error"]["code"] == "expression_failed"
    assert product.post(f"scenarios/{scenario['id']}/steps/s9/test/", {}).status in {400, 404}


def test_unknown_fields_are_refused_everywhere(product: Product) -> None:
    made = product.create(step("s2", "data.set", values={"x": 1}))
    assert "colour" in product.post("scenarios/", {"document": document(), "colour": "red"}).json["errors"]
    bad = product.patch(f"scenarios/{made['id']}/", {"document": document(), "revision": made["revision"], "x": 1})
    assert (bad.status, "x" in bad.json["errors"]) == (400, True), bad
    assert product.post("tokens/", {"name": "t", "role": "viewer", "workspace": 1}).status == 400
    assert product.post("connections/", {"type": "bearer", "name": "b", "token": "t", "owner": 1}).status == 400


def test_bad_json_is_a_clear_400(product: Product) -> None:
    for text in (b'{"document": ', b"\xff\xfe", b'{"document": NaN}', b"[" * 100_000):
        answer = product.post("scenarios/", data=text, headers={"Content-Type": "application/json"})
        assert answer.status == 400, (text[:20], answer)
        assert answer.json["code"]
        assert answer.json["text"]


def test_the_list_of_scenarios_is_paginated_by_cursor(product: Product) -> None:
    made = {product.create(name=f"Сценарий {n}")["id"] for n in range(23)}
    found: list[str] = []
    url: str | None = "scenarios/?page_size=10"
    pages = 0
    while url:
        page = product.get(url)
        assert set(page.json) == {"results", "next", "previous"}, page
        found += [row["id"] for row in page.json["results"]]
        url = page.json["next"]
        pages += 1
        assert pages < 10
    assert len(found) == len(set(found))
    assert set(found) == made


def test_errors_are_told_in_the_language_that_was_asked_for(product: Product) -> None:
    wrong = {"document": document(http("s2", PLAIN, method="BREW"))}
    english = product.post("scenarios/", wrong).json
    product.language = "ru"
    russian = product.post("scenarios/", wrong).json
    assert english["code"] == russian["code"]
    assert english["text"] != russian["text"]
    assert any("а" <= letter <= "я" for letter in russian["text"])
    texts = russian["errors"]["steps[0].inputs.method"][0]
    assert any("а" <= letter <= "я" for letter in texts), texts


def test_another_workspace_sees_404_whatever_it_asks(
    product: Product, as_person: Callable[[User], Product], charlie: User
) -> None:
    scenario = product.scenario(step("s2", "data.set", values={"x": 1}))
    run = product.run(scenario)
    stranger = as_person(charlie)
    missing = stranger.get("scenarios/0000000000/")
    for method, path in [
        ("GET", f"scenarios/{scenario['id']}/"),
        ("PATCH", f"scenarios/{scenario['id']}/"),
        ("DELETE", f"scenarios/{scenario['id']}/"),
        ("POST", f"scenarios/{scenario['id']}/publish/"),
        ("POST", f"scenarios/{scenario['id']}/activate/"),
        ("POST", f"scenarios/{scenario['id']}/deactivate/"),
        ("POST", f"scenarios/{scenario['id']}/run/"),
        ("POST", f"scenarios/{scenario['id']}/steps/s2/test/"),
        ("GET", f"runs/{scenario['id']}/"),
        ("GET", f"runs/{run_id(product, scenario)}/"),
        ("POST", f"runs/{run_id(product, scenario)}/cancel/"),
        ("POST", f"runs/{run_id(product, scenario)}/retry/"),
    ]:
        body = {"document": document(), "revision": scenario["revision"]} if method == "PATCH" else None
        answer = stranger.call(method, path, body)
        assert (answer.status, answer.json) == (404, missing.json), (method, path, answer)
    assert stranger.get("scenarios/").json["results"] == []
    assert stranger.get("runs/").json["results"] == []
    assert run["status"] == "succeeded"


def run_id(product: Product, scenario: dict[str, Any]) -> str:
    return str(product.get(f"runs/?scenario={scenario['id']}").json["results"][0]["id"])


def test_a_viewer_reads_and_an_editor_edits_but_neither_more(
    product: Product, as_person: Callable[[User], Product], bob: User, vera: User
) -> None:
    scenario = product.scenario(step("s2", "data.set", values={"x": 1}))
    viewer, editor = as_person(vera), as_person(bob)
    path = f"scenarios/{scenario['id']}/"
    assert viewer.get(path).status == 200
    assert viewer.get("runs/").status == 200
    for method, where in [
        ("POST", "scenarios/"), ("DELETE", path), ("POST", path + "run/"), ("POST", path + "publish/"),
        ("POST", path + "steps/s2/test/"), ("POST", "connections/"), ("POST", "tokens/"),
    ]:  # fmt: skip
        body = {"document": document()} if where == "scenarios/" else {"name": "x", "role": "editor"}
        body = body if where in {"scenarios/", "tokens/"} else {}
        answer = viewer.call(method, where, body)
        assert answer.status == 403 or (where == "tokens/" and answer.status == 400), (method, where, answer)
    assert editor.post("scenarios/", {"document": document()}).status == 201
    assert editor.post(path + "run/", {}).status == 202


def test_nobody_gets_in_without_a_token(product: Product) -> None:
    for token in ("", "wrong", product.token + "x"):
        stranger = Product(product.url, token)
        answer = stranger.get("scenarios/")
        assert answer.status == 401, answer
        assert answer.json["code"]


def test_a_failed_step_says_what_to_do_and_later_steps_do_not_run(product: Product, target: Target) -> None:
    target.routes["/no"] = reply({"e": 1}, 404)
    run = product.try_steps(http("s2", f"{target.url}/no"), step("s3", "data.set", values={"x": 1}))
    assert run["status"] == "failed"
    assert {"code", "text", "hint", "params", "path"} <= set(run["error"])
    assert (run["error"]["code"], run["error"]["params"]["status"], run["error"]["path"]) == (
        "upstream_status",
        404,
        "s2",
    )
    assert step_of(run, "s2")["error"]["code"] == "upstream_status"
    assert [one["path"] for one in run["steps"] if one["status"] == "succeeded" and one["path"] != "s1"] == []
