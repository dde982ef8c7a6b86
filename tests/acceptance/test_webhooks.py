"""Webhooks: what may come in, who may send it, and what the sender hears."""

import base64
import hmac
import json
import time
from typing import Any

import pytest

from tests.acceptance.http_server import Target
from tests.acceptance.product import Answer, Product, at_once, http, result_of, send, step, until

ECHO = step("s2", "data.set", values={"all": "{{ s1 }}"})


def hook(product: Product, *steps: dict[str, Any], **inputs: Any) -> tuple[str, dict[str, Any]]:
    """An active scenario under a webhook: its address and itself."""
    trigger = {"key": "s1", "type": "webhook", "inputs": inputs}
    scenario = product.scenario(*(steps or (ECHO,)), trigger=trigger)
    assert scenario["trigger"]["type"] == "webhook"
    assert scenario["trigger"]["url"].startswith(f"{product.url}/hooks/")
    return scenario["trigger"]["url"], scenario


def arrived(product: Product, answer: Answer) -> dict[str, Any]:
    """What the trigger gave to the steps."""
    assert answer.status == 202, answer
    return dict(result_of(product.ended(answer.json["run"]), "s2")["all"])


def test_a_webhook_starts_a_run_with_all_that_was_sent(product: Product) -> None:
    url, scenario = hook(product)
    answer = send("POST", url + "?a=1&b=x%20y&a=2", json={"deal": {"id": 7, "имя": "Ёж"}}, headers={"X-Sender": "crm"})
    got = arrived(product, answer)
    assert set(got) >= {"method", "headers", "query", "body", "content_type", "received_at"}
    assert (got["method"], got["body"]) == ("POST", {"deal": {"id": 7, "имя": "Ёж"}})
    assert got["query"] == {"a": ["1", "2"], "b": "x y"}
    assert got["headers"]["x-sender"] == "crm"
    assert got["content_type"].startswith("application/json")
    run = product.get(f"runs/?scenario={scenario['id']}").json["results"]
    assert [one["id"] for one in run] == [answer.json["run"]]


@pytest.mark.parametrize(
    ("body", "kind", "expected"),
    [
        (b"", None, None),
        (b"", "application/json", None),
        (b"null", "application/json", None),
        (b"[1, 2]", "application/json", [1, 2]),
        (b'{"a": 1}', "application/vnd.api+json", {"a": 1}),
        (b"a=1&b=%D1%91&c=", "application/x-www-form-urlencoded", {"a": "1", "b": "ё", "c": ""}),
        ("просто текст".encode(), "text/plain; charset=utf-8", "просто текст"),
        (b"{not json", "application/json", "{not json"),
        (b'{"a": 1}', None, {"a": 1}),
    ],
    ids=["empty", "empty json", "null", "list", "vnd+json", "form", "text", "broken json", "no type"],
)
def test_any_body_is_taken_as_what_it_is(product: Product, body: bytes, kind: str | None, expected: Any) -> None:
    url, _ = hook(product)
    got = arrived(product, send("POST", url, data=body, headers={"Content-Type": kind} if kind else {}))
    if kind is None and body:
        assert got["body"] in (expected, body.decode())
    else:
        assert got["body"] == expected


@pytest.mark.parametrize(
    "body", [b'{"a": "\\u0000"}', b'{"a": "\\ud800"}', b"\xff\xfe\x00", b"[" * 5000, b'{"a": 1e400}']
)
def test_bodies_that_a_database_would_refuse_are_taken_too(product: Product, body: bytes) -> None:
    url, _ = hook(product)
    answer = send("POST", url, data=body, headers={"Content-Type": "application/json"})
    assert answer.status == 202, answer
    assert product.ended(answer.json["run"])["status"] == "succeeded"


def test_an_address_that_is_unknown_or_inactive_is_404(product: Product) -> None:
    url, scenario = hook(product)
    unknown = send("POST", f"{product.url}/hooks/{'x' * 32}/", json={})
    assert unknown.status == 404
    assert send("POST", url, json={}).status == 202
    assert product.post(f"scenarios/{scenario['id']}/deactivate/").status < 300
    off = send("POST", url, json={})
    assert (off.status, off.text) == (404, unknown.text)
    assert product.post(f"scenarios/{scenario['id']}/activate/").status < 300
    assert send("POST", url, json={}).status == 202


