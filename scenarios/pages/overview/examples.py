"""The ready-made example: every morning the day's events of a calendar, sent on as an HTTP request."""

from dataclasses import dataclass

from django.conf import settings
from django.utils.translation import gettext as _

from accounts.access import Actor
from connections import access as connections_access
from connections import editing as connections_editing
from connections.models import Connection
from lib.errors import Json
from scenarios import editing
from scenarios.models import Scenario

AT = "09:00"
SANDBOX, GOOGLE = "sandbox", "google_calendar"

# An event of a whole day has a date instead of a time.
TEXT = (
    "{{% for event in s2.body.items %}}"
    "{{% if event.start.dateTime is defined %}}{{{{ event.start.dateTime | date('%H:%M', zone) }}}}"
    "{{% else %}}{all_day}{{% endif %}} {{{{ event.summary | default('{untitled}') }}}}\n{{% endfor %}}"
)


@dataclass(frozen=True)
class Example:
    scenario: Scenario
    connection: Connection


def make(actor: Actor, *, timezone: str) -> Example:
    """The example, made at the first asking and found again later. Raises UserError, InvalidInput.

    With a sandbox it is published and on at once. Without one it is a draft on the workspace's Google connection, or on
    a new one, and asks where the events should go.
    """
    connection = connection_for(actor)
    scenario = existing(actor, connection)
    if scenario is None:
        document = document_of(connection, timezone=timezone, target=target())
        scenario = editing.create(actor, document, draft=not settings.SANDBOX_URL)
        if settings.SANDBOX_URL:
            editing.publish(actor, scenario)
            editing.activate(actor, scenario)
    return Example(scenario, connection)


def connection_for(actor: Actor) -> Connection:
    preset = SANDBOX if settings.SANDBOX_URL else GOOGLE
    rows = connections_access.visible(actor).filter(preset=preset)
    found = rows.filter(status="connected").first() or rows.first()
    name = _("Sandbox calendar") if preset == SANDBOX else _("Google Calendar")
    return found or connections_editing.create(actor, name=name, preset=preset)


def existing(actor: Actor, connection: Connection) -> Scenario | None:
    """The example as it was made, whatever it is called by now: the same request on the same connection."""
    steps = [
        {"action": "google_calendar.list_events", "connection": connection.slug},
        {"action": "http.request", "inputs": {"url": target()}},
    ]
    rows = Scenario.objects.filter(workspace=actor.workspace, deleted_at=None, document__contains={"steps": steps})
    return rows.order_by("-id").first()


def target() -> str:
    return f"{settings.SANDBOX_URL}/echo/morning" if settings.SANDBOX_URL else ""


def document_of(connection: Connection, *, timezone: str, target: str) -> dict[str, Json]:
    text = TEXT.format(all_day=_("All day:"), untitled=_("Without a title"))
    return {
        "name": _("Every morning: the day's events → HTTP request"),
        "variables": {"zone": timezone},
        "settings": {"timezone": timezone},
        "trigger": {"key": "s1", "type": "schedule", "inputs": {"daily": {"at": [AT]}}},
        "steps": [
            {
                "key": "s2",
                "action": "google_calendar.list_events",
                "name": _("Events of the day"),
                "connection": connection.slug,
                "inputs": {
                    "calendar_id": "primary",
                    "order_by": "startTime",
                    "time_min": "{{ now(zone) | date_modify('today') }}",
                    "time_max": "{{ now(zone) | date_modify('tomorrow') }}",
                },
            },
            {
                "key": "s3",
                "action": "http.request",
                "name": _("Send the day's events"),
                "inputs": {
                    "method": "POST",
                    "url": target,
                    "format": "json",
                    "fields": {
                        "title": _("Events of {date}").format(date="{{ now(zone) | date('%d.%m.%Y') }}"),
                        "count": "{{ s2.body.items | length }}",
                        "text": text,
                    },
                    "idempotency_key": "auto",
                },
            },
        ],
    }
