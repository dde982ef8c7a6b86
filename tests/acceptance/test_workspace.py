"""What is around scenarios: modules, errors, people, tokens, usage, the audit log, health and the OpenAPI document."""

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from accounts.models import User
from tests.acceptance.product import Product, send, step, until
from tests.processes import ROOT, environment

ACTIONS = {
    "http.request", "webhook.respond", "data.set", "google_calendar.list_events", "google_calendar.get_event",
    "google_calendar.insert_event", "google_calendar.update_event",
}  # fmt: skip
CODES = {
    "invalid_input", "expression_failed", "destination_blocked", "destination_not_allowed", "host_not_found",
    "upstream_unreachable", "upstream_timeout", "upstream_status", "upstream_invalid", "rate_limited",
    "insufficient_scope",
    "reauthorization_needed", "sync_token_expired", "unknown_outcome", "poison", "deadline", "cancelled", "in_use",
    "run_ended", "secret_needed",
}  # fmt: skip


def test_every_module_is_described_by_a_valid_json_schema(product: Product) -> None:
    modules = product.get("modules/").json["results"]
    by_key = {module["key"]: module for module in modules}
    assert set(by_key) >= ACTIONS | {"manual", "webhook", "schedule"}, set(by_key)
    for module in modules:
        assert module["title"]
        assert "help" in module
        assert "connection" in str(module), "whether it takes a connection"
        Draft202012Validator.check_schema(module["inputs"])
        assert module["inputs"]["type"] == "object"
    listing = by_key["google_calendar.list_events"]["inputs"]
    assert set(listing["properties"]) >= {"calendar_id", "order_by", "page_token", "sync_token"}
    update = by_key["google_calendar.update_event"]["inputs"]
    assert set(update["properties"]) >= {"calendar_id", "event_id", "summary", "start", "end"}
    request = by_key["http.request"]["inputs"]
    assert set(request["properties"]) >= {
        "method", "url", "format", "fields", "body", "headers", "query", "fail_on", "timeout_s", "follow_redirects",
        "idempotency_key", "idempotency_header",
    }  # fmt: skip
    example = {"method": "POST", "url": "https://crm.example/", "format": "json", "fields": {"a": "{{ s2.x }}"}}
    Draft202012Validator(request).validate(example)
    product.language = "ru"
    russian = {module["key"]: module["title"] for module in product.get("modules/").json["results"]}
    assert all(any("а" <= letter <= "я" for letter in russian[key].lower()) for key in ACTIONS), russian


def test_the_catalogue_of_errors_names_every_code_of_the_contract(product: Product) -> None:
    rows = product.get("errors/").json["results"]
    assert {row["code"] for row in rows} >= CODES, CODES - {row["code"] for row in rows}
    assert all({"code", "text"} <= set(row) for row in rows)


def test_members_tokens_usage_and_the_audit_log_answer(product: Product, bob: User) -> None:
    members = product.get("members/").json["results"]
    assert {(member["email"], member["role"]) for member in members} == {
        ("alice@example.com", "owner"), ("bob@example.com", "editor"),
    }  # fmt: skip
    made = product.post("tokens/", {"name": "скрипт", "role": "viewer"})
    assert made.status == 201, made
    secret = made.json["token"]
    assert secret not in product.get("tokens/").text, "a token is shown once"
    viewer = Product(product.url, secret)
    assert viewer.get("scenarios/").status == 200
    assert viewer.post("scenarios/", {"document": {}}).status == 403
    listed = next(row for row in product.get("tokens/").json["results"] if row["name"] == "скрипт")
    assert listed["last_used_at"]
    assert product.delete(f"tokens/{listed['id']}/").status == 204
    assert viewer.get("scenarios/").status == 401, "a revoked token ends at once"
    assert product.get("usage/").status == 200
    actions = [row["action"] for row in product.get("audit/").json["results"]]
    assert any("token" in action for action in actions), actions


def test_a_role_taken_away_counts_from_the_next_request(
    product: Product, as_person: Callable[[User], Product], bob: User
) -> None:
    editor = as_person(bob)
    row = next(member for member in product.get("members/").json["results"] if member["email"] == bob.email)
    assert editor.post(f"members/{row['id']}/", {}).status in {403, 405}
    assert product.patch(f"members/{row['id']}/", {"role": "viewer"}).status == 200
    assert editor.post("scenarios/", {"document": {}}).status == 403
    assert product.delete(f"members/{row['id']}/").status == 204
    assert editor.get("scenarios/").status in {401, 403, 404}