def test_what_was_published_last_decides_from_the_next_delivery_on(product: Product) -> None:
    url, scenario = hook(product, signature={"mode": "header", "name": "X-Key", "secret": "old"})
    path = f"scenarios/{scenario['id']}/"
    assert send("POST", url, json={}, headers={"X-Key": "old"}).status == 202

    def publish(**inputs: Any) -> None:
        current = product.get(path).json
        trigger = {"key": "s1", "type": "webhook", "inputs": inputs}
        change = {"document": current["document"] | {"trigger": trigger}, "revision": current["revision"]}
        assert product.patch(path, change).status == 200
        assert product.post(path + "publish/").status < 300

    publish(signature={"mode": "header", "name": "X-Key", "secret": "new"})
    assert send("POST", url, json={}, headers={"X-Key": "old"}).status == 401
    assert send("POST", url, json={}, headers={"X-Key": "new"}).status == 202
    publish(methods=["PUT"])
    until(lambda: send("PUT", url, json={}).status == 202, within_s=5, what="the new method")
    assert send("POST", url, json={}).status == 405


def test_only_the_methods_that_were_named_are_taken(product: Product) -> None:
    url, _ = hook(product)
    refused = send("GET", url)
    assert refused.status == 405
    assert "POST" in refused.headers.get("Allow", "")
    both, _ = hook(product, methods=["GET", "PUT"])
    assert send("POST", both, json={}).status == 405
    assert arrived(product, send("GET", both + "?x=1"))["query"] == {"x": "1"}
    assert send("PUT", both, json={}).status == 202


def test_a_body_over_a_megabyte_is_413_and_one_below_is_taken(product: Product) -> None:
    url, scenario = hook(product)
    assert send("POST", url, data=b"x" * 1_100_000).status == 413
    assert send("POST", url, data=(b"x" * 60_000 for _ in range(20))).status == 413, "chunked"
    assert send("POST", url, data=b"x" * 990_000, headers={"Content-Type": "text/plain"}).status == 202
    verdicts = [row["verdict"] for row in deliveries(product, scenario)]
    assert verdicts.count("too_large") == 2, verdicts


def deliveries(product: Product, scenario: dict[str, Any]) -> list[dict[str, Any]]:
    answer = product.get(f"deliveries/?scenario={scenario['id']}")
    assert answer.status == 200, answer
    return list(answer.json["results"])


@pytest.mark.parametrize("place", ["header", "path"])
def test_a_duplicate_answers_the_run_of_the_first(product: Product, target: Target, place: str) -> None:
    work = http("s2", f"{target.url}/x")
    inputs = {"dedupe_header": "X-Delivery"} if place == "header" else {"dedupe_path": "event.id"}
    url, scenario = hook(product, work, **inputs)

    def deliver(number: int) -> Answer:
        return send("POST", url, json={"event": {"id": number}}, headers={"X-Delivery": str(number)})

    answers = at_once(12, lambda _: deliver(1))
    runs = {answer.json["run"] for answer in answers}
    assert len(runs) == 1, answers
    assert sorted(answer.status for answer in answers) == [200] * 11 + [202]
    assert sum(bool(answer.json.get("duplicate")) for answer in answers) == 11
    assert deliver(2).status == 202
    product.ended(runs.pop())
    rows = deliveries(product, scenario)
    assert len(product.get(f"runs/?scenario={scenario['id']}").json["results"]) == 2
    assert {row["verdict"] for row in rows} == {"accepted", "duplicate"}
    assert len(rows) == 13


def test_equal_bodies_without_a_delivery_id_are_different_deliveries(product: Product) -> None:
    url, _ = hook(product)
    runs = {send("POST", url, json={"a": 1}).json["run"] for _ in range(3)}
    assert len(runs) == 3


BODY = '{"имя": "ёж"}'.encode()


def digest(secret: str, text: bytes, name: str = "sha256") -> Any:
    return hmac.new(secret.encode(), text, name)


