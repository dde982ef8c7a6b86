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
from apinita.bodies import Bodies, refuse  # noqa: E402
from scenarios import intake  # noqa: E402

environment.require_keys()
get_resolver().url_patterns  # noqa: B018 — loads all pages now, not while the first visitor waits


bodies = Bodies()


def application(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    path: str = environ["PATH_INFO"]
    most = settings.WEBHOOK_MAX_BYTES if path.startswith("/hooks/") else settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    if not bodies.read(environ, most):
        return refuse(start_response)
    if path.startswith("/hooks/"):
        return intake.application(environ, start_response)
    if path == "/healthz":
        return health.alive(environ, start_response)
    if path == "/readyz":
        return health.ready(environ, start_response)
    return cabinet(environ, start_response)
