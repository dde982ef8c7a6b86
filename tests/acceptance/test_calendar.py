"""The calendar's actions against a server that refuses whatever Google's reference does not allow."""

from typing import Any

import pytest

from tests.acceptance.http_server import Reply, hang_up, reply
from tests.acceptance.odd_oauth import OddOAuth
from tests.acceptance.product import Product, document, result_of, send, step, step_of
from tests.acceptance.strict_calendar import BASE, StrictCalendar, problem

START, END = "2020-12-31T21:45:00+03:00", "2020-12-31T18:55:00Z"
ODD = "ru.russian#holiday@group.v.calendar.google.com"


def act(product: Product, name: str, more: dict[str, Any] | None = None, **inputs: Any) -> dict[str, Any]:
    return product.try_steps(step("s2", f"google_calendar.{name}", "cal", more, **inputs))


def body(run: dict[str, Any]) -> Any:
    assert run["status"] == "succeeded", run
    return result_of(run, "s2")["body"]


pytestmark = pytest.mark.usefixtures("google")


def test_a_list_sends_no_blank_parameter(product: Product, calendar: StrictCalendar) -> None:
    calendar.add(summary="а")
    run = act(product, "list_events", calendar_id="primary", order_by="", page_token="", sync_token="")
    assert [event["summary"] for event in body(run)["items"]] == ["а"]
    seen = calendar.api_calls[0]
    assert (seen.method, seen.path) == ("GET", f"{BASE}/calendars/primary/events")
    assert set(seen.query) & {"orderBy", "pageToken", "syncToken"} == set()
    assert set(result_of(run, "s2")) >= {"status", "headers", "body"}


def test_an_order_by_start_time_asks_for_single_events(product: Product, calendar: StrictCalendar) -> None:
    calendar.add(summary="второе", start={"dateTime": "2026-03-02T10:00:00Z"})
    calendar.add(summary="первое", start={"dateTime": "2026-03-01T10:00:00Z"})
    run = act(product, "list_events", calendar_id="primary", order_by="startTime")
    assert [event["summary"] for event in body(run)["items"]] == ["первое", "второе"]
    assert calendar.api_calls[0].query["singleEvents"] == "true"
    act(product, "list_events", calendar_id="primary", order_by="updated")
    assert calendar.api_calls[1].query["orderBy"] == "updated"


def test_the_id_of_a_calendar_is_encoded_whatever_is_in_it(product: Product, calendar: StrictCalendar) -> None:
    for name in (ODD, "alice+work/1@example.com", "календарь %41?x=1"):
        calendar.add(name, summary=name)
        assert body(act(product, "list_events", calendar_id=name))["items"][0]["summary"] == name
    segment = calendar.api_calls[0].target.removeprefix(f"{BASE}/calendars/").split("/")[0]
    assert segment == "ru.russian%23holiday%40group.v.calendar.google.com"
    assert calendar.refusals == []


def test_pages_are_walked_by_their_token(product: Product, calendar: StrictCalendar) -> None:
    calendar.page_size = 2
    for number in range(3):
        calendar.add(summary=str(number))
    run = product.try_steps(
        step("s2", "google_calendar.list_events", "cal", calendar_id="primary"),
        step(
            "s3", "google_calendar.list_events", "cal", calendar_id="primary",
            page_token="{{ s2.body.nextPageToken | default('') }}",
        ),
    )  # fmt: skip
    assert run["status"] == "succeeded", run
    first, second = result_of(run, "s2")["body"], result_of(run, "s3")["body"]
    assert len(first["items"]) == 2
    assert [event["summary"] for event in second["items"]] == ["2"]
    assert second["nextSyncToken"] == calendar.sync_token
    assert calendar.api_calls[1].query["pageToken"] == "p/2+="


def test_a_sync_token_that_expired_means_one_full_listing(product: Product, calendar: StrictCalendar) -> None:
    calendar.add(summary="всё")
    fresh = act(product, "list_events", calendar_id="primary", sync_token=calendar.sync_token)
    assert not result_of(fresh, "s2").get("full_sync")
    run = act(product, "list_events", calendar_id="primary", sync_token="old+/=")
    assert body(run)["items"][0]["summary"] == "всё"
    assert result_of(run, "s2")["full_sync"] is True
    assert [seen.query.get("syncToken") for seen in calendar.api_calls] == [calendar.sync_token, "old+/=", None]


