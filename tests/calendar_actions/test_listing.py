"""Events of a calendar: what is asked of the service, page by page, token by token."""

from typing import Any

import pytest

from actions.effects import Effect
from calendar_actions.listing import MAX_PAGES, ListEvents
from lib.errors import InvalidInput
from sandbox.testing import Sandbox
from tests.actions.service import Service
from tests.calendar_actions.conftest import Steps
from tests.calendar_actions.replies import reply

EXPIRED = {"error": {"code": 410, "message": "Gone", "errors": [{"domain": "calendar", "reason": "fullSyncRequired"}]}}


def add(sandbox: Sandbox, count: int = 3) -> list[str]:
    return [
        sandbox.add_event(
            summary=f"Lesson {number}",
            start=f"2026-11-2{9 - number}T10:00:00+03:00",
            end=f"2026-11-2{9 - number}T11:00:00+03:00",
        )["id"]
        for number in range(count)
    ]


def asked(sandbox: Sandbox) -> list[dict[str, Any]]:
    return [exchange.query for exchange in sandbox.requests]


def ids(result: Any) -> list[str]:
    return [event["id"] for event in result["body"]["items"]]


def test_the_captured_reply_is_the_result(service: Service, odd: Steps) -> None:
    service.will_answer((200, reply(ListEvents.key)))
    result = odd.perform(ListEvents)
    assert (result["status"], result["body"]) == (200, reply(ListEvents.key))
    assert result["headers"]["content-type"] == "application/json; charset=UTF-8"
    assert service.asked[0].target == "/calendars/primary/events"


def test_blank_inputs_are_not_sent(sandbox: Sandbox, steps: Steps) -> None:
    there = add(sandbox)
    result = steps.perform(ListEvents, calendar_id="", order_by="", page_token="", sync_token="", q=None, time_min="")
    assert ids(result) == there
    assert result["body"]["nextSyncToken"]
    assert "full_sync" not in result
    assert asked(sandbox) == [{}]


def test_sorting_by_start_asks_for_single_events_too(sandbox: Sandbox, steps: Steps) -> None:
    there = add(sandbox)
    assert ids(steps.perform(ListEvents, order_by="startTime")) == there[::-1]
    assert asked(sandbox) == [{"orderBy": "startTime", "singleEvents": "true"}]


def test_every_choice_of_the_form_reaches_the_service(sandbox: Sandbox, steps: Steps) -> None:
    steps.perform(
        ListEvents, order_by="updated", time_min="2026-11-01T00:00:00+03:00", time_max="2026-12-01T00:00:00Z", q="le",
        max_results="2", single_events=True, show_deleted=False, time_zone="Asia/Tokyo",
        updated_min="2026-11-20T00:00:00+03:00",
    )  # fmt: skip
    assert asked(sandbox) == [
        {
            "orderBy": "updated", "timeMin": "2026-11-01T00:00:00+03:00", "timeMax": "2026-12-01T00:00:00Z", "q": "le",
            "maxResults": "2", "singleEvents": "true", "showDeleted": "false", "timeZone": "Asia/Tokyo",
            "updatedMin": "2026-11-20T00:00:00+03:00",
        }
    ]  # fmt: skip


def test_pages_are_walked_with_the_token(sandbox: Sandbox, steps: Steps) -> None:
    there = add(sandbox)
    first = steps.perform(ListEvents, max_results=2)
    assert "nextSyncToken" not in first["body"]
    second = steps.perform(ListEvents, max_results=2, page_token=first["body"]["nextPageToken"])
    assert ids(first) + ids(second) == there
    assert second["body"]["nextSyncToken"]


def test_all_pages_come_at_once_if_wanted(sandbox: Sandbox, steps: Steps) -> None:
    there = add(sandbox)
    sandbox.configure(page_size=1)
    result = steps.perform(ListEvents, all_pages=True)
    assert ids(result) == there
    assert result["body"]["nextSyncToken"]
    assert "nextPageToken" not in result["body"]


def test_a_list_without_end_is_left_in_the_middle(service: Service, odd: Steps) -> None:
    service.will_answer((200, {"items": [{"id": "a"}], "nextPageToken": "again"}))
    result = odd.perform(ListEvents, all_pages=True)
    assert len(service.asked) == len(result["body"]["items"]) == MAX_PAGES
    assert result["body"]["nextPageToken"] == "again"


def test_a_sync_token_brings_what_changed(sandbox: Sandbox, steps: Steps) -> None:
    there = add(sandbox)
    token = steps.perform(ListEvents)["body"]["nextSyncToken"]
    sandbox.delete_event(there[1])
    result = steps.perform(ListEvents, sync_token=token)
    assert [(event["id"], event["status"]) for event in result["body"]["items"]] == [(there[1], "cancelled")]
    assert "full_sync" not in result


