"""What a step does at an error: which ones are tried again and how often, and what happens then."""

import re
from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from scenarios.document import RETRY_ON, Retry, Step

if TYPE_CHECKING:
    from django.http import QueryDict

RULE = ("attempts", "delay_s", "factor", "max_delay_s")
USUAL_ERRORS = [
    ("429", _("Too many requests (429)")),
    ("5xx", _("The server failed (5xx)")),
    ("upstream_timeout", _("No answer in time")),
    ("upstream_unreachable", _("The server cannot be reached")),
]


class PolicyForm(forms.Form):
    """`on_error` is not asked for where the step has steps for errors already: they would be lost."""

    on_error = forms.ChoiceField(
        label=_("If the step fails"),
        choices=[
            ("stop", _("The run fails here")),
            ("continue", _("Go on with the next step")),
            ("handle", _("Do steps of its own, then go on")),
        ],
        widget=forms.RadioSelect,
        required=False,
    )
    retries = forms.ChoiceField(
        label=_("Repeats"),
        choices=[("usual", _("As usual")), ("own", _("By a rule of its own"))],
        widget=forms.RadioSelect,
        help_text=_("As usual: a temporary failure is tried again up to five times where a repeat cannot act twice."),
    )
    attempts = forms.IntegerField(label=_("Attempts, the first one included"), min_value=1, max_value=100)
    delay_s = forms.FloatField(label=_("Pause before the second, seconds"), min_value=0, max_value=86_400)
    factor = forms.FloatField(label=_("Each next pause is longer by"), min_value=1, max_value=10)
    max_delay_s = forms.FloatField(label=_("Longest pause, seconds"), min_value=0, max_value=86_400)
    on = forms.MultipleChoiceField(
        label=_("Which errors are tried again"),
        choices=USUAL_ERRORS,
        widget=forms.CheckboxSelectMultiple,
        required=False,
        help_text=_("None chosen: those that may pass by themselves."),
    )
    on_other = forms.CharField(
        label=_("Other statuses and codes"),
        required=False,
        max_length=500,
        help_text=_("With commas: 409, 4xx, upstream_invalid."),
    )

    def __init__(self, data: "QueryDict | None" = None, *, step: Step) -> None:
        super().__init__(data, initial=initial_of(step))
        self.step = step
        for name in RULE:
            self.fields[name].required = bool(data) and data.get("retries") == "own"  # type: ignore[union-attr]

    @property
    def handler_count(self) -> int:
        return len(self.step.on_error) if isinstance(self.step.on_error, tuple) else 0

    def clean_on_other(self) -> list[str]:
        words = [word for word in re.split(r"[\s,;]+", self.cleaned_data["on_other"]) if word]
        for word in words:
            if not RETRY_ON.fullmatch(word):
                raise ValidationError(gettext("“{word}” is neither a status nor a code.").format(word=word))
        return words

    def changes(self) -> dict[str, Any]:
        """What of the step changes; nothing where the form is wrong or was not posted."""
        return {"retry": self.retry(), **self.handling()} if self.is_valid() else {}

    def retry(self) -> Retry | None:
        cleaned = self.cleaned_data
        if cleaned["retries"] != "own":
            return None
        pauses = {name: tidy(cleaned[name]) for name in RULE[1:]}
        on = dict.fromkeys([*cleaned["on"], *cleaned["on_other"]])
        return Retry(attempts=cleaned["attempts"], on=tuple(on), **pauses)

    def handling(self) -> dict[str, Any]:
        chosen = self.cleaned_data["on_error"]
        if self.handler_count or not chosen:
            return {}
        return {"on_error": () if chosen == "handle" else chosen}


def initial_of(step: Step) -> dict[str, Any]:
    retry = step.retry or Retry()
    usual = [key for key, _label in USUAL_ERRORS]
    return {
        "on_error": step.on_error if isinstance(step.on_error, str) else "handle",
        "retries": "own" if step.retry else "usual",
        "attempts": retry.attempts,
        **{name: f"{getattr(retry, name):g}" for name in RULE[1:]},
        "on": [one for one in retry.on if one in usual],
        "on_other": ", ".join(one for one in retry.on if one not in usual),
    }


def tidy(number: float) -> float:
    return int(number) if number == int(number) else number
