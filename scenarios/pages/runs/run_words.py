"""Runs in words: what started one, how it stands, and what it waits for."""

from collections.abc import Mapping
from datetime import datetime

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from lib.errors import Json, describe
from scenarios import masked
from scenarios import standing as reasons
from scenarios.models import Run
from scenarios.paths import PASS

TRIGGERS = {
    "webhook": gettext_lazy("Webhook"),
    "schedule": gettext_lazy("By schedule"),
    "manual": gettext_lazy("By hand"),
    "scenario": gettext_lazy("By another scenario"),
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
        return succeeded(run)
    if run.status == "failed":
        return joined(step, error_text(run.error)) or _("Failed")
    if run.status == "running":
        return _("Running: {step}").format(step=step) if step else _("Running")
    if run.status == "waiting":
        return waiting(run)
    if run.status == "needs_review":
        return _("Needs a decision: {step}").format(step=step) if step else _("Needs a decision")
    if run.status == "cancelled":
        return _("Cancelled")
    return _("Waits for its turn") if reasons.reason(run) == reasons.GATED else _("Queued")


def waiting(run: Run) -> str:
    """What a waiting run waits for, and until when."""
    reason = reasons.reason(run)
    if reason == reasons.REAUTHORIZATION:
        return _("Waits: {reason}").format(reason=error_text(run.error))
    if reason == reasons.CHILD:
        return _("Waits for the scenario that it called")
    if run.wake_at is None:
        return _("Waiting")
    if reason in {reasons.DELAY, reasons.THROTTLED}:
        words = _("Waits until {time}") if reason == reasons.DELAY else _("The service asked for a pause until {time}")
        return words.format(time=clock_of(run))
    return joined(_("Tries again at {time}").format(time=clock_of(run)), error_text(run.error))


def succeeded(run: Run) -> str:
    """Also a run that a filter or a stop ended has succeeded; it says so."""
    return error_text(run.error) or _("Succeeded")


def passes(begun: int, total: int | None) -> str:
    """«12 проходов», «5 из 12»."""
    if total is not None and begun < total:
        return _("{n} of {all}").format(n=begun, all=total)
    return ngettext("{n} pass", "{n} passes", begun).format(n=begun)


def in_pass(path: str) -> str:
    """In which passes a step stands: «проход 8», «проход 3, в нём 2»."""
    numbers = [str(int(found[1:-1]) + 1) for found in PASS.findall(path)]
    if not numbers:
        return ""
    first = _("pass {n}").format(n=numbers[0])
    return ", ".join([first, *(_("in it {n}").format(n=number) for number in numbers[1:])])


def clock_of(run: Run) -> str:
    return "—" if run.wake_at is None else clock(run.wake_at)


def clock(moment: datetime) -> str:
    here = timezone.localtime(moment)
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
