"""The worker process: a Celery app whose messages are hints, and the runtime that starts and stops with it.

A message says "there may be work" and nothing else; the work itself is found in PostgreSQL. So messages are
acknowledged at once, carry no payload, and no result is kept: losing or doubling one is harmless.
"""

import os
import threading
import warnings
from typing import Any

from celery import Celery
from celery.exceptions import SecurityWarning
from celery.signals import worker_init, worker_ready, worker_shutting_down
from django.conf import settings

from apinita import broker, environment

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "apinita.settings")

# Its reason, running what a pickled message says, does not hold here: messages are JSON and carry nothing.
warnings.filterwarnings("ignore", category=SecurityWarning)

STOP_WITHIN_S = 25
GONE_WITHIN_S = 30

broker.use()
app = Celery("apinita")
app.conf.update(
    broker_url=settings.REDIS_URL.replace("unix://", "redis+socket://", 1),
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    broker_transport_options={
        "visibility_timeout": 3600,
        "unacked_restore_interval": 10,
        "unacked_restore_throttle": 1,
        "socket_connect_timeout": 2,
    },
    # A publisher must not wait for a broker that is away: the sweep in every worker finds the work anyway.
    task_publish_retry=False,
    result_backend=None,
    task_ignore_result=True,
    task_store_errors_even_if_ignored=False,
    task_serializer="json",
    accept_content=["json"],
    task_default_queue="engine",
    task_acks_late=False,
    worker_prefetch_multiplier=1,
    worker_disable_rate_limits=True,
    worker_enable_remote_control=False,
    worker_send_task_events=False,
    worker_hijack_root_logger=False,
    worker_cancel_long_running_tasks_on_connection_loss=False,
    timezone="UTC",
)
app.autodiscover_tasks()


@worker_init.connect
def require_keys(**details: Any) -> None:
    environment.require_keys()


@worker_ready.connect
def start_runtime(**details: Any) -> None:
    from scenarios import worker

    worker.start()


@worker_shutting_down.connect
def stop_runtime(**details: Any) -> None:
    """End within a known time whatever hangs: the lease of an unfinished run passes to another worker."""
    last_resort = threading.Timer(GONE_WITHIN_S, os._exit, args=[1])
    last_resort.daemon = True
    last_resort.start()
    from scenarios import worker

    threading.Thread(target=worker.stop, kwargs={"timeout": STOP_WITHIN_S}, name="runtime-stop").start()
