"""Routers, loops, delays and handlers in the editor, without scripts and as htmx asks."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from scenarios import editing, trying
from scenarios.models import Scenario
from tests.people import actor_of

HTMX = {"HX-Request": "true"}
At = Callable[[str], str]


def leaf(key: str, name: str = "", **values: Any) -> dict[str, Any]:
    return {"key": key, "action": "data.set", **({"name": name} if name else {}), "inputs": {"values": values}}


DOCUMENT: dict[str, Any] = {
    "name": "Orders",
    "trigger": {"key": "s1", "type": "webhook", "inputs": {}},
    "steps": [
        {
            "key": "s2",
            "action": "flow.branch",
            "name": "Any goods?",
            "inputs": {},
            "branches": [
                {
                    "name": "Goods",
                    "when": "{{ s1.body.items | length > 0 }}",
                    "steps": [
                        {
                            "key": "s3",
                            "action": "flow.for_each",
                            "inputs": {"items": "{{ s1.body.items }}"},
                            "steps": [leaf("s4", "Line", title="{{ item.name | upper }} {{ index }}")],
                        }
                    ],
                },
                {"name": "", "steps": []},
            ],
        },
        leaf("s5", "Note", n="{{ s2.name }}"),
    ],
}


@pytest.fixture
def scenario(alice: User) -> Scenario:
    made = editing.create(actor_of(alice), DOCUMENT, draft=True)
    body = {"items": [{"name": "cup"}, {"name": "pot"}]}
    trying.keep_sample(made, "s1", {"method": "POST", "headers": {}, "query": {}, "body": body})
    return made


@pytest.fixture
def bobs(bob: User, client_of: Callable[[User], Client]) -> Client:
    return client_of(bob)


@pytest.fixture
def at(scenario: Scenario) -> At:
    return lambda end: f"/scenarios/{scenario.public_id}/{end}"


def draft(scenario: Scenario) -> dict[str, Any]:
    scenario.refresh_from_db()
    document: dict[str, Any] = scenario.document
    return document


def router(scenario: Scenario) -> dict[str, Any]:
    return next(step for step in draft(scenario)["steps"] if step["key"] == "s2")


def posted(*branches: tuple[str, str, str]) -> dict[str, str]:
    """Branches as (name, mode, when)."""
    form = {"panel": "s2"}
    for number, (name, mode, when) in enumerate(branches):
        form |= {f"branch.{number}.name": name, f"branch.{number}.mode": mode, f"branch.{number}.when": when}
    return form


# The track


def test_the_track_nests_branches_and_loops(bobs: Client, at: At) -> None:
    page = bobs.get(at("steps/s4/")).content.decode()
    assert "items: how many &gt; 0" in page
    assert "no other branch fits" in page
    assert "the next item" in page
    assert '<article class="step" id="step-s4" aria-current="true">' in page
    for place in (
        "s1",
        "s2.branches[0].steps",
        "s2.branches[1].steps",
        "s3",
        "s3.steps",
        "s4",
        "s5",
        ".on_error.steps",
    ):
        assert f'href="{at("add/")}?after={place}"' in page, place


def test_what_lies_deep_is_folded_unless_it_is_chosen(bobs: Client, alice: User) -> None:
    inner: dict[str, Any] = leaf("s9", a="1")
    for number in range(8, 2, -1):
        branches = [{"name": f"Level {number}", "when": True, "steps": [inner]}]
        inner = {"key": f"s{number}", "action": "flow.branch", "inputs": {}, "branches": branches}
    made = editing.create(actor_of(alice), {**DOCUMENT, "steps": [inner]})
    page = bobs.get(f"/scenarios/{made.public_id}/").content.decode()
    folds = re.findall(r'<details class="lane__fold" id="lane-s\d-0-fold"( open)?>', page)
    assert folds == [" open", " open", " open", "", "", ""]
    chosen = bobs.get(f"/scenarios/{made.public_id}/steps/s9/").content.decode()
    assert chosen.count('-0-fold" open>') == 6


def test_a_viewer_sees_the_track_without_places_to_add(carol_the_viewer: Client, at: At) -> None:
    page = carol_the_viewer.get(at("steps/s2/")).content.decode()
    assert "Goods" in page
    assert "add/?after" not in page


@pytest.fixture
def carol_the_viewer(scenario: Scenario, client_of: Callable[[User], Client]) -> Client:
    from accounts.models import Membership

    carol = User.objects.create_user("carol@example.com", "pw", name="Carol")
    Membership.objects.create(workspace=scenario.workspace, user=carol, role="viewer")
    return client_of(carol)


# Adding and moving


def test_a_step_is_added_in_a_branch_a_body_and_the_failure_handler(bobs: Client, at: At, scenario: Scenario) -> None:
    for after, heading in (
        ("s2.branches[1].steps", "The first step of the branch “Otherwise”"),
        ("s3.steps", "The first step inside “2. For each”"),
        (".on_error.steps", "The first step after a failed run"),
    ):
        assert heading in bobs.get(at("add/"), {"after": after}, headers=HTMX).content.decode()
        bobs.post(at("add/"), {"after": after, "action": "data.set"})
    document = draft(scenario)
    assert document["steps"][0]["branches"][1]["steps"][0]["key"] == "s6"
    assert [step["key"] for step in document["steps"][0]["branches"][0]["steps"][0]["steps"]] == ["s7", "s4"]
    assert document["on_error"]["steps"][0]["key"] == "s8"


def test_a_place_that_is_gone_is_told(bobs: Client, at: At) -> None:
    answer = bobs.post(at("add/"), {"after": "s2.branches[7].steps", "action": "data.set"}, headers=HTMX)
    assert answer.status_code == 422


def test_a_new_router_has_two_branches_and_a_new_loop_its_list(bobs: Client, at: At, scenario: Scenario) -> None:
    bobs.post(at("add/"), {"after": "s5", "action": "flow.branch"})
    assert draft(scenario)["steps"][-1]["branches"] == [
        {"name": "", "when": "", "steps": []},
        {"name": "", "steps": []},
    ]
    bobs.post(at("add/"), {"after": "s6", "action": "flow.for_each"})
    assert draft(scenario)["steps"][-1]["inputs"] == {"items": "{{ s1.body.items }}"}


def test_a_step_is_moved_by_the_menu_and_by_the_list_of_places(bobs: Client, at: At, scenario: Scenario) -> None:
    bobs.post(at("steps/s5/shift/"), {"to": "up"})
    assert [step["key"] for step in draft(scenario)["steps"]] == ["s5", "s2"]
    question = bobs.get(at("steps/s5/move/"), headers=HTMX).content.decode()
    assert "The first step of the branch “Otherwise”" in question
    answer = bobs.post(at("steps/s5/move/"), {"after": "s2.branches[1].steps"}, headers=HTMX)
    assert answer.headers["HX-Trigger"] == "dialog:close"
    assert router(scenario)["branches"][1]["steps"][0]["key"] == "s5"


def test_moving_above_its_source_is_a_problem_of_the_draft(bobs: Client, at: At, scenario: Scenario) -> None:
    bobs.post(at("steps/s5/shift/"), {"to": "up"})
    assert "“s2” is not a step before this one." in bobs.get(at("steps/s5/")).content.decode()
    assert bobs.post(at("publish/")).status_code == 422


def test_too_deep_a_step_is_refused_and_the_draft_stays_readable(bobs: Client, alice: User) -> None:
    inner: dict[str, Any] = leaf("s99", a="1")
    for number in range(20, 1, -1):
        inner = {"key": f"s{number}", "action": "flow.for_each", "inputs": {"items": "[1]"}, "steps": [inner]}
    made = editing.create(actor_of(alice), {**DOCUMENT, "steps": [inner]})
    at = f"/scenarios/{made.public_id}/"
    bobs.post(f"{at}add/", {"after": "s99", "action": "flow.branch"})
    refused = bobs.post(f"{at}add/", {"after": "s100.branches[0].steps", "action": "data.set"}, headers=HTMX)
    assert refused.status_code == 422
    assert "Steps stand within steps at most 20 deep." in refused.content.decode()
    assert bobs.get(at).status_code == 200


def test_removing_a_router_says_what_goes_and_drops_the_samples(bobs: Client, at: At, scenario: Scenario) -> None:
    trying.keep_sample(scenario, "s4", {"title": "CUP 0"})
    question = bobs.get(at("steps/s2/delete/"), headers=HTMX).content.decode()
    assert "2 steps inside it go too." in question
    assert "Note" in question  # it uses the router's result
    bobs.post(at("steps/s2/delete/"))
    assert [step["key"] for step in draft(scenario)["steps"]] == ["s5"]
    assert "s4" not in scenario.samples


# The router's panel


def test_branches_are_saved_and_their_conditions_tried_on_the_sample(bobs: Client, at: At, scenario: Scenario) -> None:
    form = posted(("Many", "when", "s1.body.items | length > 5"), ("Rest", "else", ""))
    html = bobs.post(at("steps/s2/"), form, headers=HTMX).content.decode()
    many, rest = router(scenario)["branches"]
    assert (many["name"], many["when"]) == ("Many", "{{ s1.body.items | length > 5 }}")
    assert [step["key"] for step in many["steps"]] == ["s3"]
    assert "when" not in rest
    assert "no, with the sample" in html
    form = posted(("Many", "when", "true"), ("Rest", "when", "{% if s1.body %}yes{% endif %}"))
    bobs.post(at("steps/s2/"), form)
    assert [branch["when"] for branch in router(scenario)["branches"]] == [True, "{% if s1.body %}yes{% endif %}"]


def test_a_wrong_condition_is_told_at_its_branch_and_on_the_track(bobs: Client, at: At) -> None:
    form = posted(("Many", "when", "s5.n > 5"), ("Rest", "else", ""))
    html = bobs.post(at("steps/s2/"), form, headers=HTMX).content.decode()
    assert 'id="id_branch_0_when_error"' in html
    assert "“s5” is not a step before this one." in html
    assert "lane__head--wrong" in html
    refused = bobs.post(at("publish/")).content.decode()
    assert "Many: “s5” is not a step before this one." in refused


def test_a_branch_without_its_condition_is_not_published(bobs: Client, at: At) -> None:
    bobs.post(at("steps/s2/branches/"), {"branch": "add"})
    assert "or true or false" not in bobs.get(at("steps/s2/")).content.decode()  # not filled in yet
    assert bobs.post(at("publish/")).status_code == 422
    assert "or true or false" in bobs.get(at("steps/s2/") + "?strict=1").content.decode()


def test_branches_are_added_moved_and_removed(bobs: Client, at: At, scenario: Scenario) -> None:
    form = posted(("Goods", "when", "s1.body.items | length > 0"), ("Rest", "else", ""))
    bobs.post(at("steps/s2/branches/"), {**form, "branch": "add"})
    assert [branch["name"] for branch in router(scenario)["branches"]] == ["Goods", "", "Rest"]  # saved on the way
    bobs.post(at("steps/s2/branches/"), {"branch": "down:0"})
    assert [branch["name"] for branch in router(scenario)["branches"]] == ["", "Goods", "Rest"]
    bobs.post(at("steps/s2/branches/"), {"branch": "remove:0"})
    assert [branch["name"] for branch in router(scenario)["branches"]] == ["Goods", "Rest"]


def test_a_branch_with_steps_is_asked_about_first(bobs: Client, at: At, scenario: Scenario) -> None:
    asked = bobs.post(at("steps/s2/branches/"), {"branch": "remove:0"}, headers=HTMX)
    assert asked.headers["HX-Retarget"] == "#dialog"
    assert "These steps go with it: For each." in asked.content.decode()
    assert len(router(scenario)["branches"]) == 2
    bobs.post(at("steps/s2/branches/0/delete/"))
    assert [branch["name"] for branch in router(scenario)["branches"]] == [""]
    assert bobs.get(at("steps/s2/branches/9/delete/")).status_code == 404


def test_a_change_inside_a_router_makes_its_panel_not_stale(bobs: Client, at: At, scenario: Scenario) -> None:
    page = bobs.get(at("steps/s2/")).content.decode()
    base = re.search(r'id="panel-base" value="(\w+)"', page)
    assert base
    bobs.post(at("steps/s4/"), {"panel": "s4", "title": "Another"})
    form = {**posted(("Goods!", "when", "s1.body.items | length > 0"), ("", "else", "")), "base": base[1]}
    assert bobs.post(at("steps/s2/"), form, headers=HTMX).status_code == 200
    assert router(scenario)["branches"][0]["steps"][0]["steps"][0]["name"] == "Another"
    assert bobs.post(at("steps/s2/"), {**form, "branch.0.name": "Old"}, headers=HTMX).status_code == 409


# Loops


def test_inside_a_loop_the_picker_begins_with_the_current_item(bobs: Client, at: At) -> None:
    page = bobs.get(at("steps/s4/")).content.decode()
    expressions = re.findall(r'data-expr="([^"]+)"', page)
    assert expressions[:3] == ["item", "item.name", "index"]
    assert "1 of 2" in page
    assert "{&quot;title&quot;:&quot;CUP 0&quot;}" in page  # the preview, with the first item
    assert 'data-key="s2"' not in page  # a step does not see what stands around it
    assert 'data-expr="item"' not in bobs.get(at("steps/s5/")).content.decode()


def test_without_a_sample_of_the_list_the_field_leads_there(bobs: Client, at: At, scenario: Scenario) -> None:
    Scenario.objects.update(samples={})
    page = bobs.get(at("steps/s4/")).content.decode()
    assert "There is no sample of the trigger&#x27;s data yet." in page


def test_a_step_in_a_loop_is_tested_with_the_first_item(bobs: Client, at: At, scenario: Scenario) -> None:
    html = bobs.post(at("steps/s4/test/"), {"panel": "s4"}, headers=HTMX).content.decode()
    assert "CUP 0" in html
    scenario.refresh_from_db()
    assert scenario.samples["s4"] == {"title": "CUP 0"}


# Tests that only foresee


def test_the_test_of_a_router_says_which_branch_would_be_taken(bobs: Client, at: At, scenario: Scenario) -> None:
    html = bobs.post(at("steps/s2/test/"), {"panel": "s2"}, headers=HTMX).content.decode()
    assert "It would take the branch “Goods”" in html
    scenario.refresh_from_db()
    assert scenario.samples["s2"] == {"branch": 0, "name": "Goods"}


def test_the_test_of_a_loop_counts_its_passes(bobs: Client, at: At, scenario: Scenario) -> None:
    bobs.post(at("steps/s4/test/"), {"panel": "s4"})
    html = bobs.post(at("steps/s3/test/"), {"panel": "s3"}, headers=HTMX).content.decode()
    assert "2 passes" in html
    scenario.refresh_from_db()
    assert scenario.samples["s3"] == {"count": 2, "results": [{"title": "CUP 0"}]}
    form = {"panel": "s3", "in-items": "{{ s1.body.items[0] }}"}
    html = bobs.post(at("steps/s3/test/"), form, headers=HTMX).content.decode()
    assert "This step goes through a list, but got an object." in html


@pytest.mark.parametrize(
    ("form", "inputs", "says"),
    [
        ({"in-when": "s1.body.items | length > 1"}, "{{ s1.body.items | length > 1 }}", "It would let through"),
        ({"in-when": "s1.body.items | length > 9"}, "{{ s1.body.items | length > 9 }}", "It would let nothing through"),
    ],
)
def test_the_test_of_a_filter_says_whether_it_passes(
    bobs: Client, at: At, scenario: Scenario, form: dict[str, str], inputs: str, says: str
) -> None:
    bobs.post(at("add/"), {"after": "s5", "action": "flow.filter"})
    html = bobs.post(at("steps/s6/test/"), {"panel": "s6", **form}, headers=HTMX).content.decode()
    assert says in html
    assert draft(scenario)["steps"][-1]["inputs"] == {"when": inputs}


@pytest.mark.parametrize(
    ("amount", "unit", "seconds"), [("5", "60", 300), ("2", "86400", 172_800), ("1,5", "3600", 5400), ("", "60", None)]
)
def test_a_delay_is_given_in_units(
    bobs: Client, at: At, scenario: Scenario, amount: str, unit: str, seconds: int | None
) -> None:
    bobs.post(at("add/"), {"after": "s5", "action": "flow.delay"})
    form = {"panel": "s6", "delay.mode": "for", "delay.amount": amount, "delay.unit": unit, "in-until": ""}
    bobs.post(at("steps/s6/"), form)
    assert draft(scenario)["steps"][-1]["inputs"] == ({} if seconds is None else {"seconds": seconds})


def test_a_delay_may_come_from_a_value_or_last_until_a_moment(bobs: Client, at: At, scenario: Scenario) -> None:
    bobs.post(at("add/"), {"after": "s5", "action": "flow.delay"})
    form = {"panel": "s6", "delay.mode": "for", "delay.amount": "{{ s1.body.wait }}", "delay.unit": "60"}
    bobs.post(at("steps/s6/"), form)
    assert draft(scenario)["steps"][-1]["inputs"] == {"seconds": "{{ s1.body.wait }}"}
    moment = (datetime.now(UTC) + timedelta(days=1)).isoformat(timespec="seconds")
    form = {"panel": "s6", "delay.mode": "until", "delay.amount": "5", "delay.unit": "60", "in-until": moment}
    html = bobs.post(at("steps/s6/test/"), form, headers=HTMX).content.decode()
    assert draft(scenario)["steps"][-1]["inputs"] == {"until": moment}
    assert "It would wait until" in html


def test_a_call_chooses_among_the_scenarios_of_the_workspace(
    bobs: Client, at: At, scenario: Scenario, alice: User, charlie: User
) -> None:
    other = editing.create(actor_of(alice), {**DOCUMENT, "name": "Tell", "steps": [leaf("s2", a="1")]})
    editing.create(actor_of(charlie), {**DOCUMENT, "name": "Foreign", "steps": []})
    bobs.post(at("add/"), {"after": "s5", "action": "flow.scenario"})
    page = bobs.get(at("steps/s6/")).content.decode()
    assert "Tell (not published)" in page
    assert "Foreign" not in page
    form = {"panel": "s6", "in-scenario.mode": "list", "in-scenario": other.public_id, "in-payload": '{"a": 1}'}
    refused = bobs.post(at("steps/s6/test/"), form, headers=HTMX).content.decode()
    assert "cannot be called" in refused
    assert draft(scenario)["steps"][-1]["inputs"] == {"scenario": other.public_id, "payload": {"a": 1}}
    editing.publish(actor_of(alice), other)
    html = bobs.post(at("steps/s6/test/"), form, headers=HTMX).content.decode()
    assert "It would start the other scenario" in html


# Errors


def test_a_step_gets_steps_for_errors_that_see_the_error(bobs: Client, at: At, scenario: Scenario) -> None:
    bobs.post(at("steps/s5/"), {"panel": "s5", "retries": "usual", "on_error": "handle"})
    assert draft(scenario)["steps"][-1]["on_error"] == {"steps": []}
    bobs.post(at("add/"), {"after": "s5.on_error.steps", "action": "data.set"})
    page = bobs.get(at("steps/s6/")).content.decode()
    assert 'data-expr="error.text"' in page
    policy = bobs.get(at("steps/s5/") + "?tab=errors").content.decode()
    assert "1 step of its own is done" in policy
    # While there are steps, nothing but a question takes them away.
    bobs.post(at("steps/s5/"), {"panel": "s5", "retries": "usual", "on_error": "stop"})
    assert draft(scenario)["steps"][-1]["on_error"]["steps"][0]["key"] == "s6"
    assert "Set values" in bobs.get(at("steps/s5/handler/delete/"), headers=HTMX).content.decode()
    bobs.post(at("steps/s5/handler/delete/"))
    assert "on_error" not in draft(scenario)["steps"][-1]


def test_which_errors_are_tried_again_is_chosen(bobs: Client, at: At, scenario: Scenario) -> None:
    rule = {"retries": "own", "attempts": "3", "delay_s": "5", "factor": "2", "max_delay_s": "60"}
    form = {"panel": "s5", **rule, "on": ["429", "5xx"], "on_other": "409, upstream_invalid"}
    html = bobs.post(at("steps/s5/"), form, headers=HTMX).content.decode()
    assert draft(scenario)["steps"][-1]["retry"]["on"] == ["429", "5xx", "409", "upstream_invalid"]
    assert "try 3 times (429, 5xx, 409, upstream_invalid)" in html
    wrong = bobs.post(at("steps/s5/"), {**form, "on_other": "Often!"}, headers=HTMX).content.decode()
    assert "“Often!” is neither a status nor a code." in wrong


def test_the_limit_of_runs_is_set_and_reaches_the_published_row(bobs: Client, at: At, scenario: Scenario) -> None:
    bobs.post(at("settings/"), {"timezone": "", "on_unknown": "stop", "max_concurrent_runs": "1"})
    assert draft(scenario)["settings"] == {"max_concurrent_runs": 1}
    bobs.post(at("publish/"))
    scenario.refresh_from_db()
    assert (scenario.max_concurrent, scenario.engine) == (1, 2)


# A scenario that we paused


def paused(scenario: Scenario, user: User) -> None:
    editing.publish(actor_of(user), scenario)
    reason = {"code": "loop_detected", "params": {}, "at": "2026-11-24T12:00:00Z"}
    Scenario.objects.filter(pk=scenario.pk).update(status="paused", paused_reason=reason)


def test_the_editor_and_the_list_say_why_we_paused_it(bobs: Client, at: At, scenario: Scenario, alice: User) -> None:
    paused(scenario, alice)
    for page in (at(""), "/scenarios/"):
        html = bobs.get(page).content.decode()
        assert "The scenario kept starting itself and was paused." in html
        assert "Switch on again" in html
    bobs.post(at("switch/") + "?words=1", {"on": "true"})
    scenario.refresh_from_db()
    assert (scenario.status, scenario.paused_reason) == ("active", None)
    assert "kept starting itself" not in bobs.get(at("")).content.decode()


def test_the_track_asks_the_database_the_same_number_of_times_however_deep(
    bobs: Client, at: At, alice: User, scenario: Scenario
) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert bobs.get(at("steps/s5/")).status_code == 200
        return len(captured)

    queries()
    few = queries()
    steps = draft(scenario)["steps"]
    more = [
        {"key": f"s{n}", "action": "flow.for_each", "inputs": {"items": "[1]"}, "steps": [leaf(f"s{n}0", a="1")]}
        for n in range(20, 40)
    ]
    editing.save(actor_of(alice), scenario, {**scenario.document, "steps": [*steps, *more]}, revision=scenario.revision)
    assert queries() == few
