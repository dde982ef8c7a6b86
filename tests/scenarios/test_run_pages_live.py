"""The pages of runs in a browser: filters while typing, rows that appear by themselves, the panel on a phone."""

from datetime import timedelta

from django.utils import timezone
from playwright.sync_api import Page, expect

from accounts.models import User
from scenarios import running
from tests.browser import Tabs
from tests.people import actor_of, signed_in
from tests.processes import Live
from tests.scenarios.run_kit import SET, failed_run, run_of, scenario_of


def open_as(user: User, browser: Tabs, url: str, *, width: int = 1440) -> Page:
    page = browser.page(lang="en", width=width)
    cookie = signed_in(user).cookies["session"].value
    page.context.add_cookies([{"name": "session", "value": cookie, "url": url}])
    page.goto(url)
    return page


def test_filters_work_while_typing_and_stand_in_the_address(alice: User, live: Live, browser: Tabs) -> None:
    scenario, other = scenario_of(alice), scenario_of(alice, "Другой")
    run_of(scenario)
    wanted = run_of(other)
    page = open_as(alice, browser, f"{live.url}/runs/")
    expect(page.locator(".runs-table tbody tr:not(.table__group)")).to_have_count(2)
    search = page.get_by_role("searchbox")
    search.press_sequentially("Другой")
    expect(page.locator(".runs-table tbody tr:not(.table__group)")).to_have_count(1)
    expect(page.locator(f"#run-{wanted.id.hex}")).to_be_visible()
    expect(search).to_be_focused()
    page.wait_for_url("**/runs/?q=**")
    page.get_by_role("combobox", name="Period").select_option("7")
    page.wait_for_url("**period=7**")
    page.get_by_role("link", name="With an error").click()
    page.wait_for_url("**status=failed**")
    assert "q=" in page.url
    expect(page.get_by_role("heading", name="No such runs")).to_be_visible()


def test_a_new_run_appears_by_itself_and_comes_to_its_end(alice: User, live: Live, browser: Tabs) -> None:
    scenario = scenario_of(alice, steps=[SET | {"inputs": {"values": {"n": 1}}}])
    run_of(scenario, at=timezone.now() - timedelta(days=1))
    page = open_as(alice, browser, f"{live.url}/runs/")
    page.evaluate("window.stays = true")
    new = running.start_by_hand(actor_of(alice), scenario, {})
    row = page.locator(f"#run-{new.id.hex}")
    expect(row).to_be_visible(timeout=15_000)
    expect(row).to_contain_text("Succeeded", timeout=15_000)
    assert page.evaluate("window.stays")


def test_a_step_is_chosen_without_loading_the_page_anew(alice: User, live: Live, browser: Tabs) -> None:
    run = failed_run(scenario_of(alice))
    page = open_as(alice, browser, f"{live.url}/runs/{run.id.hex}/")
    page.evaluate("window.stays = true")
    expect(page.locator("#panel-title")).to_have_text("2. В CRM")
    page.get_by_role("link", name="1. Имя").click()
    expect(page.locator("#panel-title")).to_have_text("1. Имя")
    page.wait_for_url("**/?step=s2")
    page.get_by_role("link", name="Input").click()
    page.get_by_role("button", name="Fields").click()
    expect(page.locator(".outrows").first).to_be_visible()
    page.go_back()
    page.go_back()
    expect(page.locator("#panel-title")).to_have_text("2. В CRM")
    expect(page.get_by_role("navigation", name="Main menu").first).to_be_visible()


def test_on_a_phone_the_step_is_a_page_with_a_way_back(alice: User, live: Live, browser: Tabs) -> None:
    run = failed_run(scenario_of(alice))
    page = open_as(alice, browser, f"{live.url}/runs/{run.id.hex}/", width=375)
    expect(page.locator("#run-panel")).to_be_hidden()
    page.get_by_role("link", name="2. В CRM").click()
    expect(page.locator("#run-panel")).to_be_visible()
    expect(page.locator(".trace").first).to_be_hidden()
    page.get_by_role("link", name="Back to the run").click()
    expect(page.locator(".trace").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 375


def test_stopping_asks_in_a_dialog(alice: User, live: Live, browser: Tabs) -> None:
    held = timezone.now() + timedelta(hours=1)
    run = run_of(
        scenario_of(alice), "waiting", wake_at=held, error={"code": "rate_limited", "params": {}, "path": "s3"}
    )
    page = open_as(alice, browser, f"{live.url}/runs/{run.id.hex}/")
    page.get_by_role("link", name="Stop").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Stop this run?")
    dialog.get_by_role("button", name="Stop the run").click()
    expect(page.locator(".bar")).to_contain_text("Cancelled")
