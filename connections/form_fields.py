"""Fields that the forms of connections are made of: rows of templates, lists in one line, addresses, secrets."""

import re
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from connections.config import FORMATS, METHODS

FORMAT_NAMES = {"form": "application/x-www-form-urlencoded", "json": "application/json"}
ORDER = ("grant_type", "client_id", "client_secret", "redirect_uri", "code", "refresh_token", "Authorization")


class PairsWidget(forms.Widget):
    """Rows of name and template: `token_params_name` and `token_params_value`, as often as there are rows."""

    template_name = "connections/pairs.html"

    def value_from_datadict(self, data: Any, files: Any, name: str) -> dict[str, str]:
        keys, values = data.getlist(f"{name}_name"), data.getlist(f"{name}_value")
        rows = zip(keys, values, strict=False)
        return {key.strip(): value for key, value in rows if key.strip()}

    def value_omitted_from_data(self, data: Any, files: Any, name: str) -> bool:
        return False

    def get_context(self, name: str, value: Any, attrs: Any) -> dict[str, Any]:
        context = super().get_context(name, value, attrs)
        context["widget"]["rows"] = sorted((value or {}).items(), key=by_custom)
        return context

    def format_value(self, value: Any) -> Any:
        return value


def by_custom(row: tuple[str, str]) -> tuple[int, str]:
    """In the order in which instructions name them: the database keeps none. A blank row stays last."""
    name = row[0]
    return (ORDER.index(name) if name in ORDER else len(ORDER) + (not name), name)


class PairsField(forms.Field):
    widget = PairsWidget

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"required": False} | options)

    def clean(self, value: Any) -> dict[str, str]:
        return dict(value or {})


class ListField(forms.CharField):
    """Several short values in one line, with commas or spaces."""

    def prepare_value(self, value: Any) -> str:
        return value if isinstance(value, str) else ", ".join(str(one) for one in value or [])

    def clean(self, value: Any) -> Any:
        return [one for one in re.split(r"[\s,;]+", super().clean(value)) if one]


class StatusesField(ListField):
    def clean(self, value: Any) -> Any:
        found = super().clean(value)
        if not all(re.fullmatch("[1-5][0-9][0-9]", one) for one in found):
            raise forms.ValidationError(_("Statuses are numbers from 100 to 599, for example 401, 403."))
        return [int(one) for one in found]


class TemplateField(forms.CharField):
    """One line of a template, shown as many as it needs; a line break in a pasted address is none of its letters."""

    def clean(self, value: Any) -> Any:
        return re.sub(r"\s*[\r\n]\s*", "", super().clean(value))


def template_field(*, label: Any, help_text: Any = "", is_long: bool = False) -> forms.CharField:
    attrs = {"spellcheck": "false", "autocomplete": "off"}
    widget = forms.Textarea(attrs={**attrs, "rows": 2}) if is_long else forms.TextInput(attrs=attrs)
    return TemplateField(label=label, help_text=help_text, required=False, max_length=4000, widget=widget)


def method_field() -> forms.ChoiceField:
    return forms.ChoiceField(label=_("Method"), choices=[(method, method) for method in METHODS])


def format_field() -> forms.ChoiceField:
    return forms.ChoiceField(label=_("Data type"), choices=[(name, FORMAT_NAMES[name]) for name in FORMATS])


def secret_field(label: Any) -> forms.CharField:
    widget = forms.PasswordInput(attrs={"autocomplete": "new-password", "spellcheck": "false"})
    return forms.CharField(label=label, required=False, max_length=4000, widget=widget)
