"""A changed or lost secret key is noticed at the start; sealed values stay in their place."""

import pytest
from django.db import models

from accounts import keys, vault
from accounts.keys import SealedColumn, check_keyring, remember_keyring
from connections.models import Connection
from lib.crypto import CannotOpen, Keyring
from lib.errors import UserError, describe

PLACE = {"table": "connections_connection", "column": "secrets", "row": "x", "workspace": 1}


def ring(*names: str) -> Keyring:
    return Keyring.parse(",".join(Keyring.generate(name) for name in names))


@pytest.fixture
def sealed_connection(workspace, monkeypatch, settings):
    """A connection whose secrets are sealed with k1 of the returned ring."""
    monkeypatch.setattr(keys, "SEALED", [SealedColumn(Connection, "secrets"), SealedColumn(Connection, "tokens")])
    settings.KEYRING = ring("k1")
    Connection.objects.create(
        workspace=workspace, slug="g", name="G", type="bearer", secrets=vault.seal(b"secret", **PLACE)
    )
    return settings.KEYRING


def test_the_first_start_and_the_same_keys_pass(db):
    keyring = ring("k1")
    check_keyring(keyring)
    remember_keyring(keyring)
    remember_keyring(keyring)
    check_keyring(keyring)


def test_a_new_key_in_front_passes(db):
    first = ring("k1")
    remember_keyring(first)
    check_keyring(Keyring(ring("k2").keys | first.keys))


def test_another_key_under_the_same_name_is_refused_in_one_sentence(db):
    remember_keyring(ring("k1"))
    with pytest.raises(UserError) as refused:
        check_keyring(ring("k1"))
    assert refused.value.code == "key_changed"
    text = describe(refused.value.as_json())["text"]
    assert "k1" in text
    assert text.count(".") == 1


def test_a_missing_key_is_refused_while_secrets_need_it(sealed_connection):
    remember_keyring(sealed_connection)
    with pytest.raises(UserError) as refused:
        check_keyring(ring("k2"))
    assert (refused.value.code, refused.value.params) == ("key_missing", {"key_id": "k1", "count": 1})
    Connection.objects.update(secrets=None)
    check_keyring(ring("k2"))


def test_a_key_whose_name_begins_alike_is_not_mistaken(sealed_connection):
    assert SealedColumn(Connection, "secrets").sealed_with("k") == 0
    assert SealedColumn(Connection, "secrets").sealed_with("k1") == 1
    assert SealedColumn(Connection, "secrets").sealed_with("k10") == 0


def test_a_column_is_named_once(monkeypatch):
    monkeypatch.setattr(keys, "SEALED", [])
    keys.sealed_in(Connection, "secrets", "tokens")
    keys.sealed_in(Connection, "secrets")
    assert [column.column for column in keys.SEALED] == ["secrets", "tokens"]
    assert all(isinstance(Connection._meta.get_field(column.column), models.BinaryField) for column in keys.SEALED)


def test_a_sealed_value_opens_in_its_own_place_only(settings):
    settings.KEYRING = ring("k1")
    value = {"client_secret": "ключ", "n": [1, None]}
    sealed = vault.seal_json(value, **PLACE)
    assert vault.open_json(sealed, **PLACE) == value
    assert "ключ".encode() not in sealed
    for other in [{"workspace": 2}, {"row": "y"}, {"column": "tokens"}, {"table": "t"}]:
        with pytest.raises(CannotOpen):
            vault.open_json(sealed, **PLACE | other)


def test_a_keyring_in_a_traceback_shows_no_key():
    keyring = Keyring.parse(Keyring.generate("k1"))
    assert repr(keyring.keys["k1"])[2:-1] not in repr(keyring)
    assert "keys" not in repr(keyring)
