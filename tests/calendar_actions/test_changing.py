"""Changing an event: what is mentioned changes, everything else stays."""

from typing import Any

import pytest

from actions.effects import Effect
from calendar_actions.changing import READ_ONLY, UpdateEvent
from sandbox.testing import Sandbox
from tests.actions.service import Service
from tests.calendar_actions.conftest import Steps
from tests.calendar_actions.replies import reply

EVENTS = "/calendar/v3/calendars/primary/events"
START, END = "2026-11-25T10:00:00+03:00", "2026-11-25T11:00:00+03:00"
LATER = {"start": "2026-11-26T10:00:00+03:00", "end": "2026-11-26T11:00:00+03:00"}
FULL: dict[str, Any] = {
    "summary": "Lesson",
    "description": "Room 4",
    "location": "Pokrovka 7",
    "colorId": "9",
    "attendees": [{"email": "a@x.example", "displayName": "Anna", "responseStatus": "accepted"}],
    "reminders": {"useDefault": False, "overrides": [{"method": "popup", "minutes": 15}]},
    "extendedProperties": {"private": {"lesson": "17"}, "shared": {"a": "b"}},
    "visibility": "private",
    "transparency": "transparent",
    "guestsCanInviteOthers": False,
}


@pytest.fixture
def event(sandbox: Sandbox) -> str:
    event: str = sandbox.add_event(start=START, end=END, **FULL)["id"]
    return event


def puts(sandbox: Sandbox) -> list[Any]:
    return [exchange for exchange in sandbox.requests if exchange.method == "PUT"]


def test_the_captured_event_is_sent_back_whole(service: Service, odd: Steps) -> None:
    before = reply("google_calendar.get_event")
    service.will_answer((200, before), (200, reply(UpdateEvent.key)))
    result = odd.perform(UpdateEvent, event_id=before["id"], summary="Перенос", **LATER)
    assert result["body"] == reply(UpdateEvent.key)
    put = service.asked[1]
    assert (put.method, put.headers["if-match"]) == ("PUT", before["etag"])
    assert dict(put.query) == {"conferenceDataVersion": "1", "supportsAttachments": "true"}
    sent = put.json()
    assert sent["summary"] == "Перенос"
    assert sent["start"] == {"dateTime": LATER["start"], "timeZone": "Europe/Moscow"}
    assert not READ_ONLY & set(sent)
    assert sent["attendees"][1] == {"email": "c_7f1@group.calendar.google.com", "responseStatus": "accepted"}
    for name in before.keys() - READ_ONLY - {"summary", "start", "end", "attendees"}:
        assert sent[name] == before[name], name


def test_what_is_not_mentioned_stays(sandbox: Sandbox, steps: Steps, event: str) -> None:
    before = sandbox.event(event)
    result = steps.perform(UpdateEvent, event_id=event, **LATER)
    assert result["status"] == 200
    after = sandbox.event(event)
    assert before is not None
    assert after is not None
    assert after["start"]["dateTime"] == LATER["start"]
    changed = {name for name in after if after[name] != before.get(name)}
    assert changed == {"start", "end", "etag", "updated", "sequence"}


def test_an_empty_title_clears_it_and_a_missing_one_keeps_it(sandbox: Sandbox, steps: Steps, event: str) -> None:
    steps.perform(UpdateEvent, event_id=event, **LATER)
    assert sandbox.event(event)["summary"] == "Lesson"  # type: ignore[index]
    steps.perform(UpdateEvent, event_id=event, summary=None, **LATER)
    assert sandbox.event(event)["summary"] == "Lesson"  # type: ignore[index]
    steps.perform(UpdateEvent, event_id=event, summary="", **LATER)
    assert "summary" not in sandbox.event(event)  # type: ignore[operator]
    assert puts(sandbox)[-1].json()["summary"] == ""


def test_the_form_warns_of_the_empty_title() -> None:
    assert "clears the title" in str(UpdateEvent.summary.warning)
    assert UpdateEvent.summary.clearable
    assert "clears the title" in UpdateEvent.schema()["properties"]["summary"]["description"]


