"""Fields that take a value or an expression, the RFC 3339 field, and the list of values to insert."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from apinita.cabinet.instants import Instant, offset_label
from apinita.cabinet.json_tree import visible
from apinita.cabinet.marks import Text

SHORT_CHARS = 200
TYPE_ICONS = {
    "text": "type", "number": "hash", "boolean": "toggle-left", "list": "brackets", "object": "braces",
    "datetime": "calendar", "null": "circle-dashed", "function": "sigma", "variable": "variable",
}  # fmt: skip
TABS: dict[str, str | Promise] = {
    "steps": _("Data of steps"), "functions": _("Dates and functions"), "variables": _("Variables"),
}  # fmt: skip
COMMON_ZONES: dict[str, str | Promise] = {
    "Europe/Kaliningrad": _("Kaliningrad"), "Europe/Moscow": _("Moscow"), "Europe/Samara": _("Samara"),
    "Asia/Yekaterinburg": _("Yekaterinburg"), "Asia/Omsk": _("Omsk"), "Asia/Novosibirsk": _("Novosibirsk"),
    "Asia/Irkutsk": _("Irkutsk"), "Asia/Vladivostok": _("Vladivostok"), "Europe/Minsk": _("Minsk"),
    "Asia/Almaty": _("Almaty"), "Europe/London": _("London"), "Europe/Berlin": _("Berlin"),
    "America/New_York": _("New York"), "UTC": "UTC",
}  # fmt: skip


@dataclass(frozen=True)
class Pick:
    """A value to insert. `expression` is what stands between the braces: "s2.body.items[0].summary".

    `type` is a key of TYPE_ICONS, `sample` the last known value as text, `depth` how far it is indented (0-2).
    """

    label: Text
    expression: str
    type: str = "text"
    sample: str = ""
    depth: int = 0
    help: Text = ""

    @property
    def icon(self) -> str:
        return TYPE_ICONS.get(self.type, "type")


@dataclass(frozen=True)
class PickGroup:
    """The values of one step (`key`, `number`, `kind` as on its card), or of one kind of helper (no key)."""

    title: Text
    picks: Iterable[Pick]
    key: str = ""
    number: Text = ""
    kind: str = "action"
    icon: str = "braces"
    note: Text = ""
    tab: str = "steps"
    test_url: str = ""  # where to test the step, when there is no sample yet


@dataclass(frozen=True)
class Tab:
    key: str
    label: Text
    groups: list[PickGroup] = field(default_factory=list)


def picker(
    groups: Iterable[PickGroup | Mapping[str, Any]], *, id: str = "picker", refresh_url: str = ""
) -> dict[str, Any]:
    """The popover that all value fields of a page share. Nearest step first; a group may come as a dict."""
    tabs = {key: Tab(key, label) for key, label in TABS.items()}
    for given in groups:
        group = given if isinstance(given, PickGroup) else _as_group(given)
        tabs[group.tab].groups.append(group)
    return {"tabs": [tab for tab in tabs.values() if tab.groups], "id": id, "refresh_url": refresh_url}


def value_field(
    name: str,
    value: Any = "",
    *,
    label: Text,
    id: str = "",
    hint: Text = "",
    error: Text = "",
    number: Text = "",
    optional: bool = False,
    multiline: bool = False,
    preview_url: str = "",
    placeholder: str = "",
    picker: str = "picker",
) -> dict[str, Any]:
    """The context of parts/value_field.html: text with chips, one line (<pill-box>) or many (a textarea)."""
    return {
        "name": name, "value": as_template(value), "label": label, "id": id or f"id_{name}", "hint": hint,
        "error": error, "number": number, "optional": optional, "multiline": multiline, "preview_url": preview_url,
        "placeholder": placeholder, "picker": picker,
    }  # fmt: skip


def datetime_field(
    name: str,
    value: Any = "",
    *,
    label: Text,
    instant_url: str,
    id: str = "",
    hint: Text = "",
    error: Text = "",
    optional: bool = False,
    zone: str = "",
    zones: Iterable[str] = COMMON_ZONES,
    preview_url: str = "",
    picker: str = "picker",
) -> dict[str, Any]:
    """The context of parts/datetime_field.html. `zone` is the one chosen at first: the scenario's."""
    text = as_template(value)
    at = _parsed(text)
    here = zone or timezone.get_current_timezone_name()
    now = timezone.now()
    names = list(dict.fromkeys([here, *zones]))
    return {
        "name": name, "value": text, "label": label, "id": id or f"id_{name}", "hint": hint, "error": error,
        "optional": optional, "preview_url": preview_url, "picker": picker, "instant_url": instant_url,
        "mode": "clock" if at or not text else "data" if "{{" in text or "<<" in text else "raw",
        "instant": at and Instant(at), "local": _local(at, here) if at else "", "zone": here,
        "zones": [(zone, zone_label(zone, now=now)) for zone in names],
    }  # fmt: skip


def _as_group(given: Mapping[str, Any]) -> PickGroup:
    picks = [pick if isinstance(pick, Pick) else Pick(**pick) for pick in given["picks"]]
    return PickGroup(**{**given, "picks": picks})


def zone_label(zone: str, *, now: datetime) -> str:
    """«Москва, UTC+3»."""
    if zone == "UTC":
        return zone
    city = COMMON_ZONES.get(zone) or zone.split("/")[-1].replace("_", " ")
    return f"{city}, {offset_label(zone, now=now)}"


def as_template(value: Any) -> str:
    """An input of a step as the text of its field: text as it is, anything else as JSON."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def short(value: Any) -> str:
    """A value on one line, cut at 200 characters."""
    text = visible(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str))
    return text if len(text) <= SHORT_CHARS else f"{text[:SHORT_CHARS]}…"


def _parsed(text: str) -> datetime | None:
    """An RFC 3339 text as a moment; None where it is something else, an expression say."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at if at.tzinfo is not None else None


def _local(at: datetime, zone: str) -> str:
    """What <input type=datetime-local> takes."""
    return at.astimezone(ZoneInfo(zone)).replace(tzinfo=None).isoformat(timespec="minutes")
