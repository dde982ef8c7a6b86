"""API tokens: shown once, kept as a digest, no stronger than their maker, refused at once when they end."""

import re
from contextlib import suppress
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from accounts import events, members, tokens
from accounts.access import Actor
from accounts.models import ApiToken, Membership
from accounts.roles import Role
from lib.errors import UserError
from tests.people import actor_of, token_of

PAGE = "/settings/tokens/"
ME = "/api/v1/me/"


def bearer(secret: str) -> APIClient:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    return client


def make_on_page(browser: Client, **form) -> str:
    page = browser.post(PAGE, {"name": "script", "role": "viewer", "lifetime": "90"} | form).content.decode()
    return re.search(r'data-copy="(apn_[\w-]{43})"', page)[1]


def test_a_token_is_shown_once_and_works(client_of, alice):
    browser = client_of(alice)
    secret = make_on_page(browser, role="owner")
    assert bearer(secret).get(ME).json()["role"] == "owner"
    page = browser.get(PAGE).content.decode()
    assert secret not in page
    assert secret[:12] in page


def test_only_a_digest_is_kept(alice):
    secret = token_of(alice)
    row = ApiToken.objects.get()
    assert (len(row.digest), len(secret)) == (32, 47)
    assert secret not in repr([getattr(row, field.name) for field in ApiToken._meta.fields])


def test_nobody_makes_a_token_stronger_than_themselves(client_of, bob, api):
    page = client_of(bob).post(PAGE, {"name": "x", "role": "owner", "lifetime": "90"})
    assert page.status_code == 422
    refused = api("editor").post("/api/v1/tokens/", {"name": "x", "role": "owner"})
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    assert not ApiToken.objects.filter(role="owner").exists()


def test_a_weak_token_of_an_owner_makes_no_stronger_one(alice):
    weak = bearer(token_of(alice, Role.VIEWER))
    assert weak.post("/api/v1/tokens/", {"name": "x", "role": "editor"}, format="json").status_code == 403
    assert weak.post("/api/v1/members/", {"email": "x@example.com", "role": "owner"}, format="json").status_code == 403


def test_a_token_falls_with_its_makers_role(bob, workspace):
    client = bearer(token_of(bob))
    assert client.get(ME).json()["role"] == "editor"
    Membership.objects.filter(user=bob, workspace=workspace).update(role="viewer")
    assert client.get(ME).json()["role"] == "viewer"


def test_the_tokens_of_a_removed_member_are_refused_at_once(client_of, alice, bob):
    client = bearer(token_of(bob))
    assert client.get(ME).status_code == 200
    client_of(alice).post(f"/settings/members/{bob.public_id}/remove/")
    answer = client.get(ME)
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
    assert answer["WWW-Authenticate"].startswith("Bearer")


def test_a_membership_that_vanished_otherwise_counts_as_well(bob, workspace):
    client = bearer(token_of(bob))
    Membership.objects.filter(user=bob).delete()
    assert client.get(ME).status_code == 401


def test_a_revoked_and_an_expired_token_are_refused(client_of, alice):
    secret = token_of(alice)
    token = ApiToken.objects.get()
    client_of(alice).post(f"{PAGE}{token.public_id}/revoke/")
    assert bearer(secret).get(ME).status_code == 401
    late = tokens.make(actor_of(alice), "late", role=Role.OWNER, expires_at=timezone.now() - timedelta(seconds=1))[1]
    assert bearer(late).get(ME).status_code == 401


@pytest.mark.parametrize("header", ["Bearer ", "Bearer apn_", "Bearer \xff", "Basic YTpi", "apn_x", ""])
def test_other_headers_open_nothing(db, header):
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=header)
    answer = client.get(ME)
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")


def test_the_last_use_is_noted_at_most_once_a_minute(alice, django_assert_num_queries):
    client = bearer(token_of(alice))
    client.get(ME)
    first = ApiToken.objects.get().last_used_at
    assert timezone.now() - first < timedelta(seconds=10)
    with django_assert_num_queries(1):
        client.get(ME)
    assert ApiToken.objects.get().last_used_at == first
    ApiToken.objects.update(last_used_at=first - timedelta(minutes=2))
    client.get(ME)
    assert ApiToken.objects.get().last_used_at > first - timedelta(minutes=1)


def test_an_owner_sees_all_tokens_and_bob_his_own(alice, bob, api):
    token_of(alice)
    everybodys = api("owner").get("/api/v1/tokens/").json()["results"]
    assert {token["created_by"] for token in everybodys} == {"alice@example.com"}
    own = api("editor").get("/api/v1/tokens/").json()["results"]
    assert [token["created_by"] for token in own] == ["bob@example.com"]
    assert "token" not in own[0]
    foreign = ApiToken.objects.filter(created_by=alice).first()
    assert api("editor").delete(f"/api/v1/tokens/{foreign.public_id}/").status_code == 404


def test_for_charlie_alices_tokens_do_not_exist(client_of, alice, charlie, api):
    token_of(alice)
    token = ApiToken.objects.get(created_by=alice)
    assert client_of(charlie).get(f"{PAGE}{token.public_id}/revoke/").status_code == 404
    assert client_of(charlie).post(f"{PAGE}{token.public_id}/revoke/").status_code == 404
    for method in ("get", "delete"):
        assert getattr(api(charlie), method)(f"/api/v1/tokens/{token.public_id}/").status_code == 404
    token.refresh_from_db()
    assert token.revoked_at is None


