"""The way to the broker, for workers that must outlive what lies in it: a message that cannot be read is dropped."""

import logging

from kombu.transport import TRANSPORT_ALIASES, redis

log = logging.getLogger(__name__)

# What Kombu meets in a message that nobody of ours wrote; the broker's own failures are none of these.
UNREADABLE = (ValueError, LookupError, TypeError, AttributeError, RecursionError)


class Transport(redis.Transport):
    """Kombu's, whose loop would otherwise end with the worker: whoever reaches the broker could stop them all."""

    def on_readable(self, fileno: int) -> None:  # type: ignore[override]  # Kombu's own Redis transport does so
        try:
            super().on_readable(fileno)
        except UNREADABLE as error:
            # It has been taken out of the queue; not its content, which may be anything.
            log.warning("a message that cannot be read was dropped: %s", type(error).__name__)


def use() -> None:
    """Every connection to Redis that Celery opens from now on is of this kind."""
    TRANSPORT_ALIASES["redis"] = f"{__name__}:{Transport.__name__}"
