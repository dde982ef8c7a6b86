"""The people of the tests: Alice owns a workspace, Bob edits in it, Vera looks on, Charlie belongs elsewhere."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.test import Client
from rest_framework.test import APIClient

from accounts import tokens
from accounts.access import Actor
from accounts.models import Membership, User, Workspace
from accounts.registering import make_workspace
from accounts.roles import Role

PASSWORD = "correct horse battery"


class FastPasswords(PBKDF2PasswordHasher):
    """One round instead of a million; a real server that shares the database still reads what it wrote."""

    iterations = 1


@pytest.fixture(autouse=True)
def fast_passwords(settings: Any) -> None:
    """Tests make many people: at the price of real hashes they would take minutes."""
    settings.PASSWORD_HASHERS = ["tests.people.FastPasswords", *settings.PASSWORD_HASHERS]


def make_user(email: str, **fields: Any) -> User:
    fields = {"name": email.split("@")[0].capitalize(), "language": "en", "timezone": "Europe/Moscow"} | fields
    return User.objects.create_user(email, PASSWORD, **fields)


def join(workspace: Workspace, user: User, role: Role) -> Membership:
    return Membership.objects.create(workspace=workspace, user=user, role=role)


@pytest.fixture
def alice(db: None) -> User:
    """Owner of the workspace «Школа»."""
    user = make_user("alice@example.com")
    make_workspace("Школа", owner=user, timezone="Europe/Moscow")
    return user


@pytest.fixture
def workspace(alice: User) -> Workspace:
    return Workspace.objects.get(name="Школа")


@pytest.fixture
def bob(workspace: Workspace) -> User:
    """Editor in Alice's workspace."""
    user = make_user("bob@example.com")
    join(workspace, user, Role.EDITOR)
    return user


@pytest.fixture
def vera(workspace: Workspace) -> User:
    """Viewer in Alice's workspace."""
    user = make_user("vera@example.com")
    join(workspace, user, Role.VIEWER)
    return user


@pytest.fixture
def charlie(db: None) -> User:
    """Owner of another workspace: whatever is Alice's must be 404 for him."""
    user = make_user("charlie@example.com")
    make_workspace("Elsewhere", owner=user, timezone="UTC")
    return user


@pytest.fixture
def other_workspace(charlie: User) -> Workspace:
    return Workspace.objects.get(name="Elsewhere")


def signed_in(user: User) -> Client:
    """A browser in which this person is signed in."""
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def client_of(db: None) -> Callable[[User], Client]:
    """`client_of(alice)`: a browser in which Alice is signed in."""
    return signed_in


def actor_of(user: User) -> Actor:
    membership = user.memberships.select_related("workspace").order_by("id")[0]
    return Actor(membership.workspace, Role(membership.role), user)


def token_of(user: User, role: Role | None = None) -> str:
    """A new API token of this person in their first workspace, with their own role where none is named."""
    actor = actor_of(user)
    return tokens.make(actor, "tests", role=role or actor.role)[1]


@pytest.fixture
def api(request: pytest.FixtureRequest) -> Callable[..., APIClient]:
    """`api(alice)`, `api("editor")` (Bob), `api()` (nobody): a client of the REST API, JSON by default."""
    people = {Role.OWNER: "alice", Role.EDITOR: "bob", Role.VIEWER: "vera"}

    def client(who: User | str | None = None) -> APIClient:
        caller = APIClient()
        caller.default_format = "json"
        if who is not None:
            user = who if isinstance(who, User) else request.getfixturevalue(people[Role(who)])
            caller.credentials(HTTP_AUTHORIZATION=f"Bearer {token_of(user)}")
        return caller

    return client