def test_a_token_made_by_the_api_is_answered_once(api):
    made = api("owner").post(
        "/api/v1/tokens/", {"name": "ci", "role": "viewer", "expires_at": "2099-01-01T00:00:00+03:00"}
    )
    assert made.status_code == 201
    body = made.json()
    assert body["expires_at"] == "2098-12-31T21:00:00Z"
    assert bearer(body["token"]).get(ME).json()["token"]["prefix"] == body["prefix"]


@pytest.mark.parametrize("moment", ["2001-01-01T00:00:00Z", "2099-01-01T00:00:00", "tomorrow", 5])
def test_an_expiry_in_the_past_or_not_of_rfc_3339_is_refused(api, moment):
    answer = api("owner").post("/api/v1/tokens/", {"name": "ci", "role": "viewer", "expires_at": moment})
    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == ["expires_at"]


def made_by(client: APIClient, **values) -> dict:
    answer = client.post("/api/v1/tokens/", {"name": "child", "role": "viewer"} | values, format="json")
    assert answer.status_code == 201, answer.content
    return answer.json()


@pytest.mark.parametrize("role", [Role.VIEWER, Role.EDITOR])
def test_a_token_below_an_owners_makes_no_tokens_revokes_none_and_renames_nobody(alice, role):
    production = tokens.make(actor_of(alice), "production", role=Role.OWNER)[0]
    weak = bearer(token_of(alice, role))
    answers = [
        weak.post("/api/v1/tokens/", {"name": "forever", "role": "viewer"}, format="json"),
        weak.delete(f"/api/v1/tokens/{production.public_id}/"),
        weak.patch(ME, {"name": "Mallory"}, format="json"),
    ]
    assert [(answer.status_code, answer.json()["params"]["reason"]) for answer in answers] == [(403, "token")] * 3
    production.refresh_from_db()
    alice.refresh_from_db()
    assert (production.revoked_at, alice.name, ApiToken.objects.count()) == (None, "Alice", 2)


def test_bob_makes_and_revokes_his_tokens_in_the_cabinet(client_of, bob):
    browser = client_of(bob)
    make_on_page(browser)
    own = ApiToken.objects.get(created_by=bob)
    browser.post(f"{PAGE}{own.public_id}/revoke/")
    own.refresh_from_db()
    assert own.revoked_at is not None


def test_what_a_token_makes_ends_no_later_than_it(alice):
    soon = timezone.now() + timedelta(minutes=5)
    client = bearer(tokens.make(actor_of(alice), "short", role=Role.OWNER, expires_at=soon)[1])
    made_by(client)
    made_by(client, expires_at="2099-01-01T00:00:00Z")
    made_by(client, expires_at=(soon - timedelta(minutes=3)).isoformat())
    ends = list(ApiToken.objects.filter(name="child").order_by("id").values_list("expires_at", flat=True))
    assert ends == [soon, soon, soon - timedelta(minutes=3)]


def test_a_revoked_token_takes_along_what_was_made_with_it(client_of, alice):
    maker, secret = tokens.make(actor_of(alice), "maker", role=Role.OWNER)
    child = made_by(bearer(secret), role="owner")
    grandchild = made_by(bearer(child["token"]))
    apart = bearer(token_of(alice))
    client_of(alice).post(f"{PAGE}{maker.public_id}/revoke/")
    for ended in (secret, child["token"], grandchild["token"]):
        assert bearer(ended).get(ME).status_code == 401
    assert apart.get(ME).status_code == 200


def test_a_token_that_was_revoked_a_moment_ago_makes_none(alice):
    """Its request was let in before the revocation was committed."""
    maker = tokens.make(actor_of(alice), "maker", role=Role.OWNER)[0]
    caller = Actor(maker.workspace, Role.OWNER, alice, maker)
    ApiToken.objects.filter(pk=maker.pk).update(revoked_at=timezone.now())
    with pytest.raises(UserError) as refused:
        tokens.make(caller, "child", role=Role.VIEWER)
    assert refused.value.code == "unauthenticated"


def test_who_lost_access_is_told_after_the_commit(
    alice, bob, workspace, monkeypatch, django_capture_on_commit_callbacks
):
    told: list = []

    def fails(workspace, user):
        raise RuntimeError

    monkeypatch.setattr(events, "access_lost", [fails, lambda workspace, user: told.append((workspace, user))])
    membership = Membership.objects.get(user=bob)
    token = tokens.make(actor_of(bob), "x", role=Role.VIEWER)[0]

    def happens(act):
        told.clear()
        with django_capture_on_commit_callbacks() as callbacks:
            act()
            assert told == []
        for callback in callbacks:
            with suppress(RuntimeError):
                callback()
        return set(told)

    assert happens(lambda: tokens.revoke(actor_of(alice), token)) == {(workspace, bob)}
    assert happens(lambda: members.change_role(actor_of(alice), membership, Role.OWNER)) == set()
    assert happens(lambda: members.change_role(actor_of(alice), membership, Role.VIEWER)) == {(workspace, bob)}
    assert happens(lambda: members.remove(actor_of(bob), membership)) == {(workspace, bob)}
