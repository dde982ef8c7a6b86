"""events.insert, get, update, patch and delete."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote

import pytest
import requests

from sandbox.oauth.scopes import PREFIX
from sandbox.store import HOLIDAYS
from sandbox.testing import Sandbox
from tests.sandbox.conftest import Calendar, event, location, reason

SERVER_MEMBERS = {
    "created",
    "creator",
    "end",
    "etag",
    "eventType",
    "htmlLink",
    "iCalUID",
    "id",
    "kind",
    "organizer",
    "reminders",
    "sequence",
    "start",
    "status",
    "updated",
}


def test_an_inserted_event_comes_back_with_what_the_server_adds(calendar: Calendar) -> None:
    answer = calendar.insert(event())
    assert answer.status_code == 200
    made = answer.json()
    assert made.keys() == SERVER_MEMBERS | {"summary"}
    assert made["kind"] == "calendar#event"
    assert made["status"] == "confirmed"
    assert made["etag"] == answer.headers["ETag"] == calendar.get(made["id"]).headers["ETag"]
    assert made["creator"] == {"email": "anna@sandbox.example", "self": True}
    assert made["start"] == {"dateTime": "2026-03-02T12:00:00+03:00", "timeZone": "Europe/Moscow"}
    assert calendar.get(made["id"]).json() == made


@pytest.mark.parametrize("title", [{}, {"summary": ""}, {"summary": None}])
def test_an_untitled_event_has_no_summary_at_all(calendar: Calendar, title: dict[str, Any]) -> None:
    body = event()
    del body["summary"]
    assert "summary" not in calendar.insert({**body, **title}).json()


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ({"dateTime": "2026-03-02T09:00:00Z"}, "2026-03-02T12:00:00+03:00"),
        ({"dateTime": "2026-03-02t09:00:00.987654321z"}, "2026-03-02T12:00:00+03:00"),
        ({"dateTime": "2026-03-02T09:00:00-00:00"}, "2026-03-02T12:00:00+03:00"),
        ({"dateTime": "2026-03-02T01:00:00-08:00"}, "2026-03-02T12:00:00+03:00"),
        ({"dateTime": "2026-03-02T10:00:00", "timeZone": "Europe/Berlin"}, "2026-03-02T12:00:00+03:00"),
    ],
)
def test_times_are_shown_in_the_calendars_zone(calendar: Calendar, given: dict[str, str], shown: str) -> None:
    made = calendar.insert(event(start=given)).json()
    assert made["start"] == {"dateTime": shown, "timeZone": given.get("timeZone", "Europe/Moscow")}
    in_utc = calendar.get(made["id"], params={"timeZone": "UTC"}).json()
    assert in_utc["start"]["dateTime"] == "2026-03-02T09:00:00Z"


def test_an_all_day_event_keeps_its_dates(calendar: Calendar) -> None:
    made = calendar.insert(event(start={"date": "2026-03-02"}, end={"date": "2026-03-03"})).json()
    assert (made["start"], made["end"]) == ({"date": "2026-03-02"}, {"date": "2026-03-03"})


NOON = {"dateTime": "2026-03-02T12:00:00+03:00"}
ZONED = {side: {**NOON, "timeZone": "Europe/Moscow"} for side in ("start", "end")}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"start": None}, "required"),
        ({"end": None}, "required"),
        ({"end": {}}, "required"),
        ({"start": {"dateTime": "2026-03-02T12:00:00"}}, "required"),
        ({"start": {"timeZone": "Europe/Moscow"}}, "required"),
        ({"start": {**NOON, "date": "2026-03-02"}}, "invalid"),
        ({"start": {**NOON, "timeZone": "Mars/Olympus"}}, "invalid"),
        ({"start": {**NOON, "zone": "UTC"}}, "invalid"),
        ({"start": "2026-03-02T12:00:00+03:00"}, "invalid"),
        ({"start": {"date": "2026-03-02"}}, "invalid"),
        ({"start": {"date": "2026-02-30"}, "end": {"date": "2026-03-03"}}, "invalid"),
        ({"start": {"date": "02.03.2026"}, "end": {"date": "2026-03-03"}}, "invalid"),
        ({"start": {"dateTime": "2026-03-02 12:00:00+03:00"}}, "invalid"),
        ({"start": {"dateTime": "2026-03-02T12:00:00+0300"}}, "invalid"),
        ({"start": {"dateTime": "2026-03-02T12:00+03:00"}}, "invalid"),
        ({"start": {"dateTime": "2026-03-02T24:00:00+03:00"}}, "invalid"),
        ({"start": {"dateTime": "20260302T120000Z"}}, "invalid"),
        ({"start": {"dateTime": "0001-01-01T00:00:00+03:00"}}, "invalid"),
        ({"start": {"dateTime": "2026-03-02T12:00:00+25:00"}}, "invalid"),
        ({"end": {"dateTime": "2026-03-02T11:59:59+03:00"}}, "timeRangeEmpty"),
        ({"start": {"date": "2026-03-02"}, "end": {"date": "2026-03-02"}}, "timeRangeEmpty"),
        ({"summary": 5}, "invalid"),
        ({"sumary": "typo"}, "badRequest"),
        ({"status": "maybe"}, "invalid"),
        ({"attendees": [{"displayName": "nobody"}]}, "required"),
        ({"attendees": [{"email": "nobody"}]}, "invalid"),
        ({"colorId": "12"}, "invalid"),
        ({"eventType": "fromGmail"}, "eventTypeRestriction"),
        ({"recurrence": ["DTSTART:20260302"], **ZONED}, "invalid"),
        ({"recurrence": ["RRULE:FREQ=SOMETIMES"], **ZONED}, "invalid"),
        ({"recurrence": ["RRULE:FREQ=DAILY"]}, "required"),
        ({"reminders": {"useDefault": False, "overrides": [{"method": "sms", "minutes": 5}]}}, "invalid"),
        ({"reminders": {"useDefault": False, "overrides": [{"method": "popup", "minutes": 40_321}]}}, "invalid"),
        ({"reminders": {"overrides": [{"method": "popup", "minutes": 5}] * 6}}, "invalid"),
        (
            {"reminders": {"useDefault": True, "overrides": [{"method": "popup", "minutes": 5}]}},
            "cannotUseDefaultRemindersAndSpecifyOverride",
        ),
        ({"extendedProperties": {"private": {"n": 5}}}, "invalid"),
        ({"extendedProperties": {"shared": {f"k{n}": "v" for n in range(301)}}}, "invalid"),
        ({"attachments": [{"fileUrl": "https://x.example"}] * 26}, "invalid"),
    ],
)
def test_a_wrong_body_is_a_400(calendar: Calendar, changes: dict[str, Any], expected: str) -> None:
    answer = calendar.insert(event(**changes))
    assert (answer.status_code, reason(answer)) == (400, expected)
    assert calendar.sandbox.events() == []


def test_a_missing_offset_is_named(calendar: Calendar) -> None:
    answer = calendar.insert(event(start={"dateTime": "2026-03-02T12:00:00"}))
    assert answer.json()["error"]["message"] == "Missing time zone definition for start time."


@pytest.mark.parametrize(
    ("data", "content_type", "expected"),
    [
        (b"{", "application/json", "parseError"),
        (b"[]", "application/json", "parseError"),
        (b"", "application/json", "parseError"),
        (b"\xff", "application/json", "parseError"),
        (b"summary=x", "application/x-www-form-urlencoded", "badContent"),
    ],
)
def test_a_body_that_is_not_json_is_a_400(calendar: Calendar, data: bytes, content_type: str, expected: str) -> None:
    answer = calendar.call("POST", "calendars/primary/events", data=data, headers={"Content-Type": content_type})
    assert (answer.status_code, reason(answer)) == (400, expected)


@pytest.mark.parametrize("event_id", ["abcd", "x" * 26, "ABCDEF", "with-dash", "a" * 1025, "с" * 10, "", 12345])
def test_a_bad_id_is_refused(calendar: Calendar, event_id: Any) -> None:
    answer = calendar.insert(event(id=event_id))
    assert answer.status_code == 400
    assert answer.json()["error"]["message"] == "Invalid resource id value."


@pytest.mark.parametrize("event_id", ["abcde", "0123456789abcdef0123456789abcdef", "v" * 1024])
def test_a_good_id_is_kept_and_cannot_be_taken_again(calendar: Calendar, event_id: str) -> None:
    assert calendar.insert(event(id=event_id)).json()["id"] == event_id
    again = calendar.insert(event(id=event_id))
    assert (again.status_code, reason(again)) == (409, "duplicate")
    assert calendar.delete(event_id).status_code == 204
    assert calendar.insert(event(id=event_id)).status_code == 409, "deleted ones keep their id"


def test_an_id_together_with_an_ical_uid_is_refused(calendar: Calendar) -> None:
    assert calendar.insert(event(id="abcdef", iCalUID="x@y")).status_code == 400
    assert calendar.insert(event(iCalUID="x@y")).json()["iCalUID"] == "x@y"


def test_of_twenty_inserts_of_one_id_one_succeeds(calendar: Calendar) -> None:
    headers = dict(calendar.session.headers)
    url = f"{calendar.sandbox.api_base_url}/calendars/primary/events"
    with ThreadPoolExecutor(20) as pool:
        made = list(
            pool.map(
                lambda n: requests.post(url, json=event(id="abcdef", summary=str(n)), headers=headers, timeout=10),
                range(20),
            )
        )
    assert sorted(answer.status_code for answer in made) == [200] + [409] * 19
    (winner,) = [answer.json() for answer in made if answer.status_code == 200]
    assert [one["summary"] for one in calendar.sandbox.events()] == [winner["summary"]]


def test_an_update_clears_what_it_does_not_mention(calendar: Calendar) -> None:
    full = event(
        description="Agenda",
        location="Room 1",
        attendees=[{"email": "igor@sandbox.example"}],
        reminders={"useDefault": False, "overrides": [{"method": "popup", "minutes": 5}]},
        colorId="3",
        visibility="private",
    )
    made = calendar.insert(full).json()
    assert made["attendees"] == [{"email": "igor@sandbox.example", "responseStatus": "needsAction"}]
    answer = calendar.update(made["id"], event(summary="New"))
    assert answer.status_code == 200
    changed = answer.json()
    assert changed["summary"] == "New"
    assert changed.keys() == SERVER_MEMBERS | {"summary"}
    assert (changed["id"], changed["created"], changed["iCalUID"]) == (made["id"], made["created"], made["iCalUID"])
    assert changed["etag"] != made["etag"]


def test_an_event_put_back_as_it_was_read_is_the_same(calendar: Calendar) -> None:
    made = calendar.insert(event(description="Agenda", attendees=[{"email": "igor@sandbox.example"}])).json()
    back = calendar.update(made["id"], made).json()
    changing = ("etag", "updated")
    assert {k: v for k, v in back.items() if k not in changing} == {k: v for k, v in made.items() if k not in changing}


def test_an_empty_title_clears_the_title(calendar: Calendar) -> None:
    made = calendar.insert(event()).json()
    assert "summary" not in calendar.update(made["id"], {**made, "summary": ""}).json()


def test_if_match_guards_against_a_change_in_between(calendar: Calendar) -> None:
    made = calendar.insert(event()).json()
    calendar.sandbox.change_event(made["id"], summary="Somebody else's")
    for change in (
        calendar.update(made["id"], event(), headers={"If-Match": made["etag"]}),
        calendar.patch(made["id"], {"summary": "x"}, headers={"If-Match": made["etag"]}),
        calendar.delete(made["id"], headers={"If-Match": made["etag"]}),
        calendar.update(made["id"], event(), headers={"If-Match": f"W/{calendar.get(made['id']).json()['etag']}"}),
    ):
        assert (change.status_code, reason(change), location(change)) == (412, "conditionNotMet", "If-Match")
    now = calendar.get(made["id"]).json()
    assert now["summary"] == "Somebody else's"
    assert calendar.update(made["id"], event(), headers={"If-Match": now["etag"]}).status_code == 200
    assert calendar.update(made["id"], event(), headers={"If-Match": "*"}).status_code == 200


def test_of_twenty_updates_of_one_state_one_succeeds(calendar: Calendar) -> None:
    made = calendar.insert(event()).json()
    headers = {**calendar.session.headers, "If-Match": made["etag"]}
    url = f"{calendar.sandbox.api_base_url}/calendars/primary/events/{made['id']}"
    with ThreadPoolExecutor(20) as pool:
        answers = list(
            pool.map(lambda n: requests.put(url, json=event(summary=str(n)), headers=headers, timeout=10), range(20))
        )
    assert sorted(answer.status_code for answer in answers) == [200] + [412] * 19


def test_the_sequence_never_goes_back(calendar: Calendar) -> None:
    made = calendar.insert(event(sequence=3)).json()
    assert made["sequence"] == 3
    back = calendar.update(made["id"], event(sequence=2))
    assert (back.status_code, back.json()["error"]["message"]) == (400, "Invalid sequence value.")
    assert calendar.update(made["id"], event(sequence=3)).json()["sequence"] == 3
    assert calendar.update(made["id"], event(day="2026-03-05")).json()["sequence"] == 4, "a new time raises it"
    assert calendar.update(made["id"], event(day="2026-03-05", sequence=9)).json()["sequence"] == 9


def test_updates_are_as_strict_as_inserts(calendar: Calendar) -> None:
    made = calendar.insert(event()).json()
    assert reason(calendar.update(made["id"], {"summary": "no times"})) == "required"
    assert calendar.update(made["id"], event(id="another0id")).status_code == 400
    assert calendar.update(made["id"], event(eventType="focusTime")).status_code == 400
    assert calendar.get(made["id"]).json() == made


def test_a_deleted_event_reads_as_cancelled_for_a_while(calendar: Calendar) -> None:
    made = calendar.insert(event()).json()
    assert calendar.delete(made["id"]).content == b""
    assert (calendar.get(made["id"]).status_code, calendar.get(made["id"]).json()["status"]) == (200, "cancelled")
    again = calendar.delete(made["id"])
    assert (again.status_code, reason(again)) == (410, "deleted")
    assert reason(calendar.update(made["id"], event())) == "notFound"
    now = calendar.sandbox.store.clock()
    calendar.sandbox.store.clock = lambda: now + 2 * 86_400
    calendar.session.headers["Authorization"] = f"Bearer {calendar.sandbox.access_token()}"
    assert (calendar.get(made["id"]).status_code, reason(calendar.get(made["id"]))) == (404, "notFound")


def test_if_none_match_spares_the_body(calendar: Calendar) -> None:
    made = calendar.insert(event()).json()
    same = calendar.get(made["id"], headers={"If-None-Match": made["etag"]})
    assert (same.status_code, same.content, same.headers["ETag"]) == (304, b"", made["etag"])
    calendar.sandbox.change_event(made["id"], summary="Changed")
    assert calendar.get(made["id"], headers={"If-None-Match": made["etag"]}).status_code == 200


def test_a_patch_changes_only_what_it_names(calendar: Calendar) -> None:
    made = calendar.insert(
        event(description="Agenda", extendedProperties={"private": {"a": "1", "b": "2"}}, location="Room")
    ).json()
    changed = calendar.patch(
        made["id"], {"location": None, "extendedProperties": {"private": {"a": None, "c": "3"}}}
    ).json()
    assert "location" not in changed
    assert (changed["summary"], changed["description"]) == ("Meeting", "Agenda")
    assert changed["extendedProperties"]["private"] == {"b": "2", "c": "3"}
    whole_days = calendar.patch(made["id"], {"start": {"date": "2026-03-02"}, "end": {"date": "2026-03-03"}}).json()
    assert whole_days["start"] == {"date": "2026-03-02"}


def test_too_long_extended_properties_are_cut_silently(calendar: Calendar) -> None:
    given = {"private": {"k" * 44: "v" * 2000, "k" * 45: "dropped"}}
    made = calendar.insert(event(extendedProperties=given)).json()
    assert made["extendedProperties"]["private"] == {"k" * 44: "v" * 1024}


def test_a_conference_is_made_only_where_it_is_asked_for(calendar: Calendar) -> None:
    asked = event(conferenceData={"createRequest": {"requestId": "one"}})
    assert "conferenceData" not in calendar.insert(asked).json()
    made = calendar.insert(asked, params={"conferenceDataVersion": 1}).json()
    assert made["conferenceData"]["createRequest"]["status"] == {"statusCode": "success"}
    assert calendar.update(made["id"], event()).json()["conferenceData"] == made["conferenceData"]


def test_the_link_of_an_event_opens(calendar: Calendar) -> None:
    made = calendar.insert(event(summary="<b>Важное</b>")).json()
    page = requests.get(made["htmlLink"], timeout=10)
    assert page.status_code == 200
    assert "&lt;b&gt;Важное&lt;/b&gt;" in page.text
    assert requests.get(made["htmlLink"] + "x", timeout=10).status_code == 404


@pytest.mark.parametrize("path", ["calendars/nobody@x.example/events", "calendars/primary/events/nosuchevent"])
def test_what_does_not_exist_is_not_found(calendar: Calendar, path: str) -> None:
    answer = calendar.call("GET", path)
    assert (answer.status_code, reason(answer)) == (404, "notFound")


def test_an_unknown_path_answers_html(calendar: Calendar) -> None:
    for method, path in (
        ("GET", "calendar"),
        ("GET", "calendars/primary/events/a/b"),
        ("PUT", "calendars/primary/events"),
    ):
        answer = calendar.call(method, path)
        assert answer.status_code == 404
        assert answer.headers["Content-Type"].startswith("text/html")


def test_path_segments_are_decoded_exactly(calendar: Calendar) -> None:
    right = calendar.list(calendar_id=quote(HOLIDAYS, safe=""))
    assert right.status_code == 200
    assert right.json()["accessRole"] == "reader"
    assert calendar.list(calendar_id=quote("anna@sandbox.example", safe="")).status_code == 200
    assert calendar.list(calendar_id=quote(quote(HOLIDAYS, safe=""), safe="")).status_code == 404
    cut = calendar.call("GET", "calendars/" + HOLIDAYS + "/events")  # everything after # stays with the client
    assert cut.status_code in (403, 404)


def test_a_readers_calendar_cannot_be_written(calendar: Calendar) -> None:
    answer = calendar.call("POST", f"calendars/{quote(HOLIDAYS, safe='')}/events", json=event())
    assert (answer.status_code, reason(answer)) == (403, "requiredAccessLevel")


def test_calendars_of_others_are_not_found(calendar: Calendar) -> None:
    stranger = calendar.sandbox.access_token(email="boris@sandbox.example")
    headers = {"Authorization": f"Bearer {stranger}"}
    url = f"{calendar.sandbox.api_base_url}/calendars/anna%40sandbox.example/events"
    assert requests.get(url, headers=headers, timeout=10).status_code == 404


def test_calendars_are_listed(calendar: Calendar) -> None:
    token = calendar.sandbox.access_token(scope=f"{PREFIX}calendar.readonly")
    headers = {"Authorization": f"Bearer {token}"}
    listed = calendar.call("GET", "users/me/calendarList", headers=headers).json()
    assert [(one["id"], one.get("primary")) for one in listed["items"]] == [
        ("anna@sandbox.example", True),
        (HOLIDAYS, None),
    ]
    assert calendar.call("GET", "calendars/primary", headers=headers).json()["timeZone"] == "Europe/Moscow"


def test_a_request_without_a_token_is_asked_to_sign_in(calendar: Calendar) -> None:
    answer = requests.get(f"{calendar.sandbox.api_base_url}/calendars/primary/events", timeout=10)
    assert (answer.status_code, reason(answer)) == (401, "required")
    assert answer.json()["error"]["message"] == "Login Required."
    assert answer.headers["WWW-Authenticate"].startswith("Bearer ")


@pytest.mark.parametrize("header", ["Bearer nonsense", "Bearer ", "Basic YTpi", "nonsense"])
def test_a_bad_token_is_an_auth_error(calendar: Calendar, header: str) -> None:
    answer = calendar.call("GET", "calendars/primary/events", headers={"Authorization": header})
    assert (answer.status_code, reason(answer), location(answer)) == (401, "authError", "Authorization")
    assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]


@pytest.mark.parametrize(
    ("scope", "reads", "writes"),
    [
        ("spreadsheets", 403, 403),
        ("calendar.readonly", 200, 403),
        ("calendar.events.readonly", 200, 403),
        ("calendar.events", 200, 200),
        ("calendar", 200, 200),
        ("calendar.settings", 403, 403),
    ],
)
def test_the_scope_decides_what_may_be_done(sandbox: Sandbox, scope: str, reads: int, writes: int) -> None:
    calendar = Calendar(sandbox)
    calendar.session.headers["Authorization"] = f"Bearer {sandbox.access_token(scope=PREFIX + scope)}"
    read, write = calendar.list(), calendar.insert(event())
    assert (read.status_code, write.status_code) == (reads, writes)
    for answer in (read, write):
        if answer.status_code == 403:
            assert reason(answer) == "insufficientPermissions"
            assert answer.json()["error"]["details"][0]["reason"] == "ACCESS_TOKEN_SCOPE_INSUFFICIENT"
            assert 'error="insufficient_scope"' in answer.headers["WWW-Authenticate"]
