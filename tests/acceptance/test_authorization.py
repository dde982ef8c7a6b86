"""From «authorize» to tokens, with authorization servers of many habits."""

import base64
import hashlib
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import pytest

from tests.acceptance.http_server import Reply, reply
from tests.acceptance.odd_oauth import CLIENT_ID, CLIENT_SECRET, OddOAuth
from tests.acceptance.product import Product, at_once, http, send, sixteen_fields
from tests.processes import Live

BASIC = {"Authorization": "Basic {{ base64_encode(client_id ~ ':' ~ client_secret) }}"}


def test_the_whole_walk_with_everything_in_its_place(product: Product, live: Live, oauth: OddOAuth) -> None:
    slug = product.oauth2(oauth)["slug"]
    url = product.post(f"connections/{slug}/authorize/").json["authorization_url"]
    asked = dict(parse_qsl(urlsplit(url).query, strict_parsing=True))
    assert url.isascii()
    assert (asked["client_id"], asked["redirect_uri"], asked["scope"]) == (CLIENT_ID, oauth.redirect_uri, "read write")
    assert len(asked["state"]) >= 22
    assert "code_challenge" not in asked
    page = send("GET", url)
    assert page.status == 302, page
    back = send("GET", page.headers["Location"])
    assert back.status == 303, back
    assert urlsplit(back.headers["Location"]).query in ("", "tab=connection") or "code" not in back.headers["Location"]
    assert back.headers["Location"].startswith((product.url, "/")), "never anywhere else"
    token = oauth.token_requests()
    assert [seen.method for seen in token] == ["POST"]
    fields = token[0].form
    assert fields == {
        "grant_type": "authorization_code",
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "redirect_uri": asked["redirect_uri"],
        "code": next(iter(oauth.codes)),
    }
    assert token[0].headers["x-token-request"] == "ab"
    assert oauth.complaints == []
    connection = product.get(f"connections/{slug}/").json
    assert (connection["status"], sorted(connection["scopes"])) == ("connected", ["read", "write"])
    assert connection["expires_at"]
    run = product.try_steps(http("s2", f"{oauth.url}/api/things", slug))
    assert run["status"] == "succeeded", run
    seen = oauth.of("/api/things")[0]
    assert seen.query == {"api": "v2"}
    everything = product.get(f"connections/{slug}/").text + product.get(f"runs/{run['id']}/").text
    for secret in (*oauth.grants[0].access, oauth.grants[0].refresh, CLIENT_SECRET):
        assert str(secret) not in everything + live.web.text() + live.worker.text()
    assert product.get(f"connections/{slug}/").json["last_used_at"]


def test_a_state_is_added_where_the_template_has_none(product: Product, oauth: OddOAuth) -> None:
    template = sixteen_fields(oauth)["authorization_url"].split("&state=")[0]
    product.connected(oauth, authorization_url=template)


def test_pkce_goes_into_both_requests_when_it_is_asked_for(product: Product, oauth: OddOAuth) -> None:
    oauth.require_pkce = True
    slug = product.connected(oauth, use_pkce=True)["slug"]
    code = next(iter(oauth.codes.values()))
    verifier = oauth.token_requests()[0].form["code_verifier"]
    assert 43 <= len(verifier) <= 128
    digest = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    assert (code.challenge, code.method) == (digest, "S256")
    product.authorize(slug, oauth)
    assert oauth.token_requests()[1].form["code_verifier"] != verifier, "each flow has its own"


def test_pkce_in_the_templates_is_not_added_twice(product: Product, oauth: OddOAuth) -> None:
    oauth.require_pkce = True
    fields = sixteen_fields(oauth)
    url = fields["authorization_url"] + "&code_challenge_method=S256&code_challenge=<< code_challenge >>"
    params = fields["token_params"] | {"code_verifier": "{{ code_verifier }}"}
    made = product.connected(oauth, use_pkce=True, authorization_url=url, token_params=params)
    asked = parse_qs(urlsplit(product.post(f"connections/{made['slug']}/authorize/").json["authorization_url"]).query)
    assert (len(asked["code_challenge"]), len(asked["code_challenge_method"])) == (1, 1)
    assert oauth.token_requests()[0].form_lists["code_verifier"] == [oauth.token_requests()[0].form["code_verifier"]]


