"""What Google Calendar's refusals mean, in the words of the person it happens to.

https://developers.google.com/workspace/calendar/api/guides/errors. The `reason` decides, not the status: 403 may mean
"slow down" or "never". Answers of proxies in between are HTML, so nothing of the shape is taken for granted.
"""

from typing import TYPE_CHECKING

from actions.answers import body_of, message_of, refusal_of, retry_after_s
from actions.effects import Effect
from lib.errors import Json, UserError, Words, register
from lib.errors import gettext_noop as _

if TYPE_CHECKING:
    from lib import egress

QUOTA_WAIT_S = 600.0  # the anti-abuse limits of an account open again after minutes to hours

SLOW_DOWN = frozenset({"rateLimitExceeded", "userRateLimitExceeded"})
SCOPE = frozenset({"insufficientPermissions", "ACCESS_TOKEN_SCOPE_INSUFFICIENT", "insufficientScopes"})
# Google's reason → ours, which has words below. None of these passes by itself.
REASONS = {
    "accessNotConfigured": "api_disabled",
    "SERVICE_DISABLED": "api_disabled",
    "dailyLimitExceeded": "daily_limit",
    "forbiddenForNonOrganizer": "not_organizer",
    "requiredAccessLevel": "calendar_read_only",
    "forbidden": "calendar_read_only",
    "timeRangeEmpty": "empty_range",
    "duplicate": "id_taken",
    "conditionNotMet": "changed_meanwhile",
    "updatedMinTooLongAgo": "too_long_ago",
    "deleted": "event_deleted",
}

BY_STATUS = {404: "not_found", 409: "id_taken", 412: "changed_meanwhile"}

register(
    {
        "insufficient_scope": Words(
            _("The connection is not allowed to do this in Google Calendar: another scope was granted to it."),
            _(
                "Add the scope https://www.googleapis.com/auth/calendar.events to the authorization URL and authorize "
                "the connection again. The token has not expired, renewing it does not help."
            ),
            button="open_connection",
        ),
        "sync_token_expired": Words(
            _("The sync token is no longer valid for the calendar {calendar}."),
            _("List the events once without a sync token and keep the new nextSyncToken."),
            button="edit_step",
        ),
        "rate_limited.calendar": Words(
            _("Google Calendar asks to slow down ({status}): {message}"),
            _("Each person has 600 requests a minute in a Google project. Run the scenario less often."),
            button="retry",
        ),
        "rate_limited.quota": Words(
            _("Google has paused this account's changes to calendars ({status}): {message}"),
            _("This protects from mass invitations. It opens again after minutes to hours; send fewer invitations."),
            button="retry",
        ),
        "upstream_status.api_disabled": Words(
            _("The Google Calendar API is not switched on in the Google project of this connection."),
            _("Enable it: console.cloud.google.com, APIs & Services, Google Calendar API. It takes some minutes."),
            button="retry",
        ),
        "upstream_status.daily_limit": Words(
            _("The Google project has used up its requests for today ({status}): {message}"),
            _("Wait until tomorrow, or raise the quota in console.cloud.google.com."),
            button="retry",
        ),
        "upstream_status.not_organizer": Words(
            _("Only the organizer may change this event: {message}"),
            _("Use the connection of the organizer, or change your own copy with an HTTP request (PATCH)."),
            button="edit_step",
        ),
        "upstream_status.calendar_read_only": Words(
            _("The account of this connection may not do this in the calendar {calendar}: {message}"),
            _("Ask the calendar's owner for the right to make changes to events, or use another connection."),
            button="edit_step",
        ),
        "upstream_status.empty_range": Words(
            _("The end must be after the start: {message}"),
            _("Check both dates and their time zones."),
            button="edit_step",
        ),
        "upstream_status.calendar_not_found": Words(
            _("There is no calendar {calendar}, or this account does not see it."),
            _("The ID is in the calendar's settings under “Integrate calendar”; the main one is primary."),
            button="edit_step",
        ),
        "upstream_status.event_not_found": Words(
            _("There is no event {event} in the calendar {calendar}, or this account does not see it."),
            _("Take the ID from the key id of an earlier step's event, and check that it is of the same calendar."),
            button="edit_step",
        ),
        "upstream_status.event_deleted": Words(
            _("The event {event} has been deleted."), _("Add a new event instead."), button="edit_step"
        ),
        "upstream_status.id_taken": Words(
            _("Another event of the calendar {calendar} has the same ID already."),
            _("Run the scenario anew."),
            button="retry",
        ),
        "upstream_status.changed_meanwhile": Words(
            _("The event {event} was changed by others again and again while this step was at work."),
            _("Run the scenario again later."),
            button="retry",
        ),
        "upstream_status.too_long_ago": Words(
            _("Google does not remember changes that far back: {message}"),
            _("Choose a later “Changed after”, at most about four weeks ago."),
            button="edit_step",
        ),
        "upstream_status.guests_hidden": Words(
            _("Google does not show all guests of the event {event} to this account; saving it would remove them."),
            _("Use the connection of the event's organizer."),
            button="edit_step",
        ),
        "upstream_invalid.not_calendar": Words(
            _("{host} answered with something other than calendar data."),
            _("Check the API address in the connection; for Google leave it empty."),
            button="open_connection",
        ),
    }
)


def refusal(response: "egress.Response", effect: Effect, *, calendar: str, event: str = "") -> UserError:
    """The error for an answer that is no success. `params`: `status`, `message`, `calendar`, `event`."""
    body = body_of(response)
    reason = reason_in(body)
    params = {"status": response.status, "message": message_of(response), "calendar": calendar, "event": event}
    if reason in SCOPE or "insufficient_scope" in response.headers.get("www-authenticate", ""):
        return UserError("insufficient_scope", params=params)
    if reason in SLOW_DOWN or response.status == 429:
        wait_s = retry_after_s(response)
        return UserError("rate_limited", "calendar", params=params, retry=True, retry_after_s=wait_s)
    if reason == "quotaExceeded":
        wait_s = retry_after_s(response) or QUOTA_WAIT_S
        return UserError("rate_limited", "quota", params=params, retry=True, retry_after_s=wait_s)
    if reason == "fullSyncRequired":
        return UserError("sync_token_expired", params=params)
    ours = REASONS.get(reason) or BY_STATUS.get(response.status)
    if ours is None:
        return refusal_of(response, effect)
    if ours == "not_found":
        ours = "event_not_found" if event else "calendar_not_found"
    return UserError("upstream_status", ours, params=params, retry=ours == "changed_meanwhile")


def reason_in(body: Json) -> str:
    """error.errors[0].reason, else the first reason of error.details, else ""."""
    error = body.get("error") if isinstance(body, dict) else None
    if not isinstance(error, dict):
        return ""
    for name in ("errors", "details"):
        entries = error.get(name)
        for entry in entries if isinstance(entries, list) else []:
            if isinstance(entry, dict) and isinstance(entry.get("reason"), str):
                return str(entry["reason"])
    return ""