def test_an_expired_sync_token_is_replaced_by_one_full_listing(sandbox: Sandbox, steps: Steps) -> None:
    there = add(sandbox)
    token = steps.perform(ListEvents)["body"]["nextSyncToken"]
    sandbox.expire_sync_tokens()
    sandbox.configure(page_size=2)
    sandbox.forget_requests()
    result = steps.perform(ListEvents, sync_token=token)
    assert result["full_sync"] is True
    assert result["status"] == 200
    assert ids(result) == there
    assert result["body"]["nextSyncToken"]
    assert [set(query) for query in asked(sandbox)] == [{"syncToken"}, set(), {"pageToken"}]


def test_a_token_that_google_does_not_know_is_treated_alike(sandbox: Sandbox, steps: Steps) -> None:
    there = add(sandbox)
    result = steps.perform(ListEvents, sync_token="nonsense==")
    assert (result["full_sync"], ids(result)) == (True, there)


def test_an_expired_token_may_fail_instead(sandbox: Sandbox, steps: Steps) -> None:
    token = steps.perform(ListEvents)["body"]["nextSyncToken"]
    sandbox.expire_sync_tokens()
    error = steps.refusal(ListEvents, sync_token=token, on_expired="error")
    assert (error.code, error.retry) == ("sync_token_expired", False)


def test_410_twice_ends_in_an_error_and_not_in_a_loop(service: Service, odd: Steps) -> None:
    service.will_answer((410, EXPIRED))
    assert odd.refusal(ListEvents, sync_token="t").code == "sync_token_expired"
    assert len(service.asked) == 2


@pytest.mark.parametrize(
    "clash",
    [
        {"order_by": "startTime"},
        {"order_by": "updated"},
        {"q": "x"},
        {"time_min": "2026-01-01T00:00:00Z"},
        {"time_max": "2026-01-01T00:00:00Z"},
        {"updated_min": "2026-01-01T00:00:00Z"},
    ],
)
def test_what_google_forbids_beside_a_sync_token_is_refused_before_sending(
    sandbox: Sandbox, steps: Steps, clash: dict[str, str]
) -> None:
    inputs = {"sync_token": "CPDA"} | clash
    label = str(ListEvents.fields[next(iter(clash))].label)
    found = ListEvents.check(inputs)
    assert list(found) == ["sync_token"]
    assert label in found["sync_token"][0]
    error = steps.refusal(ListEvents, **inputs)
    assert isinstance(error, InvalidInput)
    assert error.params["field"] == "sync_token"
    assert sandbox.requests == []


def test_a_sync_token_from_an_expression_is_judged_when_it_is_known(steps: Steps) -> None:
    template = {"sync_token": "{{ s1.body.token }}", "order_by": "startTime"}
    assert ListEvents.check(template) == {}
    assert steps.refusal(ListEvents, **template | {"sync_token": "CPDA"}).code == "invalid_input"
    assert steps.perform(ListEvents, **template | {"sync_token": ""})["status"] == 200


@pytest.mark.parametrize(
    ("inputs", "field"),
    [
        ({"order_by": "start"}, "order_by"),
        ({"order_by": "startTime", "single_events": False}, "order_by"),
        ({"sync_token": "x", "show_deleted": "false"}, "show_deleted"),
        ({"time_min": "2026-01-02T00:00:00Z", "time_max": "2026-01-01T00:00:00Z"}, "time_max"),
        ({"time_min": "2026-01-02"}, "time_min"),
        ({"max_results": 2501}, "max_results"),
        ({"time_zone": "Moscow"}, "time_zone"),
        ({"pageToken": "x"}, "pageToken"),
    ],
)
def test_mistakes_show_in_the_draft(inputs: dict[str, Any], field: str) -> None:
    assert list(ListEvents.check(inputs)) == [field]


def test_a_calendar_id_with_a_hash_stays_whole(service: Service, odd: Steps) -> None:
    service.will_answer((200, {"items": []}))
    odd.perform(ListEvents, calendar_id="ru.russian#holiday@group.v.calendar.google.com")
    assert service.asked[0].path == "/calendars/ru.russian%23holiday%40group.v.calendar.google.com/events"


@pytest.mark.parametrize("body", [b"<html>login</html>", b"[1]", b""])
def test_an_address_that_is_no_calendar_is_told(service: Service, odd: Steps, body: bytes) -> None:
    service.will_answer((200, body))
    error = odd.refusal(ListEvents)
    assert (error.code, error.params["host"]) == ("upstream_invalid", "127.0.0.1")


def test_the_form_and_the_schema() -> None:
    assert list(ListEvents.fields)[:4] == ["calendar_id", "order_by", "page_token", "sync_token"]
    assert all(field.advanced for field in list(ListEvents.fields.values())[4:])
    assert ListEvents.schema()["required"] == []
    assert ListEvents.schema()["properties"]["calendar_id"]["default"] == "primary"
    assert (ListEvents.effect, ListEvents.connection) == (Effect.READ, "required")