@pytest.mark.parametrize("how", ["missing", "wrong", "reused", "of another connection", "empty"])
def test_a_bad_state_is_refused_with_400_and_nothing_is_asked(product: Product, oauth: OddOAuth, how: str) -> None:
    slug = product.oauth2(oauth, slug="first")["slug"]
    back = product.consent(slug, oauth)
    query = dict(parse_qsl(urlsplit(back).query))
    callback = oauth.redirect_uri
    if how == "missing":
        query.pop("state")
    elif how == "wrong":
        query["state"] = query["state"][:-1] + ("A" if query["state"][-1] != "A" else "B")
    elif how == "empty":
        query["state"] = ""
    elif how == "reused":
        assert send("GET", back).status == 303
    else:
        callback = product.oauth2(oauth, slug="second")["redirect_uri"]
    before = len(oauth.token_requests())
    answer = send("GET", f"{callback}?{urlencode(query)}")
    assert answer.status == 400, answer
    assert len(oauth.token_requests()) == before


def test_a_state_is_good_for_one_of_two_callbacks_at_once(product: Product, oauth: OddOAuth) -> None:
    back = product.consent(product.oauth2(oauth)["slug"], oauth)
    statuses = sorted(answer.status for answer in at_once(6, lambda _: send("GET", back)))
    assert statuses == [303, 400, 400, 400, 400, 400]
    assert len(oauth.token_requests()) == 1


def test_a_refusal_of_the_person_leaves_everything_as_it_was(product: Product, oauth: OddOAuth) -> None:
    oauth.refusal = "access_denied"
    slug = product.oauth2(oauth)["slug"]
    assert product.authorize(slug, oauth).status == 303
    assert product.get(f"connections/{slug}/").json["status"] == "new"
    oauth.refusal = None
    product.authorize(slug, oauth)
    oauth.refusal = "access_denied"
    assert product.authorize(slug, oauth).status == 303
    assert product.get(f"connections/{slug}/").json["status"] == "connected"
    run = product.try_steps(http("s2", f"{oauth.url}/api/x", slug))
    assert run["status"] == "succeeded", "the old tokens still work"


@pytest.mark.parametrize("how", ["wrong secret", "html", "no token", "unreachable method"])
def test_a_failed_exchange_is_misconfigured_with_its_reason(product: Product, oauth: OddOAuth, how: str) -> None:
    changes: dict[str, Any] = {}
    if how == "wrong secret":
        changes["client_secret"] = "not-this-one"
    elif how == "html":
        oauth.token_faults = [Reply(200, b"<html>login</html>", {"Content-Type": "text/html"})]
    elif how == "no token":
        oauth.token_faults = [reply({"ok": True})]
    else:
        changes["token_method"] = "GET"
    slug = product.oauth2(oauth, **changes)["slug"]
    assert product.authorize(slug, oauth).status == 303
    connection = product.get(f"connections/{slug}/").json
    assert connection["status"] == "misconfigured"
    assert connection["error"]["code"]
    assert connection["error"]["text"]
    if how == "wrong secret":
        assert "invalid_client" in str(connection["error"])
    assert "not-this-one" not in str(connection)


def test_a_token_request_may_be_json(product: Product, oauth: OddOAuth) -> None:
    oauth.token_format = "json"
    slug = product.connected(oauth, token_format="json", refresh_format="json")["slug"]
    assert oauth.token_requests()[0].json["redirect_uri"] == oauth.redirect_uri
    assert product.post(f"connections/{slug}/refresh/").status == 200
    assert oauth.token_requests()[1].json["grant_type"] == "refresh_token"


def test_a_token_request_may_be_a_get_with_everything_in_the_query(product: Product, oauth: OddOAuth) -> None:
    oauth.token_format = "query"
    fields = sixteen_fields(oauth)
    url = fields["token_url"] + "?fixed=<< 'a b'|urlencode >>"
    slug = product.connected(oauth, token_method="GET", refresh_method="GET", token_url=url)["slug"]
    seen = oauth.token_requests()[0]
    assert (seen.method, seen.body, seen.query["fixed"], seen.query["client_secret"]) == (
        "GET",
        b"",
        "a b",
        CLIENT_SECRET,
    )
    assert product.post(f"connections/{slug}/refresh/").status == 200
    assert oauth.refreshes == 1


