"""events.list: parameters, order, pages, incremental synchronisation."""

from typing import Any

import pytest

from tests.sandbox.conftest import Calendar, event, location, reason


def ids(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [item["id"] for item in answer.json()["items"]]


def fill(calendar: Calendar, count: int) -> list[str]:
    """One event a day from the end of March backwards, so that creation and start are in opposite orders."""
    return [
        calendar.sandbox.add_event(id=f"event{n:02}", **event(day=f"2026-03-{28 - n:02}"))["id"] for n in range(count)
    ]


def walk(calendar: Calendar, query: dict[str, Any]) -> tuple[list[str], dict[str, Any]]:
    """All pages; the ids and the last page."""
    found: list[str] = []
    page_token: dict[str, str] = {}
    while True:
        answer = calendar.list({**query, **page_token})
        found += ids(answer)
        page = answer.json()
        if "nextPageToken" not in page:
            return found, page
        assert "nextSyncToken" not in page
        page_token = {"pageToken": page["nextPageToken"]}


def test_a_list_describes_its_calendar(calendar: Calendar) -> None:
    fill(calendar, 2)
    page = calendar.list().json()
    assert page.keys() == {
        "accessRole",
        "defaultReminders",
        "etag",
        "items",
        "kind",
        "nextSyncToken",
        "summary",
        "timeZone",
        "updated",
    }
    assert (page["kind"], page["timeZone"], page["accessRole"]) == ("calendar#events", "Europe/Moscow", "owner")


@pytest.mark.parametrize(
    "query",
    [
        "unknown=1",
        "OrderBy=updated",
        "fields=items",
        "pageToken=",
        "syncToken=",
        "q=",
        "orderBy=",
        "timeMin=",
        "maxResults=0",
        "maxResults=2501",
        "maxResults=ten",
        "maxResults=1.5",
        "maxResults=10&maxResults=10",
        "singleEvents=True",
        "singleEvents=1",
        "showDeleted=TRUE",
        "orderBy=summary",
        "timeMin=2026-03-01",
        "timeMin=2026-03-01T00:00:00",
        "timeMin=2026-03-01T00:00:00+03:00",  # the plus is a space here
        "timeMin=2026-03-01T00:00:00%2B0300",
        "timeMin=2026-02-30T00:00:00Z",
        "timeZone=Mars/Olympus",
        "eventTypes=party",
        "privateExtendedProperty=name",
        "maxAttendees=0",
        "alt=xml",
        "pageToken=made-up",
    ],
)
def test_a_wrong_parameter_is_a_400_that_names_it(calendar: Calendar, query: str) -> None:
    answer = calendar.list(query)
    assert answer.status_code == 400
    assert reason(answer) in ("invalidParameter", "invalid")
    assert location(answer) == query.partition("=")[0]


@pytest.mark.parametrize(
    "query",
    [
        "maxResults=1",
        "maxResults=2500",
        "singleEvents=true&showDeleted=false&showHiddenInvitations=false",
        "timeMin=2026-03-01T00:00:00%2B03:00&timeMax=2026-04-01T00:00:00Z",
        "timeMin=2026-03-01t00:00:00.5z",
        "eventTypes=default&eventTypes=focusTime",
        "privateExtendedProperty=a%3D1&privateExtendedProperty=b%3D2",
        "prettyPrint=false&quotaUser=u1&key=k&alt=json",
    ],
)
def test_right_parameters_pass(calendar: Calendar, query: str) -> None:
    assert calendar.list(query).status_code == 200


@pytest.mark.parametrize("method", ["GET", "PUT", "POST"])
def test_other_methods_know_their_own_parameters_only(calendar: Calendar, method: str) -> None:
    made = calendar.insert(event(), params={"sendUpdates": "all"}).json()
    path = "calendars/primary/events" + ("" if method == "POST" else f"/{made['id']}")
    body = None if method == "GET" else event()
    assert calendar.call(method, path, json=body, params={"singleEvents": "true"}).status_code == 400
    assert calendar.call(method, path, json=body, params={"sendUpdates": ""}).status_code == 400
    assert calendar.call(method, path, json=body, params={"maxAttendees": "5"}).status_code == 200


def test_order_by_start_needs_single_events(calendar: Calendar) -> None:
    answer = calendar.list({"orderBy": "startTime"})
    assert (answer.status_code, location(answer)) == (400, "orderBy")
    assert answer.json()["error"]["message"] == "The requested ordering is not available for the particular query."


def test_orders(calendar: Calendar) -> None:
    made = fill(calendar, 4)
    calendar.sandbox.change_event(made[1], summary="Changed")
    assert ids(calendar.list()) == made
    assert ids(calendar.list({"orderBy": "startTime", "singleEvents": "true"})) == made[::-1]
    assert ids(calendar.list({"orderBy": "updated"})) == [made[0], made[2], made[3], made[1]]


def test_time_bounds_are_exclusive(calendar: Calendar) -> None:
    calendar.sandbox.add_event(id="meeting", **event())  # 12:00 to 13:00 Moscow
    assert ids(calendar.list({"timeMin": "2026-03-02T13:00:00+03:00"})) == []
    assert ids(calendar.list({"timeMin": "2026-03-02T12:59:59+03:00"})) == ["meeting"]
    assert ids(calendar.list({"timeMax": "2026-03-02T12:00:00+03:00"})) == []
    assert ids(calendar.list({"timeMax": "2026-03-02T12:00:01+03:00"})) == ["meeting"]
    empty = calendar.list({"timeMin": "2026-03-02T12:00:00Z", "timeMax": "2026-03-02T15:00:00+03:00"})
    assert (empty.status_code, reason(empty), location(empty)) == (400, "timeRangeEmpty", "timeMax")


def test_all_day_events_lie_in_the_calendars_zone(calendar: Calendar) -> None:
    calendar.sandbox.add_event(id="feast", start="2026-03-08", end="2026-03-09")
    assert ids(calendar.list({"timeMax": "2026-03-07T21:00:00Z"})) == []
    assert ids(calendar.list({"timeMax": "2026-03-07T21:00:01Z"})) == ["feast"]
    assert ids(calendar.list({"timeMin": "2026-03-08T21:00:00Z"})) == []


def test_filters(calendar: Calendar) -> None:
    add = calendar.sandbox.add_event
    add(id="first", **event(summary="Планёрка", extendedProperties={"private": {"crm": "7"}}))
    add(id="second", **event(description="Обсудить ПЛАНЁРКУ", eventType="focusTime"))
    add(id="third", **event(attendees=[{"email": "igor@sandbox.example", "displayName": "Игорь"}]))
    assert ids(calendar.list({"q": "планёрк"})) == ["first", "second"]
    assert ids(calendar.list({"q": "игорь"})) == ["third"]
    assert ids(calendar.list({"eventTypes": "focusTime"})) == ["second"]
    assert ids(calendar.list({"privateExtendedProperty": "crm=7"})) == ["first"]
    assert ids(calendar.list({"sharedExtendedProperty": "crm=7"})) == []
    assert ids(calendar.list({"iCalUID": "third@google.com"})) == ["third"]


def test_updated_min(calendar: Calendar) -> None:
    fill(calendar, 1)
    assert len(ids(calendar.list({"updatedMin": "2099-01-01T00:00:00Z"}))) == 0
    answer = calendar.list({"updatedMin": "2020-01-01T00:00:00Z"})
    assert (answer.status_code, reason(answer)) == (410, "updatedMinTooLongAgo")


def test_the_zone_of_the_answer_can_be_chosen(calendar: Calendar) -> None:
    fill(calendar, 1)
    page = calendar.list({"timeZone": "Asia/Vladivostok"}).json()
    assert page["items"][0]["start"]["dateTime"] == "2026-03-28T19:00:00+10:00"
    assert page["timeZone"] == "Europe/Moscow"


def test_attendees_beyond_the_maximum_are_left_out(calendar: Calendar) -> None:
    guests = [{"email": f"guest{n}@sandbox.example"} for n in range(5)]
    calendar.sandbox.add_event(**event(attendees=guests))
    (shown,) = calendar.list({"maxAttendees": 2}).json()["items"]
    assert (len(shown["attendees"]), shown["attendeesOmitted"]) == (2, True)


@pytest.mark.parametrize(
    "query", [{}, {"orderBy": "updated"}, {"orderBy": "startTime", "singleEvents": "true"}, {"q": "meeting"}]
)
def test_pages_hold_every_event_once(calendar: Calendar, query: dict[str, str]) -> None:
    made = fill(calendar, 7)
    found, last = walk(calendar, {**query, "maxResults": 3})
    assert sorted(found) == made
    assert ("nextSyncToken" in last) == (query == {})


def test_the_server_may_give_smaller_pages_than_asked(calendar: Calendar) -> None:
    made = fill(calendar, 5)
    calendar.sandbox.configure(page_size=2)
    assert len(ids(calendar.list({"maxResults": 250}))) == 2
    assert walk(calendar, {})[0] == made


def test_a_page_token_fits_only_its_query(calendar: Calendar) -> None:
    fill(calendar, 3)
    token = calendar.list({"maxResults": 1}).json()["nextPageToken"]
    assert calendar.list({"maxResults": 1, "pageToken": token}).status_code == 200
    for query in ({"maxResults": 2}, {"maxResults": 1, "q": "x"}, {}):
        answer = calendar.list({**query, "pageToken": token})
        assert (answer.status_code, location(answer)) == (400, "pageToken")
    altered = token[:-6] + ("A" if token[-6] != "A" else "B") + token[-5:]
    assert calendar.list({"maxResults": 1, "pageToken": altered}).status_code == 400


def test_a_sync_token_brings_what_has_changed_since(calendar: Calendar) -> None:
    made = fill(calendar, 4)
    token = calendar.list().json()["nextSyncToken"]
    nothing = calendar.list({"syncToken": token}).json()
    assert nothing["items"] == []
    calendar.sandbox.change_event(made[1], summary="Changed")
    calendar.sandbox.delete_event(made[2])
    new = calendar.sandbox.add_event(**event())["id"]
    page = calendar.list({"syncToken": nothing["nextSyncToken"]}).json()
    assert [(item["id"], item["status"]) for item in page["items"]] == [
        (made[1], "confirmed"),
        (made[2], "cancelled"),
        (new, "confirmed"),
    ]
    assert page["items"][1].keys() == {"kind", "etag", "id", "status"}
    assert calendar.list({"syncToken": page["nextSyncToken"]}).json()["items"] == []


def test_a_change_between_two_pages_is_not_lost(calendar: Calendar) -> None:
    made = fill(calendar, 3)
    first = calendar.list({"maxResults": 2}).json()
    calendar.sandbox.change_event(made[0], summary="Changed in between")
    last = calendar.list({"maxResults": 2, "pageToken": first["nextPageToken"]}).json()
    assert ids(calendar.list({"syncToken": last["nextSyncToken"], "maxResults": 2})) == [made[0]]


def test_changes_come_in_pages_too(calendar: Calendar) -> None:
    token = calendar.list().json()["nextSyncToken"]
    made = fill(calendar, 5)
    found, last = walk(calendar, {"syncToken": token, "maxResults": 2})
    assert found == made
    assert "nextSyncToken" in last


@pytest.mark.parametrize(
    "forbidden",
    [
        {"orderBy": "updated"},
        {"orderBy": "startTime", "singleEvents": "true"},
        {"q": "x"},
        {"timeMin": "2026-03-01T00:00:00Z"},
        {"timeMax": "2026-03-01T00:00:00Z"},
        {"updatedMin": "2026-03-01T00:00:00Z"},
        {"iCalUID": "x"},
        {"privateExtendedProperty": "a=b"},
        {"sharedExtendedProperty": "a=b"},
        {"showDeleted": "false"},
        {"singleEvents": "true"},
    ],
)
def test_a_sync_token_goes_with_few_other_parameters(calendar: Calendar, forbidden: dict[str, str]) -> None:
    token = calendar.list().json()["nextSyncToken"]
    assert calendar.list({**forbidden, "syncToken": token}).status_code == 400


def test_an_expired_sync_token_asks_for_a_full_list(calendar: Calendar) -> None:
    token = calendar.list().json()["nextSyncToken"]
    calendar.sandbox.expire_sync_tokens()
    answer = calendar.list({"syncToken": token})
    assert (answer.status_code, reason(answer), location(answer)) == (410, "fullSyncRequired", "syncToken")
    fresh = calendar.list().json()["nextSyncToken"]
    assert calendar.list({"syncToken": fresh}).status_code == 200


def test_a_made_up_sync_token_is_a_400(calendar: Calendar) -> None:
    for token in ("made-up", "AAAA", calendar.list({"maxResults": 1}).json()["nextSyncToken"][:-4]):
        answer = calendar.list({"syncToken": token})
        assert (answer.status_code, answer.json()["error"]["message"]) == (400, "Invalid sync token value.")


def test_deleted_events_are_shown_where_they_are_asked_for(calendar: Calendar) -> None:
    made = fill(calendar, 2)
    calendar.sandbox.delete_event(made[0])
    assert ids(calendar.list()) == [made[1]]
    assert ids(calendar.list({"showDeleted": "true"})) == made


def test_a_recurring_event_shows_itself_or_its_instances(calendar: Calendar) -> None:
    zone = "Europe/Moscow"
    body = event(
        id="repeated",
        start={"dateTime": "2026-03-02T12:00:00", "timeZone": zone},
        end={"dateTime": "2026-03-02T13:00:00", "timeZone": zone},
        recurrence=["RRULE:FREQ=DAILY;COUNT=5"],
    )
    assert calendar.insert(body).status_code == 200
    (master,) = calendar.list().json()["items"]
    assert master["recurrence"] == ["RRULE:FREQ=DAILY;COUNT=5"]
    query = {"singleEvents": "true", "orderBy": "startTime", "timeMin": "2026-03-04T00:00:00Z"}
    found, _ = walk(calendar, {**query, "maxResults": 2})
    assert found == ["repeated_20260304T090000Z", "repeated_20260305T090000Z", "repeated_20260306T090000Z"]
    one = calendar.get(found[1]).json()
    assert (one["recurringEventId"], one["originalStartTime"]["dateTime"]) == ("repeated", "2026-03-05T12:00:00+03:00")
    assert "recurrence" not in one
    assert calendar.get("repeated_20260401T090000Z").status_code == 404
    assert calendar.update(found[1], event()).status_code == 400
