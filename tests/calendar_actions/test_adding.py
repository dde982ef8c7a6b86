"""A new event, and never a second one."""

import re
from typing import Any

import pytest

from actions.effects import Effect
from calendar_actions.adding import MARK, InsertEvent, event_id
from sandbox.testing import Sandbox
from tests.actions.service import Service
from tests.calendar_actions.conftest import Steps
from tests.calendar_actions.replies import reply

LESSON = {"summary": "Занятие", "start": "2026-11-25T10:15:00+03:00", "end": "2026-11-25T11:00:00+03:00"}
EVENTS = "/calendar/v3/calendars/primary/events"


def posts(sandbox: Sandbox) -> list[Any]:
    return [exchange for exchange in sandbox.requests if exchange.method == "POST"]


def test_the_captured_reply_is_the_result(service: Service, odd: Steps) -> None:
    service.will_answer((200, reply(InsertEvent.key)))
    assert odd.perform(InsertEvent, **LESSON)["body"] == reply(InsertEvent.key)
    sent = service.asked[0].json()
    assert sent["start"] == {"dateTime": LESSON["start"]}
    assert sent["end"] == {"dateTime": LESSON["end"]}
    assert set(sent) == {"id", "summary", "start", "end", "extendedProperties"}


def test_an_event_is_added(sandbox: Sandbox, steps: Steps) -> None:
    result = steps.perform(InsertEvent, **LESSON)
    assert result["status"] == 200
    assert "repeated" not in result
    (event,) = sandbox.events()
    assert event["summary"] == "Занятие"
    assert event["start"]["dateTime"] == LESSON["start"]
    assert event["id"] == result["body"]["id"]


def test_the_id_is_one_that_google_takes_and_belongs_to_the_step(steps: Steps) -> None:
    ids = {event_id(steps.context(path=path, run_key=key)) for path in ("s4[0]/s5", "s4[1]/s5") for key in ("a", "b")}
    assert len(ids) == 4
    assert all(re.fullmatch("[a-v0-9]{40}", one) for one in ids)
    assert event_id(steps.context(attempt=1)) == event_id(steps.context(attempt=2))


def test_blank_optional_inputs_are_not_sent(sandbox: Sandbox, steps: Steps) -> None:
    steps.perform(InsertEvent, **LESSON | {"summary": "", "location": "", "attendees": "", "color_id": ""})
    sent = posts(sandbox)[0]
    assert set(sent.json()) == {"id", "start", "end", "extendedProperties"}
    assert sent.query == {}


def test_every_choice_of_the_form_reaches_the_service(sandbox: Sandbox, steps: Steps) -> None:
    steps.perform(
        InsertEvent, **LESSON, description="<b>x</b>", location="Покровка 7", attendees="a@x.example, b@x.example",
        send_updates="all", time_zone="Europe/Moscow", recurrence="RRULE:FREQ=WEEKLY;COUNT=3\n", color_id="9",
        visibility="private", add_meet=True,
    )  # fmt: skip
    sent = posts(sandbox)[0]
    assert sent.query == {"sendUpdates": "all", "conferenceDataVersion": "1"}
    body = sent.json()
    assert body["attendees"] == [{"email": "a@x.example"}, {"email": "b@x.example"}]
    assert body["recurrence"] == ["RRULE:FREQ=WEEKLY;COUNT=3"]
    assert body["start"] == {"dateTime": LESSON["start"], "timeZone": "Europe/Moscow"}
    assert (body["description"], body["location"], body["colorId"]) == ("<b>x</b>", "Покровка 7", "9")
    assert body["visibility"] == "private"
    assert body["conferenceData"]["createRequest"]["conferenceSolutionKey"] == {"type": "hangoutsMeet"}


def test_a_recurring_event_gets_the_scenarios_zone(sandbox: Sandbox, steps: Steps) -> None:
    steps.perform(InsertEvent, **LESSON, recurrence="RRULE:FREQ=DAILY;COUNT=2")
    assert posts(sandbox)[0].json()["start"]["timeZone"] == "Europe/Moscow"


@pytest.mark.parametrize(
    ("start", "end", "first", "after"),
    [
        ("2026-11-25T00:00:00+03:00", "2026-11-26T00:00:00+03:00", "2026-11-25", "2026-11-26"),
        ("2026-11-25T09:00:00+03:00", "2026-11-25T18:00:00+03:00", "2026-11-25", "2026-11-26"),
        ("2026-11-25T09:00:00+03:00", "2026-11-26T00:30:00+03:00", "2026-11-25", "2026-11-27"),
        ("2026-11-25T00:00:00+03:00", "2026-11-25T00:00:00+03:00", "2026-11-25", "2026-11-26"),
    ],
)
def test_whole_days(sandbox: Sandbox, steps: Steps, start: str, end: str, first: str, after: str) -> None:
    steps.perform(InsertEvent, start=start, end=end, all_day=True)
    (event,) = sandbox.events()
    assert (event["start"], event["end"]) == ({"date": first}, {"date": after})


def test_a_repeat_finds_the_event_and_adds_none(sandbox: Sandbox, steps: Steps) -> None:
    first = steps.perform(InsertEvent, **LESSON)
    again = steps.perform(InsertEvent, steps.context(attempt=2, repeated=True), **LESSON)
    assert again["body"]["id"] == first["body"]["id"]
    assert (again["status"], again["repeated"]) == (200, True)
    assert len(posts(sandbox)) == len(sandbox.events()) == 1


