"""What the posted panel of a step makes of its inputs, field by field; and keys that are renamed."""

from typing import Any

import pytest
from django.http import QueryDict

from actions import registry
from lib.errors import UserError
from scenarios import arranging
from scenarios.document import dump, parse
from scenarios.pages.editor import step_inputs


def read(action: str, posted: str, old: dict[str, Any] | None = None) -> dict[str, Any]:
    return step_inputs.read(registry.get(action), QueryDict(posted), old or {})


def test_blank_inputs_are_left_out() -> None:
    posted = "in-calendar_id=primary&in-summary=&in-start=&in-end=2026-12-31T22:30:00%2B03:00&in-description="
    assert read("google_calendar.insert_event", posted) == {"end": "2026-12-31T22:30:00+03:00"}


def test_what_the_form_does_not_mention_stays() -> None:
    old = {"calendar_id": "c1", "summary": "Lesson"}
    assert read("google_calendar.insert_event", "in-summary=Exam", old) == {"calendar_id": "c1", "summary": "Exam"}


@pytest.mark.parametrize(("mode", "expected"), [("keep", {}), ("clear", {"summary": ""}), ("set", {"summary": "Exam"})])
def test_a_clearable_input_is_kept_cleared_or_set(mode: str, expected: dict[str, Any]) -> None:
    posted = f"in-summary=Exam&in-summary.mode={mode}"
    assert read("google_calendar.update_event", posted, {"summary": "Old"}) == expected


def test_a_number_is_a_number_and_an_expression_a_text() -> None:
    assert read("http.request", "in-timeout_s=60") == {"timeout_s": 60}
    assert read("http.request", "in-timeout_s={{ vars.t }}") == {"timeout_s": "{{ vars.t }}"}
    assert read("http.request", "in-timeout_s=30") == {}  # the default need not be said


def test_no_failing_statuses_is_not_the_default() -> None:
    assert read("http.request", "in-fail_on=") == {"fail_on": ""}
    assert read("http.request", "in-fail_on=4xx,5xx") == {}


def test_a_choice_may_be_an_expression() -> None:
    assert read("http.request", "in-method=GET&in-method.mode=list&in-method.fx=x") == {"method": "GET"}
    posted = "in-method=GET&in-method.mode=fx&in-method.fx={{ s1.body.verb }}"
    assert read("http.request", posted) == {"method": "{{ s1.body.verb }}"}


def test_a_yes_or_no_is_a_boolean() -> None:
    posted = "in-all_day=true&in-all_day.mode=list"
    assert read("google_calendar.insert_event", posted) == {"all_day": True}


def test_rows_become_an_object_and_empty_rows_go() -> None:
    rows = "in-values.mode=rows&in-values.0.name=a&in-values.0.value=x&in-values.1.name=&in-values.1.value="
    assert read("data.set", rows) == {"values": {"a": "x"}}


def test_a_value_that_was_not_touched_keeps_its_type() -> None:
    old = {"values": {"n": 2, "list": [1, 2], "text": "2"}}
    rows = "in-values.mode=rows&in-values.0.name=n&in-values.0.value=2"
    rows += "&in-values.1.name=list&in-values.1.value=[1,2]&in-values.2.name=text&in-values.2.value=2"
    assert read("data.set", rows, old) == old


def test_an_object_may_be_written_as_json_or_come_from_an_expression() -> None:
    assert read("data.set", 'in-values.mode=text&in-values={"a": {"b": 1}}') == {"values": {"a": {"b": 1}}}
    assert read("data.set", "in-values.mode=text&in-values={{ s1.body }}") == {"values": "{{ s1.body }}"}


def test_a_new_step_begins_with_the_first_choice_where_one_must_be_made() -> None:
    assert step_inputs.first(registry.get("http.request")) == {"method": "POST"}


def document(**changes: Any) -> Any:
    data = {
        "name": "x",
        "variables": {"limit": 3},
        "trigger": {"key": "s1", "type": "manual", "inputs": {}},
        "steps": [
            {"key": "s2", "action": "data.set", "inputs": {"values": {"a": "{{ s1.body.s2 }}"}}},
            {
                "key": "s3",
                "action": "data.set",
                "inputs": {"values": {"b": "{{ s2.a }} and 's2'", "c": ["<< s2.a >>"]}},
                "on_error": {"steps": [{"key": "s4", "action": "data.set", "inputs": {"values": {"d": "{{ s2.a }}"}}}]},
            },
        ],
    }
    return parse({**data, **changes})


def test_renaming_a_key_turns_the_references_and_nothing_else() -> None:
    renamed = dump(arranging.rename_key(document(), "s2", "order"))
    first, second = renamed["steps"]
    assert first["key"] == "order"
    assert first["inputs"] == {"values": {"a": "{{ s1.body.s2 }}"}}
    assert second["inputs"] == {"values": {"b": "{{ order.a }} and 's2'", "c": ["<< order.a >>"]}}
    assert second["on_error"]["steps"][0]["inputs"] == {"values": {"d": "{{ order.a }}"}}


def test_the_triggers_key_may_be_renamed_too() -> None:
    renamed = dump(arranging.rename_key(document(), "s1", "request"))
    assert renamed["trigger"]["key"] == "request"
    assert renamed["steps"][0]["inputs"] == {"values": {"a": "{{ request.body.s2 }}"}}


@pytest.mark.parametrize(
    ("new", "reason"),
    [
        ("S2", "bad_key"),
        ("item", "reserved_key"),
        ("limit", "reserved_key"),
        ("s3", "repeated_key"),
        ("s4", "repeated_key"),
    ],
)
def test_a_key_that_cannot_be_is_refused(new: str, reason: str) -> None:
    with pytest.raises(UserError) as refused:
        arranging.rename_key(document(), "s2", new)
    assert refused.value.reason == reason


def test_a_step_that_is_not_there_has_no_key_to_rename() -> None:
    with pytest.raises(UserError, match="no_such_step"):
        arranging.rename_key(document(), "s9", "s10")
