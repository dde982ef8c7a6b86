"""Serializers that take what they name and refuse everything else, by name; times in UTC as RFC 3339."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from django.db import models
from django.utils.translation import gettext as _
from rest_framework import serializers

from accounts import zones
from lib import rfc3339


class Instant(serializers.DateTimeField):
    """A moment: read as strict RFC 3339 with its offset, written in UTC."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"default_timezone": UTC} | options)

    def to_internal_value(self, value: Any) -> datetime:
        if isinstance(value, datetime):
            return value
        try:
            return rfc3339.parse(str(value))
        except rfc3339.NotRFC3339 as error:
            raise serializers.ValidationError(_(error.message)) from None


class ZoneField(serializers.CharField):
    """A time zone by its name, such as Europe/Moscow."""

    def to_internal_value(self, data: Any) -> str:
        name = super().to_internal_value(data)
        if not zones.exists(name):
            raise serializers.ValidationError(_("There is no such time zone."))
        return name


class StrictSerializer(serializers.Serializer[Any]):
    """Refuses fields that it does not have or that can only be read, instead of passing over them."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping):
            wrong = {str(name): [self.why_not(str(name))] for name in data if self.why_not(str(name))}
            if wrong:
                raise serializers.ValidationError(wrong)
        return super().to_internal_value(data)

    def why_not(self, name: str) -> str:
        field = self.fields.get(name)
        if field is None:
            return _("There is no such field.")
        return _("This field can only be read.") if field.read_only else ""


class StrictModelSerializer(StrictSerializer, serializers.ModelSerializer[Any]):
    """The same for a model; its `fields` are always listed by name."""

    serializer_field_mapping = serializers.ModelSerializer.serializer_field_mapping | {models.DateTimeField: Instant}
