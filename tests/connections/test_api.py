"""Connections through the REST API, against the sandbox over real HTTP."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.test import Client
from rest_framework.test import APIClient

from accounts.access import Actor
from accounts.models import User, Workspace
from accounts.roles import Role
from accounts.tokens import make
from connections import usage
from connections.models import AuthorizationFlow, Connection
from sandbox.testing import Sandbox

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running


def api_of(user: User, workspace: Workspace, role: Role = Role.EDITOR) -> APIClient:
    _token, secret = make(Actor(workspace, Role.OWNER, user), "tests", role=role)
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    return client


@pytest.fixture
def api(alice: User, workspace: Workspace) -> APIClient:
    return api_of(alice, workspace)


def google_like(sandbox: Sandbox, **fields: Any) -> dict[str, Any]:
    return {
        "type": "oauth2",
        "name": "Google основной",
        "preset": "google_calendar",
        "client_id": sandbox.client_id,
        "client_secret": sandbox.client_secret,
        "authorization_url": (
            f"{sandbox.authorization_url}?response_type=code&access_type=offline&prompt=consent"
            "&client_id={{ client_id }}&redirect_uri=<< redirect_uri >>&scope={{ scope | url_encode }}"
        ),
        "token_url": sandbox.token_url,
        "refresh_url": sandbox.token_url,
        "revoke_url": sandbox.revoke_url,
        "api_base_url": sandbox.api_base_url,
        **fields,
    }


def create(api: APIClient, body: dict[str, Any]) -> dict[str, Any]:
    response = api.post("/api/v1/connections/", body, format="json")
    assert response.status_code == 201, response.json()
    return response.json()


def authorize(api: APIClient, slug: str, sandbox: Sandbox, **answers: Any) -> Any:
    """As a person does in a browser that knows nothing of us; gives the callback's answer."""
    url = api.post(f"/api/v1/connections/{slug}/authorize/").json()["authorization_url"]
    back = urlsplit(sandbox.consent(url, **answers))
    return Client().get(f"{back.path}?{back.query}")


def test_a_connection_is_made_authorized_and_used_through_the_api(api: APIClient, sandbox: Sandbox) -> None:
    made = create(api, google_like(sandbox))
    assert made["slug"] == "google-osnovnoy"
    assert made["status"] == "new"
    assert made["client_secret"] == {"set": True}
    assert made["redirect_uri"].endswith(f"/connections/{made['id']}/callback/")

    answer = authorize(api, made["slug"], sandbox)
    assert answer.status_code == 303
    assert answer["Location"] == f"/connections/{made['id']}/"
    assert answer["Referrer-Policy"] == "no-referrer"

    read = api.get(f"/api/v1/connections/{made['slug']}/").json()
    assert read["status"] == "connected"
    assert read["scopes"] == ["https://www.googleapis.com/auth/calendar.events"]
    assert read["expires_at"] is not None
    assert read["error"] is None

    sent = sandbox.requests_to("/token")[0].form()
    asked = sandbox.requests_to("/o/oauth2/v2/auth")[0].query
    assert asked["redirect_uri"] == made["redirect_uri"] == sent["redirect_uri"]
    assert asked["code_challenge_method"] == "S256"
    assert sent["code_verifier"]

    checked = api.post(f"/api/v1/connections/{made['slug']}/check/").json()
    assert (checked["ok"], checked["status"]) == (True, 200)
    assert "ya29" not in str(checked)


def test_secrets_and_tokens_are_in_no_answer(api: APIClient, sandbox: Sandbox) -> None:
    made = create(api, google_like(sandbox))
    authorize(api, made["slug"], sandbox)
    token = sandbox.access_token()
    for path in ("", f"{made['slug']}/"):
        text = api.get(f"/api/v1/connections/{path}").content.decode()
        assert sandbox.client_secret not in text
        assert "ya29." not in text
        assert token not in text


def test_a_refresh_by_hand_and_an_expiry_in_the_middle(api: APIClient, sandbox: Sandbox) -> None:
    made = create(api, google_like(sandbox))
    authorize(api, made["slug"], sandbox)
    first = api.get(f"/api/v1/connections/{made['slug']}/").json()["refreshed_at"]
    assert api.post(f"/api/v1/connections/{made['slug']}/refresh/").json()["refreshed_at"] > first
    sandbox.expire_tokens()
    assert api.post(f"/api/v1/connections/{made['slug']}/check/").json()["ok"] is True
    assert len(sandbox.requests_to("/token")) == 3


