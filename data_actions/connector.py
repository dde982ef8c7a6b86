"""What this package adds to the step picker."""

from django.utils.translation import gettext_lazy as _

from actions.registry import Connector
from data_actions.values import SetValues

CONNECTOR = Connector(
    key="data",
    title=_("Data"),
    help=_("Work with values inside the scenario."),
    icon="variable",
    kind="code",
    actions=(SetValues,),
)
