"""Connections in the cabinet: as plain pages, and by clicking in a browser."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.test import Client
from playwright.sync_api import Page, expect

from accounts.access import Actor
from accounts.models import User, Workspace
from accounts.roles import Role
from connections import editing, usage
from connections.models import Connection
from sandbox.testing import Sandbox
from tests.connections import kit
from tests.people import signed_in

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running


CALENDAR_SCOPE = "https://www.googleapis.com/auth/calendar.events"


def draft(workspace: Workspace, alice: User, sandbox: Sandbox, **settings: Any) -> Connection:
    """A Google Calendar whose addresses are the sandbox's, with its keys."""
    return editing.create(
        Actor(workspace, Role.OWNER, alice),
        name="Team calendar",
        preset="google_calendar",
        settings={
            "client_id": sandbox.client_id,
            "authorization_url": (
                f"{sandbox.authorization_url}?response_type=code&access_type=offline&prompt=consent"
                "&client_id={{ client_id }}&redirect_uri={{ redirect_uri }}&scope={{ scope }}"
            ),
            "token_url": sandbox.token_url,
            "refresh_url": sandbox.token_url,
            "api_base_url": sandbox.api_base_url,
            **settings,
        },
        secrets={"client_secret": sandbox.client_secret},
    )


def form_of(connection: Connection, **changes: Any) -> dict[str, Any]:
    """What the form of a connection would send."""
    sent: dict[str, Any] = {"name": connection.name, "scopes": [], "do": "save"}
    for name, value in connection.config.items():
        if isinstance(value, dict):
            sent[f"{name}_name"], sent[f"{name}_value"] = list(value), list(value.values())
        elif isinstance(value, list):
            sent[name] = ", ".join(str(one) for one in value)
        elif value is True:
            sent[name] = "on"
        elif value not in (None, False):
            sent[name] = value
    return {**sent, **changes}


def test_choosing_a_service_makes_the_record_with_its_redirect_url(workspace: Workspace, alice: User) -> None:
    browser = signed_in(alice)
    answer = browser.post("/connections/new/", {"preset": "google_calendar"})
    connection = Connection.objects.get()
    assert answer["Location"] == f"/connections/{connection.public_id}/edit/"
    page = browser.get(answer["Location"]).content.decode()
    assert f"/connections/{connection.public_id}/callback/" in page
    for number in range(1, 17):
        assert f">{number}</span>" in page


@pytest.mark.parametrize("type_", ["oauth2", "api_key", "basic", "bearer"])
def test_every_type_has_a_form(workspace: Workspace, alice: User, type_: str) -> None:
    browser = signed_in(alice)
    answer = browser.post("/connections/new/", {"type": type_})
    assert browser.get(answer["Location"]).status_code == 200


def test_the_sandbox_is_offered_only_where_it_runs_and_needs_no_typing(
    workspace: Workspace, alice: User, sandbox: Sandbox, settings: Any
) -> None:
    browser = signed_in(alice)
    assert browser.post("/connections/new/", {"preset": "sandbox"}).status_code == 404
    settings.SANDBOX_URL = sandbox.url
    assert b"Sandbox calendar" in browser.get("/connections/new/").content
    edit = browser.post("/connections/new/", {"preset": "sandbox"})["Location"]
    body = form_of(Connection.objects.get(), do="authorize", scopes=[CALENDAR_SCOPE])
    page = browser.post(edit, body)
    back = urlsplit(sandbox.consent(page.context["url"]))
    browser.get(f"{back.path}?{back.query}")
    connection = Connection.objects.get()
    assert connection.status == "connected"
    answer = browser.post(f"/connections/{connection.public_id}/check/")
    assert answer.context["outcome"].ok is True


def test_a_plain_form_saves_and_leads_to_the_service(workspace: Workspace, alice: User, sandbox: Sandbox) -> None:
    """Without scripts: a form may not redirect to another site, so a page leads there."""
    connection = draft(workspace, alice, sandbox)
    browser = signed_in(alice)
    body = form_of(connection, do="authorize", client_secret=sandbox.client_secret)
    page = browser.post(f"/connections/{connection.public_id}/edit/", body)
    assert page.status_code == 200
    assert "http-equiv" in page.content.decode()
    back = urlsplit(sandbox.consent(page.context["url"]))
    assert Client().get(f"{back.path}?{back.query}").status_code == 400  # another browser
    assert browser.get(f"{back.path}?{back.query}").status_code == 303
    assert kit.again(connection).status == "connected"


