"""What the package tells others when it starts: its errors, its sealed columns, how its deeds are called."""

from django.apps import AppConfig

from lib.errors import gettext_noop as _

AUDITED = {
    "connection.created": _("Made a connection"),
    "connection.changed": _("Changed a connection"),
    "connection.authorization_begun": _("Began to authorize a connection"),
    "connection.disconnected": _("Disconnected a connection"),
    "connection.deleted": _("Deleted a connection"),
}


class ConnectionsConfig(AppConfig):
    name = "connections"

    def ready(self) -> None:
        from accounts import audit
        from accounts.events import access_lost
        from accounts.keys import sealed_in
        from connections import errors, flows, rotation  # noqa: F401 (they register what they hold)
        from connections.models import AuthorizationFlow, Connection, TokenAnswer

        sealed_in(Connection, "secrets", "tokens")
        sealed_in(AuthorizationFlow, "verifier")
        sealed_in(TokenAnswer, "answer")
        audit.name_actions(AUDITED)
        if flows.drop_flows not in access_lost:
            access_lost.append(flows.drop_flows)
