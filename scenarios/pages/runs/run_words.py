"""Runs in words: what started one, how it stands, and what it waits for."""

from collections.abc import Mapping

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from lib.errors import Json, describe
from scenarios import masked
from scenarios.models import Run

TRIGGERS = {
    "webhook": gettext_lazy("Webhook"),
    "schedule": gettext_lazy("By schedule"),
    "manual": gettext_lazy("By hand"),
}


def trigger(run: Run) -> str:
    return str(TRIGGERS.get(run.trigger, run.trigger))


def cause(run: Run) -> str:
    """«Вебхук, POST», «По расписанию», «Вручную, Анна Власова», «Повтор, Анна Власова»."""
    words = trigger(run)
    who = str(run.started_by) if run.started_by else ""
    if run.replay_of:
        return ", ".join(filter(None, (_("Repeat"), who)))
    if run.trigger == "webhook" and run.delivery is not None:
        return f"{words}, {run.delivery.method}"
    return f"{words}, {who}" if run.trigger == "manual" and who else words


def error_text(error: Mapping[str, Json] | None) -> str:
    return str(describe(masked.for_reading(error), _)["text"]) if error else ""


def standing(run: Run, step: str) -> str:
    """One line on how a run stands; `step` names the step that it is about: «шаг 2, «Записать на урок»»."""
    if run.status == "succeeded":
        return _("Succeeded")
    if run.status == "failed":
        return joined(step, error_text(run.error)) or _("Failed")
    if run.status == "running":
        return _("Running: {step}").format(step=step) if step else _("Running")
    if run.status == "waiting":
        return waiting(run)
    if run.status == "needs_review":
        return _("Needs a decision: {step}").format(step=step) if step else _("Needs a decision")
    return _("Cancelled") if run.status == "cancelled" else _("Queued")


def waiting(run: Run) -> str:
    """What a waiting run waits for, and until when."""
    if is_held(run):
        return _("Waits: {reason}").format(reason=error_text(run.error))
    if run.wake_at is None:
        return _("Waiting")
    return joined(_("Tries again at {time}").format(time=clock_of(run)), error_text(run.error))


def is_held(run: Run) -> bool:
    """Whether the run waits for a connection to be authorized again. It looks by itself now and then, too."""
    return run.status == "waiting" and (run.error or {}).get("code") == "reauthorization_needed"


def clock_of(run: Run) -> str:
    if run.wake_at is None:
        return "—"
    here = timezone.localtime(run.wake_at)
    form = "H:i" if here.date() == timezone.localdate() else "j E, H:i"
    return date_format(here, form)


def numbered(number: int | None, title: str) -> str:
    """«шаг 2, «Записать на урок»»."""
    if number is None:
        return _("“{title}”").format(title=title) if title else ""
    return _("step {n}, “{title}”").format(n=number, title=title)


def joined(first: str, second: str) -> str:
    """«Шаг 2, «…»: сервис ответил 500»."""
    text = ": ".join(filter(None, (first, second)))
    return text[:1].upper() + text[1:]