def test_the_callback_is_bound_to_person_and_browser(
    workspace: Workspace, alice: User, bob: User, sandbox: Sandbox
) -> None:
    connection = draft(workspace, alice, sandbox)
    browser = signed_in(alice)
    answer = browser.post(f"/connections/{connection.public_id}/authorize/", headers={"HX-Request": "true"})
    assert answer.status_code == 204
    back = urlsplit(sandbox.consent(answer["HX-Redirect"]))
    assert answer.cookies["oauth"]["httponly"]
    assert answer.cookies["oauth"]["samesite"] == "Lax"
    other = signed_in(bob)
    other.cookies["oauth"] = answer.cookies["oauth"].value
    assert other.get(f"{back.path}?{back.query}").status_code == 400
    assert not sandbox.requests_to("/token")


def test_a_changed_address_asks_for_the_secret_at_its_field(
    workspace: Workspace, alice: User, sandbox: Sandbox
) -> None:
    connection = draft(workspace, alice, sandbox)
    body = form_of(connection, token_url="https://evil.example/token")
    page = signed_in(alice).post(f"/connections/{connection.public_id}/edit/", body)
    assert page.status_code == 422
    assert page.context["form"].errors["client_secret"]
    assert kit.config(connection).token_url == sandbox.token_url


def test_saving_without_a_change_keeps_the_tokens(workspace: Workspace, alice: User) -> None:
    connection = kit.connected(workspace, "https://a.example")
    body = form_of(connection, name="Renamed")
    assert signed_in(alice).post(f"/connections/{connection.public_id}/edit/", body).status_code == 302
    stored = kit.again(connection)
    assert (stored.name, stored.status) == ("Renamed", "connected")
    assert stored.tokens is not None


def test_a_row_is_added_and_an_address_taken_apart_without_scripts(workspace: Workspace, alice: User) -> None:
    connection = editing.create(Actor(workspace, Role.OWNER, alice), name="Any", preset="generic")
    browser = signed_in(alice)
    address = f"/connections/{connection.public_id}/edit/"
    page = browser.post(address, form_of(connection, do="add:token_headers"))
    assert page.context["form"]["token_headers"].value() == {"": ""}
    pasted = "https://a.example/auth?client_id=abc&redirect_uri=https://x.example/&scope=read+write&response_type=code"
    page = browser.post(address, form_of(connection, do="tidy", authorization_url=pasted))
    form = page.context["form"]
    assert form["client_id"].value() == "abc"
    assert form["scope"].value() == "read write"
    assert "{{ redirect_uri }}" in form["authorization_url"].value()
    assert kit.config(connection).authorization_url == ""  # nothing is stored


def test_the_secret_is_on_no_page(workspace: Workspace, alice: User, sandbox: Sandbox) -> None:
    connection = draft(workspace, alice, sandbox)
    browser = signed_in(alice)
    for path in ("", "edit/"):
        assert sandbox.client_secret not in browser.get(f"/connections/{connection.public_id}/{path}").content.decode()


def test_a_stranger_meets_404_and_a_viewer_no_buttons(
    workspace: Workspace, alice: User, vera: User, charlie: User, sandbox: Sandbox
) -> None:
    connection = draft(workspace, alice, sandbox)
    stranger, viewer = signed_in(charlie), signed_in(vera)
    base = f"/connections/{connection.public_id}/"
    for path in ("", "edit/", "disconnect/", "delete/"):
        assert stranger.get(base + path).status_code == 404, path
    for path in ("edit/", "preview/", "authorize/", "refresh/", "check/", "disconnect/", "delete/"):
        assert stranger.post(base + path).status_code == 404, path
        assert viewer.post(base + path).status_code == 403, path
    page = viewer.get(base)
    assert page.status_code == 200
    assert "<form" not in page.content.decode().partition("<main")[2].partition("</main>")[0]
    assert Connection.objects.filter(pk=connection.pk).exists()