def test_an_editor_does_not_manage_people(product: Product, as_person: Callable[[User], Product], bob: User) -> None:
    editor = as_person(bob)
    row = next(member for member in product.get("members/").json["results"] if member["role"] == "owner")
    assert editor.patch(f"members/{row['id']}/", {"role": "viewer"}).status == 403
    assert editor.delete(f"members/{row['id']}/").status == 403
    assert editor.post("tokens/", {"name": "x", "role": "owner"}).status in {400, 403}


def test_the_last_owner_stays(product: Product) -> None:
    row = product.get("members/").json["results"][0]
    assert 400 <= product.patch(f"members/{row['id']}/", {"role": "viewer"}).status < 500
    assert 400 <= product.delete(f"members/{row['id']}/").status < 500
    assert product.get("members/").json["results"][0]["role"] == "owner"


def test_the_command_makes_a_token_and_prints_nothing_else(product: Product) -> None:
    def created(*arguments: str) -> str:
        command = [sys.executable, "manage.py", "create_token", *arguments]
        done = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        assert len(done.stdout.split()) == 1, done.stdout
        return done.stdout.strip()

    first = created("new@example.com", "--workspace", "Новое пространство")
    assert Product(product.url, first).post("scenarios/", {"document": step_document()}).status == 201
    viewer = created("new@example.com", "--workspace", "Новое пространство", "--role", "viewer")
    assert viewer != first
    assert len(Product(product.url, viewer).get("scenarios/").json["results"]) == 1
    assert Product(product.url, viewer).post("scenarios/", {"document": step_document()}).status == 403


def step_document() -> dict[str, Any]:
    trigger = {"key": "s1", "type": "manual", "inputs": {}}
    return {"format": 1, "name": "x", "trigger": trigger, "steps": [step("s2", "data.set", values={"x": 1})]}


def test_health_and_readiness_tell_the_truth(product: Product) -> None:
    assert send("GET", f"{product.url}/healthz").status == 200
    until(lambda: send("GET", f"{product.url}/readyz").status == 200, what="readiness")
    ready = send("GET", f"{product.url}/readyz")
    assert {name: ready.json[name] for name in ("database", "broker", "worker", "migrations")} == dict.fromkeys(
        ("database", "broker", "worker", "migrations"), "ok"
    )


@pytest.fixture
def schema(product: Product) -> dict[str, Any]:
    answer = send("GET", f"{product.url}/api/v1/schema/")
    assert answer.status == 200, "public"
    assert "json" in answer.headers["Content-Type"]
    return dict(answer.json)


def test_the_description_of_the_api_is_valid_and_complete(schema: dict[str, Any]) -> None:
    assert schema["openapi"].startswith("3.1")
    validate(schema)
    paths = {path.replace("/api/v1", "") for path in schema["paths"]}
    for expected in (
        "/modules/", "/connections/", "/connections/{slug}/", "/connections/{slug}/authorize/",
        "/connections/{slug}/refresh/", "/connections/{slug}/check/", "/connections/{slug}/disconnect/", "/scenarios/",
        "/scenarios/{id}/", "/scenarios/{id}/publish/", "/scenarios/{id}/activate/", "/scenarios/{id}/deactivate/",
        "/scenarios/{id}/run/", "/scenarios/{id}/steps/{key}/test/", "/runs/", "/runs/{id}/", "/runs/{id}/cancel/",
        "/runs/{id}/retry/", "/runs/{id}/resolve/", "/members/", "/tokens/", "/usage/", "/audit/", "/errors/",
        "/deliveries/",
    ):  # fmt: skip
        assert expected in paths or expected.replace("{id}", "{public_id}") in paths, (expected, sorted(paths))


def test_every_path_of_the_description_answers_as_described(product: Product, schema: dict[str, Any]) -> None:
    for path, operations in schema["paths"].items():
        concrete = path
        for name in [part[1:-1] for part in path.split("/") if part.startswith("{")]:
            concrete = concrete.replace(f"{{{name}}}", "nothing")
        for method in set(operations) & {"get", "post", "patch", "put", "delete"}:
            answer = product.call(
                method.upper(), product.url + concrete, {} if method in {"post", "patch", "put"} else None
            )
            assert answer.status < 500, (method, path, answer)
            assert answer.status != 405, (method, path)
            if "schema" in path:
                continue
            assert answer.json is not None or answer.status == 204, (method, path, answer)
            if answer.status >= 400:
                assert set(answer.json) >= {"code", "text", "hint", "params", "errors"}, (method, path, answer)
            if "nothing" in concrete:
                assert answer.status == 404 or method in {"post", "patch"}, (method, path, answer)
            anonymous = send(method.upper(), product.url + concrete)
            assert anonymous.status in {401, 403}, (method, path, anonymous)


def test_no_other_origin_is_let_into_the_api(product: Product) -> None:
    answer = product.get("scenarios/", headers={"Origin": "https://evil.example"})
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "Access-Control-Allow-Origin" not in answer.headers
