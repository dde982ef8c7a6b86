"""The token endpoint, revocation and userinfo."""

import base64
import secrets
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256

import pytest
import requests

from sandbox.store import Client
from sandbox.testing import Sandbox
from tests.sandbox.conftest import EVENTS, REDIRECT_URI, OAuth


def test_a_code_becomes_tokens(oauth: OAuth) -> None:
    answer = oauth.exchange(oauth.code())
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    tokens = answer.json()
    assert tokens.keys() == {"access_token", "expires_in", "refresh_token", "scope", "token_type"}
    assert (tokens["expires_in"], tokens["scope"], tokens["token_type"]) == (3599, EVENTS, "Bearer")
    assert len(tokens["access_token"]) <= 2048
    assert len(tokens["refresh_token"]) <= 512
    assert oauth.listing_status(tokens["access_token"]) == 200


def test_a_code_used_twice_ends_its_tokens(oauth: OAuth) -> None:
    code = oauth.code()
    tokens = oauth.exchange(code).json()
    again = oauth.exchange(code)
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
    assert oauth.listing_status(tokens["access_token"]) == 401
    assert oauth.refresh(tokens["refresh_token"]).json()["error"] == "invalid_grant"


def test_of_twenty_exchanges_of_one_code_one_succeeds(oauth: OAuth) -> None:
    code = oauth.code()
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: oauth.exchange(code), range(20)))
    assert sorted(answer.status_code for answer in answers) == [200] + [400] * 19
    assert {answer.json().get("error") for answer in answers} == {None, "invalid_grant"}


def test_a_code_grows_old(oauth: OAuth) -> None:
    code = oauth.code()
    now = oauth.sandbox.store.clock()
    oauth.sandbox.store.clock = lambda: now + 601
    assert oauth.exchange(code).json()["error"] == "invalid_grant"


@pytest.mark.parametrize("other", [REDIRECT_URI.rstrip("/"), "https://apinita.example/connections/17"])
def test_the_redirect_uri_of_both_requests_has_to_be_the_same(oauth: OAuth, other: str) -> None:
    answer = oauth.exchange(oauth.code(), redirect_uri=other)
    assert (answer.status_code, answer.json()["error"]) == (400, "redirect_uri_mismatch")


def test_pkce_s256_is_checked(oauth: OAuth) -> None:
    verifier = secrets.token_urlsafe(48)
    challenge = base64.urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    asked = {"code_challenge": challenge, "code_challenge_method": "S256"}
    assert oauth.exchange(oauth.code(**asked)).json()["error_description"] == "Missing code verifier."
    wrong = oauth.exchange(oauth.code(**asked), code_verifier="x" * 43)
    assert wrong.json() == {"error": "invalid_grant", "error_description": "Invalid code verifier."}
    assert oauth.exchange(oauth.code(**asked), code_verifier=verifier).status_code == 200


def test_pkce_plain_is_the_method_where_none_is_named(oauth: OAuth) -> None:
    verifier = "v" * 43
    assert oauth.exchange(oauth.code(code_challenge=verifier), code_verifier=verifier).status_code == 200
    assert oauth.exchange(oauth.code(code_challenge=verifier), code_verifier="w" * 43).status_code == 400


def test_a_verifier_without_a_challenge_is_refused(oauth: OAuth) -> None:
    assert oauth.exchange(oauth.code(), code_verifier="v" * 43).json()["error"] == "invalid_grant"


def test_a_refresh_token_comes_only_offline_and_only_at_a_consent(oauth: OAuth) -> None:
    assert "refresh_token" not in oauth.connect(access_type=None)
    oauth.sandbox.reset()
    assert "refresh_token" in oauth.connect(prompt=None)
    assert "refresh_token" not in oauth.connect(prompt=None)
    assert "refresh_token" in oauth.connect(prompt="consent")