def test_an_attempt_whose_answer_was_lost_is_found_by_the_next(sandbox: Sandbox, steps: Steps) -> None:
    sandbox.drop_next(EVENTS, method="POST")
    error = steps.refusal(InsertEvent, **LESSON)
    assert (error.unknown, error.retry) == (True, True)
    result = steps.perform(InsertEvent, steps.context(attempt=2, repeated=True), **LESSON)
    assert result["repeated"] is True
    assert len(sandbox.events()) == 1


def test_a_run_that_is_repeated_as_a_whole_meets_its_event_by_409(sandbox: Sandbox, steps: Steps) -> None:
    steps.perform(InsertEvent, **LESSON)
    result = steps.perform(InsertEvent, steps.context(run_id="another"), **LESSON)
    assert (result["status"], result["repeated"]) == (200, True)
    assert [exchange.status for exchange in posts(sandbox)] == [200, 409]
    assert len(sandbox.events()) == 1


def test_a_repeat_after_nothing_arrived_adds_the_event(sandbox: Sandbox, steps: Steps) -> None:
    sandbox.drop_next(EVENTS, method="POST", when="before")
    steps.refusal(InsertEvent, **LESSON)
    result = steps.perform(InsertEvent, steps.context(attempt=2, repeated=True), **LESSON)
    assert "repeated" not in result
    assert len(sandbox.events()) == 1


def test_an_event_that_was_deleted_since_is_not_made_anew(sandbox: Sandbox, steps: Steps) -> None:
    result = steps.perform(InsertEvent, **LESSON)
    sandbox.delete_event(result["body"]["id"])
    again = steps.perform(InsertEvent, steps.context(attempt=2), **LESSON)
    assert (again["repeated"], again["deleted_later"]) == (True, True)
    assert sandbox.events() == []


def test_somebody_elses_event_of_that_id_is_an_error(sandbox: Sandbox, steps: Steps) -> None:
    sandbox.add_event(id=event_id(steps.context()), **LESSON | {"summary": "Чужое"})
    error = steps.refusal(InsertEvent, **LESSON)
    assert (error.code, error.reason, error.params["status"]) == ("upstream_status", "id_taken", 409)


def test_an_event_with_another_steps_mark_is_an_error(sandbox: Sandbox, steps: Steps) -> None:
    mark = {"extendedProperties": {"private": {MARK: "another"}}}
    sandbox.add_event(id=event_id(steps.context()), **LESSON | mark)
    assert steps.refusal(InsertEvent, **LESSON).reason == "id_taken"


def test_a_service_that_keeps_no_marks_is_believed_by_the_content(sandbox: Sandbox, steps: Steps) -> None:
    sandbox.add_event(id=event_id(steps.context()), **LESSON)
    assert steps.perform(InsertEvent, **LESSON)["repeated"] is True


@pytest.mark.parametrize(
    ("inputs", "field"),
    [
        ({}, "start"),
        (LESSON | {"start": "31.12.2020 21:45"}, "start"),
        (LESSON | {"end": "2026-11-25T11:00:00"}, "end"),
        (LESSON | {"end": "2026-11-25T06:00:00Z"}, "end"),
        (LESSON | {"attendees": "anna"}, "attendees"),
        (LESSON | {"recurrence": "каждую среду"}, "recurrence"),
        (LESSON | {"color_id": "12"}, "color_id"),
        (LESSON | {"send_updates": "some"}, "send_updates"),
    ],
)
def test_mistakes_show_in_the_draft_and_nothing_is_sent(
    sandbox: Sandbox, steps: Steps, inputs: dict[str, Any], field: str
) -> None:
    assert next(iter(InsertEvent.check(inputs))) == field
    error = steps.refusal(InsertEvent, **inputs)
    assert (error.code, error.params["field"]) == ("invalid_input", field)
    assert sandbox.requests == []


def test_an_end_before_the_start_is_told_with_both() -> None:
    message = InsertEvent.check(LESSON | {"end": "2026-11-25T06:00:00Z"})["end"][0]
    assert "2026-11-25T06:00:00Z" in message
    assert LESSON["start"] in message


def test_a_refusal_of_google_is_told(sandbox: Sandbox, steps: Steps) -> None:
    sandbox.fail_next(EVENTS, 403, method="POST")
    error = steps.refusal(InsertEvent, **LESSON)
    assert (error.code, error.retry, error.unknown) == ("rate_limited", True, False)


def test_what_would_be_sent_is_known_before(sandbox: Sandbox, steps: Steps) -> None:
    request = InsertEvent.clean(LESSON).preview(steps.context())
    assert request is not None
    assert request.json["id"] == event_id(steps.context())
    assert sandbox.requests == []


def test_the_form_and_the_schema() -> None:
    assert list(InsertEvent.fields)[:4] == ["calendar_id", "summary", "start", "end"]
    assert all(field.advanced for field in list(InsertEvent.fields.values())[4:])
    assert InsertEvent.schema()["required"] == ["start", "end"]
    assert InsertEvent.effect is Effect.KEYED
