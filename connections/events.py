"""Who is told when a connection became connected: the runtime wakes the runs that waited for it."""

from collections.abc import Callable

from connections.models import Connection

authorized: list[Callable[[Connection], None]] = []


def tell_authorized(connection: Connection) -> None:
    for listener in authorized:
        listener(connection)
