"""The panels of a webhook and of a schedule as forms: the trigger's inputs in, the trigger's inputs out."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from django import forms
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from lib import workdays
from lib.errors import Json
from scenarios.pages import wording
from scenarios.pages.editor.forms import with_current
from scenarios.signatures import ALGORITHMS, ENCODINGS, IS_SET, MODES, SECRET_NAMES
from scenarios.triggers import METHODS, ScheduleTrigger

if TYPE_CHECKING:
    from django.http import QueryDict

SIGNATURE_MODES = (
    ("none", _("Anyone who knows the address"), _("The address is long and random. Fits forms of a website.")),
    ("header", _("A secret header"), _("The sender adds a header with a secret. Nearly everyone can.")),
    ("basic", _("User name and password"), _("HTTP Basic, as in https://user:password@….")),
    ("hmac", _("HMAC signature"), _("The body is checked against its signature in a header.")),
    ("github", "GitHub", _("X-Hub-Signature-256 with the secret of the webhook.")),
    ("stripe", "Stripe", _("Stripe-Signature, not older than five minutes.")),
    ("google_channel", _("Google notifications"), _("X-Goog-Channel-Token of the channel.")),
)
UNITS = (("60", _("minutes")), ("3600", _("hours")), ("86400", _("days")), ("1", _("seconds")))
RHYTHMS = (
    ("every", _("Every so often")),
    ("daily", _("Daily")),
    ("weekly", _("On days of the week")),
    ("cron", "Cron"),
)
JITTERS = (
    (0, _("No")),
    (30, _("Up to 30 seconds")),
    (60, _("Up to a minute")),
    (300, _("Up to 5 minutes")),
    (900, _("Up to 15 minutes")),
    (3600, _("Up to an hour")),
)


class WebhookForm(forms.Form):
    name = forms.CharField(label=_("Name on the card"), max_length=200, required=False)
    methods = forms.MultipleChoiceField(
        label=_("Methods"),
        choices=[(method, method) for method in METHODS],
        widget=forms.CheckboxSelectMultiple,
        help_text=_("Requests with another method get 405."),
    )
    mode = forms.ChoiceField(choices=[(mode, word) for mode, word, _hint in SIGNATURE_MODES], widget=forms.RadioSelect)
    header_name = forms.CharField(label=_("Header"), max_length=100, required=False)
    username = forms.CharField(label=_("User name"), max_length=200, required=False)
    secret = forms.CharField(
        label=_("Secret"),
        max_length=500,
        required=False,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
    algorithm = forms.ChoiceField(label=_("Algorithm"), choices=[(one, one) for one in ALGORITHMS], required=False)
    encoding = forms.ChoiceField(label=_("Written as"), choices=[(one, one) for one in ENCODINGS], required=False)
    sign_prefix = forms.CharField(
        label=_("Before the signature"), max_length=50, required=False, help_text=_("For example: sha256=")
    )
    dedupe = forms.ChoiceField(
        label=_("Repeated deliveries"),
        choices=[
            ("", _("Each request starts a run")),
            ("header", _("Told by a header")),
            ("path", _("Told by a value in the body")),
        ],
        required=False,
        help_text=_("A second delivery with the same number starts no second run."),
    )
    dedupe_value = forms.CharField(
        label=_("Where the number stands"),
        max_length=200,
        required=False,
        help_text=_("X-GitHub-Delivery, or event.id"),
    )

    def __init__(self, data: "QueryDict | None" = None, *, inputs: Mapping[str, Json], name: str) -> None:
        signature = inputs.get("signature")
        self.signature: Mapping[str, Json] = signature if isinstance(signature, dict) else {"mode": "none"}
        methods = inputs.get("methods")
        super().__init__(
            data,
            initial={
                "name": name,
                "methods": methods if isinstance(methods, list) else ["POST"],
                "mode": self.signature.get("mode", "none"),
                "header_name": self.signature.get("name") or self.signature.get("header") or "",
                "username": self.signature.get("username", ""),
                "algorithm": self.signature.get("algorithm", ""),
                "encoding": self.signature.get("encoding", ""),
                "sign_prefix": self.signature.get("prefix", ""),
                "dedupe": "header" if inputs.get("dedupe_header") else "path" if inputs.get("dedupe_path") else "",
                "dedupe_value": inputs.get("dedupe_header") or inputs.get("dedupe_path") or "",
            },
        )
        self.old = inputs
        if self.has_secret:
            self.fields["secret"].widget.attrs["placeholder"] = gettext("Set; type to replace it")

    @property
    def has_secret(self) -> bool:
        return any(self.signature.get(name) == IS_SET for name in SECRET_NAMES)

    @property
    def options(self) -> list[dict[str, Any]]:
        chosen = self["mode"].value()
        return [
            {"value": mode, "label": word, "hint": hint, "is_chosen": mode == chosen}
            for mode, word, hint in SIGNATURE_MODES
        ]

    def inputs(self) -> dict[str, Json]:
        """The trigger's inputs; a new secret stands in them in clear, one that stays as {"set": true}."""
        cleaned = self.cleaned_data
        inputs = {key: value for key, value in self.old.items() if key not in OF_WEBHOOK_FORM}
        if cleaned["methods"] != ["POST"]:
            inputs["methods"] = cleaned["methods"]
        if cleaned["mode"] != "none":
            inputs["signature"] = self.signed(cleaned)
        if cleaned["dedupe"] and cleaned["dedupe_value"]:
            inputs[f"dedupe_{cleaned['dedupe']}"] = cleaned["dedupe_value"]
        return inputs

    def signed(self, cleaned: Mapping[str, Any]) -> dict[str, Json]:
        mode = cleaned["mode"]
        needed, optional = MODES[mode]
        given = {
            "name": cleaned["header_name"],
            "header": cleaned["header_name"],
            "username": cleaned["username"],
            "algorithm": cleaned["algorithm"],
            "encoding": cleaned["encoding"],
            "prefix": cleaned["sign_prefix"],
        }
        signature: dict[str, Json] = {"mode": mode}
        for key in (*needed, *optional):
            if key in SECRET_NAMES:
                is_kept = not cleaned["secret"] and self.signature.get(key) == IS_SET
                value: Json = IS_SET if is_kept else cleaned["secret"]
            else:
                value = given[key]
            if value:
                signature[key] = value
        return signature


