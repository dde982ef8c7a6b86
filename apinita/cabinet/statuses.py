"""What the statuses of runs, steps and connections look like: a kind of badge, an icon, a word."""

from typing import NamedTuple

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


class Look(NamedTuple):
    """`kind` is a variant of .badge and .st (ok, warn, err, run, line, plain), `icon` a symbol of icons.svg."""

    kind: str
    icon: str
    word: str | Promise


RUN_LOOKS = {
    "queued": Look("line", "clock", _("Queued")),
    "running": Look("run", "loader-circle", _("Running")),
    "waiting": Look("warn", "hourglass", _("Waiting")),
    "succeeded": Look("ok", "circle-check", _("Succeeded")),
    "failed": Look("err", "circle-x", _("Failed")),
    "cancelled": Look("line", "ban", _("Cancelled")),
    "needs_review": Look("warn", "triangle-alert", _("Needs a decision")),
    "skipped": Look("plain", "circle-dashed", _("Skipped")),
}

CONNECTION_LOOKS = {
    "new": Look("line", "circle-dashed", _("Not finished")),
    "connected": Look("ok", "circle-check", _("Connected")),
    "needs_reauthorization": Look("err", "unlink-2", _("Reconnect needed")),
    "misconfigured": Look("err", "circle-x", _("Check the settings")),
}


def run_look(status: str) -> Look:
    """The look of a run's or a step's status; one that we do not know is shown as itself."""
    return RUN_LOOKS.get(status) or Look("line", "circle-dashed", status)


def connection_look(status: str) -> Look:
    return CONNECTION_LOOKS.get(status) or Look("line", "circle-dashed", status)
