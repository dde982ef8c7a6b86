"""Moments, durations and numbers in the reader's language and zone."""

from datetime import date, datetime, timedelta
from typing import Any

from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000


def moment(value: datetime | None, show: str = "") -> str:
    """«сегодня, 13:58», «вчера, 09:00», «23 ноября, 13:45», in the reader's zone. `show="zone"` names the zone."""
    if value is None:
        return "—"
    here = timezone.localtime(value)
    text = _("{day}, {time}").format(day=day(here), time=date_format(here, "H:i"))
    return f"{text} ({timezone.get_current_timezone_name()})" if show == "zone" else text


def clock(value: datetime | None) -> str:
    """«13:45:05», in the reader's zone."""
    return date_format(timezone.localtime(value), "H:i:s") if value else "—"


def day(value: datetime | date | None) -> str:
    """«сегодня», «вчера», «завтра», «23 ноября», «23 ноября 2025»."""
    if value is None:
        return "—"
    then = timezone.localtime(value).date() if isinstance(value, datetime) else value
    today = timezone.localdate()
    near = {0: _("today"), -1: _("yesterday"), 1: _("tomorrow")}.get((then - today).days)
    return near or date_format(then, "j E" if then.year == today.year else "j E Y")


def ago(value: datetime | None) -> str:
    """«только что», «6 мин назад», «через 9 мин»; from an hour on the time, «вчера, 09:00», then the day."""
    if value is None:
        return "—"
    seconds = (timezone.now() - value).total_seconds()
    minutes = round(abs(seconds) / 60)
    if minutes < 1:
        return _("just now") if seconds >= 0 else _("in a moment")
    if minutes < 60:
        form = _("{n} min ago") if seconds > 0 else _("in {n} min")
        return form.format(n=minutes)
    days = (timezone.localdate() - timezone.localtime(value).date()).days
    if days == 0:
        return date_format(timezone.localtime(value), "H:i")
    return moment(value) if abs(days) == 1 else day(value)


def when(value: datetime | None, form: str = "moment") -> SafeString:
    """A <time> element: the words of `form` (moment, ago, clock, day), the exact time and zone in its title."""
    words = {"moment": moment, "ago": ago, "clock": clock, "day": day}[form](value)
    if value is None:
        return format_html('<span class="muted">{}</span>', words)
    here = timezone.localtime(value)
    exact = f"{date_format(here, 'j E Y, H:i:s')} {timezone.get_current_timezone_name()}"
    return format_html('<time datetime="{}" title="{}">{}</time>', here.isoformat(timespec="seconds"), exact, words)


def duration_ms(value: float | None) -> str:
    """«412 мс», «2,4 с», «1 мин 20 с», «2 ч 5 мин», «3 дня»."""
    if value is None:
        return "—"
    if value < 1000:
        return _("{n} ms").format(n=number(round(value)))
    if value < MINUTE_MS:
        tenths = round(value / 1000, 1)
        if tenths < 60:
            return _("{n} s").format(n=number(int(tenths) if tenths == int(tenths) else tenths))
    if value < HOUR_MS:
        minutes, seconds = divmod(round(value / 1000), 60)
        return _join(_("{n} min").format(n=minutes), _("{n} s").format(n=seconds) if seconds else "")
    if value < DAY_MS:
        hours, minutes = divmod(round(value / MINUTE_MS), 60)
        return _join(_("{n} h").format(n=hours), _("{n} min").format(n=minutes) if minutes else "")
    days = int(value // DAY_MS)
    return ngettext("{n} day", "{n} days", days).format(n=number(days))


def duration(value: timedelta | None) -> str:
    return duration_ms(None if value is None else value.total_seconds() * 1000)


def number(value: Any) -> str:
    """«3 170» and «2,4»; "3,170" and "2.4" in English. What is not a number stays as it is."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "—" if value is None else str(value)
    return number_format(value, use_l10n=True, force_grouping=True)


def percent(value: float | None) -> str:
    """«98,6 %»; "98.6%" in English. `value` is already in per cent."""
    if value is None:
        return "—"
    return _("{n}%").format(n=number(round(value, 1)).removesuffix(".0").removesuffix(",0"))


def _join(*parts: str) -> str:
    return " ".join(filter(None, parts))