def test_the_list_takes_the_same_queries_whatever_its_length(
    workspace: Workspace, alice: User, django_assert_max_num_queries: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr(usage, "lookups", [])
    for number in range(12):
        kit.connected(workspace, "https://a.example", slug=f"c{number}")
    browser = signed_in(alice)
    with django_assert_max_num_queries(10):
        assert browser.get("/connections/").status_code == 200


def sign_in(page: Page, url: str, user: User) -> None:
    cookies = signed_in(user).cookies
    name = next(name for name in cookies if "session" in name)
    page.context.add_cookies([{"name": name, "value": cookies[name].value, "url": url}])


@pytest.mark.parametrize(("lang", "width"), [("ru", 1440), ("en", 375)])
def test_a_newcomer_connects_by_clicking(
    live: Any, browser: Any, workspace: Workspace, alice: User, sandbox: Sandbox, lang: str, width: int
) -> None:
    alice.language = lang
    alice.save()
    page: Page = browser.page(lang=lang, width=width)
    sign_in(page, live.url, alice)
    page.goto(f"{live.url}/connections/new/")
    page.locator("button[name=preset][value=google_calendar]").click()
    page.locator("#redirect-uri").wait_for()
    page.locator("[name=client_id]").fill(sandbox.client_id)
    page.locator("[name=client_secret]").fill(sandbox.client_secret)
    page.locator("[name=all_fields]").check()
    # The wrong variant is explained while it is typed in.
    pasted = "?response_type=code&client_id={{ client_id }}&redirect_uri=https://x.example/17&scope={{ scope }}"
    page.locator("[name=authorization_url]").fill(sandbox.authorization_url + pasted)
    expect(page.locator("#preview [data-code=redirect_mismatch]")).to_be_visible()
    page.locator("#preview button[value=tidy]").click()
    expect(page.locator("#preview [data-code=redirect_matches]")).to_be_visible()
    page.locator("[name=client_secret]").fill(sandbox.client_secret)
    page.locator("[name=token_url]").fill(sandbox.token_url)
    page.locator("[name=refresh_url]").fill(sandbox.token_url)
    page.locator("[name=revoke_url]").fill("")
    page.locator("[name=api_base_url]").fill(sandbox.api_base_url)
    page.locator("[data-pairs-add=request_headers]").click()
    row = page.locator("[data-pairs=request_headers] .pairs__row").last
    row.locator("[name=request_headers_name]").fill("X-Test")
    row.locator("[name=request_headers_value]").fill("yes")
    page.locator(".formbar button[value=authorize]").click()
    page.locator("button[value=allow]").click()
    page.wait_for_url(f"{live.url}/connections/*/")
    connection = Connection.objects.get()
    assert connection.status == "connected"
    assert kit.config(connection).request_headers["X-Test"] == "yes"
    assert "code=" not in page.url
    page.locator(".bar form[action$='/check/'] button").click()
    expect(page.locator("#trial-result .badge--ok")).to_have_text("200")
    assert sandbox.requests_to("/calendar/v3")[-1].headers["x-test"] == "yes"


def test_a_withdrawn_connection_is_authorized_again_by_one_button(
    live: Any, browser: Any, workspace: Workspace, alice: User, sandbox: Sandbox
) -> None:
    connection = draft(workspace, alice, sandbox)
    Connection.objects.filter(pk=connection.pk).update(
        status="needs_reauthorization",
        error={"code": "token_refused", "params": {"reason": "invalid_grant", "error": "invalid_grant", "host": "x"}},
    )
    page: Page = browser.page(lang="en", width=375)
    sign_in(page, live.url, alice)
    page.goto(f"{live.url}/connections/{connection.public_id}/")
    page.locator(".oops form button").click()
    page.locator("button[value=allow]").click()
    page.wait_for_url(f"{live.url}/connections/*/")
    expect(page.locator("h1 .badge--ok")).to_be_visible()
    page.locator("section .btn--danger").click()
    page.locator("dialog .btn--danger-solid").click()
    expect(page.locator("h1 .badge--line")).to_be_visible()
    assert kit.again(connection).tokens is None