def test_a_withdrawn_grant_and_its_return(api: APIClient, sandbox: Sandbox) -> None:
    made = create(api, google_like(sandbox))
    authorize(api, made["slug"], sandbox)
    sandbox.revoke_all()
    checked = api.post(f"/api/v1/connections/{made['slug']}/check/").json()
    assert checked["ok"] is False
    assert checked["error"]["code"] == "reauthorization_needed"
    read = api.get(f"/api/v1/connections/{made['slug']}/").json()
    assert read["status"] == "needs_reauthorization"
    assert read["error"]["code"] == "token_refused"
    authorize(api, made["slug"], sandbox)
    assert api.post(f"/api/v1/connections/{made['slug']}/check/").json()["ok"] is True


def test_the_person_may_say_no(api: APIClient, sandbox: Sandbox) -> None:
    made = create(api, google_like(sandbox))
    answer = authorize(api, made["slug"], sandbox, allow=False)
    assert answer.status_code == 303
    assert api.get(f"/api/v1/connections/{made['slug']}/").json()["status"] == "new"
    assert not sandbox.requests_to("/token")


def test_a_state_works_once_for_one_connection_and_ten_minutes(api: APIClient, sandbox: Sandbox) -> None:
    made = create(api, google_like(sandbox))
    other = create(api, google_like(sandbox, name="Other"))
    url = api.post(f"/api/v1/connections/{made['slug']}/authorize/").json()["authorization_url"]
    back = urlsplit(sandbox.consent(url))
    elsewhere = back.path.replace(made["id"], other["id"])
    assert Client().get(f"{elsewhere}?{back.query}").status_code == 400
    assert Client().get(f"{back.path}?code=4/0A").status_code == 400
    assert Client().get(f"{back.path}?state=nonsense&code=4/0A").status_code == 400
    assert Client().get(f"{back.path}?{back.query}").status_code == 303
    assert Client().get(f"{back.path}?{back.query}").status_code == 400
    assert len(sandbox.requests_to("/token")) == 1

    url = api.post(f"/api/v1/connections/{made['slug']}/authorize/").json()["authorization_url"]
    back = urlsplit(sandbox.consent(url))
    AuthorizationFlow.objects.filter(used_at=None).update(expires_at="2020-01-01T00:00:00Z")
    assert Client().get(f"{back.path}?{back.query}").status_code == 400


def test_a_failed_exchange_says_why(api: APIClient, sandbox: Sandbox) -> None:
    made = create(api, google_like(sandbox, client_secret="wrong"))
    assert authorize(api, made["slug"], sandbox).status_code == 303
    read = api.get(f"/api/v1/connections/{made['slug']}/").json()
    assert read["status"] == "misconfigured"
    assert read["error"]["code"] == "token_refused"
    assert read["error"]["params"]["error"] == "invalid_client"


def test_changing_where_secrets_go_needs_the_secret_and_drops_the_tokens(api: APIClient, sandbox: Sandbox) -> None:
    made = create(api, google_like(sandbox))
    authorize(api, made["slug"], sandbox)
    address = f"/api/v1/connections/{made['slug']}/"
    for change in (
        {"token_url": "https://evil.example/token"},
        {"client_id": "other"},
        {"refresh_params": {"x": "{{ client_secret }}"}},
        {"api_base_url": "https://evil.example"},
        {"allowed_hosts": ["evil.example"]},
    ):
        refused = api.patch(address, change, format="json")
        assert (refused.status_code, refused.json()["code"]) == (400, "secret_needed")
    assert api.get(address).json()["status"] == "connected"
    assert api.patch(address, {"name": "Renamed"}, format="json").json()["status"] == "connected"
    change = {"client_id": "other", "client_secret": "new-secret"}
    assert api.patch(address, change, format="json").json()["status"] == "new"
    assert Connection.objects.get(slug=made["slug"]).tokens is None


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"token_url": "ftp://x.example"}, "token_url"),
        ({"token_params": {"code": "{{ code"}}, "token_params.code"),
        ({"token_params": {"code": "{{ nothing }}"}}, "token_params.code"),
        ({"authorization_url": "https://a.example/?s={{ client_secret }}"}, "authorization_url"),
        ({"expired_statuses": [99]}, "expired_statuses[0]"),
        ({"token_method": "PUT"}, "token_method"),
        ({"owner": 1}, "owner"),
        ({"status": "connected"}, "status"),
        ({"token_version": 5}, "token_version"),
        ({"workspace": 1}, "workspace"),
        ({"preset": "nonsense"}, "preset"),
        ({"name": ""}, "name"),
        ({"slug": "не то"}, "slug"),
    ],
)
def test_what_is_wrong_is_named(api: APIClient, sandbox: Sandbox, change: dict[str, Any], field: str) -> None:
    response = api.post("/api/v1/connections/", google_like(sandbox, **change), format="json")
    assert response.status_code == 400
    assert list(response.json()["errors"]) == [field]


