"""Keys are rotated while the product runs; sealed values open in their own place only."""

from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from accounts.models import Workspace
from connections import rotation, tokens
from connections.models import Connection, TokenAnswer
from lib.crypto import Keyring, key_id_of
from lib.errors import UserError
from tests.connections import kit
from tests.connections.odd import Reply, Server

pytestmark = pytest.mark.django_db(transaction=True)

OLD, NEW = Keyring.generate("old"), Keyring.generate("new")


@pytest.fixture
def old_connection(workspace: Workspace, settings: Any) -> Connection:
    """Sealed with the old key; then the new one is put before it."""
    settings.KEYRING = Keyring.parse(OLD)
    connection = kit.connected(workspace, "https://a.example")
    tokens.keep_answer(connection, 200, b"{}", version=0)
    settings.KEYRING = Keyring.parse(f"{NEW},{OLD}")
    return connection


def rotate() -> list[rotation.Outcome]:
    return [rotation.rotate(column) for column in rotation.COLUMNS if column.model in (Connection, TokenAnswer)]


def test_everything_is_sealed_anew_and_opens_with_the_new_key_alone(old_connection: Connection, settings: Any) -> None:
    assert [outcome.resealed for outcome in rotate()] == [1, 1, 1]
    assert [outcome.already for outcome in rotate()] == [1, 1, 1]
    settings.KEYRING = Keyring.parse(NEW)
    stored = kit.again(old_connection)
    assert tokens.secrets_of(stored) == {"client_secret": "client-secret-value"}
    assert tokens.tokens_of(stored).access_token == "access-0-secret"
    assert tokens.kept_answers(stored, version=0) == [(200, b"{}")]


def test_a_value_that_changed_meanwhile_is_left(old_connection: Connection, monkeypatch: Any) -> None:
    real = rotation.vault.seal

    def meanwhile(plain: bytes, **place: Any) -> bytes:
        Connection.objects.filter(pk=old_connection.pk).update(tokens=b"newer")
        return real(plain, **place)

    monkeypatch.setattr(rotation.vault, "seal", meanwhile)
    column = next(one for one in rotation.COLUMNS if one.column == "tokens")
    assert rotation.rotate(column).changed_meanwhile == 1
    assert bytes(kit.again(old_connection).tokens) == b"newer"


def test_a_missing_key_changes_nothing_and_is_told(old_connection: Connection, settings: Any) -> None:
    settings.KEYRING = Keyring.parse(NEW)
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("rotate_keys", stdout=StringIO())
    stored = kit.again(old_connection)
    assert key_id_of(bytes(stored.tokens)) == "old"
    with pytest.raises(UserError, match="secrets_unreadable"):
        tokens.tokens_of(stored)
    settings.KEYRING = Keyring.parse(OLD)
    assert tokens.tokens_of(stored).access_token == "access-0-secret"


def test_the_command_counts_what_is_left(old_connection: Connection) -> None:
    out = StringIO()
    call_command("rotate_keys", "--check", stdout=out)
    assert "connections.Connection.tokens: 1 with old" in out.getvalue()


def test_a_sealed_value_moved_to_another_row_does_not_open(workspace: Workspace, other_workspace: Workspace) -> None:
    ours = kit.connected(workspace, "https://a.example")
    theirs = kit.connected(other_workspace, "https://a.example")
    theirs.tokens = ours.tokens
    with pytest.raises(UserError, match="secrets_unreadable"):
        tokens.tokens_of(theirs)


def test_connections_are_listed_and_checked_from_the_command_line(workspace: Workspace) -> None:
    with Server(lambda came: Reply(200 if came.path == "/good" else 500, {})) as server:
        kit.connected(workspace, server.url, slug="good", check_url="good")
        kit.connected(workspace, server.url, slug="bad", check_url="bad")
        out = StringIO()
        call_command("connection", "list", stdout=out)
        assert "good" in out.getvalue()
        call_command("connection", "check", "good", stdout=out)
        with pytest.raises(CommandError, match="1 of 2"):
            call_command("connection", "check", stdout=out)
        with pytest.raises(CommandError, match="no connection"):
            call_command("connection", "check", "nonsense", stdout=out)
    assert "access-0-secret" not in out.getvalue()