def test_each_other_input_may_be_given_kept_or_cleared(sandbox: Sandbox, steps: Steps, event: str) -> None:
    steps.perform(UpdateEvent, event_id=event, description="", location="Arbat 1", color_id="3", visibility="public")
    after = sandbox.event(event)
    assert after is not None
    assert "description" not in after
    assert (after["location"], after["colorId"], after["visibility"]) == ("Arbat 1", "3", "public")
    assert after["start"]["dateTime"] == START


def test_guests_are_added_and_removed_one_by_one(sandbox: Sandbox, steps: Steps, event: str) -> None:
    steps.perform(UpdateEvent, event_id=event, add_attendees="b@x.example, A@x.example", send_updates="all")
    assert puts(sandbox)[-1].query == {"sendUpdates": "all"}
    guests = sandbox.event(event)["attendees"]  # type: ignore[index]
    assert [(guest["email"], guest["responseStatus"]) for guest in guests] == [
        ("a@x.example", "accepted"),
        ("b@x.example", "needsAction"),
    ]
    steps.perform(UpdateEvent, event_id=event, remove_attendees=["a@x.example"])
    assert [guest["email"] for guest in sandbox.event(event)["attendees"]] == ["b@x.example"]  # type: ignore[index]


def test_a_change_in_between_is_not_lost(service: Service, odd: Steps) -> None:
    before = reply("google_calendar.get_event")
    between = before | {"etag": '"2"', "description": "Somebody else wrote this"}
    service.will_answer((200, before), (412, {}), (200, between), (200, between))
    odd.perform(UpdateEvent, event_id=before["id"], summary="Mine")
    second = service.asked[3]
    assert second.headers["if-match"] == '"2"'
    assert second.json()["description"] == "Somebody else wrote this"
    assert second.json()["summary"] == "Mine"


def test_it_gives_up_after_three_new_readings(service: Service, odd: Steps) -> None:
    event = (200, reply("google_calendar.get_event"))
    service.will_answer(*[event, (412, {})] * 4)
    error = odd.refusal(UpdateEvent, event_id="abcde", summary="Mine")
    assert (error.code, error.params["status"], error.retry) == ("upstream_status", 412, True)
    assert [request.method for request in service.asked] == ["GET", "PUT"] * 4


def test_a_put_whose_answer_was_lost_is_recognised(sandbox: Sandbox, steps: Steps, event: str) -> None:
    """The way out repeats a PUT on a connection that was closed under it; the etag makes that harmless."""
    sandbox.drop_next(f"{EVENTS}/{event}", method="PUT")
    result = steps.perform(UpdateEvent, event_id=event, summary="New", **LATER)
    assert (result["status"], result["body"]["summary"]) == (200, "New")
    assert [exchange.status for exchange in puts(sandbox)] == [0, 412]
    assert result["body"]["sequence"] == 1


def test_a_repeat_that_finds_its_change_done_sends_nothing(sandbox: Sandbox, steps: Steps, event: str) -> None:
    steps.perform(UpdateEvent, event_id=event, summary="New", **LATER)
    again = steps.perform(UpdateEvent, steps.context(attempt=2, repeated=True), event_id=event, summary="New", **LATER)
    assert again["body"]["summary"] == "New"
    assert len(puts(sandbox)) == 1
    steps.perform(UpdateEvent, steps.context(attempt=2, repeated=True), event_id=event, summary="Newer")
    assert len(puts(sandbox)) == 2


def test_a_412_about_our_own_change_is_success(service: Service, odd: Steps) -> None:
    before = reply("google_calendar.get_event")
    mine = before | {"etag": '"2"', "summary": "Mine"}
    service.will_answer((200, before), (412, {}), (200, mine))
    result = odd.perform(UpdateEvent, event_id=before["id"], summary="Mine", end="2026-11-25T08:00:00Z")
    assert result["body"] == mine
    assert [request.method for request in service.asked] == ["GET", "PUT", "GET"]


