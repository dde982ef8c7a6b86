"""`rotate_keys`: seal every stored secret with the first key of APINITA_SECRET_KEYS. Safe while the product runs."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts import vault
from accounts.keys import SEALED, remember_keyring
from connections import rotation


class Command(BaseCommand):
    help = "Seal every stored secret with the first of the secret keys. It may be stopped and started again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--check", action="store_true", help="only count what is still sealed with older keys")

    def handle(self, *args: Any, **options: Any) -> None:
        known = {column.name for column in rotation.COLUMNS}
        forgotten = sorted({f"{one.model._meta.label}.{one.column}" for one in SEALED} - known)
        if options["check"]:
            self.count()
            return
        remember_keyring(vault.ring())
        unreadable = 0
        for column in rotation.COLUMNS:
            outcome = rotation.rotate(column)
            unreadable += outcome.unreadable
            self.stdout.write(
                f"{column.name}: {outcome.resealed} sealed anew, {outcome.already} were already, "
                f"{outcome.changed_meanwhile} changed meanwhile, {outcome.unreadable} unreadable"
            )
        if unreadable or forgotten:
            what = [f"{unreadable} values cannot be read: their key is missing"] if unreadable else []
            what += [f"not known to the rotation: {', '.join(forgotten)}"] if forgotten else []
            raise CommandError(f"{'; '.join(what)}. Keep the old keys.")
        self.stdout.write(f"Everything is sealed with {vault.ring().writing_id}. Older keys may be removed.")

    def count(self) -> None:
        for column in rotation.COLUMNS:
            counts = rotation.keys_in_use(column)
            words = ", ".join(f"{number} with {key}" for key, number in sorted(counts.items())) or "nothing"
            self.stdout.write(f"{column.name}: {words}")
