"""The forms of the cabinet: the sixteen fields of OAuth 2.0, and the shorter ones of keys and passwords."""

import re
from collections.abc import Mapping
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from connections import address, presets
from connections.checking import MOST_CONCURRENT
from connections.config import SECRET_BY_TYPE, KeyConfig, OAuthConfig, config_of
from connections.form_fields import (
    ListField,
    PairsField,
    StatusesField,
    format_field,
    method_field,
    secret_field,
    template_field,
)
from connections.models import Connection
from connections.presets import Preset


class ConnectionForm(forms.Form):
    """What every type has. `connection` gives the values to begin with; a secret is never among them."""

    name = forms.CharField(
        label=_("Name of the connection"),
        max_length=120,
        help_text=_("Seen only by you and your colleagues. Steps of scenarios call it so."),
    )
    api_base_url = template_field(
        label=_("Base address of the API"),
        help_text=_("Steps put their addresses after it. Empty: the address that the module knows."),
    )
    allowed_hosts = ListField(
        label=_("Where the keys may go"),
        required=False,
        help_text=_("Hosts, with commas. Empty: the hosts of the addresses above."),
    )
    check_url = template_field(
        label=_("Address of the test call"), help_text=_("A GET that must succeed, whole or after the base address.")
    )
    request_query = PairsField(label=_("Query parameters of every request"))
    request_headers = PairsField(label=_("Headers of every request"))

    max_concurrent = forms.IntegerField(
        label=_("Requests at once"),
        required=False,
        min_value=0,
        max_value=MOST_CONCURRENT,
        help_text=_("How many may be under way together in all scenarios. 0: no limit."),
    )

    def __init__(self, data: Any = None, *, connection: Connection, initial: Mapping[str, Any] | None = None) -> None:
        self.connection = connection
        self.secret_name = SECRET_BY_TYPE[connection.type]
        super().__init__(data, initial={**self.start_values(), **(initial or {})}, label_suffix="")
        secret = self.fields[self.secret_name]
        secret.help_text = (
            _("It is kept and cannot be looked at. Type a new one to replace it.")
            if connection.secrets
            else _("Once saved it cannot be looked at, only replaced.")
        )
        if connection.secrets:
            secret.widget.attrs["placeholder"] = "••••••••••••"

    def start_values(self) -> dict[str, Any]:
        return {"name": self.connection.name, **self.known_settings()}

    def known_settings(self) -> dict[str, Any]:
        """As they are stored, and the defaults of what an older version did not know."""
        return config_of(self.connection.type, self.connection.config).as_json()

    def clean_max_concurrent(self) -> int:
        return self.cleaned_data.get("max_concurrent") or 0

    def settings(self) -> dict[str, Any]:
        """What was entered, by the names of the configuration."""
        known = self.known_settings()
        return {name: value for name, value in self.cleaned_data.items() if name in known}

    def secrets(self) -> dict[str, str]:
        typed = self.cleaned_data.get(self.secret_name) or ""
        return {self.secret_name: typed} if typed else {}

    def take_errors(self, errors: Mapping[str, list[str]]) -> None:
        """Errors by path, each at its field; a field that this form does not have at the form."""
        for path, messages in errors.items():
            name = re.split(r"[.\[]", path)[0]
            part = path.removeprefix(name).strip(".[]")
            for message in messages:
                self.add_error(name if name in self.fields else None, f"{part}: {message}" if part else message)