def test_a_first_attempt_writes_even_if_nothing_changes(sandbox: Sandbox, steps: Steps, event: str) -> None:
    steps.perform(UpdateEvent, event_id=event, summary="Lesson")
    assert len(puts(sandbox)) == 1


def test_a_deleted_event_stays_deleted(sandbox: Sandbox, steps: Steps, event: str) -> None:
    sandbox.delete_event(event)
    error = steps.refusal(UpdateEvent, event_id=event, summary="Back")
    assert (error.reason, error.params["event"]) == ("event_deleted", event)
    assert puts(sandbox) == []


def test_guests_that_google_hides_are_not_removed(service: Service, odd: Steps) -> None:
    service.will_answer((200, reply("google_calendar.get_event") | {"attendeesOmitted": True}))
    assert odd.refusal(UpdateEvent, event_id="abcde", summary="x").reason == "guests_hidden"
    assert len(service.asked) == 1


def test_a_whole_day_event_needs_both_times(sandbox: Sandbox, steps: Steps) -> None:
    event = sandbox.add_event(start="2026-11-25", end="2026-11-26")["id"]
    error = steps.refusal(UpdateEvent, event_id=event, start=START)
    assert (error.code, error.params["field"]) == ("invalid_input", "end")
    steps.perform(UpdateEvent, event_id=event, start=START, end=END)
    assert sandbox.event(event)["start"]["dateTime"] == START  # type: ignore[index]


def test_one_end_alone_may_not_pass_the_other(sandbox: Sandbox, steps: Steps, event: str) -> None:
    assert steps.refusal(UpdateEvent, event_id=event, end="2026-11-25T09:00:00+03:00").params["field"] == "end"
    assert puts(sandbox) == []
    steps.perform(UpdateEvent, event_id=event, end="2026-11-25T12:00:00+03:00")
    assert sandbox.event(event)["start"]["dateTime"] == START  # type: ignore[index]


def test_a_recurring_event_keeps_its_zone(sandbox: Sandbox, steps: Steps) -> None:
    zoned = {"timeZone": "Asia/Tokyo"}
    event = sandbox.add_event(
        start={"dateTime": START} | zoned, end={"dateTime": END} | zoned, recurrence=["RRULE:FREQ=DAILY;COUNT=2"]
    )["id"]
    steps.perform(UpdateEvent, event_id=event, **LATER)
    assert puts(sandbox)[0].json()["start"]["timeZone"] == "Asia/Tokyo"


def test_mistakes_show_in_the_draft() -> None:
    assert list(UpdateEvent.check({"summary": "x"})) == ["event_id"]
    assert list(UpdateEvent.check({"event_id": "a", "start": "tomorrow"})) == ["start"]
    assert list(UpdateEvent.check({"event_id": "a", "start": END, "end": START})) == ["end"]
    assert UpdateEvent.check({"event_id": "{{ s1.id }}", "start": "{{ s1.start }}", "end": START}) == {}


def test_what_would_be_sent_are_the_changes(steps: Steps) -> None:
    request = UpdateEvent.clean({"event_id": "abcde", "summary": "x"}).preview(steps.context())
    assert request is not None
    assert (request.method, request.json) == ("PUT", {"summary": "x"})


def test_the_form_and_the_schema() -> None:
    assert list(UpdateEvent.fields)[:5] == ["calendar_id", "event_id", "summary", "start", "end"]
    assert UpdateEvent.schema()["required"] == ["event_id"]
    assert UpdateEvent.effect is Effect.KEYED


@pytest.mark.parametrize(
    "odd_members",
    [
        {"start": "soon", "end": 5},
        {"attendees": [5, None]},
        {"attendees": {}},
        {"start": {"dateTime": 5}},
        {"etag": None},
    ],
)
def test_an_odd_answer_is_no_crash(service: Service, odd: Steps, odd_members: dict[str, Any]) -> None:
    service.will_answer((200, reply("google_calendar.get_event") | odd_members), (412, {}), (200, {}), (200, {}))
    assert odd.perform(UpdateEvent, event_id="abcde", summary="x", add_attendees="b@x.example")["status"] == 200