def test_a_refresh_gives_a_new_access_token_and_keeps_the_refresh_token(oauth: OAuth) -> None:
    tokens = oauth.connect()
    answer = oauth.refresh(tokens["refresh_token"])
    assert answer.status_code == 200
    assert "refresh_token" not in answer.json()
    assert answer.json()["access_token"] != tokens["access_token"]
    assert oauth.listing_status(tokens["access_token"]) == 200, "the old one lives until it expires"
    assert oauth.refresh(tokens["refresh_token"]).status_code == 200


def test_a_rotated_refresh_token_used_again_ends_the_family(oauth: OAuth) -> None:
    oauth.sandbox.configure(rotation=True)
    first = oauth.connect()["refresh_token"]
    renewed = oauth.refresh(first).json()
    assert renewed["refresh_token"] != first
    assert oauth.refresh(first).json()["error"] == "invalid_grant"
    assert oauth.refresh(renewed["refresh_token"]).json()["error"] == "invalid_grant"
    assert oauth.listing_status(renewed["access_token"]) == 401


def test_of_twenty_refreshes_with_rotation_one_succeeds(oauth: OAuth) -> None:
    oauth.sandbox.configure(rotation=True)
    refresh_token = oauth.connect()["refresh_token"]
    with ThreadPoolExecutor(20) as pool:
        statuses = list(pool.map(lambda _: oauth.refresh(refresh_token).status_code, range(20)))
    assert sorted(statuses) == [200] + [400] * 19


def test_a_narrower_scope_can_be_refreshed_a_wider_one_not(oauth: OAuth) -> None:
    refresh_token = oauth.connect(scope=f"openid {EVENTS}")["refresh_token"]
    assert oauth.refresh(refresh_token, scope="openid").json()["scope"] == "openid"
    assert oauth.refresh(refresh_token, scope="openid profile").json()["error"] == "invalid_scope"


def test_client_credentials_give_a_token_without_a_person(oauth: OAuth) -> None:
    answer = oauth.token(grant_type="client_credentials", scope=EVENTS)
    assert answer.status_code == 200
    assert "refresh_token" not in answer.json()
    assert oauth.listing_status(answer.json()["access_token"]) == 200


@pytest.mark.parametrize(
    ("form", "status", "error"),
    [
        ({"grant_type": None}, 400, "invalid_request"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"client_id": "nobody"}, 401, "invalid_client"),
        ({"client_id": None}, 400, "invalid_request"),
        ({"client_secret": "wrong"}, 401, "invalid_client"),
        ({"client_secret": "неверно"}, 401, "invalid_client"),
        ({"client_secret": None}, 400, "invalid_request"),
        ({"code": None}, 400, "invalid_request"),
        ({"code": "4/0Amade-up"}, 400, "invalid_grant"),
        ({"redirect_uri": None}, 400, "invalid_request"),
    ],
)
def test_a_wrong_exchange_says_what_is_wrong(
    oauth: OAuth, form: dict[str, str | None], status: int, error: str
) -> None:
    code = oauth.code()
    answer = oauth.exchange(**{"code": code, **form})  # type: ignore[arg-type]
    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert answer.json()["error_description"]
    assert oauth.exchange(code).status_code == 200, "a failed try leaves the code alone"


def test_anothers_code_and_refresh_token_are_refused() -> None:
    other = Client("other.apps.sandbox", "other-secret")
    mine = Client(Sandbox.client_id, Sandbox.client_secret)
    with Sandbox(clients=[mine, other]) as sandbox:
        oauth = OAuth(sandbox)
        stranger = {"client_id": other.id, "client_secret": other.secret}
        assert oauth.exchange(oauth.code(), **stranger).json()["error"] == "invalid_grant"
        assert oauth.refresh(oauth.connect()["refresh_token"], **stranger).json()["error"] == "invalid_grant"


