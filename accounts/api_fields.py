"""Serializers that take what they name and refuse everything else, by name."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _
from rest_framework import serializers


class StrictSerializer(serializers.Serializer[Any]):
    """Refuses fields that it does not have or that can only be read, instead of passing over them."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping):
            wrong = {name: self.why_not(str(name)) for name in data if self.why_not(str(name))}
            if wrong:
                raise serializers.ValidationError({name: [why] for name, why in wrong.items()})
        return super().to_internal_value(data)

    def why_not(self, name: str) -> str:
        field = self.fields.get(name)
        if field is None:
            return _("There is no such field.")
        return _("This field can only be read.") if field.read_only else ""


class StrictModelSerializer(StrictSerializer, serializers.ModelSerializer[Any]):
    """The same for a model; its `fields` are always listed by name."""