def test_strangers_get_404_and_viewers_403(
    api: APIClient, sandbox: Sandbox, charlie: User, other_workspace: Workspace, vera: User, workspace: Workspace
) -> None:
    made = create(api, google_like(sandbox))
    stranger = api_of(charlie, other_workspace, Role.OWNER)
    viewer = api_of(vera, workspace, Role.VIEWER)
    address = f"/api/v1/connections/{made['slug']}/"
    for client, expected in ((stranger, 404), (viewer, 403)):
        for path in ("authorize/", "refresh/", "check/", "disconnect/"):
            assert client.post(address + path).status_code == expected, path
        assert client.patch(address, {"name": "x"}, format="json").status_code == expected
        assert client.delete(address).status_code == expected
    assert stranger.get(address).status_code == 404
    assert viewer.get(address).status_code == 200
    assert stranger.get("/api/v1/connections/").json()["results"] == []


def test_a_used_connection_is_not_deleted(api: APIClient, sandbox: Sandbox, monkeypatch: Any) -> None:
    made = create(api, google_like(sandbox))
    monkeypatch.setattr(usage, "lookups", [lambda connection: [{"id": "abc", "name": "Morning"}]])
    refused = api.delete(f"/api/v1/connections/{made['slug']}/")
    assert (refused.status_code, refused.json()["code"]) == (409, "in_use")
    assert refused.json()["params"]["scenarios"] == [{"id": "abc", "name": "Morning"}]
    monkeypatch.setattr(usage, "lookups", [])
    assert api.delete(f"/api/v1/connections/{made['slug']}/").status_code == 204
    assert api.get(f"/api/v1/connections/{made['slug']}/").status_code == 404


def test_disconnecting_revokes_and_forgets(api: APIClient, sandbox: Sandbox) -> None:
    made = create(api, google_like(sandbox))
    authorize(api, made["slug"], sandbox)
    answer = api.post(f"/api/v1/connections/{made['slug']}/disconnect/").json()
    assert answer["status"] == "new"
    assert len(sandbox.requests_to("/revoke")) == 1
    assert Connection.objects.get(slug=made["slug"]).tokens is None
    authorize(api, made["slug"], sandbox)
    sandbox.fail_next("/revoke", 500)
    assert api.post(f"/api/v1/connections/{made['slug']}/disconnect/").status_code == 200


def test_client_credentials_need_no_person(api: APIClient, sandbox: Sandbox) -> None:
    made = create(api, google_like(sandbox, grant="client_credentials", preset="generic", scope="openid"))
    assert made["token_params"]["grant_type"] == "client_credentials"
    answer = api.post(f"/api/v1/connections/{made['slug']}/authorize/")
    assert answer.json() == {"authorization_url": None}
    assert api.get(f"/api/v1/connections/{made['slug']}/").json()["status"] == "connected"


def test_keys_passwords_and_tokens_need_no_authorization(api: APIClient, sandbox: Sandbox) -> None:
    bodies = [
        ({"type": "api_key", "key": "key-value-1", "header": "X-Api-Key", "prefix": "Token"}, "key"),
        ({"type": "basic", "username": "u", "password": "password-1"}, "password"),
        ({"type": "bearer", "token": "bearer-value-1"}, "token"),
    ]
    for body, secret in bodies:
        made = create(api, {"name": body["type"], "api_base_url": sandbox.url, **body})
        assert made["status"] == "connected"
        assert made[secret] == {"set": True}
        assert body[secret] not in str(api.get(f"/api/v1/connections/{made['slug']}/").json())
        refused = api.post(f"/api/v1/connections/{made['slug']}/authorize/")
        assert refused.json()["code"] == "authorization_unsupported"


def test_the_list_is_paged(api: APIClient, sandbox: Sandbox) -> None:
    for number in range(3):
        create(api, google_like(sandbox, name=f"Number {number}"))
    page = api.get("/api/v1/connections/?limit=2").json()
    assert [one["name"] for one in page["results"]] == ["Number 2", "Number 1"]
    assert [one["name"] for one in api.get(page["next"]).json()["results"]] == ["Number 0"]
