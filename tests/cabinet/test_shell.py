"""The page around every page: headers, navigation, menus, messages, error pages."""

import pytest
from django.template import engines
from django.test import Client, RequestFactory, override_settings
from django.utils import translation

from apinita.cabinet.context import Shell
from apinita.cabinet.security import CONTENT_SECURITY_POLICY


def count_three(request: object) -> tuple[int, bool]:
    return 3, True


def test_every_answer_tells_the_browser_what_it_may_do(client: Client) -> None:
    headers = client.get("/parts/").headers
    assert headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert headers["X-Frame-Options"] == "DENY"
    assert "HX-Request" in headers["Vary"]


def test_pages_of_somebody_signed_in_are_not_stored(client: Client) -> None:
    assert "Cache-Control" not in client.get("/login/").headers
    client.cookies[override_cookie_name()] = "x"
    assert client.get("/login/").headers["Cache-Control"] == "no-store"


def override_cookie_name() -> str:
    from django.conf import settings

    return settings.SESSION_COOKIE_NAME


def test_a_page_has_no_inline_scripts_or_styles(client: Client) -> None:
    html = client.get("/parts/?hello&bad").content.decode()
    assert " style=" not in html
    assert "<script>" not in html
    assert "onclick" not in html
    assert "hx-on" not in html


def test_what_people_wrote_is_escaped(client: Client) -> None:
    html = client.get("/parts/?hello").content.decode()
    assert "Saved &lt;b&gt;" in html


def test_messages_are_read_out_as_what_they_are(client: Client) -> None:
    html = client.get("/parts/?hello").content.decode()
    assert 'class="toast toast--ok" role="status"' in html
    assert 'class="toast toast--err" role="alert"' in html


def test_signing_out_and_switching_are_posts(client: Client) -> None:
    html = client.get("/parts/").content.decode()
    for name in ("sign_out", "switch_workspace"):
        assert f'method="post" action="/accounts/{name}/"' in html
        assert f'href="/accounts/{name}/"' not in html


@pytest.mark.parametrize(("view_name", "namespace", "current"), [
    ("runs:detail", "runs", "runs"), ("dashboard", "", "dashboard"), ("accounts:profile", "accounts", None),
])  # fmt: skip
def test_the_navigation_marks_where_we_are(pages: None, view_name: str, namespace: str, current: str | None) -> None:
    request = RequestFactory().get("/")
    request.resolver_match = type("Match", (), {"view_name": view_name, "namespace": namespace})()
    marked = [entry.key for entry in Shell(request).navigation if entry.is_current]
    assert marked == ([current] if current else [])


def test_a_count_stands_beside_what_needs_attention(client: Client) -> None:
    with override_settings(CABINET_COUNTS={"connections": "tests.cabinet.test_shell.count_three"}):
        html = client.get("/parts/").content.decode()
    assert '<span class="nav__count nav__count--err" title="Need attention">3</span>' in html


def test_the_theme_is_chosen_without_scripts(client: Client) -> None:
    answer = client.post("/cabinet/theme/", {"theme": "dark", "next": "/parts/"})
    assert answer.headers["Location"] == "/parts/"
    assert 'data-theme="dark"' in client.get("/parts/").content.decode()


def test_the_theme_page_sends_nobody_elsewhere(client: Client) -> None:
    answer = client.post("/cabinet/theme/", {"theme": "<x>", "next": "https://evil.example/"})
    assert answer.headers["Location"] == "/"
    assert "theme" not in answer.cookies


@pytest.mark.parametrize("code", ["400", "403", "404", "500", "403_csrf"])
@pytest.mark.parametrize("language", ["ru", "en"])
def test_an_error_page_needs_nothing(pages: None, code: str, language: str) -> None:
    with translation.override(language):
        html = engines["django"].get_template(f"{code}.html").render({})
    assert f'lang="{language}"' in html
    assert "<h1>" in html


def test_missing_and_broken_pages_are_ours(client: Client) -> None:
    missing, broken = client.get("/nothing-here/<b>/"), client.get("/broken/")
    assert (missing.status_code, broken.status_code) == (404, 500)
    assert "There is no such page" in missing.content.decode()
    assert "a bug" not in broken.content.decode()