def stripe(secret: str, at: float) -> str:
    return f"t={int(at)},v1={digest(secret, f'{int(at)}.'.encode() + BODY).hexdigest()}"


BASIC = base64.b64encode("ю:пароль".encode()).decode()
SIGNED: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "header": ({"mode": "header", "name": "X-Key", "secret": "s3"}, {"X-Key": "s3"}),
    "basic": ({"mode": "basic", "username": "ю", "password": "пароль"}, {"Authorization": f"Basic {BASIC}"}),
    "hmac": (
        {"mode": "hmac", "secret": "s3", "header": "X-Sig", "algorithm": "sha256", "encoding": "hex", "prefix": "v0="},
        {"X-Sig": f"v0={digest('s3', BODY).hexdigest()}"},
    ),
    "hmac with defaults": (
        {"mode": "hmac", "secret": "s3", "header": "X-Sig"},
        {"X-Sig": digest("s3", BODY).hexdigest()},
    ),
    "hmac base64": (
        {"mode": "hmac", "secret": "s3", "header": "X-Sig", "encoding": "base64"},
        {"X-Sig": base64.b64encode(digest("s3", BODY).digest()).decode()},
    ),
    "github": (
        {"mode": "github", "secret": "s3"},
        {"X-Hub-Signature-256": f"sha256={digest('s3', BODY).hexdigest()}"},
    ),
    "google_channel": ({"mode": "google_channel", "token": "tok"}, {"X-Goog-Channel-Token": "tok"}),
}


@pytest.mark.parametrize("mode", SIGNED)
def test_a_signature_is_demanded_as_its_mode_says(product: Product, mode: str) -> None:
    signature, headers = SIGNED[mode]
    headers = {"Content-Type": "application/json"} | headers
    if mode == "google_channel":
        headers |= {"X-Goog-Channel-ID": "c1", "X-Goog-Resource-State": "exists", "X-Goog-Message-Number": "2"}
    url, scenario = hook(product, signature=signature)
    name = next(name for name in SIGNED[mode][1])
    encoded = {key: text.encode() for key, text in headers.items()}
    assert send("POST", url, data=BODY, headers=encoded).status == 202
    for wrong in (b"", b"wrong", "ключ".encode(), encoded[name] + b"0"):
        assert send("POST", url, data=BODY, headers=encoded | {name: wrong}).status == 401, wrong
    assert (
        send("POST", url, data=BODY, headers={key: text for key, text in encoded.items() if key != name}).status == 401
    )
    if "hmac" in mode or mode == "github":
        assert send("POST", url, data=BODY + b" ", headers=encoded).status == 401, "a changed body"
    verdicts = [row["verdict"] for row in deliveries(product, scenario)]
    assert verdicts.count("accepted") == 1
    assert set(verdicts) == {"accepted", "bad_signature"}


def test_a_stripe_signature_counts_for_five_minutes(product: Product) -> None:
    url, _ = hook(product, signature={"mode": "stripe", "secret": "whsec_1"})
    now = time.time()

    def deliver(header: str) -> int:
        return send("POST", url, data=BODY, headers={"Stripe-Signature": header}).status

    assert deliver(stripe("whsec_1", now)) == 202
    assert deliver(stripe("whsec_1", now - 200) + ",v1=ffff,v0=aa") == 202
    assert deliver(stripe("whsec_1", now - 400)) == 401
    assert deliver(stripe("whsec_2", now)) == 401
    assert deliver("t=x,v1=") == 401


@pytest.mark.parametrize("mode", ["header", "basic", "hmac", "github", "google_channel"])
def test_the_secret_of_a_signature_never_comes_back(product: Product, mode: str) -> None:
    signature = {
        name: (f"canary-{name}" if name in {"secret", "password", "token"} else value)
        for name, value in SIGNED[mode][0].items()
    }
    _, scenario = hook(product, signature=signature)
    read = product.get(f"scenarios/{scenario['id']}/")
    listed = product.get("scenarios/")
    assert "canary-" not in read.text + listed.text
    # and saving what was read back keeps the secret
    again = product.patch(
        f"scenarios/{scenario['id']}/", {"document": read.json["document"], "revision": read.json["revision"]}
    )
    assert again.status == 200, again
    assert "canary-" not in again.text


