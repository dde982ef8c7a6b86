"""Tokens that end: renewed once, kept where none came, waited for where a person is needed."""

import time
from contextlib import ExitStack
from typing import Any

import pytest

from tests.acceptance.http_server import Reply, hang_up, reply
from tests.acceptance.odd_oauth import OddOAuth
from tests.acceptance.product import Product, at_once, http, result_of, sixteen_fields, step_of, until


def test_a_token_that_ended_is_renewed_in_the_middle_of_a_run(product: Product, oauth: OddOAuth) -> None:
    slug = product.connected(oauth)["slug"]
    first = oauth.grants[0].refresh
    scenario = product.scenario(*[http(f"s{n}", f"{oauth.url}/api/{n}", slug) for n in range(2, 6)])
    assert product.run(scenario)["status"] == "succeeded"
    oauth.expire_access()
    assert product.run(scenario)["status"] == "succeeded"
    renewal = [seen for seen in oauth.token_requests() if seen.path == "/o/refresh"]
    assert len(renewal) == 1
    assert renewal[0].form["refresh_token"] == first
    assert renewal[0].headers["x-refresh-request"] == "yes"
    assert len(oauth.of("/api/2")) == 3, "one refused, then once more"
    for _ in range(2):
        oauth.expire_access()
        assert product.run(scenario)["status"] == "succeeded", "a refresh token that was not given anew is kept"
    assert {seen.form["refresh_token"] for seen in oauth.token_requests()[1:]} == {first}


@pytest.mark.parametrize("status", [403, 498, 400])
def test_other_statuses_may_mean_expired(product: Product, oauth: OddOAuth, status: int) -> None:
    oauth.expired_status = status
    slug = product.connected(oauth, expired_statuses=[401, status])["slug"]
    oauth.expire_access()
    run = product.try_steps(http("s2", f"{oauth.url}/api/x", slug))
    assert (run["status"], oauth.refreshes) == ("succeeded", 1), run


def test_a_status_that_is_not_named_does_not_renew(product: Product, oauth: OddOAuth) -> None:
    oauth.expired_status = 403
    slug = product.connected(oauth)["slug"]
    oauth.expire_access()
    run = product.try_steps(http("s2", f"{oauth.url}/api/x", slug, more={"retry": {"attempts": 1}}))
    assert (run["status"], oauth.refreshes) == ("failed", 0)
    assert run["error"]["params"]["status"] == 403


def test_a_second_refusal_after_a_renewal_is_not_a_loop(product: Product, oauth: OddOAuth) -> None:
    slug = product.connected(oauth)["slug"]
    oauth.knows = lambda value: False  # type: ignore[method-assign]
    run = product.reached(
        product.start(product.scenario(http("s2", f"{oauth.url}/api/x", slug, more={"retry": {"attempts": 1}}))),
        {"failed", "waiting"},
    )
    assert run["error"]["code"] in {"reauthorization_needed", "upstream_status"}, run
    assert len(oauth.token_requests()) <= 3
    assert len(oauth.of("/api/x")) <= 3


def test_a_post_is_sent_once_more_after_a_renewal(product: Product, oauth: OddOAuth) -> None:
    slug = product.connected(oauth)["slug"]
    oauth.expire_access()
    run = product.try_steps(http("s2", f"{oauth.url}/api/x", slug, method="POST", format="json", fields={"a": 1}))
    assert run["status"] == "succeeded", run
    assert [seen.json for seen in oauth.of("/api/x")] == [{"a": 1}, {"a": 1}]


@pytest.mark.parametrize("rotate", [False, True], ids=["kept", "rotating with reuse detection"])
def test_many_runs_that_meet_an_expired_token_renew_it_exactly_once(
    product: Product, oauth: OddOAuth, rotate: bool
) -> None:
    oauth.rotate = rotate
    slug = product.connected(oauth)["slug"]
    scenario = product.scenario(http("s2", f"{oauth.url}/api/x", slug))
    draft = product.create(http("s2", f"{oauth.url}/api/y", slug))
    oauth.slow_refresh_s = 0.5
    for turn in (1, 2):
        oauth.expire_access()

        def act(number: int) -> str:
            if number % 3 == 0:  # the web process takes part too
                answer = product.post(f"scenarios/{draft['id']}/steps/s2/test/", {"results": {}})
                return str(answer.json.get("status"))
            return str(product.ended(product.start(scenario), within_s=60)["status"])

        assert at_once(30, act) == ["succeeded"] * 30
        assert (oauth.refreshes, oauth.reuses) == (turn, 0)
    assert product.get(f"connections/{slug}/").json["status"] == "connected"


