"""Celery's doors."""

from celery import shared_task

from scenarios import worker


@shared_task(name="scenarios.drain", ignore_result=True)
def drain() -> None:
    """A hint that a run is due; the rows say which."""
    worker.drain()
