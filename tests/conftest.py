"""What every test may use: private servers, a closed network, a real worker, a live product and a browser.

PostgreSQL and Valkey start when the first test needs the database, in a folder that goes with the session.
Where DATABASE_URL and REDIS_URL are given, those servers are used instead.
"""

import atexit
import os
import shutil
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import django
import pytest

from apinita import embedded
from lib.crypto import Keyring
from tests import guard

DATA = Path(tempfile.mkdtemp(prefix="apinita-test-"))
OWN_SERVERS = not os.environ.get("DATABASE_URL")

os.environ["DJANGO_SETTINGS_MODULE"] = "apinita.settings"
os.environ["APINITA_DATA"] = str(DATA)
os.environ["APINITA_SECRET_KEYS"] = Keyring.generate("test")
os.environ["APINITA_URL"] = f"http://127.0.0.1:{guard.free_port()}"
os.environ["APINITA_ALLOWED_PRIVATE_HOSTS"] = "127.0.0.1"
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"  # Playwright's loop lives in the thread of the tests
if OWN_SERVERS:
    os.environ["DATABASE_URL"] = embedded.database_url(DATA)
    os.environ["REDIS_URL"] = embedded.redis_url(DATA)

django.setup()  # with the environment from above, before the plugins below import any model

pytest_plugins = ["tests.processes", "tests.browser"]
if find_spec("tests.people"):
    pytest_plugins.append("tests.people")

servers = embedded.Servers(DATA, durable=False)


def pytest_configure() -> None:
    guard.close_network()
    atexit.register(remove_everything)


def pytest_unconfigure() -> None:
    remove_everything()


def remove_everything() -> None:
    """Also after Ctrl-C, and where pytest itself failed."""
    from tests.processes import keeper

    keeper.stop()
    servers.stop()
    shutil.rmtree(DATA, ignore_errors=True)


@pytest.fixture(scope="session")
def running_servers() -> None:
    if OWN_SERVERS and not servers.running:
        servers.start()


@pytest.fixture(scope="session")
def django_db_modify_db_settings(running_servers: None) -> None:
    """pytest-django asks this one before it makes the test database: the servers run from here on."""


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None) -> Iterator[None]:
    """At the end nobody else may hold on to the test database, or it could not be dropped."""
    from scenarios.hot_sql import connect
    from tests.processes import keeper

    yield
    keeper.stop()
    with connect() as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


@pytest.fixture
def redis_server(running_servers: None) -> str:
    """The address of a Valkey for tests that need it without the database."""
    return os.environ["REDIS_URL"]


@pytest.fixture(autouse=True)
def closed_network() -> Iterator[None]:
    guard.violations.clear()
    yield
    assert not guard.violations, f"connections to the outside: {', '.join(guard.violations)}"