OF_WEBHOOK_FORM = ("methods", "signature", "dedupe_header", "dedupe_path")


class ScheduleForm(forms.Form):
    """`to_inputs` never refuses: a draft keeps what was typed, and says what is wrong with it."""

    name = forms.CharField(label=_("Name on the card"), max_length=200, required=False)
    rhythm = forms.ChoiceField(label=_("How often"), choices=RHYTHMS, widget=forms.RadioSelect)
    every = forms.IntegerField(label=_("Every"), min_value=1, max_value=100_000, required=False)
    unit = forms.ChoiceField(label=_("Unit"), choices=UNITS, required=False)
    at = forms.CharField(
        label=_("Times of day"),
        max_length=700,
        required=False,
        help_text=_("One or more with commas: 09:00, 18:30"),
    )
    weekdays = forms.TypedMultipleChoiceField(
        label=_("Days of the week"),
        choices=wording.WEEKDAYS,
        coerce=int,
        widget=forms.CheckboxSelectMultiple,
        required=False,
    )
    cron = forms.CharField(
        label=_("Cron rule"),
        max_length=200,
        required=False,
        help_text=_("Minute, hour, day, month, day of the week: 0 9 * * 1-5"),
    )
    timezone = forms.ChoiceField(label=_("Time zone"), required=False)
    days = forms.ChoiceField(
        label=_("On which days"),
        choices=ScheduleTrigger.days.choices,
        required=False,
        help_text=ScheduleTrigger.days.help,
    )
    jitter = forms.TypedChoiceField(
        label=_("Random delay"),
        coerce=int,
        required=False,
        help_text=_("Each run starts up to this much later, so that not all start at once."),
    )
    misfire = forms.ChoiceField(label=_("After an outage"), choices=ScheduleTrigger.misfire.choices, required=False)

    def __init__(
        self, data: "QueryDict | None" = None, *, inputs: Mapping[str, Json], name: str, scenario_zone: str
    ) -> None:
        super().__init__(data, initial={"name": name, **initial_of(inputs)})
        self.old = inputs
        zone = str(inputs.get("timezone") or "")
        as_scenario = gettext("As the scenario: {zone}").format(zone=scenario_zone)
        self.fields["timezone"].choices = [("", as_scenario), *with_current(zone)]  # type: ignore[attr-defined]
        self.fields["jitter"].choices = jitters(inputs.get("jitter_s"))  # type: ignore[attr-defined]

    @property
    def chosen(self) -> str:
        return str(self["rhythm"].value())

    @property
    def chosen_days(self) -> set[str]:
        return {str(day) for day in self["weekdays"].value() or ()}

    @property
    def calendar_until(self) -> int:
        """The last year whose working days the government has decreed."""
        return workdays.DECREED_UNTIL

    @property
    def is_advanced_used(self) -> bool:
        return any(self[name].value() not in ("", "0", 0, "latest", None) for name in ("days", "jitter", "misfire"))

    @property
    def jitter_words(self) -> str:
        """How much later than its time a run may start; "" for on time."""
        chosen = str(self["jitter"].value() or 0)
        words = {str(value): str(word) for value, word in self.fields["jitter"].choices}  # type: ignore[attr-defined]
        return words.get(chosen, "") if chosen != "0" else ""

    def inputs(self) -> dict[str, Json]:
        cleaned = self.cleaned_data
        inputs = {key: value for key, value in self.old.items() if key == "misfire_window_s"}
        inputs |= RULES[cleaned["rhythm"]](cleaned)
        if cleaned["timezone"]:
            inputs["timezone"] = cleaned["timezone"]
        if cleaned["misfire"] and cleaned["misfire"] != "latest":
            inputs["misfire"] = cleaned["misfire"]
        if cleaned["days"]:
            inputs["days"] = cleaned["days"]
        if cleaned["jitter"]:
            inputs["jitter_s"] = cleaned["jitter"]
        return inputs


