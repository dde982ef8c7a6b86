"""A form field as the design draws it: number, label, tools, control, hint, error; names tied for screen readers."""

from typing import Any

from django import forms
from django.forms.boundfield import BoundField
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from apinita.cabinet.marks import Text, icon


def field(
    bound: BoundField,
    *,
    number: int | str = "",
    hint: Text | None = None,
    tools: Text = "",
    label: Text | None = None,
    mono: bool = False,
    optional: bool | None = None,
) -> dict[str, Any]:
    """The context of parts/field.html. `optional` defaults to what the form field says; `mono` is for codes."""
    widget = bound.field.widget
    hint = bound.help_text if hint is None else hint
    many = isinstance(widget, forms.RadioSelect)  # forms.CheckboxSelectMultiple is its subclass
    single = isinstance(widget, forms.CheckboxInput)
    id_ = bound.id_for_label or bound.auto_id
    return {
        "bound": bound,
        "id": id_,
        "label": bound.label if label is None else label,
        "number": number,
        "tools": tools,
        "hint": hint,
        "optional": (not bound.field.required and not single) if optional is None else optional,
        "errors": bound.errors,
        "layout": "options" if many else "check" if single else "control",
        "option_kind": "checkbox" if isinstance(widget, forms.CheckboxSelectMultiple) else "radio",
        "is_switch": widget.attrs.get("role") == "switch",
        "control": "" if many else control(bound, mono=mono, hint=bool(hint)),
    }


def control(bound: BoundField, *, mono: bool = False, hint: bool = False) -> SafeString:
    """The input alone, with the classes of the design; a password gets a button that shows it."""
    widget = bound.field.widget
    id_ = bound.auto_id
    described = " ".join(filter(None, [f"{id_}_hint" if hint else "", f"{id_}_error" if bound.errors else ""]))
    attrs: dict[str, Any] = {"class": f"{widget.attrs.get('class', '')} {_classes(widget, mono)}".strip()}
    if described:
        attrs["aria-describedby"] = described
    if bound.errors:
        attrs["aria-invalid"] = "true"
    if isinstance(widget, forms.Textarea):
        attrs["data-autosize"] = True
        if widget.attrs.get("rows") == "10":  # Django's default, too tall for our forms
            attrs["rows"] = 3
    html = bound.as_widget(attrs=attrs)
    return _with_reveal(html) if isinstance(widget, forms.PasswordInput) else html


def _classes(widget: forms.Widget, mono: bool) -> str:
    if isinstance(widget, forms.CheckboxInput):
        return "switch" if widget.attrs.get("role") == "switch" else "check"
    if isinstance(widget, forms.Select):
        return "select"
    base = "textarea" if isinstance(widget, forms.Textarea) else "input"
    return f"{base} {base}--mono" if mono else base


def _with_reveal(html: SafeString) -> SafeString:
    return format_html(
        '<div class="input-group">{}<button class="btn" type="button" data-reveal aria-pressed="false" '
        'aria-label="{}" hidden>{}</button></div>',
        html, _("Show what is typed"), icon("eye"),
    )  # fmt: skip