def test_the_client_may_sign_in_by_basic(oauth: OAuth) -> None:
    form = {"grant_type": "authorization_code", "code": oauth.code(), "redirect_uri": REDIRECT_URI}
    basic = (Sandbox.client_id, Sandbox.client_secret)
    wrong = requests.post(oauth.sandbox.token_url, data=form, auth=(Sandbox.client_id, "no"), timeout=10)
    assert wrong.status_code == 401
    assert wrong.headers["WWW-Authenticate"].startswith("Basic")
    assert requests.post(oauth.sandbox.token_url, data=form, auth=basic, timeout=10).status_code == 200


def test_two_different_sign_ins_at_once_are_refused(oauth: OAuth) -> None:
    form = {"grant_type": "client_credentials", "client_id": "nobody"}
    basic = (Sandbox.client_id, Sandbox.client_secret)
    answer = requests.post(oauth.sandbox.token_url, data=form, auth=basic, timeout=10)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


def test_json_is_refused_unless_it_is_switched_on(oauth: OAuth) -> None:
    body = {
        "grant_type": "client_credentials",
        "client_id": Sandbox.client_id,
        "client_secret": Sandbox.client_secret,
    }
    answer = requests.post(oauth.sandbox.token_url, json=body, timeout=10)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    oauth.sandbox.configure(accept_json=True)
    assert requests.post(oauth.sandbox.token_url, json=body, timeout=10).status_code == 200


def test_repeated_parameters_and_get_are_refused(oauth: OAuth) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = requests.post(oauth.sandbox.token_url, data="grant_type=a&grant_type=b", headers=headers, timeout=10)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    assert requests.get(oauth.sandbox.token_url, timeout=10).status_code == 405


def test_access_tokens_expire_by_time_and_on_demand(oauth: OAuth) -> None:
    tokens = oauth.connect()
    now = oauth.sandbox.store.clock()
    oauth.sandbox.store.clock = lambda: now + 3600
    assert oauth.listing_status(tokens["access_token"]) == 401
    fresh = oauth.refresh(tokens["refresh_token"]).json()["access_token"]
    assert oauth.listing_status(fresh) == 200
    oauth.sandbox.expire_tokens()
    assert oauth.listing_status(fresh) == 401
    assert oauth.refresh(tokens["refresh_token"]).status_code == 200


@pytest.mark.parametrize("which", ["access_token", "refresh_token"])
def test_revoking_either_token_ends_the_whole_grant(oauth: OAuth, which: str) -> None:
    tokens = oauth.connect()
    other = oauth.connect()
    assert requests.post(oauth.sandbox.revoke_url, data={"token": tokens[which]}, timeout=10).status_code == 200
    assert oauth.listing_status(other["access_token"]) == 401
    answer = oauth.refresh(other["refresh_token"])
    assert answer.json() == {"error": "invalid_grant", "error_description": "Token has been expired or revoked."}
    again = requests.post(oauth.sandbox.revoke_url, data={"token": tokens[which]}, timeout=10)
    assert (again.status_code, again.json()["error"]) == (400, "invalid_token")
    assert "refresh_token" in oauth.connect(prompt=None), "the next consent is a first one again"


def test_the_oldest_of_more_than_a_hundred_refresh_tokens_dies(oauth: OAuth) -> None:
    first = oauth.connect()["refresh_token"]
    for _ in range(99):
        oauth.sandbox.refresh_token()
    assert oauth.refresh(first).status_code == 200
    oauth.sandbox.refresh_token()
    assert oauth.refresh(first).json()["error"] == "invalid_grant"


def test_userinfo_says_whom_the_token_acts_for(oauth: OAuth) -> None:
    token = oauth.connect()["access_token"]
    answer = requests.get(oauth.sandbox.userinfo_url, headers={"Authorization": f"Bearer {token}"}, timeout=10)
    assert answer.json().keys() == {"sub", "email", "name"}
    assert answer.json()["email"] == "anna@sandbox.example"
    refused = requests.get(oauth.sandbox.userinfo_url, headers={"Authorization": "Bearer no"}, timeout=10)
    assert refused.status_code == 401
    assert "invalid_token" in refused.headers["WWW-Authenticate"]
