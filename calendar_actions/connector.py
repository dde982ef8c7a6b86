"""What this package adds to the step picker."""

from django.utils.translation import gettext_lazy as _

from actions.registry import Connector
from calendar_actions.adding import InsertEvent
from calendar_actions.base import BASE_URL
from calendar_actions.changing import UpdateEvent
from calendar_actions.listing import ListEvents
from calendar_actions.reading import GetEvent

CONNECTOR = Connector(
    key="google_calendar",
    title=_("Google Calendar"),
    help=_("Read, add and change events."),
    icon="calendar",
    kind="action",
    actions=(ListEvents, GetEvent, InsertEvent, UpdateEvent),
    base_url=BASE_URL,
)