def test_a_signature_without_its_secret_is_refused_at_once(product: Product) -> None:
    for mode, missing in (("github", "secret"), ("hmac", "secret"), ("header", "secret"), ("basic", "password")):
        trigger = {"key": "s1", "type": "webhook", "inputs": {"signature": {"mode": mode}}}
        document = {"format": 1, "name": "x", "trigger": trigger, "steps": []}
        answer = product.post("scenarios/", {"document": document})
        assert answer.status == 400, (mode, answer)
        assert any(path.startswith("trigger.inputs.signature") for path in answer.json["errors"]), (missing, answer)


def test_a_respond_step_answers_the_sender(product: Product) -> None:
    answering = step(
        "s2", "webhook.respond", status=201, format="json", fields={"sum": "{{ s1.body.a + s1.body.b }}", "text": "Да"},
        headers={"X-Answer": "yes"},
    )  # fmt: skip
    url, _ = hook(product, answering)
    answer = send("POST", url, json={"a": 2, "b": 3})
    assert (answer.status, answer.json, answer.headers["X-Answer"]) == (201, {"sum": 5, "text": "Да"}, "yes")


def test_html_in_an_answer_is_sandboxed_and_cookies_are_refused(product: Product) -> None:
    html = step(
        "s2", "webhook.respond", format="text", body="<script>alert(1)</script>", headers={"Content-Type": "text/html"}
    )
    url, _ = hook(product, html)
    answer = send("POST", url, json={})
    assert answer.status == 200, answer
    assert answer.text == "<script>alert(1)</script>"
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    cookie = step("s2", "webhook.respond", format="text", body="x", headers={"Set-Cookie": "a=b"})
    trigger = {"key": "s1", "type": "webhook", "inputs": {}}
    document = {"format": 1, "name": "x", "trigger": trigger, "steps": [cookie]}
    refused = product.post("scenarios/", {"document": document})
    assert refused.status == 400, refused


def test_a_respond_step_is_allowed_only_under_a_webhook(product: Product) -> None:
    document = {"format": 1, "name": "x", "trigger": {"key": "s1", "type": "manual", "inputs": {}}}
    document["steps"] = [step("s2", "webhook.respond", format="text", body="x")]
    answer = product.post("scenarios/", {"document": document})
    assert answer.status == 400, answer
    assert any(path.startswith("steps[0]") for path in answer.json["errors"])


def test_a_run_goes_on_after_its_answer(product: Product, target: Target) -> None:
    url, scenario = hook(
        product, step("s2", "webhook.respond", format="json", fields={"ok": True}), http("s3", f"{target.url}/after")
    )
    assert send("POST", url, json={}).json == {"ok": True}
    run = product.get(f"runs/?scenario={scenario['id']}").json["results"][0]
    assert product.ended(run["id"])["status"] == "succeeded"
    assert len(target.of("/after")) == 1


def test_the_ledger_of_deliveries_says_what_came_when_and_what_it_started(product: Product) -> None:
    url, scenario = hook(product)
    first = send("POST", url, data=b"12345")
    row = deliveries(product, scenario)[0]
    assert (row["verdict"], row["size"], row["run"]) == ("accepted", 5, first.json["run"])
    assert any("T" in str(value) and str(value).endswith("Z") for value in row.values()), row


def test_a_burst_of_webhooks_is_taken_whole(product: Product, target: Target) -> None:
    url, _ = hook(product, http("s2", f"{target.url}/x", query={"n": "{{ s1.body.n }}"}))
    answers = at_once(24, lambda n: [send("POST", url, json={"n": n * 5 + k}) for k in range(5)])
    flat = [answer for batch in answers for answer in batch]
    assert {answer.status for answer in flat} == {202}
    for answer in flat:
        assert product.ended(answer.json["run"], within_s=60)["status"] == "succeeded"
    assert sorted(int(seen.query["n"]) for seen in target.seen) == list(range(120))


def test_a_receipt_is_json_whatever_the_sender_accepts(product: Product) -> None:
    url, _ = hook(product)
    answer = send("POST", url, json={}, headers={"Accept": "text/html"})
    assert json.loads(answer.text)["run"]
