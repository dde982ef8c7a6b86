"""The pages of pages.py under the product's settings, and served to a browser; nothing here needs a database."""

import threading
from collections.abc import Iterator
from pathlib import Path
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import pytest
from django.conf import settings
from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.core.wsgi import get_wsgi_application
from django.test import Client, override_settings

TEMPLATES_HERE = Path(__file__).parent / "templates"
MIDDLEWARE = [
    "apinita.cabinet.security.SecurityHeaders",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]


class Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True
    request_queue_size = 128  # a page asks for all its files at once


class Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def pages() -> Iterator[None]:
    own = {**settings.TEMPLATES[0], "DIRS": [*settings.TEMPLATES[0]["DIRS"], TEMPLATES_HERE]}
    with override_settings(
        CABINET_COUNTS={},
        ROOT_URLCONF="tests.cabinet.pages",
        MIDDLEWARE=MIDDLEWARE,
        TEMPLATES=[own],
        MESSAGE_STORAGE="django.contrib.messages.storage.cookie.CookieStorage",
        ALLOWED_HOSTS=["*"],
    ):
        yield


@pytest.fixture
def client(pages: None) -> Client:
    return Client(headers={"accept-language": "en"}, raise_request_exception=False)


@pytest.fixture(scope="module")
def address(pages: None) -> Iterator[str]:
    """Where the pages are served."""
    application = StaticFilesHandler(get_wsgi_application())
    server = make_server("127.0.0.1", 0, application, server_class=Server, handler_class=Quiet)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()
