"""What people type in: signing in and up, passwords, the profile, the workspace, members and tokens."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.conf import settings
from django.contrib.auth.password_validation import validate_password
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts import zones
from accounts.models import ROLES, User, Workspace
from accounts.roles import Role

LONGEST_PASSWORD = 256  # more would only keep the hash function busy
FOREVER = "0"


class EmailField(forms.EmailField):
    """An address in the form in which accounts keep it."""

    def clean(self, value: Any) -> Any:
        return super().clean(value).lower()


def email_field(autocomplete: str) -> EmailField:
    widget = forms.EmailInput(attrs={"autocomplete": autocomplete})
    return EmailField(label=_("E-mail"), max_length=254, widget=widget)


def password_field(label: Any, autocomplete: str, help_text: Any = "") -> forms.CharField:
    widget = forms.PasswordInput(attrs={"autocomplete": autocomplete})
    return forms.CharField(label=label, strip=False, max_length=LONGEST_PASSWORD, widget=widget, help_text=help_text)


def new_password_field(label: Any) -> forms.CharField:
    return password_field(label, "new-password", _("At least 8 characters. A phrase of several words is fine."))


def zone_field() -> forms.ChoiceField:
    return forms.ChoiceField(label=_("Time zone"), choices=zones.choices, initial=lambda: settings.TIME_ZONE)


class SignInForm(forms.Form):
    email = email_field("username")
    password = password_field(_("Password"), "current-password")
    remember = forms.BooleanField(label=_("Stay signed in on this device"), required=False, initial=True)


class NewAccountForm(forms.Form):
    """Somebody new whose address is known already: an invitation."""

    name = forms.CharField(label=_("Your name"), max_length=120, widget=forms.TextInput(attrs={"autocomplete": "name"}))
    password = new_password_field(_("Password"))
    timezone = zone_field()

    def __init__(self, data: Mapping[str, Any] | None = None, *, email: str = "") -> None:
        super().__init__(data)
        self.known_email = email
        if data is None:  # not over what somebody has chosen
            self.fields["timezone"].widget.attrs["data-guess-zone"] = True  # static/js/zone.js chooses the browser's

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        email = cleaned.get("email", self.known_email)
        check_new_password(self, "password", User(email=email, name=cleaned.get("name", "")))
        return cleaned


class SignUpForm(NewAccountForm):
    email = email_field("email")
    field_order: tuple[str, ...] = ("name", "email", "password", "timezone")


class SetupForm(SignUpForm):
    workspace = forms.CharField(
        label=_("Name of the workspace"), max_length=120, help_text=_("What your team shares. You can rename it later.")
    )
    field_order = ("name", "email", "password", "workspace", "timezone")


class ResetForm(forms.Form):
    email = email_field("email")


class NewPasswordForm(forms.Form):
    password = new_password_field(_("New password"))

    def __init__(self, data: Mapping[str, Any] | None = None, *, user: User) -> None:
        super().__init__(data)
        self.user = user

    def clean(self) -> dict[str, Any]:
        check_new_password(self, "password", self.user)
        return self.cleaned_data


class ChangePasswordForm(NewPasswordForm):
    current = password_field(_("Current password"), "current-password")
    revoke_tokens = forms.BooleanField(
        label=_("Revoke my API tokens as well"),
        required=False,
        help_text=_("Do this if somebody else may know the old password. Programs then need new tokens."),
    )
    field_order = ("current", "password", "revoke_tokens")

    def __init__(self, data: Mapping[str, Any] | None = None, *, user: User, has_tokens: bool) -> None:
        super().__init__(data, user=user)
        if not has_tokens:
            del self.fields["revoke_tokens"]


class ProfileForm(forms.ModelForm):  # type: ignore[type-arg]  # no generic class at run time
    timezone = zone_field()

    class Meta:
        model = User
        fields = ("name", "language", "timezone")
        labels = {"name": _("Your name")}
        widgets = {"language": forms.Select(choices=[("ru", "Русский"), ("en", "English")])}

    def clean_language(self) -> str:
        language: str = self.cleaned_data["language"]
        if language not in dict(settings.LANGUAGES):
            raise forms.ValidationError(_("Choose one of the languages."))
        return language


class WorkspaceForm(forms.ModelForm):  # type: ignore[type-arg]  # no generic class at run time
    timezone = zone_field()

    class Meta:
        model = Workspace
        fields: tuple[str, ...] = ("name", "timezone")


class WorkspaceSettingsForm(WorkspaceForm):
    class Meta(WorkspaceForm.Meta):
        fields = ("name", "timezone", "keep_runs_days", "keep_data_days")

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or {}
        if given.get("keep_data_days", 0) > given.get("keep_runs_days", given.get("keep_data_days", 0)):
            self.add_error("keep_data_days", _("The data cannot be kept longer than the runs."))
        return given


class RoleForm(forms.Form):
    role = forms.ChoiceField(label=_("Role"), choices=ROLES)


class InviteForm(forms.Form):
    email = email_field("off")
    role = forms.ChoiceField(label=_("Role"), choices=ROLES, initial=Role.EDITOR)


class TokenForm(forms.Form):
    name = forms.CharField(
        label=_("Name"), max_length=120, help_text=_("Where it is used: you will know it again by this.")
    )
    role = forms.ChoiceField(label=_("Role"))
    lifetime = forms.ChoiceField(
        label=_("Valid for"),
        choices=[("30", _("30 days")), ("90", _("90 days")), ("365", _("A year")), (FOREVER, _("Until it is revoked"))],
        initial="90",
    )

    def __init__(self, data: Mapping[str, Any] | None = None, *, role: Role) -> None:
        super().__init__(data)
        offered = [(name, title) for name, title in ROLES if role.covers(Role(name))]
        self.fields["role"] = forms.ChoiceField(label=_("Role"), choices=offered, initial=offered[0][0])

    def expires_at(self) -> datetime | None:
        lifetime = self.cleaned_data["lifetime"]
        return None if lifetime == FOREVER else timezone.now() + timedelta(days=int(lifetime))


def check_new_password(form: forms.Form, name: str, user: User) -> None:
    password = form.cleaned_data.get(name)
    if password:
        try:
            validate_password(password, user)
        except forms.ValidationError as error:
            form.add_error(name, error)
