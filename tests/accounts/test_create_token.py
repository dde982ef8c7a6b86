"""`create_token` makes what is missing and prints the token, nothing else."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from rest_framework.test import APIClient

from accounts.models import ApiToken, Membership, User, Workspace


def create(*args: str) -> str:
    out = StringIO()
    call_command("create_token", *args, stdout=out)
    lines = out.getvalue().splitlines()
    assert len(lines) == 1
    return lines[0]


def me(token: str) -> dict:
    return APIClient().get("/api/v1/me/", headers={"Authorization": f"Bearer {token}"}).json()


def test_the_user_and_the_workspace_are_made(db):
    token = create("Alice@Example.com", "--workspace", "Школа")
    assert token.startswith("apn_")
    answer = me(token)
    assert (answer["user"]["email"], answer["workspace"]["name"], answer["role"]) == (
        "alice@example.com",
        "Школа",
        "owner",
    )
    assert not User.objects.get().has_usable_password()


def test_each_call_makes_a_new_token_in_the_same_place(db):
    first, second = create("a@example.com"), create("a@example.com")
    assert first != second
    assert me(first)["workspace"] == me(second)["workspace"]
    assert (User.objects.count(), Workspace.objects.count(), ApiToken.objects.count()) == (1, 1, 2)


def test_a_role_below_the_users_own_is_the_tokens_alone(db):
    create("a@example.com", "--workspace", "W")
    assert me(create("a@example.com", "--workspace", "W", "--role", "viewer"))["role"] == "viewer"
    assert Membership.objects.get().role == "owner"


def test_a_second_person_joins_the_named_workspace(alice, workspace):
    assert me(create("new@example.com", "--workspace", "Школа", "--role", "editor"))["role"] == "editor"
    assert me(create("new@example.com"))["workspace"]["id"] == workspace.public_id
    assert Membership.objects.get(user__email="new@example.com").role == "editor"
    assert me(create("new@example.com", "--role", "owner"))["role"] == "owner"


def test_vera_is_not_promoted_unasked(vera, workspace):
    assert me(create(vera.email))["role"] == "viewer"
    assert Membership.objects.get(user=vera).role == "viewer"


def test_a_new_workspace_has_an_owner_whatever_the_tokens_role(db):
    assert me(create("a@example.com", "--workspace", "W", "--role", "viewer"))["role"] == "viewer"
    assert Membership.objects.get().role == "owner"


def test_what_is_no_address_is_refused(db):
    with pytest.raises(CommandError, match="not an e-mail address"):
        create("nonsense")
    assert not User.objects.exists()


def test_an_ambiguous_name_is_refused(db):
    Workspace.objects.create(name="W")
    Workspace.objects.create(name="W")
    with pytest.raises(CommandError, match="several workspaces"):
        create("a@example.com", "--workspace", "W")
    assert not User.objects.exists()
