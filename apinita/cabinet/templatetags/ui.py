"""{% load ui %}: the parts that every page is made of. docs/ui.md shows each of them in use."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from django import template
from django.contrib.messages.storage.base import Message
from django.forms.boundfield import BoundField
from django.template import Context
from django.template.defaultfilters import stringfilter

from apinita.cabinet import figures, form_fields, json_tree, marks, moments, values
from apinita.cabinet.context import url_or_empty
from apinita.cabinet.marks import Text
from apinita.cabinet.slots import slotted

register = template.Library()

TAGS: tuple[Callable[..., Any], ...] = (
    marks.icon, marks.tile, marks.badge, marks.run_status, marks.connection_status, marks.kbd, marks.pill,
    figures.meter, figures.minirail, figures.ticks, json_tree.json_view, moments.when,
    form_fields.control, url_or_empty,
)  # fmt: skip
FILTERS: tuple[Callable[..., Any], ...] = (
    moments.moment, moments.clock, moments.day, moments.ago, moments.duration, moments.duration_ms,
    moments.number, moments.percent, marks.initials,
)  # fmt: skip
for tag in TAGS:
    register.simple_tag(tag)
for words in FILTERS:
    register.filter(words)
register.filter("visible", stringfilter(json_tree.visible))

register.inclusion_tag("parts/field.html", name="field")(form_fields.field)
register.inclusion_tag("parts/value_field.html", name="value_field")(values.value_field)
register.inclusion_tag("parts/datetime_field.html", name="datetime_field")(values.datetime_field)
register.inclusion_tag("parts/picker.html", name="picker")(values.picker)


def prepare_field(given: dict[str, Any]) -> dict[str, Any]:
    bound = given.pop("bound")
    return form_fields.field(bound, **given)


slotted(
    register, "field_with", "parts/field.html", args=("bound",), slots=("tools", "after"), prepare=prepare_field,
    number="", hint=None, label=None, mono=False, optional=None,
)  # fmt: skip
slotted(
    register, "plain_field", "parts/plain_field.html", args=("label",), slots=("tools", "after"),
    number="", hint="", id="", optional=False, error="",
)  # fmt: skip
slotted(register, "callout", "parts/callout.html", args=("kind",), slots=("actions",), icon="", title="", role="")
slotted(register, "oops", "parts/oops.html", args=("title",), slots=("actions", "raw"), hint="", raw_title="")
slotted(register, "empty_state", "parts/empty.html", args=("title",), slots=("actions",), art="scenario", level=2)
slotted(register, "dialog", "parts/dialog.html", args=("id", "title"), slots=("actions",), size="sm")
slotted(register, "confirm", "parts/confirm.html", args=("title",), action="", verb="", cancel="", danger=True)
slotted(
    register, "fold", "parts/fold.html", args=("title",), slots=("mark", "end"),
    summary="", open=False, group="", id="",
)  # fmt: skip
slotted(register, "menu", "parts/menu.html", args=("label",), icon="ellipsis", up=False, size="sm")
slotted(
    register, "step", "parts/step.html", args=("title",), number="", sub="", kind="action", icon="", letters="",
    href="", target="", push="", state="", state_kind="ok", current=False, variant="", id="", level=3,
)  # fmt: skip


@register.inclusion_tag("parts/adder.html")
def adder(href: str = "", name: Text = "", *, label: Text = "", target: str = "", variant: str = "") -> dict[str, Any]:
    """The + between two steps. `variant`: in, wait, end; without `href` it is only the line."""
    return {"href": href, "name": name, "label": label, "target": target, "variant": variant}


@register.inclusion_tag("parts/copyline.html")
def copyline(text: str, label: Text = "", *, id: str = "") -> dict[str, Any]:
    return {"text": text, "label": label, "id": id}


@register.inclusion_tag("parts/switch.html", takes_context=True)
def switch(context: Context, url: str, label: Text, *, on: bool, name: str = "on", word: Text = "") -> dict[str, Any]:
    """A switch that posts itself: `name=true` or no `name` at all. `word` is shown beside it, `label` is read out."""
    return {
        "url": url, "label": label, "on": on, "name": name, "word": word, "csrf_token": context.get("csrf_token"),
    }  # fmt: skip


@register.inclusion_tag("parts/seg.html")
def seg(options: Iterable[Mapping[str, Any]], current: Any, label: Text, *, size: str = "") -> dict[str, Any]:
    """Links to choose from: each option {"value", "label", "url", "count"?}."""
    return {"options": list(options), "current": current, "label": label, "size": size}


@register.inclusion_tag("parts/seg_radios.html")
def seg_radios(bound: BoundField, *, size: str = "lg") -> dict[str, Any]:
    """The radio buttons of a form field as a segmented control."""
    return {"bound": bound, "size": size}


@register.inclusion_tag("parts/kv.html")
def kv(rows: Mapping[Text, Any] | Iterable[tuple[Text, Any]]) -> dict[str, Any]:
    return {"rows": rows.items() if isinstance(rows, Mapping) else rows}


@register.inclusion_tag("parts/outrows.html")
def outrows(rows: Mapping[Text, Any] | Iterable[tuple[Text, Any]]) -> dict[str, Any]:
    """The first level of a result as rows; what is nested is shown as short JSON."""
    pairs = rows.items() if isinstance(rows, Mapping) else rows
    return {"rows": [(name, values.short(value)) for name, value in pairs]}


@register.inclusion_tag("parts/crumbs.html")
def crumbs(*labels_and_urls: Text) -> dict[str, Any]:
    """{% crumbs _("Connections") list_url _("New") %}: pairs of label and address, the last label without one."""
    *pairs, current = [
        (labels_and_urls[place], labels_and_urls[place + 1] if place + 1 < len(labels_and_urls) else "")
        for place in range(0, len(labels_and_urls), 2)
    ]
    return {"links": pairs, "current": current[0]}


@register.inclusion_tag("parts/pagination.html")
def pagination(previous_url: str | None, next_url: str | None, *, note: Text = "") -> dict[str, Any]:
    return {"previous_url": previous_url, "next_url": next_url, "note": note}


@register.inclusion_tag("parts/toast.html")
def toast(kind: str, title: Text, text: Text = "", *, action: Text = "", action_url: str = "") -> dict[str, Any]:
    """Kinds: ok, warn, err, "". Errors stay until they are closed, the others go away by themselves."""
    return {"kind": kind, "title": title, "text": text, "action": action, "action_url": action_url}


@register.inclusion_tag("parts/toast.html")
def toast_message(message: Message) -> dict[str, Any]:
    """A message of django.contrib.messages as a toast; `extra_tags="undo"` keeps it for ten seconds."""
    kind = {"success": "ok", "error": "err", "warning": "warn"}.get(message.level_tag, "")
    return {"kind": kind, "title": message.message, "text": "", "action": "", "action_url": ""}
