"""`connection list` and `connection check SLUG`: connections from the command line."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db.models import QuerySet

from connections import trial
from connections.models import Connection
from lib.errors import describe

COLUMNS = "{workspace:24}  {slug:28}  {type:8}  {status:22}  {name}"


class Command(BaseCommand):
    help = "List the connections, or make a test call with one (or with all)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("action", choices=["list", "check"])
        parser.add_argument("slug", nargs="*", help="the short names of those to check; all without")
        parser.add_argument("--workspace", help="only the connections of the workspace with this name")

    def handle(self, *args: Any, **options: Any) -> None:
        found = Connection.objects.select_related("workspace").order_by("workspace__name", "slug")
        if options["workspace"]:
            found = found.filter(workspace__name=options["workspace"])
        if options["action"] == "list":
            self.show(found)
        else:
            self.check_all(found, options["slug"])

    def show(self, found: QuerySet[Connection]) -> None:
        for one in found:
            self.stdout.write(
                COLUMNS.format(
                    workspace=one.workspace.name, slug=one.slug, type=one.type, status=one.status, name=one.name
                )
            )

    def check_all(self, found: QuerySet[Connection], slugs: list[str]) -> None:
        """Exit status 1 where one of them does not work."""
        chosen = list(found.filter(slug__in=slugs) if slugs else found.exclude(status="new"))
        if missing := set(slugs) - {one.slug for one in chosen}:
            raise CommandError(f"There is no connection {', '.join(sorted(missing))}.")
        broken = 0
        for one in chosen:
            outcome = trial.check(one)
            word = {True: "works", False: "does not work", None: "nothing to call"}[outcome.ok]
            why = str(describe(outcome.error.as_json())["text"]) if outcome.error else ""
            broken += outcome.ok is False
            self.stdout.write(f"{one.workspace.name} / {one.slug}: {word}{f': {why}' if why else ''}")
        if broken:
            raise CommandError(f"{broken} of {len(chosen)} connections do not work.")