def test_an_expired_sync_token_may_be_an_error_instead(product: Product, calendar: StrictCalendar) -> None:
    run = act(product, "list_events", calendar_id="primary", sync_token="old", on_expired="error")
    assert (run["status"], run["error"]["code"]) == ("failed", "sync_token_expired"), run
    assert len(calendar.api_calls) == 1


def test_a_sync_token_with_a_sort_is_refused_with_the_reason(product: Product, calendar: StrictCalendar) -> None:
    wrong = step(
        "s2", "google_calendar.list_events", "cal", calendar_id="primary", order_by="startTime", sync_token="x"
    )
    answer = product.post("scenarios/", {"document": document(wrong)})
    assert answer.status == 400, answer
    assert set(answer.json["errors"]) <= {"steps[0].inputs.order_by", "steps[0].inputs.sync_token", "steps[0].inputs"}
    late = act(product, "list_events", calendar_id="primary", order_by="updated", sync_token="{{ 'x' }}")
    assert late["error"]["code"] == "invalid_input", late
    assert calendar.api_calls == []


def test_an_event_is_read_by_its_id(product: Product, calendar: StrictCalendar) -> None:
    event = calendar.add(summary="один")
    run = act(product, "get_event", calendar_id="primary", event_id=event["id"])
    assert body(run)["summary"] == "один"
    missing = act(product, "get_event", calendar_id="primary", event_id="nothing")
    assert (missing["error"]["code"], missing["error"]["params"]["status"]) == ("upstream_status", 404)


def test_an_event_is_added_with_an_id_of_our_choice(product: Product, calendar: StrictCalendar) -> None:
    run = act(product, "insert_event", calendar_id="primary", summary="Встреча «ё»", start=START, end=END)
    assert body(run)["summary"] == "Встреча «ё»"
    sent = calendar.api_calls[0]
    assert (sent.method, sent.json["start"]["dateTime"], sent.json["end"]["dateTime"]) == ("POST", START, END)
    assert list(calendar.calendars["primary"]) == [sent.json["id"]]
    again = act(product, "insert_event", calendar_id="primary", summary="Встреча «ё»", start=START, end=END)
    assert body(again)["id"] != body(run)["id"], "another run adds another event"
    assert calendar.refusals == []


def test_a_lost_reply_does_not_make_a_second_event(product: Product, calendar: StrictCalendar) -> None:
    calendar.lose_next_insert_reply = True
    run = act(product, "insert_event", calendar_id="primary", summary="Раз", start=START, end=END)
    assert body(run)["summary"] == "Раз"
    assert len(calendar.calendars["primary"]) == 1
    assert body(run)["id"] in calendar.calendars["primary"]


def test_many_failures_before_and_after_the_insert_still_make_one_event(
    product: Product, calendar: StrictCalendar
) -> None:
    calendar.next_replies = [reply({}, 503), hang_up()]
    calendar.lose_next_insert_reply = True
    more = {"retry": {"attempts": 6, "delay_s": 0.2}}
    run = act(product, "insert_event", more, calendar_id="primary", summary="Раз", start=START, end=END)
    assert body(run)["summary"] == "Раз"
    assert len(calendar.calendars["primary"]) == 1
    ids = {seen.json["id"] for seen in calendar.api_calls if seen.method == "POST"}
    assert len(ids) == 1


def test_an_update_keeps_what_it_does_not_mention(product: Product, calendar: StrictCalendar) -> None:
    guests = [{"email": "bob@example.com", "responseStatus": "accepted"}]
    event = calendar.add(summary="Старое", description="Описание", attendees=guests, colorId="5", location="Зал")
    run = act(
        product, "update_event", calendar_id="primary", event_id=event["id"], summary="Новое", start=START, end=END
    )
    assert body(run)["summary"] == "Новое"
    kept = calendar.calendars["primary"][event["id"]]
    assert (kept["description"], kept["attendees"], kept["colorId"], kept["location"]) == (
        "Описание",
        guests,
        "5",
        "Зал",
    )
    assert kept["start"]["dateTime"] == START
    put = next(seen for seen in calendar.api_calls if seen.method == "PUT")
    assert put.headers["if-match"] == event["etag"]
    assert calendar.refusals == []


