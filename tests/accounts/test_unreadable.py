"""Text that no database can hold, cursors of somebody's making, and files that nobody asked for: 400, never 500."""

import base64

import pytest
from django.core.files import uploadhandler
from django.test import Client

PAGES = ["/connections/?q=%00", "/scenarios/?q=a%00b", "/runs/?scenario=%00", "/sign-in/?next=%00", "/sign-in/?%00=x"]


@pytest.mark.parametrize("path", PAGES)
def test_a_nul_in_the_query_of_a_page_is_named(client_of, alice, path):
    answer = client_of(alice).get(path)
    assert answer.status_code == 400
    page = answer.content.decode()
    assert "has a character that no text can hold" in page
    assert "\0" not in page
    assert answer["Content-Security-Policy"]


def test_it_is_said_in_the_language_of_the_reader(client, db):
    answer = client.get("/sign-in/?next=%00", headers={"Accept-Language": "ru"})
    assert '<html lang="ru"' in answer.content.decode()


@pytest.mark.parametrize(
    "path", ["/api/v1/runs/?scenario=%00", "/api/v1/deliveries/?scenario=%00", "/api/v1/me/?x=%00"]
)
def test_a_nul_in_the_query_of_the_api_is_answered_as_json(api, alice, path):
    answer = api(alice).get(path)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_input")
    assert len(answer.json()["errors"]) == 1


def test_a_nul_in_a_form_is_refused_before_anything_is_done(client_of, alice):
    answer = client_of(alice).post("/settings/profile/", {"name": "a\0b", "language": "en", "timezone": "UTC"})
    assert answer.status_code == 400
    assert "“name” has" in answer.content.decode()


def test_half_a_surrogate_pair_is_refused(db):
    """A form that names another charset can bring one."""
    body = b'--b\r\nContent-Disposition: form-data; name="email"\r\n\r\n\\ud800\r\n--b--\r\n'
    kind = "multipart/form-data; boundary=b; charset=unicode_escape"
    assert Client().generic("POST", "/sign-in/", body, content_type=kind).status_code == 400


def test_a_nul_in_a_cookie_is_refused(db):
    browser = Client(raise_request_exception=False)
    browser.cookies.load('session="\\000aaaaaaaaaaaa"')
    assert browser.get("/sign-in/").status_code == 400


def test_json_keeps_its_own_rule(api, alice):
    """A body of the API may come from elsewhere as it is: lib.safe_json makes the NUL visible."""
    assert api(alice).patch("/api/v1/me/", {"name": "a\0b"}).json()["name"] == "a␀b"


@pytest.mark.parametrize("position", ["p=%00", "p=1e99", "p=x", "p=" + "9" * 400, "p=-1&r=x", "o=-1", "p=%ff", "\0"])
@pytest.mark.parametrize("path", ["audit", "runs", "connections", "scenarios", "deliveries"])
def test_a_made_up_cursor_is_a_wrong_input(api, alice, path, position):
    cursor = base64.b64encode(position.encode()).decode()
    answer = api(alice).get(f"/api/v1/{path}/", {"cursor": cursor})
    assert answer.status_code in {200, 400}, answer.content
    if answer.status_code == 400:
        assert list(answer.json()["errors"]) == ["cursor"]


@pytest.mark.parametrize("cursor", ["cD0lMDA=", "cD0xZTk5"])
def test_the_error_names_the_cursor(api, alice, cursor):
    assert list(api(alice).get("/api/v1/audit/", {"cursor": cursor}).json()["errors"]) == ["cursor"]


def test_a_file_is_refused_and_written_nowhere(db, monkeypatch):
    written = []
    monkeypatch.setattr(uploadhandler, "TemporaryUploadedFile", lambda *args: written.append(args))
    part = b'Content-Disposition: form-data; name="f"; filename="a"\r\n\r\n'
    body = b"--b\r\n" + part + b"0" * 4_000_000 + b"\r\n--b--\r\n"
    answer = Client(enforce_csrf_checks=True).post("/sign-in/", body, content_type="multipart/form-data; boundary=b")
    assert (answer.status_code, written) == (400, [])
