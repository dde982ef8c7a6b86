"""The web process's front door: webhooks and health go around Django's middleware, everything else through it."""

import os
from collections.abc import Callable, Iterable
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "apinita.settings")

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

Environ = dict[str, Any]
StartResponse = Callable[..., Any]

cabinet = get_wsgi_application()

from apinita import environment, health  # noqa: E402 — needs Django to be set up
from apinita.bodies import Bodies, length_of, refuse  # noqa: E402
from scenarios import intake  # noqa: E402

environment.require_keys()
get_resolver().url_patterns  # noqa: B018 — loads all pages now, not while the first visitor waits


bodies = Bodies()


def application(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    path: str = environ["PATH_INFO"]
    is_hook = path.startswith("/hooks/")
    most = settings.WEBHOOK_MAX_BYTES if is_hook else settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    if not is_hook and (length_of(environ) or 0) > most:
        return refuse(start_response, 413)  # a hook says so itself, and notes the delivery
    if not bodies.read(environ, most):
        return refuse(start_response, 503)
    if is_hook:
        return intake.application(environ, start_response)
    if path == "/healthz":
        return health.alive(environ, start_response)
    if path == "/readyz":
        return health.ready(environ, start_response)
    return cabinet(environ, start_response)
