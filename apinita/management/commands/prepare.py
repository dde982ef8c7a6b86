"""Before web server and workers of a new version start: check the keys, migrate, print the first owner's link."""

import sys
from typing import Any

from django.core.management.base import BaseCommand

from apinita import environment, migrating
from apinita.preparing import Refused


class Command(BaseCommand):
    help = "Make the database ready for this version; `up` does it by itself, other installations call this first."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        environment.require_keys()
        try:
            link = migrating.make_ready(self.stdout.write)
        except Refused as refusal:
            self.stderr.write(self.style.ERROR(str(refusal)))
            sys.exit(1)
        self.stdout.write("The database is ready.")
        if link:
            self.stdout.write(f"Make the owner's account here, once: {link}")