def test_a_summary_left_out_is_kept_and_an_empty_one_clears(product: Product, calendar: StrictCalendar) -> None:
    event = calendar.add(summary="Старое")
    act(product, "update_event", calendar_id="primary", event_id=event["id"], start=START, end=END)
    assert calendar.calendars["primary"][event["id"]]["summary"] == "Старое"
    run = act(product, "update_event", calendar_id="primary", event_id=event["id"], summary="", start=START, end=END)
    assert run["status"] == "succeeded"
    assert "summary" not in calendar.calendars["primary"][event["id"]]


def test_an_update_reads_again_when_somebody_was_faster(product: Product, calendar: StrictCalendar) -> None:
    event = calendar.add(summary="Старое")
    calendar.change_before_next_put = {"description": "чужая правка"}
    run = act(product, "update_event", calendar_id="primary", event_id=event["id"], summary="Моё", start=START, end=END)
    assert run["status"] == "succeeded", run
    kept = calendar.calendars["primary"][event["id"]]
    assert (kept["summary"], kept["description"]) == ("Моё", "чужая правка")
    puts = [seen for seen in calendar.api_calls if seen.method == "PUT"]
    assert len(puts) == 2


NO_DATES = [
    "2020-12-31", "2020-12-31T21:45:00", "2020-12-31 21:45:00Z", "2020-12-31T21:45Z", "2020-12-31T21:45:00+0300",
    "2020-02-30T10:00:00Z", "2020-12-31T24:00:00Z", "20201231T214500Z", "завтра", "2020-12-31T21:45:00+25:00",
    "２０２０-12-31T21:45:00Z", "",
]  # fmt: skip


def test_a_date_that_is_not_rfc_3339_is_refused_at_once_and_later(product: Product, calendar: StrictCalendar) -> None:
    inputs = {"calendar_id": "primary", "start": "{{ s1.body.t }}", "end": END}
    late = product.scenario(step("s2", "google_calendar.insert_event", "cal", **inputs))
    for text in NO_DATES:
        wrong = step("s2", "google_calendar.insert_event", "cal", **(inputs | {"start": text}))
        answer = product.post("scenarios/", {"document": document(wrong)})
        assert answer.status == 400, (text, answer)
        assert set(answer.json["errors"]) == {"steps[0].inputs.start"}, (text, answer)
        run = product.run(late, {"t": text})
        assert (run["error"]["code"], run["error"]["params"]["field"]) == ("invalid_input", "start"), (text, run)
    assert calendar.api_calls == []


DATES = [
    "2020-12-31T21:45:00+03:00", "2020-12-31T21:45:00Z", "2020-12-31t21:45:00z", "2020-12-31T21:45:00.123456789Z",
    "2020-02-29T00:00:00-00:00", "0001-01-01T00:00:00Z",
]  # fmt: skip


def test_every_rfc_3339_date_is_taken(product: Product, calendar: StrictCalendar) -> None:
    inputs = {"calendar_id": "primary", "start": "{{ s1.body.t }}", "end": "2021-01-01T00:00:00Z"}
    scenario = product.scenario(step("s2", "google_calendar.insert_event", "cal", **inputs))
    for text in DATES:
        literal = step("s2", "google_calendar.insert_event", "cal", **(inputs | {"start": text}))
        assert product.post("scenarios/", {"document": document(literal)}).status == 201, text
        run = product.run(scenario, {"t": text})
        assert run["status"] == "succeeded", (text, run)
    assert calendar.refusals == []


def test_a_scope_that_is_too_small_is_told_from_a_refused_right(product: Product, calendar: StrictCalendar) -> None:
    small = problem(
        403, "insufficientPermissions", "Request had insufficient authentication scopes.",
        WWW_Authenticate='Bearer realm="x", error="insufficient_scope"',
    )  # fmt: skip
    calendar.next_replies = [small]
    run = act(product, "list_events", calendar_id="primary")
    assert (run["status"], run["error"]["code"]) == ("failed", "insufficient_scope"), run
    info = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "ACCESS_TOKEN_SCOPE_INSUFFICIENT"}
    details = {"error": {"code": 403, "status": "PERMISSION_DENIED", "message": "no", "details": [info]}}
    calendar.next_replies = [reply(details, 403)]
    assert act(product, "list_events", calendar_id="primary")["error"]["code"] == "insufficient_scope"
    calendar.next_replies = [problem(403, "requiredAccessLevel", "You need to have writer access.", domain="calendar")]
    run = act(product, "insert_event", calendar_id="primary", summary="x", start=START, end=END)
    assert (run["error"]["code"], run["error"]["params"]["status"]) == ("upstream_status", 403)