class OAuthForm(ConnectionForm):
    client_id = forms.CharField(
        label="Client ID", required=False, max_length=4000,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )  # fmt: skip
    client_secret = secret_field("Client Secret")
    scopes = forms.MultipleChoiceField(
        label=_("Permissions"), required=False, widget=forms.CheckboxSelectMultiple, choices=()
    )
    scope = template_field(label=_("Further permissions (scope)"))
    offline = forms.BooleanField(
        label=_("Work without you"), required=False, widget=forms.CheckboxInput(attrs={"role": "switch"})
    )
    offline_was = forms.BooleanField(required=False, widget=forms.HiddenInput)
    authorization_url = template_field(
        label=_("Authorization URL"),
        is_long=True,
        help_text=_("You can paste a whole address from an instruction: we take it apart and say what is off."),
    )
    token_url = template_field(label=_("Access token URL"))
    token_method = method_field()
    token_format = format_field()
    token_params = PairsField(label=_("Data of the request"))
    token_headers = PairsField(label=_("Headers of the request"))
    token_response = PairsField(
        label=_("Where the token stands in the answer"),
        help_text=_("Only for unusual answers: access_token = data.token, also refresh_token and expires_in."),
    )
    expired_statuses = StatusesField(label=_("Statuses after which to renew"), required=False)
    refresh_url = template_field(label=_("Token refresh URL"))
    refresh_method = method_field()
    refresh_format = format_field()
    refresh_params = PairsField(label=_("Data of the request"))
    refresh_headers = PairsField(label=_("Headers of the request"))
    revoke_url = template_field(
        label=_("Revocation URL"), help_text=_("Disconnecting tells the service here, where it is known.")
    )
    use_pkce = forms.BooleanField(
        label=_("Protect the sign-in with PKCE"),
        required=False,
        help_text=_("Adds code_challenge and code_verifier. Most services take it, some require it."),
        widget=forms.CheckboxInput(attrs={"role": "switch"}),
    )
    grant = forms.ChoiceField(
        label=_("How the token is got"),
        choices=[
            ("authorization_code", _("A person signs in (authorization_code)")),
            ("client_credentials", _("By the keys alone (client_credentials)")),
        ],
    )
    expired_when = template_field(
        label=_("Condition for an expired token"),
        help_text=_("For services that answer 200 or 403: an expression over status, headers and body."),
    )
    renew_before = forms.IntegerField(
        label=_("Renew this many seconds before the end"),
        required=False,
        min_value=0,
        max_value=86_400,
        help_text=_("Empty: only after a refusal, for services that refuse an early renewal."),
    )

    def __init__(self, data: Any = None, *, connection: Connection, initial: Mapping[str, Any] | None = None) -> None:
        self.preset: Preset | None = presets.find(connection.preset)
        super().__init__(data, connection=connection, initial=initial)
        known = self.preset.scopes if self.preset else ()
        field = self.fields["scopes"]
        assert isinstance(field, forms.MultipleChoiceField)
        field.choices = [(scope.value, _(scope.title)) for scope in known]
        if self.preset and self.preset.offline:
            self.fields["offline"].help_text = _(
                "Adds access_type=offline and prompt=consent: without them Google gives no refresh token the next time."
            )
        else:
            del self.fields["offline"], self.fields["offline_was"]
        if not known:
            self.fields["scope"].label = _("Permissions (scope)")
            self.fields["scope"].help_text = _("As the service's documentation writes them, usually with spaces.")

    def start_values(self) -> dict[str, Any]:
        values = super().start_values()
        values["scopes"], values["scope"] = self.split_scope(str(values.get("scope", "")))
        if self.preset and self.preset.offline:
            parameters = dict(address.parse(str(values.get("authorization_url", ""))).pairs)
            values["offline"] = values["offline_was"] = self.preset.offline.items() <= parameters.items()
        return values

    def split_scope(self, text: str) -> tuple[list[str], str]:
        """The permissions that have a box of their own, and the others."""
        if not self.preset or not self.preset.scopes:
            return [], text
        known = {scope.value for scope in self.preset.scopes}
        asked = text.replace(",", " ").split()
        return [scope for scope in asked if scope in known], self.preset.scope_separator.join(
            scope for scope in asked if scope not in known
        )

    def settings(self) -> dict[str, Any]:
        values = super().settings()
        values["scope"] = self.joined_scope()
        wanted = self.cleaned_data.get("offline")
        # Only where the switch was moved: what somebody pasted is explained, not silently changed.
        if self.preset and self.preset.offline and wanted != self.cleaned_data.get("offline_was"):
            values["authorization_url"] = address.with_parameters(
                values.get("authorization_url", ""), self.preset.offline, wanted=bool(wanted)
            )
        return values

    def joined_scope(self) -> str:
        further = self.cleaned_data.get("scope", "")
        if not self.preset or not self.preset.scopes:
            return str(further)
        chosen = [*self.cleaned_data.get("scopes", []), *further.replace(",", " ").split()]
        return self.preset.scope_separator.join(dict.fromkeys(chosen))

    def as_config(self) -> OAuthConfig:
        """What is in the form now, right or wrong: for the preview."""
        return OAuthConfig.of({**self.connection.config, **self.settings()})


class KeyForm(ConnectionForm):
    key = secret_field(_("Key"))
    place = forms.ChoiceField(
        label=_("Where the key goes"),
        choices=[("header", _("In a header")), ("query", _("In the address"))],
        widget=forms.RadioSelect,
    )
    parameter = forms.CharField(label=_("Name of the header or parameter"), max_length=200)
    before = forms.CharField(
        label=_("What stands before the key"), required=False, max_length=100, strip=False,
        help_text=_("For example Token or Bearer. Usually nothing."),
    )  # fmt: skip

    def start_values(self) -> dict[str, Any]:
        config = KeyConfig.of(self.connection.config)
        place = "query" if config.query else "header"
        return {
            **super().start_values(),
            "place": place,
            "parameter": config.query or config.header,
            "before": config.prefix,
        }

    def settings(self) -> dict[str, Any]:
        values = super().settings()
        place, parameter = self.cleaned_data["place"], self.cleaned_data["parameter"].strip()
        return {**values, "header": "", "query": "", place: parameter, "prefix": self.cleaned_data["before"]}


class BasicForm(ConnectionForm):
    username = forms.CharField(
        label=_("Login"), required=False, max_length=400,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )  # fmt: skip
    password = secret_field(_("Password"))


class BearerForm(ConnectionForm):
    token = secret_field(_("Token"))


FORM_BY_TYPE: dict[str, type[ConnectionForm]] = {
    "oauth2": OAuthForm,
    "api_key": KeyForm,
    "basic": BasicForm,
    "bearer": BearerForm,
}


def form_for(connection: Connection, data: Any = None, *, initial: Mapping[str, Any] | None = None) -> ConnectionForm:
    return FORM_BY_TYPE[connection.type](data, connection=connection, initial=initial)
