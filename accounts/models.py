"""Users, workspaces and who belongs to which; API tokens, invitations, the first start's link, the audit log."""

from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _

from lib.ids import public_id

KEEP_RUNS_DAYS, KEEP_DATA_DAYS = 90, 14  # without a choice of one's own
DAYS = [MinValueValidator(1), MaxValueValidator(3650)]
ROLES = [("owner", _("Owner")), ("editor", _("Editor")), ("viewer", _("Viewer"))]


class Users(BaseUserManager["User"]):
    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        user = self.model(email=email.strip().lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def get_by_natural_key(self, username: str | None) -> "User":
        return self.get(email=(username or "").strip().lower())


class User(AbstractBaseUser, PermissionsMixin):
    """A person. The e-mail address is the name to sign in with, kept in lower case."""

    public_id = models.CharField(max_length=32, unique=True, default=public_id)
    email = models.EmailField(_("E-mail"), unique=True)
    name = models.CharField(_("Name"), max_length=120, blank=True)
    language = models.CharField(_("Language"), max_length=8, default="ru")
    timezone = models.CharField(_("Time zone"), max_length=64, default="Europe/Moscow")
    is_active = models.BooleanField(default=True)
    joined_at = models.DateTimeField(auto_now_add=True)

    objects: ClassVar[Users] = Users()

    USERNAME_FIELD = "email"

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(email=Lower("email")), name="user_email_is_lower_case")
        ]

    def __str__(self) -> str:
        return self.name or self.email


class Workspace(models.Model):
    """What a team shares: connections, scenarios, runs. Everything belongs to exactly one workspace."""

    public_id = models.CharField(max_length=32, unique=True, default=public_id)
    name = models.CharField(_("Name"), max_length=120)
    timezone = models.CharField(_("Time zone"), max_length=64, default="Europe/Moscow")
    keep_runs_days = models.IntegerField(
        _("Keep runs for, days"),
        default=KEEP_RUNS_DAYS,
        db_default=KEEP_RUNS_DAYS,
        validators=DAYS,
        help_text=_("Then a run is gone: its steps, times and errors."),
    )
    keep_data_days = models.IntegerField(
        _("Keep their data for, days"),
        default=KEEP_DATA_DAYS,
        db_default=KEEP_DATA_DAYS,
        validators=DAYS,
        help_text=_(
            "Then what runs took and gave is gone, with the bodies of webhooks. Such a run cannot be repeated."
        ),
    )
    created_at = models.DateTimeField(auto_now_add=True)
    members: "models.ManyToManyField[User, Membership]" = models.ManyToManyField(
        User, through="Membership", related_name="workspaces"
    )

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(keep_data_days__gte=1, keep_data_days__lte=models.F("keep_runs_days")),
                name="data_goes_before_runs",
            )
        ]

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(_("Role"), max_length=8, choices=ROLES)
    joined_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workspace", "user"], name="membership_once"),
            models.CheckConstraint(condition=models.Q(role__in=["owner", "editor", "viewer"]), name="membership_role"),
        ]


class Invitation(models.Model):
    """A one-time link that makes somebody a member. Only the digest of its secret is kept."""

    public_id = models.CharField(max_length=32, unique=True, default=public_id)
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="invitations")
    email = models.EmailField(_("E-mail"))
    role = models.CharField(_("Role"), max_length=8, choices=ROLES)
    digest = models.BinaryField(max_length=32, unique=True)
    invited_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True)


class ApiToken(models.Model):
    """A key for programs. Only its SHA-256 digest is kept; `prefix` lets a person tell tokens apart."""

    public_id = models.CharField(max_length=32, unique=True, default=public_id)
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="api_tokens")
    created_by = models.ForeignKey(User, on_delete=models.CASCADE, related_name="api_tokens")
    name = models.CharField(_("Name"), max_length=120)
    prefix = models.CharField(max_length=12)
    digest = models.BinaryField(max_length=32, unique=True)
    role = models.CharField(_("Role"), max_length=8, choices=ROLES)
    # The token that asked for this one, if it was a token: it ends no later than that.
    made_with = models.ForeignKey("self", on_delete=models.CASCADE, null=True, related_name="made")
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(_("Expires"), null=True, blank=True)
    last_used_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)


class SetupLink(models.Model):
    """The link that the first start prints; whoever opens it first makes the owner's account."""

    digest = models.BinaryField(max_length=32, unique=True)
    created_at = models.DateTimeField(auto_now_add=True)
    used_at = models.DateTimeField(null=True)


class KeyFingerprint(models.Model):
    """Which secret keys this database has been used with, so that a changed key is noticed before it hurts."""

    key_id = models.CharField(max_length=32, primary_key=True)
    fingerprint = models.CharField(max_length=16)


class KnownNetwork(models.Model):
    """Where somebody has signed in from: what strangers do elsewhere does not lock them out there."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="known_networks")
    address = models.GenericIPAddressField()
    seen_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "address"], name="known_network_once")]


class SignInAttempt(models.Model):
    """Failed sign-ins, asked-for resets, new accounts, by account and network; invitations: what the throttle counts.

    `email` is the account; of invitations what they are counted by: a workspace, an inviter, a recipient.
    """

    kind = models.CharField(max_length=8, default="sign_in")
    email = models.CharField(max_length=254)
    address = models.GenericIPAddressField(null=True)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [models.Index(fields=["kind", "email", "at"]), models.Index(fields=["kind", "address", "at"])]


class AuditEntry(models.Model):
    """Who did what, for the owner to read; without a workspace: what happened to an account. Never changed."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="audit_entries", null=True)
    user = models.ForeignKey(User, on_delete=models.SET_NULL, null=True)
    token = models.ForeignKey(ApiToken, on_delete=models.SET_NULL, null=True)
    who = models.CharField(max_length=254, blank=True)  # as it was called then; the account may be gone by now
    action = models.CharField(max_length=64)
    subject = models.CharField(max_length=200, blank=True)
    details = models.JSONField(default=dict)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [models.Index(fields=["workspace", "-id"]), models.Index(fields=["user", "-id"])]