def test_a_grant_that_is_gone_makes_runs_wait_and_a_new_one_lets_them_go_on(product: Product, oauth: OddOAuth) -> None:
    slug = product.connected(oauth)["slug"]
    scenario = product.scenario(http("s2", f"{oauth.url}/api/a"), http("s3", f"{oauth.url}/api/b", slug))
    oauth.knows = lambda value, knows=oauth.knows: value == "" or knows(value)  # type: ignore[method-assign, misc]
    oauth.revoke_everything()
    runs = [product.start(scenario, {"n": n}) for n in range(5)]
    for run in runs:
        waiting = product.reached(run, {"waiting", "failed"})
        until(lambda run=run: code_of(product, run) == "reauthorization_needed", within_s=15, what="the reason")  # type: ignore[misc]
        assert waiting["status"] == "waiting", waiting
    assert product.get(f"connections/{slug}/").json["status"] == "needs_reauthorization"
    asked = len(oauth.token_requests())
    assert asked <= 1 + 3, "a dead grant is not asked for again and again"
    product.authorize(slug, oauth)
    ended = [product.ended(run, within_s=20) for run in runs]
    assert {run["status"] for run in ended} == {"succeeded"}
    assert len(oauth.of("/api/a")) == 5, "what was done before is not done again"


def code_of(product: Product, run: str) -> str | None:
    error = product.get(f"runs/{run}/").json["error"]
    return error and str(error["code"])


STUMBLES = {
    "500": Reply(500, b"oops"),
    "html": Reply(200, b"<html>we are busy</html>", {"Content-Type": "text/html"}),
    "hang-up": hang_up(),
    "429": reply({}, 429, Retry_After="2"),
}


def test_a_token_endpoint_that_stumbles_does_not_disconnect(product: Product) -> None:
    """Four providers stumble at the same time: the pause before the next try is waited for once."""
    with ExitStack() as servers:
        providers = {name: servers.enter_context(OddOAuth()) for name in STUMBLES}
        runs = {}
        for name, provider in providers.items():
            product.connected(provider, slug=f"p-{name}")
            provider.expire_access()
            provider.token_faults = [STUMBLES[name]]
            runs[name] = product.start(product.scenario(http("s2", f"{provider.url}/api/x", f"p-{name}")))
        for name, run in runs.items():
            assert product.ended(run, within_s=60)["status"] == "succeeded", name
            assert product.get(f"connections/p-{name}/").json["status"] == "connected", name
            assert (providers[name].token_faults, providers[name].refreshes, providers[name].reuses) == ([], 1, 0), name


def test_a_token_endpoint_that_does_not_answer_does_not_disconnect(product: Product, oauth: OddOAuth) -> None:
    slug = product.connected(oauth)["slug"]
    oauth.expire_access()
    oauth.token_faults = [Reply(200, b"{}", delay_s=90)]
    run = product.start(product.scenario(http("s2", f"{oauth.url}/api/x", slug)))
    until(lambda: not oauth.token_faults, what="the request for a token")
    assert product.get(f"runs/{run}/").json["status"] in {"running", "waiting"}
    assert product.get(f"connections/{slug}/").json["status"] == "connected"
    product.post(f"runs/{run}/cancel/")
    oauth.closing.set()


def test_a_renewal_by_hand_works_and_says_when_it_cannot(product: Product, oauth: OddOAuth) -> None:
    slug = product.connected(oauth)["slug"]
    before = product.get(f"connections/{slug}/").json["expires_at"]
    time.sleep(0.01)
    answer = product.post(f"connections/{slug}/refresh/")
    assert answer.status == 200, answer
    assert product.get(f"connections/{slug}/").json["expires_at"] >= before
    oauth.revoke_everything()
    refused = product.post(f"connections/{slug}/refresh/")
    assert refused.status >= 400, refused
    assert refused.json["code"] in {"reauthorization_needed", "token_refused"}
    assert product.get(f"connections/{slug}/").json["status"] == "needs_reauthorization"


def test_no_refresh_token_at_all_means_that_a_person_is_needed(product: Product, oauth: OddOAuth) -> None:
    oauth.give_refresh = False
    slug = product.connected(oauth)["slug"]
    oauth.expire_access()
    run = product.reached(
        product.start(product.scenario(http("s2", f"{oauth.url}/api/x", slug))), {"waiting", "failed"}
    )
    assert (run["status"], run["error"]["code"]) == ("waiting", "reauthorization_needed"), run


def test_an_empty_refresh_url_means_the_token_url(product: Product, oauth: OddOAuth) -> None:
    slug = product.connected(oauth, refresh_url="")["slug"]
    oauth.expire_access()
    run = product.try_steps(http("s2", f"{oauth.url}/api/x", slug))
    assert run["status"] == "succeeded", run
    assert [seen.path for seen in oauth.token_requests()] == ["/o/token", "/o/token"]


def test_an_api_may_take_its_token_in_the_query_or_under_another_name(product: Product, oauth: OddOAuth) -> None:
    query: dict[str, Any] = {"request_query": {"auth": "<< access_token >>"}, "request_headers": {"X-Kind": "OAuth"}}
    slug = product.connected(oauth, **query)["slug"]
    oauth.knows = lambda value: True  # type: ignore[method-assign]
    run = product.try_steps(http("s2", f"{oauth.url}/api/x?own=1", slug))
    seen = oauth.of("/api/x")[0]
    assert seen.query["auth"] in oauth.grants[0].access
    assert (seen.query["own"], seen.headers["x-kind"], seen.headers.get("authorization")) == ("1", "OAuth", None)
    assert seen.query["auth"] not in product.get(f"runs/{run['id']}/").text
    assert result_of(run, "s2")["status"] == step_of(run, "s2")["result"]["status"] == 200
    assert sixteen_fields(oauth)["expired_statuses"] == [401]
