from django.apps import AppConfig


class ConnectionsConfig(AppConfig):
    name = "connections"

    def ready(self) -> None:
        from accounts.keys import sealed_in
        from connections import errors, rotation  # noqa: F401 (they register what they hold)
        from connections.models import Connection

        sealed_in(Connection, "secrets", "tokens")
