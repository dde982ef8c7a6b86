"""Connections: what is written, what is read back, where secrets may go."""

import base64
from collections.abc import Callable
from typing import Any

import pytest

from accounts.models import User
from tests.acceptance.http_server import Target, reply
from tests.acceptance.odd_oauth import CLIENT_SECRET, OddOAuth
from tests.acceptance.product import Product, http, result_of, send, sixteen_fields, step, step_of

SIXTEEN = [
    "client_id", "client_secret", "authorization_url", "token_url", "token_method", "token_format", "token_params",
    "token_headers", "request_query", "request_headers", "token_response", "expired_statuses", "refresh_url",
    "refresh_method", "refresh_format", "refresh_params", "refresh_headers", "redirect_uri",
]  # fmt: skip
OTHERS = [
    "name", "slug", "type", "preset", "api_base_url", "revoke_url", "use_pkce", "grant", "status", "account", "scopes",
    "expires_at", "last_used_at", "allowed_hosts",
]  # fmt: skip


def test_all_sixteen_fields_are_kept_and_read_back(product: Product, oauth: OddOAuth) -> None:
    fields = sixteen_fields(oauth)
    made = product.oauth2(oauth)
    read = product.get(f"connections/{made['slug']}/").json
    assert set(read) >= {*SIXTEEN, *OTHERS}, {*SIXTEEN, *OTHERS} - set(read)
    for name, text in fields.items():
        if name != "client_secret":
            assert read[name] == text, name
    assert read["client_secret"] == {"set": True}
    assert (read["status"], read["grant"], read["use_pkce"]) == ("new", "authorization_code", False)
    assert read["redirect_uri"] == f"{product.url}/connections/{read['id']}/callback/"
    assert [row["slug"] for row in product.get("connections/").json["results"]] == [made["slug"]]


def test_the_redirect_url_cannot_be_written(product: Product, oauth: OddOAuth) -> None:
    answer = product.post("connections/", sixteen_fields(oauth) | {"redirect_uri": "https://evil.example/"})
    assert answer.status == 400, answer


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"type": "api_key", "key": "canary", "header": "X-Api-Key"}, ("x-api-key", "canary")),
        (
            {"type": "api_key", "key": "canary", "header": "Authorization", "prefix": "Key "},
            ("authorization", "Key canary"),
        ),
        ({"type": "api_key", "key": "canary+/=&", "query": "api_key"}, ("?api_key", "canary+/=&")),
        (
            {"type": "basic", "username": "ю:", "password": "canary:п"},
            ("authorization", "Basic " + base64.b64encode("ю::canary:п".encode()).decode()),
        ),
        ({"type": "bearer", "token": "canary"}, ("authorization", "Bearer canary")),
    ],
    ids=["header", "header with prefix", "query", "basic", "bearer"],
)
def test_each_simple_type_signs_its_requests_and_shows_no_secret(
    product: Product, target: Target, fields: dict[str, Any], expected: tuple[str, str]
) -> None:
    host = target.url.removeprefix("http://")
    made = product.connect(fields | {"name": "Ключ", "slug": "key", "allowed_hosts": [host]})
    scenario = product.create(http("s2", f"{target.url}/x", "key", query={"own": "1"}))
    product.post(f"scenarios/{scenario['id']}/publish/")
    product.post(f"scenarios/{scenario['id']}/activate/")
    run = product.run(scenario)
    assert run["status"] == "succeeded", run
    seen = target.seen[0]
    assert seen.query["own"] == "1"
    name, text = expected
    assert (seen.query.get(name[1:]) if name.startswith("?") else seen.headers.get(name)) == text
    tested = product.post(f"scenarios/{scenario['id']}/steps/s2/test/", {"results": {}})
    everything = [
        product.get("connections/").text, product.get("connections/key/").text, str(made), tested.text,
        product.patch("connections/key/", {"name": "Другое"}).text, product.get("audit/").text,
    ]  # fmt: skip
    for shown in everything:
        assert "canary" not in shown, shown
    assert "canary" not in str({**run, "steps": [{**one, "result": None} for one in run["steps"]]})


def test_a_secret_echoed_by_a_server_is_masked_in_the_run(product: Product, target: Target) -> None:
    target.routes["/echo"] = lambda seen: reply({"you_sent": seen.headers["authorization"]})
    host = target.url.removeprefix("http://")
    product.connect({"type": "bearer", "name": "b", "slug": "b", "token": "canary-12345678", "allowed_hosts": [host]})
    run = product.try_steps(http("s2", f"{target.url}/echo", "b"))
    assert run["status"] == "succeeded"
    assert "canary-12345678" not in product.get(f"runs/{run['id']}/").text


