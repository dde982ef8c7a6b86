"""Google's refusals in the words of the person they happen to."""

from typing import Any

import pytest

from calendar_actions.listing import ListEvents
from calendar_actions.reading import GetEvent
from lib.errors import describe
from sandbox.testing import Sandbox
from tests.actions.service import Service
from tests.calendar_actions.conftest import Steps


def google(status: int, reason: str, message: str = "Nope", **more: Any) -> tuple[int, Any]:
    errors = [{"domain": "calendar", "reason": reason, "message": message}]
    return status, {"error": {"errors": errors, "code": status, "message": message, **more}}


@pytest.mark.parametrize(
    ("status", "reason", "code", "ours", "retry"),
    [
        (400, "invalid", "upstream_status", "", False),
        (400, "required", "upstream_status", "", False),
        (400, "timeRangeEmpty", "upstream_status", "empty_range", False),
        (401, "authError", "upstream_status", "unauthorized", False),
        (403, "rateLimitExceeded", "rate_limited", "calendar", True),
        (403, "userRateLimitExceeded", "rate_limited", "calendar", True),
        (429, "rateLimitExceeded", "rate_limited", "calendar", True),
        (429, "", "rate_limited", "calendar", True),
        (403, "quotaExceeded", "rate_limited", "quota", True),
        (403, "dailyLimitExceeded", "upstream_status", "daily_limit", False),
        (403, "accessNotConfigured", "upstream_status", "api_disabled", False),
        (403, "insufficientPermissions", "insufficient_scope", "", False),
        (403, "forbidden", "upstream_status", "calendar_read_only", False),
        (403, "requiredAccessLevel", "upstream_status", "calendar_read_only", False),
        (403, "forbiddenForNonOrganizer", "upstream_status", "not_organizer", False),
        (403, "somethingNew", "upstream_status", "forbidden", False),
        (404, "notFound", "upstream_status", "calendar_not_found", False),
        (409, "duplicate", "upstream_status", "id_taken", False),
        (410, "updatedMinTooLongAgo", "upstream_status", "too_long_ago", False),
        (410, "fullSyncRequired", "sync_token_expired", "", False),
        (412, "conditionNotMet", "upstream_status", "changed_meanwhile", True),
        (500, "backendError", "upstream_status", "server", True),
        (503, "backendError", "upstream_status", "server", True),
        (302, "", "upstream_status", "", False),
    ],
)
def test_the_reason_decides(
    service: Service, odd: Steps, status: int, reason: str, code: str, ours: str, retry: bool
) -> None:
    service.will_answer(google(status, reason))
    error = odd.refusal(ListEvents, calendar_id="c1")
    assert (error.code, error.reason, error.retry, error.unknown) == (code, ours, retry, False)
    assert error.params["status"] == status
    told = describe(error.as_json())
    assert told["hint"]
    assert "{" not in told["text"] + told["hint"]


def test_the_details_of_newer_answers_are_read_too(service: Service, odd: Steps) -> None:
    details = [{"@type": "x"}, {"reason": "ACCESS_TOKEN_SCOPE_INSUFFICIENT"}]
    service.will_answer(
        (403, {"error": {"code": 403, "message": "No", "status": "PERMISSION_DENIED", "details": details}})
    )
    assert odd.refusal(ListEvents).code == "insufficient_scope"
    details = [{"reason": "SERVICE_DISABLED"}]
    service.will_answer((403, {"error": {"code": 403, "message": "No", "details": details}}))
    assert odd.refusal(ListEvents).reason == "api_disabled"


def test_a_wrong_scope_is_no_expiry(sandbox: Sandbox) -> None:
    steps = Steps(sandbox, scope="https://www.googleapis.com/auth/spreadsheets")
    error = steps.refusal(ListEvents)
    assert (error.code, error.retry) == ("insufficient_scope", False)
    assert "https://www.googleapis.com/auth/calendar.events" in describe(error.as_json())["hint"]


def test_retry_after_is_obeyed(service: Service, odd: Steps) -> None:
    service.will_answer((*google(403, "rateLimitExceeded"), {"Retry-After": "42"}))
    assert odd.refusal(ListEvents).retry_after_s == 42


def test_a_missing_event_and_a_missing_calendar_are_told_apart(service: Service, odd: Steps) -> None:
    service.will_answer(google(404, "notFound", "Not Found"))
    told = describe(odd.refusal(GetEvent, calendar_id="c1", event_id="e1").as_json())
    assert told["text"] == "There is no event e1 in the calendar c1, or this account does not see it."
    told = describe(odd.refusal(ListEvents, calendar_id="c1").as_json())
    assert told["text"] == "There is no calendar c1, or this account does not see it."


@pytest.mark.parametrize(
    "body",
    [
        b"<html><title>Error 403</title></html>",
        b"",
        b"[]",
        b'"text"',
        b'{"error": "text"}',
        b'{"error": {"errors": 5}}',
        b'{"error": {"errors": [5, {"reason": 5}]}}',
        b'{"error": {"details": {"a": 1}}}',
        b"\xff\xfe\0",
    ],
)
def test_an_answer_of_no_known_shape_is_still_an_error(service: Service, odd: Steps, body: bytes) -> None:
    service.will_answer((403, body))
    error = odd.refusal(ListEvents)
    assert (error.code, error.params["status"]) == ("upstream_status", 403)
    assert error.params["message"]


def test_googles_own_words_are_quoted(service: Service, odd: Steps) -> None:
    service.will_answer(google(400, "invalid", "The requested ordering is not available."))
    assert "The requested ordering is not available." in describe(odd.refusal(ListEvents).as_json())["text"]
