"""Joins the parts when Django starts: the egress policy, the connectors, the system checks."""

from importlib.util import find_spec

from django.apps import AppConfig

CONNECTORS = ["calendar_actions", "http_actions", "data_actions"]


class ApinitaConfig(AppConfig):
    name = "apinita"

    def ready(self) -> None:
        from django.conf import settings

        from apinita import celery, checks  # noqa: F401 — shared tasks find their app, checks are registered

        if find_spec("lib.egress.policy"):
            from lib import egress

            egress.configure(egress.Policy.from_settings(settings.ALLOWED_PRIVATE_HOSTS))
        if find_spec("actions.registry"):
            from actions import registry

            registry.load([name for name in CONNECTORS if find_spec(f"{name}.connector")])
