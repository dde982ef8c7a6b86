"""What starts a scenario, in words: «Каждые 15 минут», «По будням в 09:00», «Вебхук»."""

from collections.abc import Mapping

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from lib.errors import Json
from scenarios.document import Document

MINUTE_S, HOUR_S, DAY_S = 60, 3600, 86_400
WORKDAYS, WEEKEND, ALL_DAYS = [1, 2, 3, 4, 5], [6, 7], [1, 2, 3, 4, 5, 6, 7]
ONCE = {
    DAY_S: gettext_lazy("Once a day"),
    HOUR_S: gettext_lazy("Once an hour"),
    MINUTE_S: gettext_lazy("Once a minute"),
    1: gettext_lazy("Once a second"),
}
WEEKDAYS = (
    (1, gettext_lazy("Mon")),
    (2, gettext_lazy("Tue")),
    (3, gettext_lazy("Wed")),
    (4, gettext_lazy("Thu")),
    (5, gettext_lazy("Fri")),
    (6, gettext_lazy("Sat")),
    (7, gettext_lazy("Sun")),
)


def trigger(document: Document) -> str:
    """What starts the scenario; the trigger's own name is not asked for."""
    kind, inputs = document.trigger.type, document.trigger.inputs
    if kind == "schedule":
        return schedule(inputs)
    if kind == "webhook":
        return _("Webhook")
    known = {"manual": _("By hand"), "scenario": _("Another scenario")}
    return known.get(kind, kind)


def schedule(inputs: Mapping[str, Json]) -> str:
    if inputs.get("cron"):
        return _("By the rule {cron}").format(cron=inputs["cron"])
    seconds = inputs.get("every_s")
    if isinstance(seconds, int) and seconds > 0:
        return every(seconds)
    if isinstance(inputs.get("daily"), dict):
        return daily(inputs["daily"])
    return _("Schedule")


def every(seconds: int) -> str:
    size = next(size for size in (DAY_S, HOUR_S, MINUTE_S, 1) if seconds % size == 0)
    count = seconds // size
    if count == 1:
        return str(ONCE[size])
    words = {
        DAY_S: ngettext("Every {n} day", "Every {n} days", count),
        HOUR_S: ngettext("Every {n} hour", "Every {n} hours", count),
        MINUTE_S: ngettext("Every {n} minute", "Every {n} minutes", count),
        1: ngettext("Every {n} second", "Every {n} seconds", count),
    }
    return words[size].format(n=count)


def daily(rule: Mapping[str, Json]) -> str:
    times, days = rule.get("at"), rule.get("weekdays")
    at = ", ".join(str(time) for time in times) if isinstance(times, list) and times else "…"
    return _("{days} at {times}").format(days=weekdays(days), times=at)


def weekdays(days: Json) -> str:
    chosen = sorted(day for day in days if isinstance(day, int)) if isinstance(days, list) else ALL_DAYS
    if chosen == ALL_DAYS:
        return _("Daily")
    if chosen == WORKDAYS:
        return _("On workdays")
    if chosen == WEEKEND:
        return _("At the weekend")
    return ", ".join(str(name) for day, name in WEEKDAYS if day in chosen) or "…"
