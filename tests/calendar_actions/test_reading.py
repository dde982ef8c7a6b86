"""One event by its id."""

from calendar_actions.base import BASE_URL
from calendar_actions.reading import GetEvent
from sandbox.testing import Sandbox
from tests.actions.client import context
from tests.actions.service import Service
from tests.calendar_actions.conftest import Steps
from tests.calendar_actions.replies import reply


def test_the_captured_reply_is_the_result(service: Service, odd: Steps) -> None:
    service.will_answer((200, reply(GetEvent.key)))
    assert odd.perform(GetEvent, event_id="5f3kq0c8m2v1t7e4r9a6s0d2f4")["body"] == reply(GetEvent.key)


def test_an_event_of_the_sandbox(sandbox: Sandbox, steps: Steps) -> None:
    event = sandbox.add_event(summary="Lesson", start="2026-11-25T10:00:00+03:00", end="2026-11-25T11:00:00+03:00")
    assert steps.perform(GetEvent, event_id=event["id"])["body"]["summary"] == "Lesson"
    result = steps.perform(GetEvent, event_id=event["id"], time_zone="Asia/Tokyo")
    assert result["body"]["start"]["dateTime"] == "2026-11-25T16:00:00+09:00"


def test_a_missing_event_is_named_with_its_calendar(steps: Steps) -> None:
    error = steps.refusal(GetEvent, event_id="nothere00")
    assert (error.code, error.reason, error.params["status"]) == ("upstream_status", "event_not_found", 404)
    assert (error.params["event"], error.params["calendar"]) == ("nothere00", "primary")


def test_an_id_cannot_leave_its_place_in_the_address(service: Service, odd: Steps) -> None:
    odd.perform(GetEvent, calendar_id="..", event_id="a/../../b?c#d")
    assert service.asked[0].target == "/calendars/%2E%2E/events/a%2F..%2F..%2Fb%3Fc%23d"


def test_without_an_address_of_the_connection_it_is_googles() -> None:
    request = GetEvent.clean({"event_id": "abc"}).preview(context())
    assert request is not None
    assert request.url == f"{BASE_URL}/calendars/primary/events/abc"


def test_the_form_and_the_schema() -> None:
    assert list(GetEvent.fields) == ["calendar_id", "event_id", "time_zone"]
    assert GetEvent.schema()["required"] == ["event_id"]
    assert list(GetEvent.check({})) == ["event_id"]
