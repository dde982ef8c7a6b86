"""What `manage.py check --deploy` says about the settings of an installation that others reach."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register

LOOPBACK = {"127.0.0.1", "localhost", "::1"}


@register(Tags.security, deploy=True)
def keys(app_configs: Sequence[AppConfig] | None, **options: Any) -> list[CheckMessage]:
    if settings.HAS_KEYS:
        return []
    return [
        Error(
            "There are no secret keys, so no secret could be read or kept.",
            hint="Set APINITA_SECRET_KEYS, or start once with `python manage.py up`, which makes them.",
            id="apinita.E001",
        )
    ]


@register(Tags.security, deploy=True)
def public_installation(app_configs: Sequence[AppConfig] | None, **options: Any) -> list[CheckMessage]:
    """What is fine for `make run` on one's own machine and wrong for an installation that others reach."""
    found: list[CheckMessage] = []
    if urlsplit(settings.PUBLIC_URL).hostname in LOOPBACK:
        found.append(
            Warning(
                "APINITA_URL is not set, so links and redirect URLs lead to this machine only.",
                hint="Set APINITA_URL to the address that people use, for example https://apinita.example.",
                id="apinita.W001",
            )
        )
    if settings.EMBEDDED:
        found.append(
            Warning(
                "The embedded PostgreSQL and Valkey serve one machine only.",
                hint="Set DATABASE_URL and REDIS_URL.",
                id="apinita.W002",
            )
        )
    if settings.SANDBOX_URL:
        found.append(
            Warning(
                "The sandbox is offered to the users: it is a toy, never a part of production.",
                hint="Unset APINITA_SANDBOX_URL.",
                id="apinita.W003",
            )
        )
    return found