def every(cleaned: Mapping[str, Any]) -> dict[str, Json]:
    return {"every_s": (cleaned["every"] or 15) * int(cleaned["unit"] or 60)}


def daily(cleaned: Mapping[str, Any]) -> dict[str, Json]:
    return {"daily": {"at": times(cleaned["at"])}}


def weekly(cleaned: Mapping[str, Any]) -> dict[str, Json]:
    return {"daily": {"at": times(cleaned["at"]), "weekdays": sorted(cleaned["weekdays"])}}


def cron(cleaned: Mapping[str, Any]) -> dict[str, Json]:
    return {"cron": cleaned["cron"]}


RULES = {"every": every, "daily": daily, "weekly": weekly, "cron": cron}


def jitters(current: Json) -> list[tuple[int, Any]]:
    """What the form offers, with a value that a program has set."""
    if not isinstance(current, int) or current in dict(JITTERS):
        return list(JITTERS)
    own = ngettext("Up to {n} second", "Up to {n} seconds", current).format(n=current)
    return sorted([*JITTERS, (current, own)], key=lambda choice: choice[0])


def times(text: str) -> list[Json]:
    return [word for word in re.split(r"[\s,;]+", text) if word]


def initial_of(inputs: Mapping[str, Json]) -> dict[str, Any]:
    """What the form shows of a rule; the panes that are not chosen hold something sensible."""
    shown: dict[str, Any] = {
        "rhythm": "every",
        "every": 15,
        "unit": "60",
        "at": "09:00",
        "weekdays": wording.WORKDAYS,
        "cron": "0 9 * * 1-5",
        "timezone": inputs.get("timezone", ""),
        "misfire": inputs.get("misfire", "latest"),
        "days": inputs.get("days", ""),
        "jitter": inputs.get("jitter_s", 0),
    }
    rule = inputs.get("daily")
    if isinstance(rule, dict):
        at, days = rule.get("at"), rule.get("weekdays")
        shown |= {"rhythm": "daily", "at": ", ".join(map(str, at)) if isinstance(at, list) else ""}
        if isinstance(days, list):
            shown |= {"rhythm": "weekly", "weekdays": days}
    elif "cron" in inputs:
        shown |= {"rhythm": "cron", "cron": inputs["cron"]}
    elif isinstance(inputs.get("every_s"), int):
        unit = next(size for size in (86_400, 3600, 60, 1) if inputs["every_s"] % size == 0)
        shown |= {"every": inputs["every_s"] // unit, "unit": str(unit)}
    return shown


def first_inputs(kind: str) -> dict[str, Json]:
    """What a trigger of a type begins with."""
    return {"daily": {"at": ["09:00"]}} if kind == "schedule" else {}
