"""The runtime of a worker process: made when Celery is ready, ended when it shuts down."""

from scenarios.runtime import Runtime
from scenarios.scheduler import Scheduler

_parts: tuple[Runtime, Scheduler] | None = None


def start() -> None:
    global _parts
    if _parts is None:
        runtime = Runtime()
        scheduler = Scheduler(runtime)
        scheduler.start()
        _parts = (runtime, scheduler)


def stop(timeout: float = 25) -> None:
    """Hands over what is under way within `timeout` seconds."""
    global _parts
    if _parts is not None:
        runtime, scheduler = _parts
        scheduler.stop()
        runtime.stop(timeout)
        _parts = None


def drain() -> int:
    """Execute what is due; nothing before the runtime is there: its scheduler looks by itself."""
    return _parts[0].drain() if _parts else 0
