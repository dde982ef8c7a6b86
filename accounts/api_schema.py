"""How the OpenAPI document describes signing in and errors."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework import serializers


class BearerToken(OpenApiAuthenticationExtension):
    target_class = "accounts.api_auth.TokenAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "description": "An API token of a workspace: `apn_…`."}


class Session(OpenApiAuthenticationExtension):
    target_class = "accounts.api_auth.CabinetSession"
    name = "session"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        from django.conf import settings

        return {"type": "apiKey", "in": "cookie", "name": settings.SESSION_COOKIE_NAME}


class ErrorSerializer(serializers.Serializer[Any]):
    """The body of every answer that is not a success."""

    code = serializers.CharField(help_text="One of the codes that `errors/` lists.")
    text = serializers.CharField(help_text="What happened, in the language of Accept-Language.")
    hint = serializers.CharField(help_text="What to do; may be empty.", allow_blank=True)
    params = serializers.DictField(help_text="The particulars of the text.")
    errors = serializers.DictField(  # type: ignore[assignment]  # the name is the contract's
        child=serializers.ListField(child=serializers.CharField()),
        help_text="Wrong inputs by path, such as `steps[0].inputs.start`.",
    )
