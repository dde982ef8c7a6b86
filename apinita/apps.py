"""Joins the parts when Django starts: the egress policy, the connectors, the system checks."""

from django.apps import AppConfig
from django.conf import settings
from django.db.backends.signals import connection_created

from actions import registry
from apinita import __version__
from apinita.environment import BadSetting
from lib import egress

CONNECTORS = ["calendar_actions", "http_actions", "data_actions"]


class ApinitaConfig(AppConfig):
    name = "apinita"

    def ready(self) -> None:
        from apinita import celery, checks, pooling  # noqa: F401 — shared tasks find their app, checks are registered

        connection_created.connect(pooling.look_after)
        egress.configure(egress_policy())
        registry.load(CONNECTORS)


def egress_policy() -> egress.Policy:
    """What the environment opens and closes. Raises BadSetting."""
    try:
        return egress.Policy.from_settings(
            settings.ALLOWED_PRIVATE_HOSTS,
            denied_networks=settings.DENIED_NETWORKS,
            user_agent=f"APInita/{__version__} (+{settings.PUBLIC_URL})",
        )
    except ValueError as error:
        raise BadSetting(f"APINITA_ALLOWED_PRIVATE_HOSTS or APINITA_DENIED_NETWORKS cannot be read: {error}") from error