def test_a_client_may_authenticate_by_a_basic_header(product: Product, oauth: OddOAuth) -> None:
    oauth.client_auth = "basic"
    fields = sixteen_fields(oauth)
    without = {"client_id", "client_secret"}
    token = {name: text for name, text in fields["token_params"].items() if name not in without}
    renewal = {name: text for name, text in fields["refresh_params"].items() if name not in without}
    slug = product.connected(
        oauth, token_params=token, refresh_params=renewal, token_headers=BASIC, refresh_headers=BASIC
    )["slug"]
    assert product.post(f"connections/{slug}/refresh/").status == 200
    assert oauth.complaints == []


def test_an_unusual_answer_is_read_by_the_paths_of_field_ten(product: Product, oauth: OddOAuth) -> None:
    def nested(tokens: dict[str, Any]) -> Reply:
        body = {"data": {"auth": {"key": tokens["access_token"], "again": tokens.get("refresh_token"), "ttl": "1800"}}}
        return reply(body, 201)

    oauth.shape = nested
    oauth.rotate = True
    paths = {
        "access_token": "data.auth.key", "refresh_token": "data.auth.again", "expires_in": "data.auth.ttl",
    }  # fmt: skip
    slug = product.connected(oauth, token_response=paths)["slug"]
    oauth.expire_access()
    for _ in range(2):
        oauth.expire_access()
        assert product.try_steps(http("s2", f"{oauth.url}/api/x", slug))["status"] == "succeeded"
    assert (oauth.refreshes, oauth.reuses) == (2, 0)


def test_an_answer_may_be_a_form(product: Product, oauth: OddOAuth) -> None:
    def as_form(tokens: dict[str, Any]) -> Reply:
        return Reply(200, urlencode(tokens).encode(), {"Content-Type": "application/x-www-form-urlencoded"})

    oauth.shape = as_form
    slug = product.connected(oauth)["slug"]
    assert product.try_steps(http("s2", f"{oauth.url}/api/x", slug))["status"] == "succeeded"


@pytest.mark.parametrize("lifetime", ["3600", 3600.0, None, 0, -1, "soon", 10**12], ids=str)
def test_an_odd_lifetime_does_not_spoil_an_authorization(product: Product, oauth: OddOAuth, lifetime: Any) -> None:
    oauth.lifetime = lifetime
    slug = product.connected(oauth)["slug"]
    assert product.try_steps(http("s2", f"{oauth.url}/api/x", slug))["status"] == "succeeded"


def test_a_field_of_the_token_answer_may_be_used_in_requests(product: Product, oauth: OddOAuth) -> None:
    oauth.shape = lambda tokens: reply(tokens | {"team": {"id": "т 7"}})
    slug = product.connected(oauth, request_query={"team": "<< token.team.id >>"})["slug"]
    product.try_steps(http("s2", f"{oauth.url}/api/x", slug))
    assert oauth.of("/api/x")[0].query == {"team": "т 7"}


def test_client_credentials_get_their_token_at_the_first_use(product: Product, oauth: OddOAuth) -> None:
    params = {
        "grant_type": "client_credentials",
        "client_id": "{{ client_id }}",
        "client_secret": "<< client_secret >>",
    }
    made = product.oauth2(oauth, grant="client_credentials", token_params=params | {"scope": "s"}, authorization_url="")
    run = product.try_steps(http("s2", f"{oauth.url}/api/x", made["slug"]))
    assert run["status"] == "succeeded", run
    assert product.get(f"connections/{made['slug']}/").json["status"] == "connected"
    oauth.expire_access()
    assert product.try_steps(http("s2", f"{oauth.url}/api/x", made["slug"]))["status"] == "succeeded"
    assert [seen.form["grant_type"] for seen in oauth.token_requests()] == ["client_credentials"] * 2


def test_client_credentials_are_authorized_without_a_page(product: Product, oauth: OddOAuth) -> None:
    params = {
        "grant_type": "client_credentials",
        "client_id": "{{ client_id }}",
        "client_secret": "<< client_secret >>",
    }
    made = product.oauth2(oauth, grant="client_credentials", token_params=params, authorization_url="")
    answer = product.post(f"connections/{made['slug']}/authorize/")
    assert (answer.status, answer.json) == (200, {"authorization_url": None})
    assert product.get(f"connections/{made['slug']}/").json["status"] == "connected"
