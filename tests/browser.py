"""A real browser: Debian's Chromium driven by Playwright, closed to everything but this machine."""

import shutil
from collections.abc import Iterator
from typing import Protocol
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Route, sync_playwright

HEIGHT = 900
LOCALES = {"ru": "ru-RU", "en": "en-US"}


class OpenPage(Protocol):
    def __call__(self, lang: str = "ru", width: int = 1440, theme: str = "light") -> Page: ...


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        pytest.fail("Chromium is missing: install it with `apt-get install chromium`, or run `make test` as root.")
    with sync_playwright() as playwright:
        flags = ["--no-sandbox", "--disable-background-networking", "--disable-dev-shm-usage"]
        browser = playwright.chromium.launch(executable_path=path, args=flags)
        yield browser
        browser.close()


@pytest.fixture
def browser(chromium: Browser) -> Iterator["Tabs"]:
    """`browser.page(lang="ru", width=1440, theme="light")` opens a page with cookies of its own.

    After the test, an error in a page's console, an uncaught exception or a request to the outside fails it.
    """
    tabs = Tabs(chromium)
    yield tabs
    tabs.close()
    assert not tabs.complaints, "\n".join(tabs.complaints)


class Tabs:
    """The pages of one test. A test that provokes an error in the console forgives it: `browser.complaints.clear()`."""

    def __init__(self, chromium: Browser) -> None:
        self.chromium = chromium
        self.complaints: list[str] = []
        self.contexts = []

    def page(self, lang: str = "ru", width: int = 1440, theme: str = "light") -> Page:
        context = self.chromium.new_context(
            locale=LOCALES[lang],
            timezone_id="Europe/Moscow",
            viewport={"width": width, "height": HEIGHT},
            color_scheme="dark" if theme == "dark" else "light",
            has_touch=width < 700,
            reduced_motion="reduce",
        )
        context.set_default_timeout(10_000)
        context.route("**/*", self.only_this_machine)
        self.contexts.append(context)
        page = context.new_page()
        page.on("console", self.listen)
        page.on("pageerror", lambda error: self.complaints.append(f"uncaught: {error}"))
        return page

    def listen(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.complaints.append(f"console: {message.text} ({message.location.get('url', '')})")

    def only_this_machine(self, route: Route) -> None:
        if urlsplit(route.request.url).hostname in {"127.0.0.1", "localhost", None}:
            route.continue_()
            return
        self.complaints.append(f"request to the outside: {route.request.url}")
        route.abort()

    def close(self) -> None:
        for context in self.contexts:
            context.close()
