"""What the API shows and takes of people, tokens and workspaces: docs/api.md."""

from typing import Any

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework import serializers

from accounts.api_fields import Instant, StrictModelSerializer, StrictSerializer, ZoneField
from accounts.models import ROLES, ApiToken, AuditEntry, Invitation, Membership, User, Workspace


class MemberSerializer(StrictModelSerializer):
    id = serializers.CharField(source="user.public_id", read_only=True)
    email = serializers.CharField(source="user.email", read_only=True)
    name = serializers.CharField(source="user.name", read_only=True)

    class Meta:
        model = Membership
        fields = ("id", "email", "name", "role", "joined_at")
        read_only_fields = ("joined_at",)


class RoleSerializer(StrictSerializer):
    role = serializers.ChoiceField(choices=ROLES)


class InvitationSerializer(StrictModelSerializer):
    id = serializers.CharField(source="public_id", read_only=True)
    invited_by = serializers.CharField(source="invited_by.email", read_only=True, default=None)

    class Meta:
        model = Invitation
        fields = ("id", "email", "role", "invited_by", "created_at", "expires_at")
        read_only_fields = ("created_at", "expires_at")


class NewInvitationSerializer(InvitationSerializer):
    """What inviting answers: with the link, this once."""

    url = serializers.CharField(read_only=True)

    class Meta(InvitationSerializer.Meta):
        fields = (*InvitationSerializer.Meta.fields, "url")  # type: ignore[assignment]


class TokenSerializer(StrictModelSerializer):
    id = serializers.CharField(source="public_id", read_only=True)
    created_by = serializers.CharField(source="created_by.email", read_only=True)
    expires_at = Instant(required=False, allow_null=True, help_text="Null: valid until it is revoked.")

    class Meta:
        model = ApiToken
        fields = ("id", "name", "prefix", "role", "created_by", "created_at", "expires_at", "last_used_at")
        read_only_fields = ("prefix", "created_at", "last_used_at")

    def validate_expires_at(self, value: Any) -> Any:
        if value is not None and value <= timezone.now():
            raise serializers.ValidationError(_("This moment has passed."))
        return value


class NewTokenSerializer(TokenSerializer):
    """What making a token answers: with the token itself, this once."""

    token = serializers.CharField(read_only=True)

    class Meta(TokenSerializer.Meta):
        fields = (*TokenSerializer.Meta.fields, "token")  # type: ignore[assignment]


class AuditSerializer(StrictModelSerializer):
    user = serializers.CharField(source="user.public_id", read_only=True, default=None)
    details = serializers.DictField(read_only=True)

    class Meta:
        model = AuditEntry
        fields = ("at", "who", "user", "action", "subject", "details")
        read_only_fields = ("at", "who", "action", "subject")


class WorkspaceSerializer(StrictModelSerializer):
    id = serializers.CharField(source="public_id", read_only=True)
    timezone = ZoneField()

    class Meta:
        model = Workspace
        fields = ("id", "name", "timezone", "keep_runs_days", "keep_data_days", "created_at")
        read_only_fields = ("created_at",)

    def validate(self, given: dict[str, Any]) -> dict[str, Any]:
        runs, data = (
            given.get(name, getattr(self.instance, name, None)) for name in ("keep_runs_days", "keep_data_days")
        )
        if runs is not None and data is not None and data > runs:
            raise serializers.ValidationError({"keep_data_days": [_("The data cannot be kept longer than the runs.")]})
        return given


class UserSerializer(StrictModelSerializer):
    id = serializers.CharField(source="public_id", read_only=True)
    language = serializers.ChoiceField(choices=settings.LANGUAGES)
    timezone = ZoneField()

    class Meta:
        model = User
        fields = ("id", "email", "name", "language", "timezone")
        read_only_fields = ("email",)


class MeSerializer(StrictSerializer):
    """Who calls: the person, the workspace, the role, and the token if it is one."""

    user = UserSerializer()
    workspace = WorkspaceSerializer()
    role = serializers.ChoiceField(choices=ROLES)
    token = TokenSerializer(allow_null=True)


class UsageSerializer(StrictSerializer):
    """Counts of the current month by the workspace's clock."""

    since = Instant()
    counts = serializers.DictField(child=serializers.IntegerField(), help_text="Such as runs, members, tokens.")


class ReasonSerializer(StrictSerializer):
    reason = serializers.CharField(help_text="Stands in `params.reason` and narrows the code.")
    text = serializers.CharField()
    hint = serializers.CharField()
    button = serializers.CharField(allow_blank=True, help_text="What may be pressed under it in the cabinet; or empty.")
    button_label = serializers.CharField(allow_blank=True)


class CatalogueSerializer(StrictSerializer):
    """An error code; `{name}` stands for a parameter."""

    code = serializers.CharField()
    text = serializers.CharField()
    hint = serializers.CharField()
    button = serializers.CharField(allow_blank=True, help_text="What may be pressed under it in the cabinet; or empty.")
    button_label = serializers.CharField(allow_blank=True)
    reasons = ReasonSerializer(many=True)
