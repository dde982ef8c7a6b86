"""Who is told what became of a connection: the runtime wakes the runs that waited for it."""

import logging
from collections.abc import Callable

from connections.models import Connection

authorized: list[Callable[[Connection], None]] = []  # it is connected, maybe once more
released: list[Callable[[Connection], None]] = []  # its service takes requests again

log = logging.getLogger(__name__)


def tell_authorized(connection: Connection) -> None:
    for listener in authorized:
        listener(connection)


def tell_released(connection: Connection) -> None:
    """Comes in the middle of a request, whose answer must not be lost: whoever waits looks again anyway."""
    for listener in released:
        try:
            listener(connection)
        except Exception:
            log.exception("connection %s: somebody could not be told that it is free again", connection.public_id)
