"""The pages of accounts in a real browser: the guessed time zone, tables on a phone."""

from playwright.sync_api import expect

from accounts.models import User
from tests.browser import Tabs
from tests.people import signed_in
from tests.processes import Live


def test_signing_up_starts_with_the_browsers_time_zone(live: Live, browser: Tabs) -> None:
    page = browser.page(lang="en")
    zone = page.locator("[name=timezone]")
    page.add_init_script(
        "Intl.DateTimeFormat.prototype.resolvedOptions = () => ({ timeZone: 'Asia/Vladivostok', locale: 'en' })"
    )
    page.goto(f"{live.url}/sign-up/")
    expect(zone).to_have_value("Asia/Vladivostok")
    zone.select_option("Asia/Omsk")
    page.locator("[name=name]").fill("Dana")
    page.locator("[name=email]").fill("dana@example.com")
    page.locator("[name=password]").fill("12345678")
    page.get_by_role("button", name="Create account").click()
    expect(page.locator("[name=password][aria-invalid]")).to_be_visible()
    expect(zone).to_have_value("Asia/Omsk")
    browser.complaints.clear()  # Chromium reports the 422 itself


def test_columns_for_wide_screens_do_not_show_on_a_phone(alice: User, live: Live, browser: Tabs) -> None:
    for width, shown in [(1440, True), (375, False)]:
        page = browser.page(lang="en", width=width)
        cookie = signed_in(alice).cookies["session"].value
        page.context.add_cookies([{"name": "session", "value": cookie, "url": live.url}])
        page.goto(f"{live.url}/settings/members/")
        assert page.locator("td.hide-sm").first.is_visible() is shown
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
