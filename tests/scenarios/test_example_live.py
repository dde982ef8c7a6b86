"""After signing up, three clicks lead to a running example: a browser, real processes, the sandbox over real HTTP."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from sandbox.testing import Sandbox
from tests.browser import Tabs
from tests.processes import Live, Web, environment, keeper, log_file

PASSWORD = "три щелчка мышью"
SHOTS = os.environ.get("APINITA_SHOTS", "")  # a folder for pictures, to look at


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(demo=True) as running:
        yield running


@pytest.fixture
def offered(live: Live, sandbox: Sandbox) -> Iterator[Live]:
    """The product with a web server that knows of the sandbox, as `up --sandbox` starts it."""
    assert keeper.web is not None
    keeper.web.stop()
    web = Web(live.web.command, log_file("web-sandbox"), env=environment() | offering(sandbox), url=live.url)
    web.ensure()
    yield Live(web, live.worker)
    web.stop()


def offering(sandbox: Sandbox) -> dict[str, str]:
    return {"APINITA_SANDBOX_URL": sandbox.url}


def sign_up(page: Page, url: str, email: str) -> None:
    page.goto(f"{url}/sign-up/")
    page.locator("[name=name]").fill("Анна Власова")
    page.locator("[name=email]").fill(email)
    page.locator("[name=password]").fill(PASSWORD)
    page.locator("main form button.btn--primary, form.stack button.btn--primary").first.click()
    page.wait_for_url(f"{url}/")


def shot(page: Page, name: str) -> None:
    if SHOTS:
        page.screenshot(path=Path(SHOTS) / f"{name}.png")


@pytest.mark.parametrize(("lang", "width"), [("en", 1440), ("ru", 375)])
def test_three_clicks_lead_to_a_running_example(
    offered: Live, sandbox: Sandbox, browser: Tabs, lang: str, width: int
) -> None:
    sandbox.forget_requests()
    page = browser.page(lang=lang, width=width)
    sign_up(page, offered.url, f"anna-{lang}@example.com")
    shot(page, f"example-1-{lang}")
    page.locator("form[action='/scenarios/example/'] button").first.click()
    page.wait_for_url(f"{sandbox.url}/**")
    page.locator("button[value=allow]").click()
    page.wait_for_url(f"{offered.url}/connections/**")
    shot(page, f"example-2-{lang}")
    page.locator("form[action='/runs/start/'] button").click()
    page.wait_for_url(f"{offered.url}/runs/**")
    expect(page.locator(".bar .badge--ok")).to_be_visible(timeout=20_000)
    expect(page.locator("#run[hx-get]")).to_have_count(0)
    shot(page, f"example-3-{lang}")
    came = json.loads(sandbox.requests_to("/echo/morning")[0].request.body)
    assert came["count"] >= 5
    assert "09:30 Планёрка" in came["text"]
    page.locator(".trace__row a").nth(1).click()
    page.wait_for_url("**/?step=s2")
    expect(page.locator("#panel-title")).to_be_visible()
    shot(page, f"example-4-{lang}")
    page.locator(".tabs__item").nth(2).click()
    page.wait_for_url("**tab=http")
    expect(page.locator("#http-request")).to_be_visible()
    expect(page.locator(".httphead").first).to_contain_text("/calendars/primary/events")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
