"""The editor through a browser without scripts and as htmx asks: panels, saving, testing, publishing, running."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import User, Workspace
from connections.models import Connection
from scenarios import editing, trying
from scenarios.models import Delivery, Run, Scenario
from tests.people import actor_of

HTMX = {"HX-Request": "true"}
DOCUMENT: dict[str, Any] = {
    "format": 1,
    "name": "Orders",
    "variables": {"shop": "North"},
    "trigger": {"key": "s1", "type": "webhook", "inputs": {}},
    "steps": [
        {"key": "s2", "action": "data.set", "inputs": {"values": {"title": "{{ s1.body.name | upper }}"}}},
        {"key": "s3", "action": "data.set", "inputs": {"values": {"again": "{{ s2.title }}"}}},
    ],
}


@pytest.fixture
def scenario(alice: User) -> Scenario:
    made = editing.create(actor_of(alice), DOCUMENT, draft=True)
    trying.keep_sample(made, "s1", {"method": "POST", "headers": {}, "query": {}, "body": {"name": "Ann"}})
    return made


@pytest.fixture
def bobs(bob: User, client_of: Callable[[User], Client]) -> Client:
    return client_of(bob)


@pytest.fixture
def at(scenario: Scenario) -> Callable[[str], str]:
    return lambda end: f"/scenarios/{scenario.public_id}/{end}"


At = Callable[[str], str]


def step(scenario: Scenario, key: str) -> dict[str, Any]:
    scenario.refresh_from_db()
    return next(step for step in scenario.document["steps"] if step["key"] == key)


def base_of(html: str) -> str:
    found = re.search(r'id="panel-base" value="(\w+)"', html)
    assert found
    return found[1]


def rows(**values: str) -> dict[str, str]:
    posted = {"in-values.mode": "rows"}
    for number, (name, value) in enumerate(values.items()):
        posted |= {f"in-values.{number}.name": name, f"in-values.{number}.value": value}
    return posted


# Panels


def test_one_address_is_a_page_and_a_fragment(bobs: Client, at: At) -> None:
    page = bobs.get(at("steps/s2/")).content.decode()
    assert "<html" in page
    assert page.count("<h1") == 1
    fragment = bobs.get(at("steps/s2/"), headers=HTMX).content.decode()
    assert "<html" not in fragment
    assert 'id="flow"' in fragment
    assert 'hx-swap-oob="morph"' in fragment
    back = bobs.get(at("steps/s2/"), headers={**HTMX, "HX-History-Restore-Request": "true"})
    assert "<html" in back.content.decode()


def test_the_chosen_card_is_the_current_one(bobs: Client, at: At) -> None:
    page = bobs.get(at("steps/s3/")).content.decode()
    assert page.count('aria-current="true"') == 1
    assert '<article class="step" id="step-s3" aria-current="true">' in page


def test_a_field_shows_what_it_will_give(bobs: Client, at: At) -> None:
    page = bobs.get(at("steps/s2/")).content.decode()
    assert "{&quot;title&quot;:&quot;ANN&quot;}" in page


def test_a_field_that_needs_an_untested_step_says_which(bobs: Client, at: At) -> None:
    page = bobs.get(at("steps/s3/")).content.decode()
    assert "“Set values” has not been tested" in page
    assert f'href="{at("steps/s2/")}"' in page


def test_the_picker_has_the_values_of_earlier_steps_with_samples(bobs: Client, at: At) -> None:
    page = bobs.get(at("steps/s2/")).content.decode()
    assert 'data-expr="s1.body.name"' in page
    assert ">Ann<" in page
    assert 'data-expr="vars.shop"' in page
    assert 'data-expr="now()"' in page
    assert 'data-key="s3"' not in page  # it comes later


def test_a_panel_asks_the_database_the_same_number_of_times(bobs: Client, at: At, alice: User) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert bobs.get(at("steps/s2/")).status_code == 200
        return len(captured)

    queries()
    few = queries()
    scenario = Scenario.objects.get()
    more = [{"key": f"s{n}", "action": "data.set", "inputs": {"values": {"a": "1"}}} for n in range(10, 40)]
    document = {**scenario.document, "steps": [*scenario.document["steps"], *more]}
    editing.save(actor_of(alice), scenario, document, revision=scenario.revision)
    assert queries() == few


def test_a_step_that_is_not_there_is_not_found(bobs: Client, at: At) -> None:
    assert bobs.get(at("steps/s9/")).status_code == 404


# Saving


def test_a_form_is_saved_without_scripts(bobs: Client, at: At, scenario: Scenario) -> None:
    answer = bobs.post(at("steps/s2/"), {"panel": "s2", "title": "Name it", **rows(title="x", n="{{ 2 }}")})
    assert answer.headers["Location"] == at("steps/s2/")
    assert step(scenario, "s2")["inputs"] == {"values": {"title": "x", "n": "{{ 2 }}"}}
    assert step(scenario, "s2")["name"] == "Name it"


def test_saving_answers_with_previews_the_track_and_a_new_row(bobs: Client, at: At, scenario: Scenario) -> None:
    base = base_of(bobs.get(at("steps/s2/")).content.decode())
    answer = bobs.post(
        at("steps/s2/"), {"panel": "s2", "base": base, **rows(title="{{ s1.body.name }}!")}, headers=HTMX
    )
    html = answer.content.decode()
    assert answer.headers["HX-Reswap"] == "none"
    assert "Ann!" in html
    assert 'name="in-values.1.name"' in html
    assert 'hx-swap-oob="beforeend:#id_in-values_rows"' in html
    assert base_of(html) != base
    assert scenario.revision < Scenario.objects.get().revision


def test_saving_the_same_again_makes_no_revision(bobs: Client, at: At, scenario: Scenario) -> None:
    before = Scenario.objects.get().revision
    bobs.post(at("steps/s2/"), {"panel": "s2", "title": "Set values", **rows(title="{{ s1.body.name | upper }}")})
    assert Scenario.objects.get().revision == before


def test_a_stale_form_changes_nothing_and_is_told(bobs: Client, at: At, scenario: Scenario) -> None:
    base = base_of(bobs.get(at("steps/s2/")).content.decode())
    bobs.post(at("steps/s2/"), {"panel": "s2", "base": base, **rows(title="first")})
    stale = bobs.post(at("steps/s2/"), {"panel": "s2", "base": base, **rows(title="second")}, headers=HTMX)
    assert stale.status_code == 409
    assert step(scenario, "s2")["inputs"]["values"] == {"title": "first"}


def test_a_form_may_be_saved_again_and_again(bobs: Client, at: At, scenario: Scenario) -> None:
    bobs.post(at("add/"), {"after": "s3", "action": "http.request"})
    html = bobs.get(at("steps/s4/")).content.decode()
    for number in range(3):
        posted = {"panel": "s4", "base": base_of(html), "in-url": f"https://a.example/{number}", "in-body": "x"}
        saved = bobs.post(at("steps/s4/"), posted, headers=HTMX)
        assert saved.status_code == 200
        html = saved.content.decode()


def test_a_change_of_another_step_makes_no_form_stale(bobs: Client, at: At, scenario: Scenario) -> None:
    base = base_of(bobs.get(at("steps/s2/")).content.decode())
    bobs.post(at("steps/s3/"), {"panel": "s3", **rows(again="there")})
    saved = bobs.post(at("steps/s2/"), {"panel": "s2", "base": base, **rows(title="here")}, headers=HTMX)
    assert saved.status_code == 200
    assert step(scenario, "s2")["inputs"]["values"] == {"title": "here"}
    assert step(scenario, "s3")["inputs"]["values"] == {"again": "there"}


def test_an_error_stands_under_its_field_and_on_the_card(bobs: Client, at: At) -> None:
    html = bobs.post(at("steps/s2/"), {"panel": "s2", **rows(title="{{ s3.again }}")}, headers=HTMX).content.decode()
    assert "title: “s3” is not a step before this one." in html
    assert "1 to mend" in html


def test_policy_is_saved_and_a_wrong_one_is_told(bobs: Client, at: At, scenario: Scenario) -> None:
    own = {
        "retries": "own",
        "attempts": "3",
        "delay_s": "5",
        "factor": "2",
        "max_delay_s": "60",
        "on_error": "continue",
    }
    bobs.post(at("steps/s2/"), {"panel": "s2", **own}, headers=HTMX)
    assert step(scenario, "s2")["retry"] == {"attempts": 3, "delay_s": 5, "factor": 2, "max_delay_s": 60}
    assert step(scenario, "s2")["on_error"] == "continue"
    wrong = bobs.post(at("steps/s2/"), {"panel": "s2", **own, "attempts": "1000"}, headers=HTMX).content.decode()
    assert "Ensure this value is less than or equal to 100." in wrong
    assert step(scenario, "s2")["retry"]["attempts"] == 3


def test_a_date_that_is_not_rfc_3339_offers_the_right_spelling(bobs: Client, at: At, scenario: Scenario) -> None:
    bobs.post(at("add/"), {"after": "s3", "action": "google_calendar.insert_event"})
    html = bobs.post(at("steps/s4/"), {"panel": "s4", "in-start": "31.12.2026 21:45"}, headers=HTMX).content.decode()
    assert "in-start=2026-12-31T21:45:00+03:00" in html
    fixed = {"panel": "s4", "in-start": "31.12.2026 21:45", "fix": "in-start=2026-12-31T21:45:00+03:00"}
    bobs.post(at("steps/s4/"), fixed, headers=HTMX)
    assert step(scenario, "s4")["inputs"] == {"start": "2026-12-31T21:45:00+03:00"}


# Steps


def test_the_finder_lists_every_module_that_fits(bobs: Client, at: At) -> None:
    html = bobs.get(at("add/?after=s2"), headers=HTMX).content.decode()
    assert "Step after “1. Set values”" in html
    for action in ("google_calendar.list_events", "http.request", "webhook.respond", "data.set"):
        assert f'value="{action}"' in html
    bobs.post(at("trigger/type/"), {"type": "manual"})
    assert 'value="webhook.respond"' not in bobs.get(at("add/?after=s2"), headers=HTMX).content.decode()


def test_a_step_is_added_with_the_only_connection_and_opens(
    bobs: Client, at: At, scenario: Scenario, workspace: Workspace
) -> None:
    Connection.objects.create(workspace=workspace, slug="google", name="Google", type="oauth2", status="connected")
    answer = bobs.post(at("add/"), {"after": "s2", "action": "google_calendar.list_events"}, headers=HTMX)
    scenario.refresh_from_db()
    assert [step["key"] for step in scenario.document["steps"]] == ["s2", "s4", "s3"]
    assert step(scenario, "s4")["connection"] == "google"
    assert answer.headers["HX-Push-Url"] == at("steps/s4/")
    assert answer.headers["HX-Trigger"] == "dialog:close"
    assert "autofocus" in answer.content.decode()


def test_a_step_is_copied_with_a_key_of_its_own(bobs: Client, at: At, scenario: Scenario) -> None:
    bobs.post(at("steps/s2/copy/"))
    scenario.refresh_from_db()
    assert [step["key"] for step in scenario.document["steps"]] == ["s2", "s4", "s3"]
    assert step(scenario, "s4")["inputs"] == step(scenario, "s2")["inputs"]


def test_removing_a_step_names_those_that_use_it(bobs: Client, at: At, scenario: Scenario) -> None:
    bobs.post(at("steps/s3/"), {"panel": "s3", "title": "Repeat it"})
    question = bobs.get(at("steps/s2/delete/"), headers=HTMX).content.decode()
    assert "Repeat it" in question
    bobs.post(at("steps/s2/delete/"))
    scenario.refresh_from_db()
    assert [step["key"] for step in scenario.document["steps"]] == ["s3"]


def test_a_key_is_renamed_with_its_references_and_sample(bobs: Client, at: At, scenario: Scenario) -> None:
    trying.keep_sample(scenario, "s2", {"title": "ANN"})
    bobs.post(at("steps/s2/key/"), {"key": "order"})
    assert step(scenario, "s3")["inputs"] == {"values": {"again": "{{ order.title }}"}}
    assert scenario.samples["order"] == {"title": "ANN"}
    assert "s2" not in scenario.samples
    taken = bobs.post(at("steps/order/key/"), {"key": "s3"})
    assert taken.status_code == 422
    assert "The key “s3” is taken by another step." in taken.content.decode()


# Testing


def test_a_step_is_tested_as_it_stands_in_the_form(bobs: Client, at: At, scenario: Scenario) -> None:
    posted = {"panel": "s2", **rows(title="{{ s1.body.name }} again")}
    html = bobs.post(at("steps/s2/test/"), posted, headers=HTMX).content.decode()
    assert "The step works" in html
    assert "Ann again" in html
    assert step(scenario, "s2")["inputs"]["values"] == {"title": "{{ s1.body.name }} again"}
    assert scenario.samples["s2"] == {"title": "Ann again"}
    assert "tested" in html
    page = bobs.get(at("steps/s3/")).content.decode()
    assert "{&quot;again&quot;:&quot;Ann again&quot;}" in page


def test_a_failing_test_says_why_at_the_field(bobs: Client, at: At) -> None:
    html = bobs.post(at("steps/s2/test/"), {"panel": "s2", **rows(title="{{ s1.body.nam }}")}, headers=HTMX)
    words = html.content.decode()
    assert "The step failed" in words
    assert "s1.body.nam: no such key; there is: name" in words


def test_a_test_that_needs_an_untested_step_leads_there(bobs: Client, at: At) -> None:
    html = bobs.post(at("steps/s3/test/"), {"panel": "s3"}, headers=HTMX).content.decode()
    assert "“Set values” has not been tested" in html
    assert f'<a href="{at("steps/s2/")}">' in html


def test_a_test_shows_the_request_it_sent(bobs: Client, at: At) -> None:
    bobs.post(at("add/"), {"after": "s3", "action": "http.request"})
    posted = {"panel": "s4", "in-method": "GET", "in-method.mode": "list", "in-url": "http://127.0.0.1:1/orders"}
    html = bobs.post(at("steps/s4/test/"), posted, headers=HTMX).content.decode()
    assert "GET http://127.0.0.1:1/orders" in html
    assert "The step failed" in html


# The trigger


def test_a_schedule_shows_its_next_five_times(bobs: Client, at: At, scenario: Scenario) -> None:
    bobs.post(at("trigger/type/"), {"type": "schedule"})
    posted = {"panel": "trigger", "rhythm": "every", "every": "15", "unit": "60", "timezone": "", "misfire": "latest"}
    html = bobs.post(at("trigger/"), posted, headers=HTMX).content.decode()
    scenario.refresh_from_db()
    assert scenario.document["trigger"]["inputs"] == {"every_s": 900}
    assert html.count("<li><span>") == 5
    assert "Every 15 minutes" in html


@pytest.mark.parametrize(
    ("posted", "inputs"),
    [
        ({"rhythm": "daily", "at": "9:00, 18:30"}, {"daily": {"at": ["9:00", "18:30"]}}),
        ({"rhythm": "weekly", "at": "09:00", "weekdays": ["5", "1"]}, {"daily": {"at": ["09:00"], "weekdays": [1, 5]}}),
        ({"rhythm": "cron", "cron": "0 9 * * 1-5"}, {"cron": "0 9 * * 1-5"}),
        (
            {"rhythm": "every", "every": "2", "unit": "3600", "timezone": "Asia/Omsk", "misfire": "skip"},
            {"every_s": 7200, "timezone": "Asia/Omsk", "misfire": "skip"},
        ),
    ],
)
def test_each_rhythm_becomes_a_rule(
    bobs: Client, at: At, scenario: Scenario, posted: dict[str, Any], inputs: dict[str, Any]
) -> None:
    bobs.post(at("trigger/type/"), {"type": "schedule"})
    assert bobs.post(at("trigger/"), {"panel": "trigger", **posted}).status_code == 302
    scenario.refresh_from_db()
    assert scenario.document["trigger"]["inputs"] == inputs


def test_a_wrong_cron_stays_in_the_draft_and_is_told(bobs: Client, at: At, scenario: Scenario) -> None:
    bobs.post(at("trigger/type/"), {"type": "schedule"})
    html = bobs.post(at("trigger/"), {"panel": "trigger", "rhythm": "cron", "cron": "at noon"}, headers=HTMX)
    assert "This is not a cron expression." in html.content.decode()
    scenario.refresh_from_db()
    assert scenario.document["trigger"]["inputs"] == {"cron": "at noon"}


def test_a_webhooks_secret_is_kept_and_never_shown(bobs: Client, at: At, scenario: Scenario) -> None:
    posted = {"panel": "trigger", "methods": ["POST", "PUT"], "mode": "hmac", "header_name": "X-Sign", "secret": "hush"}
    bobs.post(at("trigger/"), posted)
    scenario.refresh_from_db()
    inputs = scenario.document["trigger"]["inputs"]
    assert inputs["methods"] == ["POST", "PUT"]
    assert inputs["signature"]["secret"] == {"set": True}
    assert editing.secrets_of(scenario) == {"secret": "hush"}
    assert "hush" not in bobs.get(at("trigger/")).content.decode()
    bobs.post(at("trigger/"), {**posted, "secret": "", "header_name": "X-Other"})
    scenario.refresh_from_db()
    assert scenario.document["trigger"]["inputs"]["signature"]["header"] == "X-Other"
    assert editing.secrets_of(scenario) == {"secret": "hush"}


def test_the_last_request_becomes_the_sample(bobs: Client, at: At, scenario: Scenario) -> None:
    Delivery.objects.create(
        workspace=scenario.workspace,
        scenario=scenario,
        verdict="disabled",
        method="POST",
        headers={},
        content_type="application/json",
        body=b'{"name": "Zoe"}',
        size=15,
    )
    assert "Disabled" in bobs.get(at("trigger/deliveries/"), headers=HTMX).content.decode()
    bobs.post(at("trigger/sample/"), {"take": "last"})
    scenario.refresh_from_db()
    assert scenario.samples["s1"]["body"] == {"name": "Zoe"}
    page = bobs.get(at("trigger/")).content.decode()
    assert "body.name" in page
    assert "curl -X POST" in page


def test_a_sample_may_be_written_by_hand(bobs: Client, at: At, scenario: Scenario) -> None:
    assert bobs.post(at("trigger/sample/"), {"body": "{nope"}).status_code == 422
    bobs.post(at("trigger/sample/"), {"body": '{"name": "Kim"}'})
    scenario.refresh_from_db()
    assert scenario.samples["s1"]["body"] == {"name": "Kim"}


# The bar


def test_the_name_is_changed_in_place(bobs: Client, at: At, scenario: Scenario) -> None:
    bobs.post(at("name/"), {"name": "Orders → CRM"}, headers=HTMX)
    scenario.refresh_from_db()
    assert scenario.name == "Orders → CRM"
    assert scenario.document["name"] == "Orders → CRM"


def test_publishing_saves_the_open_panel_first(bobs: Client, at: At, scenario: Scenario) -> None:
    html = bobs.post(at("publish/"), {"panel": "s2", **rows(title="now")}, headers=HTMX).content.decode()
    scenario.refresh_from_db()
    assert scenario.published is not None
    assert scenario.published.document["steps"][0]["inputs"]["values"] == {"title": "now"}
    assert "Version 1 is published." in html
    bobs.post(at("steps/s2/"), {"panel": "s2", **rows(title="later")})
    assert "Changes are not published" in bobs.get(at("")).content.decode()


def test_a_draft_that_cannot_run_is_not_published_and_says_where(bobs: Client, at: At, scenario: Scenario) -> None:
    bobs.post(at("add/"), {"after": "s3", "action": "http.request"})
    answer = bobs.post(at("publish/"))
    page = answer.content.decode()
    assert answer.status_code == 422
    assert "Not ready to publish" in page
    assert "Request URL: This field is required." in page
    assert f'href="{at("steps/s4/")}?strict=1"' in page
    assert "This field is required." in bobs.get(at("steps/s4/") + "?strict=1").content.decode()
    scenario.refresh_from_db()
    assert scenario.published is None


def test_running_once_publishes_first_where_it_must(bobs: Client, at: At, scenario: Scenario) -> None:
    question = bobs.get(at("run/"), headers=HTMX).content.decode()
    assert "Publish and run" in question
    assert "{&quot;name&quot;:&quot;Ann&quot;}" in question  # the sample
    answer = bobs.post(at("run/"), {"body": '{"name": "Lee"}', "publish": "1"})
    run = Run.objects.get()
    assert answer.headers["Location"] == f"/runs/{run.id.hex}/"
    assert run.input == {"body": {"name": "Lee"}}
    assert run.trigger == "manual"


def test_a_body_that_is_not_json_starts_nothing(bobs: Client, at: At) -> None:
    answer = bobs.post(at("run/"), {"body": "{", "publish": "1"})
    assert answer.status_code == 422
    assert "This is not JSON" in answer.content.decode()
    assert not Run.objects.exists()


def test_settings_and_variables_are_saved(bobs: Client, at: At, scenario: Scenario) -> None:
    posted = {"timezone": "Asia/Omsk", "on_unknown": "repeat", "var.0.name": "shop", "var.0.value": "South"}
    bobs.post(
        at("settings/"), {**posted, "var.1.name": "limit", "var.1.value": "3", "var.2.name": "", "var.2.value": ""}
    )
    scenario.refresh_from_db()
    assert scenario.document["settings"] == {"timezone": "Asia/Omsk", "on_unknown": "repeat"}
    assert scenario.document["variables"] == {"shop": "South", "limit": 3}


def test_an_older_version_becomes_the_draft_again(bobs: Client, at: At, scenario: Scenario) -> None:
    bobs.post(at("publish/"))
    bobs.post(at("steps/s2/"), {"panel": "s2", **rows(title="second")})
    bobs.post(at("publish/"))
    assert "In force" in bobs.get(at("versions/"), headers=HTMX).content.decode()
    assert "s1.body.name" in bobs.get(at("versions/1/"), headers=HTMX).content.decode()
    bobs.post(at("versions/1/restore/"))
    assert step(scenario, "s2")["inputs"] == DOCUMENT["steps"][0]["inputs"]
    assert scenario.published is not None
    assert scenario.published.number == 2
    assert bobs.get(at("versions/9/")).status_code == 404


# Help


@pytest.mark.parametrize("language", ["en", "ru"])
def test_the_help_lists_every_helper(bobs: Client, language: str) -> None:
    from lib.expressions import HELPERS

    page = bobs.get("/scenarios/help/expressions/", headers={"accept-language": language}).content.decode()
    assert all(f'id="helper-{helper.name}"' in page for helper in HELPERS)


def test_an_imported_document_with_an_error_handler_is_shown(bobs: Client, alice: User) -> None:
    document = json.loads(json.dumps(DOCUMENT))
    document["steps"][1]["on_error"] = {
        "steps": [{"key": "s7", "action": "data.set", "inputs": {"values": {"a": "1"}}}]
    }
    made = editing.create(actor_of(alice), document)
    page = bobs.get(f"/scenarios/{made.public_id}/steps/s7/").content.decode()
    assert "At an error" in page
    assert 'id="step-s7" aria-current="true"' in page
