"""`manage.py sandbox`: starts the small stand-in for Google, a program of its own that the product meets over HTTP."""

import os
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from sandbox import command


class Command(BaseCommand):
    help = "Run the calendar sandbox: OAuth consent, tokens and Calendar v3 for newcomers, demos and tests."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        command.add_arguments(parser)
        parser.set_defaults(data=Path(os.environ.get("APINITA_DATA") or "var") / "sandbox")

    def handle(self, *args: Any, **options: Any) -> None:
        sys.exit(command.run(command.Options.of(options)))
