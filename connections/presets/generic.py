"""Any service by its documentation: the standard's own parameters, nothing of a service's."""

from connections.presets.preset import Preset
from lib.errors import gettext_noop as _

GENERIC = Preset(
    key="generic",
    name=_("Any OAuth 2.0 service"),
    note=_("by the service's documentation"),
    icon="shield-check",
)
