"""What a run that does not go on waits for: a reason in one word for programs, and in words for people."""

from django.utils.translation import gettext as _

from scenarios.models import Run

GATED, REAUTHORIZATION, THROTTLED, CHILD, RETRY, DELAY = REASONS = (
    "gated", "reauthorization", "throttled", "child", "retry", "delay",
)  # fmt: skip
BY_KIND = {"connection": REAUTHORIZATION, "rate": THROTTLED, "run": CHILD}
BUSY = frozenset({"connection_throttled", "connection_busy", "token_refresh_paused", "token_refresh_busy"})


def reason(run: Run) -> str:
    """One of REASONS; empty for a run that is under way, due, or has ended."""
    if run.status == "queued":
        return GATED if run.wake_at is None else ""
    if run.status != "waiting":
        return ""
    kind = run.waits_for.partition(":")[0]
    code = (run.error or {}).get("code")
    if kind in BY_KIND:
        return BY_KIND[kind]
    # It looks by itself now and then, and is then held by the same error again.
    if code == "reauthorization_needed":
        return REAUTHORIZATION
    if code in BUSY:
        return THROTTLED
    return RETRY if code else DELAY


def words(run: Run) -> str:
    texts = {
        GATED: _("Waits for its turn: no more than so many runs of this scenario at a time."),
        REAUTHORIZATION: _("Waits for a connection to be authorized again."),
        THROTTLED: _("Waits for a service that asked for a pause, together with all runs of its connection."),
        CHILD: _("Waits for the end of the scenario that it called."),
        RETRY: _("Waits for the next attempt."),
        DELAY: _("Waits until its time comes."),
    }
    return texts.get(reason(run), "")


def child(run: Run) -> str:
    """The id of the run that a waiting one waits for, or nothing."""
    kind, _colon, name = run.waits_for.partition(":")
    return name if run.status == "waiting" and kind == "run" else ""