@pytest.mark.parametrize("kind", ["429", "403 rateLimitExceeded", "403 userRateLimitExceeded"])
def test_a_rate_limit_is_waited_out(product: Product, calendar: StrictCalendar, kind: str) -> None:
    status, _, reason = kind.partition(" ")
    limit = problem(
        int(status), reason or "rateLimitExceeded", "Rate Limit Exceeded", domain="usageLimits", Retry_After="1"
    )
    calendar.next_replies = [limit]
    run = act(product, "insert_event", calendar_id="primary", summary="x", start=START, end=END)
    assert run["status"] == "succeeded", run
    first, *_, last = calendar.api_calls
    assert (first.method, last.method) == ("POST", "POST")
    assert all(seen.at - first.at >= 0.95 for seen in calendar.api_calls[1:])
    assert step_of(run, "s2")["attempt"] == 2


def test_a_rate_limit_that_does_not_end_is_told_as_such(product: Product, calendar: StrictCalendar) -> None:
    limit = problem(403, "rateLimitExceeded", "Rate Limit Exceeded", domain="usageLimits")
    calendar.next_replies = [limit, limit]
    run = act(product, "list_events", {"retry": {"attempts": 2, "delay_s": 0.1}}, calendar_id="primary")
    assert run["error"]["code"] == "rate_limited", run
    assert len(calendar.api_calls) == 2


def test_a_limit_that_a_wait_does_not_cure_is_not_waited_for(product: Product, calendar: StrictCalendar) -> None:
    calendar.next_replies = [problem(403, "accessNotConfigured", "Calendar API is disabled", domain="usageLimits")]
    run = act(product, "list_events", calendar_id="primary")
    assert run["status"] == "failed"
    assert len(calendar.api_calls) == 1


def test_an_error_page_instead_of_json_is_a_clear_failure(product: Product, calendar: StrictCalendar) -> None:
    calendar.next_replies = [Reply(502, b"<html>Bad Gateway</html>", {"Content-Type": "text/html"})]
    run = act(product, "list_events", {"retry": {"attempts": 1}}, calendar_id="primary")
    assert (run["error"]["code"], run["error"]["params"]["status"]) == ("upstream_status", 502)


def test_a_whole_scenario_goes_on_while_its_token_ends_between_the_steps(
    product: Product, oauth: OddOAuth, calendar: StrictCalendar
) -> None:
    """The judges' own walk: OAuth and a calendar that nobody has seen, a token that ends in the middle."""
    host = calendar.url.removeprefix("http://")
    hosts = [host, oauth.url.removeprefix("http://")]
    product.connected(oauth, slug="g", api_base_url=calendar.base, request_query={}, allowed_hosts=hosts)
    calendar.add(ODD, summary="Праздник")

    def expire(seen: Any) -> bool:
        oauth.expire_access()
        return False

    scenario = product.scenario(
        step("s2", "google_calendar.list_events", "g", calendar_id=ODD, order_by=""),
        step(
            "s3", "google_calendar.insert_event", "g", calendar_id="primary",
            summary="{{ s2.body['items'][0].summary }} — копия", start=START, end=END,
        ),
        step(
            "s4", "google_calendar.update_event", "g", calendar_id="primary", event_id="{{ s3.body.id }}",
            summary="{{ s3.body.summary | upper }}", start=START, end=END,
        ),
        step("s5", "google_calendar.get_event", "g", calendar_id="primary", event_id="<< s3.body.id >>"),
        trigger={"key": "s1", "type": "webhook", "inputs": {}},
    )  # fmt: skip
    real, count = calendar.answer, iter(range(100))

    def expiring(seen: Any) -> Reply:
        if next(count) in (1, 3):
            expire(seen)
        return real(seen)

    calendar.answer = expiring  # type: ignore[method-assign]
    run = product.ended(send("POST", scenario["trigger"]["url"], json={}).json["run"])
    assert run["status"] == "succeeded", run
    assert result_of(run, "s5")["body"]["summary"] == "ПРАЗДНИК — КОПИЯ"
    assert len(calendar.calendars["primary"]) == 1
    assert calendar.refusals == []
    assert oauth.refreshes == 2
