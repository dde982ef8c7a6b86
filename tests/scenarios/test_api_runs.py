"""The API of runs: repeating one, and what is no filter and no position."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from scenarios import retrying
from scenarios.models import Delivery, Run
from tests.people import actor_of, signed_in
from tests.scenarios.making import made
from tests.scenarios.run_kit import failed_run, run_of, scenario_of, step_of

API = "/api/v1/"


@pytest.mark.parametrize("status", ["queued", "running", "waiting"])
def test_a_run_under_way_is_not_repeated(api, alice, status):
    run = run_of(scenario_of(alice), status)
    answer = api(alice).post(f"{API}runs/{run.id.hex}/retry/")
    assert (answer.status_code, answer.json()["code"]) == (409, "run_goes_on")
    assert answer.json()["hint"]
    assert Run.objects.count() == 1


@pytest.mark.parametrize("status", ["succeeded", "failed", "cancelled", "needs_review"])
def test_a_run_that_ended_is_repeated(api, alice, status):
    run = run_of(scenario_of(alice), status)
    answer = api(alice).post(f"{API}runs/{run.id.hex}/retry/")
    assert answer.status_code == 202
    assert Run.objects.get(pk=answer.json()["run"]).replay_of == run.id


def test_repeating_looks_at_the_run_as_it_is_now(alice):
    run = run_of(scenario_of(alice), "failed")
    Run.objects.filter(pk=run.pk).update(status="running", finished_at=None)
    with pytest.raises(Exception, match="run_goes_on"):
        retrying.retry(actor_of(alice), run)


def test_the_page_says_that_a_run_goes_on(alice):
    run = run_of(scenario_of(alice), "running")
    answer = signed_in(alice).post(f"/runs/{run.id.hex}/retry/", follow=True)
    assert "still under way" in answer.content.decode()


@pytest.mark.parametrize("after", ["9" * 5000, "9" * 20, "-1", "1.5", "x", "", "%00", "²"])
def test_a_position_that_cannot_be_is_refused(api, alice, after):
    run = run_of(scenario_of(alice))
    answer = api(alice).get(f"{API}runs/{run.id.hex}/steps/?after={after}")
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["after"])


def test_the_steps_after_a_position_are_answered(api, alice):
    run = run_of(scenario_of(alice))
    step_of(run, "s2")
    step_of(run, "s3")
    answer = api(alice).get(f"{API}runs/{run.id.hex}/steps/?after=1").json()
    assert ([step["path"] for step in answer["results"]], answer["next"]) == (["s3"], None)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("runs/?scenario=%00", "scenario"),
        ("runs/?status=%00", "status"),
        ("runs/?status=failed,%00", "status"),
        ("runs/?since=%00", "since"),
        ("runs/?error=%00", "error"),
        ("runs/?until=soon", "until"),
        ("runs/?since=2026-01-31", "since"),
        ("runs/?since=2026-01-31T09:00:00", "since"),
        ("deliveries/?scenario=%00", "scenario"),
    ],
)
def test_a_filter_that_cannot_be_is_refused(api, alice, path, name):
    answer = api(alice).get(API + path)
    assert (answer.status_code, list(answer.json()["errors"])) == (400, [name])


@pytest.mark.parametrize(
    "since", ["0001-01-01T00:00:00%2B14:00", "9999-12-31T23:59:59-14:00", "2026-01-31T09:00:00+03:00"]
)
def test_any_time_is_a_filter(api, alice, since):
    run_of(scenario_of(alice))
    assert api(alice).get(f"{API}runs/?since={since}").status_code == 200


@pytest.mark.parametrize(
    ("status", "path", "body", "name"),
    [
        ("failed", "retry/", {"from": "s77"}, "from"),
        ("needs_review", "resolve/", {"path": "s77", "as": "done"}, "path"),
    ],
)
def test_a_step_named_in_a_body_that_the_run_does_not_have_is_a_wrong_input(api, alice, status, path, body, name):
    run = run_of(scenario_of(alice), status)
    step_of(run, "s2", "needs_review")
    answer = api(alice).post(f"{API}runs/{run.id.hex}/{path}", body)
    assert (answer.status_code, list(answer.json()["errors"])) == (400, [name])
    assert "s77" in answer.json()["errors"][name][0]
    assert Run.objects.count() == 1


@pytest.mark.parametrize("body", [{"path": "s2"}, {"path": "s2", "as": "maybe"}, {"path": 1}, {}])
def test_a_decision_that_cannot_be_is_refused(api, alice, body):
    run = run_of(scenario_of(alice), "needs_review")
    assert api(alice).post(f"{API}runs/{run.id.hex}/resolve/", body).status_code == 400


@pytest.mark.parametrize("wait", ["soon", "", "1,5"])
def test_a_wait_that_cannot_be_is_refused_before_anything_runs(api, alice, wait):
    answer = api(alice).post(f"{API}scenarios/{made(alice).public_id}/run/?wait={wait}")
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["wait"])
    assert not Run.objects.exists()


@pytest.mark.parametrize(
    ("table", "heavy"), [("runs", ["document", "samples", "input", "reply"]), ("deliveries", ["body", "query"])]
)
def test_a_list_reads_nothing_that_it_does_not_show(api, alice, table, heavy):
    scenario = scenario_of(alice)
    run_of(scenario)
    Delivery.objects.create(
        workspace_id=scenario.workspace_id, scenario=scenario, verdict="accepted", method="POST", headers={}, size=1
    )
    caller = api(alice)
    with CaptureQueriesContext(connection) as seen:
        assert len(caller.get(f"{API}{table}/").json()["results"]) == 1
    asked = [query["sql"] for query in seen if f'FROM "scenarios_{table[:3]}' in query["sql"]]
    assert len(asked) == 1
    assert [name for name in heavy if f'"{name}"' in asked[0]] == []


@pytest.mark.parametrize("wait", ["nan", "-1", "0"])
def test_a_wait_of_no_time_answers_at_once(api, alice, wait):
    answer = api(alice).post(f"{API}scenarios/{made(alice).public_id}/run/?wait={wait}")
    assert answer.status_code == 202


@pytest.mark.parametrize("path", ["cancel/", "retry/", "resolve/"])
def test_a_viewer_changes_no_run_whatever_is_sent(api, alice, vera, charlie, path):
    address = f"{API}runs/{run_of(scenario_of(alice)).id.hex}/{path}"
    answer = api(vera).post(address, {"nonsense": 1})
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert api(charlie).post(address, {"nonsense": 1}).status_code == 404


def test_a_run_tells_who_called_it_whom_it_called_and_what_it_waits_for(api, alice):
    scenario = scenario_of(alice)
    parent = run_of(scenario, "waiting", waits_for="run:x", wake_at=None)
    child = run_of(scenario, "queued", parent_id=parent.id, parent_path="s3", depth=1, wake_at=None)
    Run.objects.filter(pk=parent.pk).update(waits_for=f"run:{child.id.hex}")
    caller = api(alice)
    told = caller.get(f"{API}runs/{parent.id.hex}/").json()
    assert (told["parent"], told["depth"], told["deadline_at"]) == (None, 0, None)
    assert told["children"] == [{"run": child.id.hex, "path": "s3", "status": "queued"}]
    assert (told["waits_for"]["reason"], told["waits_for"]["run"]) == ("child", child.id.hex)
    assert told["waits_for"]["text"].startswith("Waits for the end")
    told = caller.get(f"{API}runs/{child.id.hex}/").json()
    assert (told["parent"], told["depth"]) == ({"run": parent.id.hex, "path": "s3"}, 1)
    assert (told["waits_for"]["reason"], told["waits_for"]["run"]) == ("gated", None)


@pytest.mark.parametrize(
    ("waits_for", "code", "reason"),
    [
        ("connection:1", "reauthorization_needed", "reauthorization"),
        ("", "reauthorization_needed", "reauthorization"),
        ("rate:1", "connection_throttled", "throttled"),
        ("", "connection_busy", "throttled"),
        ("", "upstream_timeout", "retry"),
        ("", None, "delay"),
    ],
)
def test_each_wait_has_its_reason(api, alice, waits_for, code, reason):
    error = {"code": code, "params": {}, "path": "s3"} if code else None
    run = run_of(scenario_of(alice), "waiting", waits_for=waits_for, error=error)
    told = api(alice).get(f"{API}runs/?status=waiting").json()["results"][0]
    assert (told["id"], told["waits_for"]["reason"]) == (run.id.hex, reason)


def test_a_step_tells_its_earlier_attempts(api, alice):
    run = run_of(scenario_of(alice), "waiting")
    timeout = {"code": "upstream_timeout", "params": {}, "path": "s3"}
    earlier = {"attempt": 1, "status": "waiting", "started_at": "2026-01-01T00:00:00Z", "took_ms": 5, "error": timeout}
    step_of(run, "s3", "waiting", attempt=2, attempts=[earlier], resume_at=run.created_at)
    (told,) = api(alice).get(f"{API}runs/{run.id.hex}/").json()["steps"]
    assert (told["effect"], told["attempt"], bool(told["resume_at"])) == ("once", 2, True)
    assert told["attempts"][0] | {"error": None} == earlier | {"error": None}
    assert told["attempts"][0]["error"]["text"]


@pytest.mark.parametrize(
    ("query", "found"), [("error=forbidden", 1), ("error=nothing", 0), ("until=2026-01-01T00:00:00Z", 0)]
)
def test_runs_are_found_by_their_error_and_until_a_time(api, alice, query, found):
    run_of(scenario_of(alice), "failed", error={"code": "forbidden", "params": {}})
    assert len(api(alice).get(f"{API}runs/?{query}").json()["results"]) == found


def test_a_repeat_is_planned_before_it_is_made(api, alice, vera, charlie):
    run = failed_run(scenario_of(alice))
    address = f"{API}runs/{run.id.hex}/retry/"
    plan = api(vera).get(f"{address}?from=s3").json()
    assert {name: plan[name] for name in ("version", "from", "keeps", "pure", "first", "doubles")} == {
        "version": 1, "from": "s3", "keeps": 1, "pure": 0, "first": 0, "doubles": 0,
    }  # fmt: skip
    assert [(step["key"], step["consequence"], step["count"]) for step in plan["again"]] == [("s3", "sent_again", 1)]
    assert api(vera).get(f"{address}?from=s77").json()["errors"].keys() == {"from"}
    assert api(vera).get(f"{address}?version=old").status_code == 400
    assert api(charlie).get(address).status_code == 404
    assert Run.objects.count() == 1


def test_many_runs_are_repeated_and_none_of_them_twice(api, alice):
    scenario = scenario_of(alice)
    runs = [failed_run(scenario) for _ in range(2)]
    caller = api(alice)
    body = {"filter": {"scenario": scenario.public_id, "error": "upstream_status"}, "from": "failed"}
    plan = caller.post(f"{API}runs/retry/", body | {"plan": True}).json()
    assert (plan["runs"], plan["summed"], plan["more"], plan["plan"]["keeps"]) == (2, 2, False, 2)
    assert Run.objects.count() == 2
    told = caller.post(f"{API}runs/retry/", body).json()
    assert (told["started"], told["skipped"], len(told["runs"])) == (2, [], 2)
    told = caller.post(f"{API}runs/retry/", {"runs": [runs[0].id.hex, "0" * 32]}).json()
    assert (told["started"], told["skipped"]) == (
        0,
        [{"run": runs[0].id.hex, "code": "already_retried"}, {"run": "0" * 32, "code": "not_found"}],
    )


def test_many_runs_are_cancelled(api, alice):
    scenario = scenario_of(alice)
    run_of(scenario, "queued")
    run_of(scenario, "waiting")
    told = api(alice).post(f"{API}runs/cancel/", {"filter": {"status": "queued"}}).json()
    assert (told["cancelled"], told["skipped"], told["more"]) == (1, [], False)


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ({}, "filter"),
        ({"filter": {}, "runs": []}, "filter"),
        ({"filter": {"status": "odd"}}, "status"),
        ({"filter": {"name": "x"}}, "filter.name"),
        ({"runs": ["zz"]}, "runs"),
        ({"filter": {"since": "yesterday"}}, "filter.since"),
    ],
)
@pytest.mark.parametrize("verb", ["retry", "cancel"])
def test_a_choice_of_runs_that_cannot_be_is_refused(api, alice, verb, body, name):
    answer = api(alice).post(f"{API}runs/{verb}/", body)
    assert (answer.status_code, list(answer.json()["errors"])) == (400, [name])


@pytest.mark.parametrize("verb", ["retry", "cancel"])
def test_only_editors_do_something_to_many_runs_and_only_to_their_own(api, alice, vera, charlie, verb):
    run = run_of(scenario_of(alice), "failed" if verb == "retry" else "queued")
    assert api(vera).post(f"{API}runs/{verb}/", {"filter": {}}).status_code == 403
    told = api(charlie).post(f"{API}runs/{verb}/", {"runs": [run.id.hex]}).json()
    assert told["skipped"] == [{"run": run.id.hex, "code": "not_found"}]
    assert api(charlie).post(f"{API}runs/{verb}/", {"filter": {}}).json()["runs"] == []
