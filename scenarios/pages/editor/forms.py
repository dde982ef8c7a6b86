"""What people type in about a whole scenario: a new one, its name and settings, a run by hand, a document to import."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts import zones
from lib import safe_json
from lib.errors import Json
from scenarios.document import LONGEST_NAME, Document, Settings
from scenarios.pages.editor.step_inputs import Pair, as_text, parsed
from scenarios.triggers import TRIGGERS

if TYPE_CHECKING:
    from django.http import QueryDict

LARGEST_DOCUMENT = 1_000_000  # characters
VARIABLE = "var"


def trigger_choices() -> list[tuple[str, Any]]:
    return [(key, kind.title) for key, kind in TRIGGERS.items()]


class JsonText(forms.CharField):
    """A text that is JSON; `cleaned_data` holds its value. A blank one is {}."""

    def __init__(self, **rest: Any) -> None:
        super().__init__(
            widget=forms.Textarea(attrs={"class": "textarea--mono", "rows": 6, "spellcheck": "false"}), **rest
        )

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        if not text:
            return {}
        try:
            return safe_json.loads(text)
        except safe_json.JsonError as error:
            raise ValidationError(gettext("This is not JSON: {why}.").format(why=error)) from None


class NewScenarioForm(forms.Form):
    name = forms.CharField(label=_("Name"), max_length=LONGEST_NAME, required=False)
    trigger = forms.ChoiceField(label=_("What starts it"), choices=trigger_choices, widget=forms.RadioSelect)


class NameForm(forms.Form):
    name = forms.CharField(label=_("Name"), max_length=LONGEST_NAME)


class KeyForm(forms.Form):
    key = forms.CharField(
        label=_("Key"),
        max_length=64,
        help_text=_("Small Latin letters, digits and _. The references to the step are rewritten."),
    )


class RunForm(forms.Form):
    body = JsonText(
        label=_("Data for the run"),
        required=False,
        max_length=LARGEST_DOCUMENT,
        help_text=_("JSON: what the trigger's body would be."),
    )


class ImportForm(forms.Form):
    document = JsonText(
        label=_("Document"), max_length=LARGEST_DOCUMENT, help_text=_("JSON, as “Export” gives it: format 1.")
    )


class SettingsForm(forms.Form):
    """Settings of the document; variables come as rows `var.0.name`, `var.0.value`, …"""

    timezone = forms.ChoiceField(
        label=_("Time zone"), required=False, help_text=_("For schedules and dates of this scenario.")
    )
    on_unknown = forms.ChoiceField(
        label=_("A step whose outcome nobody knows"),
        choices=[("stop", _("Stop the run and ask a person")), ("repeat", _("Send it again"))],
        help_text=_("The worker died in the middle of a step, and a repeat could act twice."),
    )
    max_concurrent_runs = forms.IntegerField(
        label=_("How many runs at a time"),
        min_value=0,
        max_value=1_000_000,
        required=False,
        help_text=_("0: no limit. 1: strictly in order, each run begins when the one before has ended."),
    )

    def __init__(self, data: "QueryDict | None" = None, *, document: Document, workspace_zone: str) -> None:
        super().__init__(data, initial=vars(document.settings))
        as_workspace = gettext("As the workspace: {zone}").format(zone=workspace_zone)
        self.fields["timezone"].choices = [("", as_workspace), *with_current(document.settings.timezone)]  # type: ignore[attr-defined]
        self.before = document
        self.rows = rows_of(data) if data is not None else self.known_rows()

    def known_rows(self) -> list[Pair]:
        return [Pair(name, as_text(value)) for name, value in self.before.variables.items()]

    @property
    def shown_rows(self) -> list[Pair]:
        return [*self.rows, Pair("", ""), Pair("", "")]

    def settings(self) -> Settings:
        return Settings(
            timezone=self.cleaned_data["timezone"],
            on_unknown=self.cleaned_data["on_unknown"],
            max_concurrent_runs=self.limit(),
        )

    def limit(self) -> int:
        """A form that does not mention the limit leaves it as it is."""
        if "max_concurrent_runs" not in self.data:
            return self.before.settings.max_concurrent_runs
        return self.cleaned_data["max_concurrent_runs"] or 0

    def variables(self) -> dict[str, Json]:
        """What looks like JSON (a number, true, a list) is JSON; the rest is text, and what was not touched stays."""
        old = self.before.variables
        return {
            row.name: old[row.name]
            if row.name in old and as_text(old[row.name]) == row.value
            else parsed(row.value, row.value)
            for row in self.rows
            if row.name
        }


def with_current(zone: str) -> list[tuple[str, str]]:
    found = zones.choices()
    return found if not zone or any(zone == key for key, _word in found) else [(zone, zone), *found]


def rows_of(data: "QueryDict") -> list[Pair]:
    rows = []
    number = 0
    while f"{VARIABLE}.{number}.name" in data:
        name = data.get(f"{VARIABLE}.{number}.name", "").strip()
        if name:
            rows.append(Pair(name, data.get(f"{VARIABLE}.{number}.value", "")))
        number += 1
    return rows
