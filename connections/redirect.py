"""The redirect URI of a connection, field 16: one value, shown for copying and used verbatim in both requests."""

from django.conf import settings

from connections.models import Connection


def redirect_uri(connection: Connection) -> str:
    """Field 16."""
    return f"{settings.PUBLIC_URL}/connections/{connection.public_id}/callback/"
