"""The manners of the API: one shape of error, the reader's language, no unknown field, no foreign object."""

import json

import pytest
from django.db import OperationalError
from django.test import Client
from rest_framework.test import APIClient

from accounts.models import AuditEntry, Membership, Workspace
from accounts.usage import counters
from lib.errors import CATALOGUE
from tests.people import PASSWORD, make_user

API = "/api/v1/"
SHAPE = {"code", "text", "hint", "params", "errors"}


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("get", "members/nobody/", None, 404, "not_found"),
        ("put", "members/", {}, 405, "method_not_allowed"),
        ("post", "members/", {"email": "nonsense", "role": "king"}, 400, "invalid_input"),
        ("patch", "workspace/", {"timezone": "Mars/Olympus"}, 400, "invalid_input"),
        ("patch", "workspace/", [], 400, "invalid_input"),
        ("get", "audit/?cursor=nonsense", None, 400, "invalid_input"),
    ],
)
def test_an_error_has_one_shape(api, method, path, body, status, code):
    answer = getattr(api("owner"), method)(API + path, body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert set(answer.json()) == SHAPE
    assert answer.json()["text"]


def test_wrong_inputs_are_named_by_path(api):
    answer = api("owner").post(f"{API}members/", {"email": "nonsense", "role": "king"}).json()
    assert set(answer["errors"]) == {"email", "role"}


@pytest.mark.parametrize("field", ["workspace", "is_staff", "id", "created_at", "digest", "owner"])
def test_a_field_that_is_not_there_to_be_set_is_refused_by_name(api, workspace, field):
    before = Workspace.objects.values().get()
    answer = api("owner").patch(f"{API}workspace/", {"name": "X", field: "1"})
    assert (answer.status_code, list(answer.json()["errors"])) == (400, [field])
    assert Workspace.objects.values().get() == before


@pytest.mark.parametrize("raw", [b"{", b"", b"\xff", b'{"a": NaN}', b"[" * 100 + b"]" * 100, b"nonsense"])
def test_a_body_that_is_no_json_is_explained(api, raw):
    answer = api("owner").generic("PATCH", f"{API}workspace/", raw, content_type="application/json")
    assert answer.status_code in ({200} if raw == b"" else {400})
    if raw:
        assert answer.json()["code"] == "invalid_json"


def test_another_content_type_is_refused(api):
    answer = api("owner").generic(
        "PATCH", f"{API}workspace/", b"name=X", content_type="application/x-www-form-urlencoded"
    )
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")


def test_a_huge_body_is_refused(api, settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000
    answer = api("owner").patch(f"{API}workspace/", {"name": "X" * 2000})
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


def test_errors_are_told_in_the_language_of_the_header(api):
    client = api("owner")
    english = client.get(f"{API}members/x/", headers={"Accept-Language": "en"})
    assert english.json()["text"] == "There is nothing here."
    assert english["Content-Language"] == "en"
    assert client.get(f"{API}members/x/", headers={"Accept-Language": "ru"})["Content-Language"] == "ru"


def test_a_bug_is_answered_without_a_detail_and_logged(api, monkeypatch, caplog):
    client = api("owner")
    monkeypatch.setattr("accounts.api.this_month", lambda workspace: 1 / 0)
    answer = client.get(f"{API}usage/")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert "division" not in answer.content.decode()
    assert "ZeroDivisionError" in caplog.text


def test_a_database_that_is_away_is_a_503_that_says_when_to_come_again(api, monkeypatch):
    client = api("owner")

    def away(workspace):
        raise OperationalError("connection refused at 10.0.0.7")

    monkeypatch.setattr("accounts.api.this_month", away)
    answer = client.get(f"{API}usage/")
    assert (answer.status_code, answer["Retry-After"], answer.json()["code"]) == (503, "5", "unavailable")
    assert "10.0.0.7" not in answer.content.decode()


def test_the_cabinets_session_needs_its_csrf_token(alice):
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(alice)
    assert browser.get(f"{API}me/").json()["token"] is None
    answer = browser.patch(f"{API}workspace/", '{"name": "X"}', content_type="application/json")
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    page = browser.get("/settings/profile/").content.decode()
    token = page.split("X-CSRFToken&quot;: &quot;" if "&quot;" in page else 'X-CSRFToken": "')[1].split('"')[0]
    answer = browser.patch(
        f"{API}workspace/", '{"name": "X"}', content_type="application/json", headers={"X-CSRFToken": token}
    )
    assert answer.json()["name"] == "X"


def test_a_token_beats_the_session_beside_it(alice, charlie, api):
    client = api(charlie)
    client.force_login(alice)
    assert client.get(f"{API}me/").json()["workspace"]["name"] == "Elsewhere"


def test_a_session_without_a_workspace_is_told_so(db):
    client = APIClient()
    client.force_login(make_user("lonely@example.com"))
    answer = client.get(f"{API}me/")
    assert (answer.status_code, answer.json()["params"]["reason"]) == (403, "no_workspace")


ROLES = ["owner", "editor", "viewer"]
MATRIX = {  # the least role that may do it; what it answers to that role
    ("get", "members/"): ("viewer", 200),
    ("post", "members/"): ("owner", 400),
    ("patch", "members/{alice}/"): ("owner", 400),
    ("get", "invitations/"): ("owner", 200),
    ("post", "invitations/"): ("owner", 400),
    ("delete", "invitations/none/"): ("owner", 404),
    ("get", "tokens/"): ("viewer", 200),
    ("post", "tokens/"): ("viewer", 400),
    ("delete", "tokens/none/"): ("viewer", 404),
    ("get", "usage/"): ("viewer", 200),
    ("get", "audit/"): ("owner", 200),
    ("get", "me/"): ("viewer", 200),
    ("patch", "me/"): ("owner", 200),  # by token; a person may always
    ("get", "workspace/"): ("viewer", 200),
    ("patch", "workspace/"): ("owner", 200),
    ("get", "errors/"): ("viewer", 200),
}


@pytest.mark.parametrize(("call", "needed"), MATRIX.items(), ids=lambda value: " ".join(map(str, value)))
def test_each_role_may_what_the_matrix_says(api, alice, call, needed):
    method, path = call
    least, status = needed
    path = API + path.format(alice=alice.public_id)
    assert getattr(api(), method)(path, {}).status_code == 401
    for role in ROLES:
        answer = getattr(api(role), method)(path, {})
        assert answer.status_code == (status if ROLES.index(role) <= ROLES.index(least) else 403), role


def test_members_by_the_api(api, alice, bob):
    client = api("owner")
    listed = client.get(f"{API}members/").json()["results"]
    assert [(one["email"], one["role"]) for one in listed] == [
        ("alice@example.com", "owner"),
        ("bob@example.com", "editor"),
    ]
    path = f"{API}members/{bob.public_id}/"
    assert client.patch(path, {"role": "viewer"}).json()["role"] == "viewer"
    assert client.delete(path).status_code == 204
    assert client.get(path).status_code == 404
    last = client.delete(f"{API}members/{alice.public_id}/")
    assert (last.status_code, last.json()["code"]) == (409, "last_owner")


def test_inviting_by_the_api_answers_the_link(api, settings):
    client = api("owner")
    made = client.post(f"{API}invitations/", {"email": "Dana@example.com", "role": "viewer"})
    assert made.status_code == 201
    path = made.json()["url"].removeprefix(settings.PUBLIC_URL)
    joined = Client().post(path, {"name": "Dana", "password": PASSWORD, "timezone": "UTC"})
    assert joined.status_code == 302
    assert client.get(f"{API}invitations/").json()["results"] == []
    again = client.post(f"{API}invitations/", {"email": "dana@example.com", "role": "viewer"})
    assert (again.status_code, again.json()["code"]) == (409, "already_member")


def test_for_charlie_alices_members_do_not_exist(api, alice, bob, charlie):
    path = f"{API}members/{bob.public_id}/"
    client = api(charlie)
    missing = client.get(f"{API}members/no-such-member/")
    for method in ("get", "patch", "delete"):
        answer = getattr(client, method)(path, {"role": "viewer"} if method == "patch" else None)
        assert answer.status_code == 404
        assert answer.json() == missing.json()
    assert Membership.objects.get(user=bob).role == "editor"


def test_usage_has_the_counts_of_every_package(api, monkeypatch):
    monkeypatch.setattr("accounts.usage.counters", [*counters, lambda workspace, since: {"apples": since.day}])
    usage = api("owner").get(f"{API}usage/").json()
    assert usage["counts"]["apples"] == 1
    assert usage["counts"]["members"] == 1
    assert usage["since"].endswith("T21:00:00Z")  # midnight in Moscow


def test_the_catalogue_lists_every_code(api):
    listed = {entry["code"]: entry for entry in api("viewer").get(f"{API}errors/").json()["results"]}
    assert set(listed) == {key.partition(".")[0] for key in CATALOGUE}
    assert listed["forbidden"]["text"] == "Your role does not allow this."
    assert "csrf" in [reason["reason"] for reason in listed["forbidden"]["reasons"]]


def test_the_audit_log_is_read_page_by_page(api, alice, workspace):
    client = api("owner")
    AuditEntry.objects.bulk_create(
        [AuditEntry(workspace=workspace, action="token.created", subject=str(number)) for number in range(5)]
    )
    seen, url = [], f"{API}audit/?limit=2"
    while url:
        page = client.get(url).json()
        seen += [entry["subject"] for entry in page["results"]]
        url = page["next"]
    assert seen == ["4", "3", "2", "1", "0", "tests"]


def test_no_number_of_a_row_is_told(api, alice, bob):
    client = api("owner")
    client.post(f"{API}invitations/", {"email": "x@example.com", "role": "viewer"})
    for path in ["members/", "invitations/", "tokens/", "audit/", "me/", "workspace/"]:
        text = json.dumps(client.get(API + path).json())
        assert '"pk"' not in text
        assert not any(isinstance(value, int) for value in ids_in(json.loads(text)))


def ids_in(value):
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from [inner] if name == "id" else ids_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from ids_in(inner)
