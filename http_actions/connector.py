"""What this package adds to the step picker."""

from django.utils.translation import gettext_lazy as _

from actions.registry import Connector
from http_actions.request import HttpRequest
from http_actions.respond import Respond

CONNECTOR = Connector(
    key="http",
    title="HTTP",
    help=_("Any service that has an API: send requests, answer webhooks."),
    icon="globe",
    kind="time",
    actions=(HttpRequest, Respond),
)
