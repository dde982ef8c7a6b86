"""Makes the database ready for this version: keys that fit, tables up to date, the first owner's link."""

from collections.abc import Callable

from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from accounts import setup
from accounts.keys import remember_keyring
from apinita import preparing

LOCK = 7_206_418_305  # any number of our own, the same in every installation


def make_ready(say: Callable[[str], None]) -> str:
    """Gives the link that makes the owner's account, empty where there is one. Raises Refused before any change."""
    preparing.keys_fit()
    migrate(say)
    remember_keyring(settings.KEYRING)
    return setup.new_setup_link() if setup.is_needed() else ""


def migrate(say: Callable[[str], None]) -> None:
    """Two that start at once on one database take turns."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [LOCK])
        try:
            executor = MigrationExecutor(connection)
            waiting = len(executor.migration_plan(executor.loader.graph.leaf_nodes()))
            if waiting:
                say(f"migrating the database: {waiting} steps")
                call_command("migrate", verbosity=0, interactive=False)
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [LOCK])
