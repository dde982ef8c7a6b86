"""Notices that a secret key was changed or lost before anything is written with the wrong one."""

from dataclasses import dataclass

from django.db import models
from django.db.models import F, Value
from django.db.models.functions import Substr

from accounts.models import KeyFingerprint
from lib.crypto import VERSION, Keyring
from lib.errors import UserError


@dataclass(frozen=True)
class SealedColumn:
    """A column that holds sealed values; each package names its own when it starts (`sealed_in`)."""

    model: type[models.Model]
    column: str

    def sealed_with(self, key_id: str) -> int:
        """How many values need this key: the start of a sealed value names it (lib.crypto)."""
        start = VERSION + bytes([len(key_id)]) + key_id.encode()
        rows = self.model._default_manager.annotate(start=Substr(F(self.column), 1, len(start)))
        return rows.filter(start=Value(start, output_field=models.BinaryField())).count()


SEALED: list[SealedColumn] = []


def sealed_in(model: type[models.Model], *columns: str) -> None:
    """Name a model's sealed columns, for the check at the start and for the rotation of keys."""
    SEALED.extend(column for column in (SealedColumn(model, name) for name in columns) if column not in SEALED)


def check_keyring(keyring: Keyring) -> None:
    """Raises UserError, one sentence: a key is another one than before, or one is missing that is still needed."""
    current = keyring.fingerprints()
    for known in KeyFingerprint.objects.order_by("key_id"):
        if known.key_id not in current:
            count = sum(column.sealed_with(known.key_id) for column in SEALED)
            if count:
                raise UserError("key_missing", params={"key_id": known.key_id, "count": count})
        elif current[known.key_id] != known.fingerprint:
            raise UserError("key_changed", params={"key_id": known.key_id})


def remember_keyring(keyring: Keyring) -> None:
    """Note the keys that this database is used with from now on."""
    KeyFingerprint.objects.bulk_create(
        [KeyFingerprint(key_id=key_id, fingerprint=mark) for key_id, mark in keyring.fingerprints().items()],
        ignore_conflicts=True,
    )
