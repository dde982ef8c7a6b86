"""Connections and what lives beside one: an authorization under way, a token answer just received, request slots."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import ApiToken, Workspace
from lib.ids import public_id

TYPES = [
    ("oauth2", "OAuth 2.0"),
    ("api_key", _("API key")),
    ("basic", _("Login and password")),
    ("bearer", _("Bearer token")),
]
STATUSES = [
    ("new", _("Not finished")),
    ("connected", _("Connected")),
    ("needs_reauthorization", _("Reconnect")),
    ("misconfigured", _("Check the settings")),
]


class Connection(models.Model):
    """One account of one service. `config` holds templates and addresses, never a secret: docs/api.md has the names."""

    public_id = models.CharField(max_length=32, unique=True, default=public_id)
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="connections")
    slug = models.SlugField(max_length=64, allow_unicode=False)
    name = models.CharField(_("Name"), max_length=120)
    type = models.CharField(_("Type"), max_length=16, choices=TYPES)
    preset = models.CharField(max_length=32, blank=True)
    config = models.JSONField(default=dict)
    secrets = models.BinaryField(null=True)  # sealed JSON: what the person typed in (client_secret, key, password, …)
    secrets_set_at = models.DateTimeField(null=True)

    status = models.CharField(max_length=24, choices=STATUSES, default="new")
    error = models.JSONField(null=True)  # {"code", "params"} of the last refusal, in words only when shown
    account = models.CharField(max_length=254, blank=True)
    scopes = models.JSONField(default=list)

    tokens = models.BinaryField(null=True)  # sealed JSON: access_token, refresh_token, the last answer
    token_version = models.BigIntegerField(default=0)
    expires_at = models.DateTimeField(null=True)
    refreshed_at = models.DateTimeField(null=True)
    refresh_owner = models.CharField(max_length=64, blank=True)
    refresh_lease_until = models.DateTimeField(null=True)
    refresh_failures = models.IntegerField(default=0)
    refresh_not_before = models.DateTimeField(null=True)

    blocked_until = models.DateTimeField(null=True)  # its service asks to wait; null: nothing holds requests back
    throttle_count = models.IntegerField(default=0, db_default=0)  # windows in a row
    probe_owner = models.CharField(max_length=64, blank=True, default="", db_default="")
    probe_until = models.DateTimeField(null=True)  # the lease of the one request that goes ahead after a window

    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    last_used_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace", "slug"], name="connection_slug_once")]

    def __str__(self) -> str:
        return self.name


class AuthorizationFlow(models.Model):
    """An authorization that has been begun: what its callback must match. The state itself is not kept."""

    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="flows")
    state_digest = models.BinaryField(max_length=32, unique=True)
    browser_digest = models.BinaryField(max_length=32, null=True)  # of a cookie; null where a token began it
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, null=True)
    token = models.ForeignKey(ApiToken, on_delete=models.CASCADE, null=True)  # what began it, where a program did
    verifier = models.BinaryField(null=True)  # sealed PKCE code verifier
    redirect_uri = models.TextField()
    config_digest = models.BinaryField(max_length=32)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)


class TokenAnswer(models.Model):
    """A token endpoint's answer, sealed and kept before anybody parses it: a crash loses no rotated token."""

    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="answers")
    token_version = models.BigIntegerField()  # the version that the request started from
    answer = models.BinaryField()
    at = models.DateTimeField(auto_now_add=True)


class RequestSlot(models.Model):
    """One of the places of a connection whose requests at once are limited; free where no lease runs."""

    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="slots")
    number = models.IntegerField()
    holder = models.CharField(max_length=64, blank=True, default="", db_default="")
    lease_until = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["connection", "number"], name="connection_slot_once")]
