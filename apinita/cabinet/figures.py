"""Figures drawn by the server as SVG: sizes stand in attributes, so the strict CSP allows them."""

from collections.abc import Iterable

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apinita.cabinet.marks import Text
from apinita.cabinet.statuses import run_look

MINIRAIL_STEP, MINIRAIL_MOST, MINIRAIL_WIDTH = 14, 12, 104
TICK_STEP, TICKS_WIDTH = 5.5, 132
DOT_CLASSES = {"err": "m--err", "warn": "m--warn", "run": "m--run", "line": "m--todo", "plain": "m--todo"}
TICK_SHAPES = {"err": (" t--err", 3, 14), "warn": (" t--warn", 3, 14), "ok": ("", 5, 10)}  # class, y, height
NO_RUN = (" t--none", 12, 3)


def meter(percent: float, kind: str = "", label: Text = "") -> SafeString:
    """A bar that is `percent` full; `label` says it in words. Kinds: "", ok, warn, err."""
    return format_html(
        '<svg class="meter" role="img" aria-label="{}" preserveAspectRatio="none">'
        '<rect class="meter__bg" width="100%" height="100%"/>'
        '<rect class="meter__val{}" width="{}%" height="100%" rx="3"/></svg>',
        label, f" meter__val--{kind}" if kind else "", f"{min(max(percent, 0), 100):.4g}",
    )  # fmt: skip


def minirail(statuses: Iterable[str]) -> SafeString:
    """The steps of one run as dots on a line: the first twelve."""
    all_kinds = [run_look(status).kind for status in statuses]
    kinds = all_kinds[:MINIRAIL_MOST]
    if not kinds:
        return SafeString("")
    end = 5 + (len(kinds) - 1) * MINIRAIL_STEP
    label = ngettext("{n} step", "{n} steps", len(all_kinds)).format(n=len(all_kinds))
    dots = format_html_join(
        "",
        '<circle class="{}" cx="{}" cy="6" r="4.25"/>',
        ((DOT_CLASSES.get(kind, ""), 5 + place * MINIRAIL_STEP) for place, kind in enumerate(kinds)),
    )
    return format_html(
        '<svg class="minirail" viewBox="0 0 {} 12" preserveAspectRatio="xMinYMid" role="img" aria-label="{}">'
        '<line x1="5" x2="{}" y1="6" y2="6"/>{}</svg>',
        max(end + 5, MINIRAIL_WIDTH), label, end, dots,
    )  # fmt: skip


def ticks(statuses: Iterable[str], slots: int = 24) -> SafeString:
    """The last runs of a scenario, oldest first, right-aligned in `slots` places."""
    kinds = [run_look(status).kind for status in statuses][-slots:]
    shapes = [NO_RUN] * (slots - len(kinds)) + [TICK_SHAPES.get(kind, NO_RUN) for kind in kinds]
    failed = kinds.count("err")
    label = _("Last runs: {n}, failed: {failed}").format(n=len(kinds), failed=failed)
    bars = format_html_join(
        "",
        '<rect class="t{}" x="{}" y="{}" width="3" height="{}" rx="1.5"/>',
        ((css, place * TICK_STEP, y, height) for place, (css, y, height) in enumerate(shapes)),
    )
    return format_html(
        '<svg class="ticks" viewBox="0 0 {} 20" role="img" aria-label="{}">{}</svg>',
        max(TICKS_WIDTH, slots * TICK_STEP), label, bars,
    )  # fmt: skip