def test_a_slug_may_be_given_or_is_made_of_the_name(product: Product) -> None:
    bearer = {"type": "bearer", "token": "t"}
    assert product.connect(bearer | {"name": "Мой Календарь №1", "slug": "given-1"})["slug"] == "given-1"
    made = [product.connect(bearer | {"name": "Мой Календарь №1"})["slug"] for _ in range(2)]
    assert all(slug and slug.isascii() for slug in made)
    assert len(set(made)) == 2
    taken = product.post("connections/", bearer | {"name": "x", "slug": "given-1"})
    assert taken.status in {400, 409}, taken
    assert product.post("connections/", bearer | {"name": "x", "slug": "Не годится"}).status == 400


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"type": "telepathy"}, "type"),
        ({"token_method": "PUT"}, "token_method"),
        ({"token_format": "xml"}, "token_format"),
        ({"expired_statuses": ["often"]}, "expired_statuses"),
        ({"grant": "password"}, "grant"),
        ({"token_url": "ftp://x/"}, "token_url"),
        ({"token_url": "{{ 1 + }}"}, "token_url"),
        ({"token_params": {"code": "{{ code"}}, "token_params"),
        ({"colour": "red"}, "colour"),
        ({"status": "connected"}, "status"),
    ],
)
def test_a_wrong_field_is_refused_by_its_name(
    product: Product, oauth: OddOAuth, change: dict[str, Any], field: str
) -> None:
    answer = product.post("connections/", sixteen_fields(oauth) | change)
    assert answer.status == 400, answer
    assert any(path.split(".")[0].split("[")[0] == field for path in answer.json["errors"]), answer


def test_where_secrets_go_changes_only_with_the_secret_and_then_the_tokens_go(
    product: Product, oauth: OddOAuth
) -> None:
    slug = product.connected(oauth)["slug"]
    path = f"connections/{slug}/"
    for change in (
        {"token_url": "http://127.0.0.1:1/evil"},
        {"refresh_url": "http://127.0.0.1:1/evil"},
        {"authorization_url": "http://127.0.0.1:1/evil"},
        {"revoke_url": "http://127.0.0.1:1/evil"},
        {"api_base_url": "http://127.0.0.1:1/evil"},
        {"client_id": "other"},
        {"token_params": {"grant_type": "authorization_code", "x": "{{ client_secret }}"}},
        {"refresh_params": {"x": "{{ refresh_token }}"}},
        {"request_headers": {"Authorization": "Bearer {{ refresh_token }}"}},
        {"allowed_hosts": ["evil.example"]},
    ):
        answer = product.patch(path, change)
        assert (answer.status, answer.json["code"]) == (400, "secret_needed"), (change, answer)
    assert product.get(path).json["status"] == "connected"
    harmless = product.patch(path, {"name": "Новое имя"})
    assert (harmless.status, harmless.json["name"], harmless.json["status"]) == (200, "Новое имя", "connected")
    changed = product.patch(path, {"token_url": oauth.url + "/o/token?v=2", "client_secret": CLIENT_SECRET})
    assert changed.status == 200, changed
    assert changed.json["status"] != "connected"
    scenario = product.scenario(http("s2", f"{oauth.url}/api/x", slug, more={"retry": {"attempts": 1}}))
    before = len(oauth.seen)
    run = product.reached(product.start(scenario), {"waiting", "failed"})
    assert run["status"] == "waiting", run
    assert run["error"]["code"] == "reauthorization_needed"
    assert len(oauth.seen) == before, "no token may leave any more"


def test_a_secret_goes_only_to_the_hosts_of_its_connection(product: Product, target: Target) -> None:
    fields = {"type": "bearer", "name": "b", "slug": "b", "token": "t", "api_base_url": "https://api.example/v1"}
    assert product.connect(fields)["allowed_hosts"] == ["api.example"]
    run = product.try_steps(http("s2", f"{target.url}/steal", "b"))
    assert run["error"]["code"] == "destination_not_allowed", run
    scenario = product.create(http("s2", f"{target.url}/steal", "b"))
    tested = product.post(f"scenarios/{scenario['id']}/steps/s2/test/", {"results": {}})
    assert tested.json["error"]["code"] == "destination_not_allowed", tested
    assert target.seen == []


def test_a_secret_does_not_follow_a_redirect_to_another_host(product: Product, target: Target, oauth: OddOAuth) -> None:
    target.routes["/go"] = lambda seen: reply(None, 302, Location=f"{oauth.url}/api/stolen")
    host = target.url.removeprefix("http://")
    product.connect({"type": "bearer", "name": "b", "slug": "b", "token": "canary", "allowed_hosts": [host]})
    product.try_steps(http("s2", f"{target.url}/go", "b", more={"retry": {"attempts": 1}}))
    assert [seen.headers.get("authorization") for seen in oauth.seen] in ([], [None])


