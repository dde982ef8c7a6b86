"""The API of scenarios: what a list costs, how large a document may be, what a viewer sees, what is no input."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from lib.errors import UserError
from scenarios import arranging, checking, editing, triggers
from scenarios.document import InvalidDocument, Step
from scenarios.models import Scenario
from tests.people import actor_of, signed_in
from tests.scenarios.making import document, made

API = "/api/v1/"


@pytest.mark.parametrize("trigger", [{"trigger": "webhook"}, {"trigger": "schedule", "every_s": 3600}])
def test_the_list_takes_as_many_queries_for_twelve_scenarios_as_for_two(api, alice, trigger):
    caller = api(alice)
    counts = []
    for more in (2, 10):
        for _ in range(more):
            made(alice, document(**trigger))
        caller.get(f"{API}scenarios/")  # a token's last use is noted once a while
        with CaptureQueriesContext(
            connection,
        ) as seen:
            rows = caller.get(f"{API}scenarios/").json()["results"]
        counts.append(len(seen))
    assert len(rows) == 12
    assert counts[0] == counts[1]
    wanted = "url" if trigger["trigger"] == "webhook" else "next"
    assert all(row["trigger"][wanted] for row in rows)


def test_the_list_checks_no_drafts_and_one_scenario_is_checked(api, alice, monkeypatch):
    caller = api(alice)
    broken = document("manual", {"key": "s2", "action": "no.such"})
    row = caller.post(f"{API}scenarios/?draft=true", {"document": broken}).json()
    assert [found["code"] for found in row["problems"]] == ["invalid_document"]
    assert len(caller.get(f"{API}scenarios/{row['id']}/").json()["problems"]) == 1
    monkeypatch.setattr(checking, "Checker", None)
    assert "problems" not in caller.get(f"{API}scenarios/").json()["results"][0]


def test_a_document_is_checked_once_for_being_saved(api, alice, monkeypatch):
    checks = []
    check = checking.Checker.check
    monkeypatch.setattr(checking.Checker, "check", lambda self: checks.append(1) or check(self))
    answer = api(alice).post(f"{API}scenarios/", {"document": document()})
    assert (answer.status_code, answer.json()["problems"]) == (201, [])
    assert len(checks) == 1


def many_expressions(count):
    return document("manual", {"key": "s2", "action": "data.set", "inputs": {"values": ["{{ trigger }}"] * count}})


def of_size(size):
    """A document of about this many bytes of JSON: Cyrillic letters take two each."""
    values = {"text": "я" * (size // 2)}
    return document("manual", {"key": "s2", "action": "data.set", "inputs": {"values": values}})


@pytest.mark.parametrize("data", [many_expressions(2001), of_size(513_000)])
@pytest.mark.parametrize("draft", ["", "?draft=true"])
def test_a_document_that_is_too_large_is_refused_before_it_is_checked(api, alice, monkeypatch, data, draft):
    monkeypatch.setattr(checking, "Checker", None)
    answer = api(alice).post(f"{API}scenarios/{draft}", {"document": data})
    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == [""]
    assert "2000" in answer.json()["errors"][""][0]
    assert not Scenario.objects.exists()


@pytest.mark.parametrize("data", [{"values": {"text": "{{ trigger }}" * 2000}}, {"values": {"text": "я" * 255_000}}])
def test_a_document_within_the_limits_is_taken(api, alice, data):
    step = {"key": "s2", "action": "data.set", "inputs": data}
    assert api(alice).post(f"{API}scenarios/?draft=true", {"document": document("manual", step)}).status_code == 201


def test_a_large_document_is_refused_by_its_reason(alice):
    with pytest.raises(InvalidDocument) as refused:
        editing.create(actor_of(alice), many_expressions(2001), draft=True)
    assert [(one.code, one.params["reason"]) for one in refused.value.problems] == [("invalid_document", "too_large")]
    assert refused.value.reason == "too_large"


def test_a_draft_does_not_grow_too_large_step_by_step_in_the_editor(alice):
    scenario = editing.create(actor_of(alice), many_expressions(1999), draft=True)
    step = Step("s3", "data.set", inputs={"values": ["{{ s2 }}"] * 2})
    with pytest.raises(UserError, match="too_large"):
        editing.change(actor_of(alice), scenario, lambda found: arranging.add_step(found, step, after="s2"))
    scenario.refresh_from_db()
    assert len(scenario.document["steps"]) == 1


def test_the_editor_says_that_the_scenario_is_too_large(alice):
    scenario = editing.create(actor_of(alice), many_expressions(2000), draft=True)
    url = f"/scenarios/{scenario.public_id}/steps/s2/copy/"
    answer = signed_in(alice).post(url, headers={"HX-Request": "true"})
    assert answer.status_code == 422
    assert "at most 512 kB of JSON and 2000 expressions" in answer.content.decode()


def test_a_viewer_does_not_get_the_address_of_a_webhook(api, alice, vera):
    scenario = made(alice, document("webhook"))
    url = triggers.url_of(scenario)
    path = f"{API}scenarios/{scenario.public_id}/"
    assert api(alice).get(path).json()["trigger"] == {"type": "webhook", "url": url}
    assert api(vera).get(path).json()["trigger"] == {"type": "webhook", "url": None}
    assert url not in api(vera).get(f"{API}scenarios/").content.decode()


def test_the_editor_shows_the_address_of_a_webhook_to_those_who_may_edit(alice, bob, vera):
    scenario = made(alice, document("webhook"))
    token = triggers.url_of(scenario).split("/")[-2]
    for page in (f"/scenarios/{scenario.public_id}/", f"/scenarios/{scenario.public_id}/trigger/"):
        assert token not in signed_in(vera).get(page).content.decode(), page
    assert token in signed_in(bob).get(f"/scenarios/{scenario.public_id}/trigger/").content.decode()
    assert "only to editors" in signed_in(vera).get(f"/scenarios/{scenario.public_id}/trigger/").content.decode()


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("post", ""),
        ("patch", "{id}/"),
        ("delete", "{id}/"),
        ("post", "{id}/publish/"),
        ("post", "{id}/activate/"),
        ("post", "{id}/deactivate/"),
        ("post", "{id}/run/?wait=soon"),
        ("post", "{id}/steps/s2/test/"),
    ],
)
def test_a_viewer_changes_nothing_whatever_is_sent(api, alice, vera, charlie, method, path):
    scenario = made(alice)
    address = f"{API}scenarios/{path.format(id=scenario.public_id)}"
    answer = getattr(api(vera), method)(address, {"nonsense": 1})
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    if "{id}" in path:
        assert getattr(api(charlie), method)(address, {"nonsense": 1}).status_code == 404


def test_the_list_reads_no_samples_and_no_published_documents(api, alice):
    made(alice)
    caller = api(alice)
    with CaptureQueriesContext(connection) as seen:
        caller.get(f"{API}scenarios/")
    asked = [query["sql"] for query in seen if 'FROM "scenarios_scenario"' in query["sql"]]
    assert len(asked) == 1
    assert '"samples"' not in asked[0]
    assert asked[0].count('"document"') == 1


def test_a_step_that_the_draft_does_not_have_is_not_found(api, alice):
    scenario = made(alice)
    answer = api(alice).post(f"{API}scenarios/{scenario.public_id}/steps/s99/test/")
    assert (answer.status_code, answer.json()["code"]) == (404, "no_such_step")


@pytest.mark.parametrize("path", ["scenarios/%00/", "scenarios/%00/steps/s2/test/", "runs/%00/", "runs/%00/steps/"])
def test_an_id_that_cannot_be_is_not_found(api, alice, path):
    ask = api(alice).post if path.endswith("test/") else api(alice).get
    assert ask(API + path).status_code == 404