def test_the_token_url_of_a_private_host_that_is_not_allowed_is_blocked(product: Product, oauth: OddOAuth) -> None:
    product.oauth2(oauth, slug="inside", token_url="http://127.0.0.3:8080/token")
    back = send("GET", product.consent("inside", oauth))
    connection = product.get("connections/inside/").json
    assert (back.status, connection["status"]) == (303, "misconfigured"), connection
    assert connection["error"]["code"] == "destination_blocked"


def test_a_used_connection_is_not_deleted_and_says_who_uses_it(product: Product, google: dict[str, Any]) -> None:
    used = product.scenario(step("s2", "google_calendar.get_event", "cal", calendar_id="primary", event_id="e"))
    answer = product.delete("connections/cal/")
    assert (answer.status, answer.json["code"]) == (409, "in_use"), answer
    assert used["id"] in str(answer.json["params"]["scenarios"])
    assert product.delete(f"scenarios/{used['id']}/").status == 204
    assert product.delete("connections/cal/").status == 204
    assert product.get("connections/cal/").status == 404


def test_disconnecting_forgets_and_revokes(product: Product, oauth: OddOAuth) -> None:
    slug = product.connected(oauth)["slug"]
    answer = product.post(f"connections/{slug}/disconnect/")
    assert 200 <= answer.status < 300, answer
    connection = product.get(f"connections/{slug}/").json
    assert (connection["status"], connection["expires_at"]) == ("new", None)
    tokens = {revoked.get("token") for revoked in oauth.revocations}
    assert tokens & ({oauth.grants[0].refresh} | oauth.grants[0].access), oauth.revocations


def test_a_check_makes_a_call_and_says_how_it_went(product: Product, oauth: OddOAuth) -> None:
    slug = product.connected(oauth, check_url=f"{oauth.url}/api/me")["slug"]
    assert product.post(f"connections/{slug}/check/").json["ok"] is True
    oauth.revoke_everything()
    checked = product.post(f"connections/{slug}/check/")
    assert checked.status == 200
    assert checked.json["ok"] is False


def test_presets_fill_in_what_is_not_given(product: Product) -> None:
    fields = {"type": "oauth2", "name": "Google", "preset": "google_calendar", "client_id": "x", "client_secret": "y"}
    made = product.connect(fields)
    url = product.post(f"connections/{made['slug']}/authorize/").json["authorization_url"]
    assert url.startswith("https://accounts.google.com/o/oauth2/v2/auth?")
    assert "access_type=offline" in url
    assert "prompt=consent" in url
    assert "auth%2Fcalendar" in url
    assert "spreadsheets" not in url
    for preset in ("yandex", "generic"):
        product.connect(fields | {"name": preset, "preset": preset})
    assert product.post("connections/", fields | {"preset": "no-such"}).status == 400


def test_another_workspace_does_not_see_a_connection(
    product: Product, as_person: Callable[[User], Product], charlie: User, vera: User, google: dict[str, Any]
) -> None:
    stranger = as_person(charlie)
    missing = stranger.get("connections/nothing/")
    for method, path in [
        ("GET", "connections/cal/"), ("PATCH", "connections/cal/"), ("DELETE", "connections/cal/"),
        ("POST", "connections/cal/authorize/"), ("POST", "connections/cal/refresh/"),
        ("POST", "connections/cal/check/"), ("POST", "connections/cal/disconnect/"),
    ]:  # fmt: skip
        answer = stranger.call(method, path, {} if method == "PATCH" else None)
        assert (answer.status, answer.json) == (missing.status, missing.json) == (404, missing.json), (path, answer)
    viewer = as_person(vera)
    assert viewer.get("connections/").status in {200, 403}
    for path in ("authorize", "refresh", "check", "disconnect"):
        assert viewer.post(f"connections/cal/{path}/").status == 403
    assert viewer.patch("connections/cal/", {"name": "x"}).status == 403
    steps = [step("s2", "google_calendar.get_event", "cal", calendar_id="primary", event_id="e")]
    document = {"format": 1, "name": "x", "trigger": {"key": "s1", "type": "manual", "inputs": {}}, "steps": steps}
    foreign = stranger.post("scenarios/", {"document": document})
    assert foreign.status == 400
    assert "steps[0].connection" in foreign.json["errors"]


def test_a_connection_used_by_name_works_in_expressions_but_gives_no_secret(product: Product, target: Target) -> None:
    host = target.url.removeprefix("http://")
    product.connect({"type": "bearer", "name": "Имя", "slug": "b", "token": "canary", "allowed_hosts": [host]})
    run = product.try_steps(http("s2", f"{target.url}/x", "b", query={"n": "{{ connection.name }}"}))
    assert result_of(run, "s2")["body"]["query"] == {"n": "Имя"}
    stolen = product.try_steps(
        http("s2", f"{target.url}/x", "b", query={"n": "{{ connection.token | default('none') }}"})
    )
    assert step_of(stolen, "s2")["result"]["body"]["query"] == {"n": "none"}
