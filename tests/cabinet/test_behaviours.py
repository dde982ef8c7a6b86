"""The scripts, in a real browser under the real CSP: `browser` fails a test on any error in the console."""

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser import Tabs


@pytest.fixture
def page(address: str, browser: Tabs) -> Page:
    page = browser.page(lang="en")
    page.goto(f"{address}/parts/")
    return page


def value(page: Page, name: str) -> Any:
    return page.locator(f"[name={name}]").input_value()


def test_a_slash_opens_the_values_and_enter_inserts_the_found_one(page: Page) -> None:
    page.locator("#id_summary_text").focus()
    page.keyboard.press("End")
    page.keyboard.type(" /")
    search = page.locator("#picker [role=combobox]")
    expect(search).to_be_focused()
    page.keyboard.type("ковалёва")  # a value, not a name
    assert page.locator("#picker [role=option]:visible").count() == 1
    chosen = search.get_attribute("aria-activedescendant")
    assert page.locator(f"#{chosen}").get_attribute("aria-selected") == "true"
    page.keyboard.press("Enter")
    expect(page.locator("#picker")).to_be_hidden()
    assert value(page, "summary").startswith("Занятие:  {{ s3.item.summary }}{{ s3.item.summary }} · ")


def test_braces_open_the_values_too_and_arrows_choose(page: Page) -> None:
    page.locator("#id_summary_text").focus()
    page.keyboard.type("{{")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    assert "{{ s3.item.start }}" in value(page, "summary")


def test_escape_gives_the_caret_back_and_keeps_what_was_typed(page: Page) -> None:
    page.locator("#id_summary_text").focus()
    page.keyboard.press("Home")
    page.keyboard.type("/")
    page.keyboard.press("Escape")
    expect(page.locator("#id_summary_text")).to_be_focused()
    page.keyboard.type("x")
    assert value(page, "summary").startswith("/xЗанятие")


def test_an_address_is_typed_without_opening_anything(page: Page) -> None:
    page.locator("#id_gone_text").focus()
    page.keyboard.type("https://crm.example/api")
    expect(page.locator("#picker")).to_be_hidden()
    assert value(page, "gone") == "https://crm.example/api{{ s9.x }} {{ now() }}"


def test_backspace_walks_to_a_chip_and_then_deletes_it(page: Page) -> None:
    page.locator("pill-box[data-picker] .pillbox__text").nth(1).focus()
    page.keyboard.press("Home")
    page.keyboard.press("Backspace")
    expect(page.locator(".pillbox .pill").first).to_be_focused()
    page.keyboard.press("Backspace")
    assert value(page, "summary") == "Занятие:  · {{ s1.body.summary | upper }}"


def test_chips_say_where_they_come_from(page: Page) -> None:
    chips = page.locator("pill-box").first.locator(".pill")
    assert chips.nth(0).get_attribute("aria-label") == "3 Название, value of 3. Current event"
    assert "pill--nosample" in (chips.nth(1).get_attribute("class") or "")
    broken = page.locator("pill-box").nth(1).locator(".pill").first
    assert "pill--broken" in (broken.get_attribute("class") or "")
    assert broken.get_attribute("aria-label") == "! s9.x: there is no such step"


def test_the_button_inserts_into_a_textarea(page: Page) -> None:
    page.locator("[data-insert-open=id_note]").click()
    page.keyboard.press("Enter")
    assert value(page, "note") == "{% if x %}a{% endif %}{{ s3.item.summary }}"


def test_functions_stand_behind_their_tab_and_are_found_from_any(page: Page) -> None:
    page.locator("[data-insert-open=id_note]").click()
    now = page.locator('#picker [data-expr="now()"]')
    expect(now).to_be_hidden()
    page.keyboard.type("now")
    expect(now).to_be_visible()
    page.locator("#picker [role=combobox]").fill("")
    page.locator("[data-insert-tab=functions]").click()
    expect(now).to_be_visible()


def test_nothing_found_is_said(page: Page) -> None:
    page.locator("[data-insert-open=id_note]").click()
    page.keyboard.type("qqqq")
    expect(page.locator("[data-insert-none]")).to_be_visible()


def test_a_date_gets_its_offset_from_the_server(page: Page) -> None:
    page.locator("[data-dtf-zone]").first.select_option("Asia/Yekaterinburg")
    expect(page.locator("#id_start_out code")).to_have_text("2026-11-25T10:15:00+05:00")
    assert value(page, "start") == "2026-11-25T10:15:00+05:00"
    expect(page.locator("#id_start_out")).to_contain_text("Wed, 25 November · 05:15 UTC")


def test_a_date_can_be_taken_from_data_or_written_as_it_is(page: Page) -> None:
    end = page.locator("date-time-field").nth(1)
    expect(end.locator(".pill")).to_have_text("3 Начало ")
    end.locator("[data-mode=raw]").click()
    page.locator("#id_end").fill("{{ s1.body.summary }}")
    end.locator("[data-mode=data]").click()
    expect(end.locator(".pill__label")).to_have_text("Calendar")
    assert value(page, "end") == "{{ s1.body.summary }}"


def test_a_question_opens_as_a_dialog_and_closes(page: Page) -> None:
    page.get_by_role("link", name="Ask").click()
    dialog = page.get_by_role("dialog", name="Delete the connection?")
    expect(dialog).to_be_visible()
    dialog.get_by_role("link", name="Cancel").click()
    expect(dialog).to_be_hidden()
    assert page.url.endswith("/parts/")


def test_a_dialog_of_the_page_gives_the_focus_back(page: Page) -> None:
    opener = page.get_by_role("button", name="Open dialog")
    opener.click()
    expect(page.get_by_role("dialog", name="Rename")).to_be_visible()
    page.keyboard.press("Escape")
    expect(opener).to_be_focused()


def test_a_refused_switch_goes_back_and_says_why(page: Page, browser: Tabs) -> None:
    switch = page.get_by_role("switch", name="Turn on")
    switch.click()
    expect(page.get_by_role("alert")).to_contain_text("This was not allowed")
    expect(switch).to_be_checked()
    browser.complaints.clear()


def test_a_lost_network_is_said_once_and_stays(page: Page, browser: Tabs) -> None:
    page.context.set_offline(True)
    for _ in range(2):
        page.get_by_role("link", name="Ask").click()
        expect(page.get_by_role("alert")).to_have_count(1)
    expect(page.get_by_role("alert")).to_contain_text("no connection to the server")
    page.get_by_role("alert").get_by_role("button", name="Close").click()
    expect(page.get_by_role("alert")).to_have_count(0)
    browser.complaints.clear()


def test_a_good_message_goes_away_and_an_error_stays(address: str, browser: Tabs) -> None:
    page = browser.page(lang="en")
    page.clock.install()
    page.goto(f"{address}/parts/?hello")
    expect(page.locator(".toast--ok")).to_contain_text("Saved")
    page.clock.run_for(6000)
    expect(page.locator(".toast--ok")).to_have_count(0)
    expect(page.locator(".toast--err")).to_be_visible()


def test_the_theme_changes_at_once_and_is_remembered(page: Page) -> None:
    page.locator(".nav__user").click()
    page.get_by_role("button", name="Dark theme").click()
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.reload()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == dark == "rgb(17, 20, 21)"


def test_the_menu_closes_by_escape_and_by_a_click_elsewhere(page: Page) -> None:
    menu = page.locator(".nav .menu__pop")
    page.locator(".nav__user").click()
    expect(menu).to_be_visible()
    page.keyboard.press("Escape")
    expect(menu).to_be_hidden()
    expect(page.locator(".nav__user")).to_be_focused()
    page.locator(".nav__user").click()
    page.locator("h1").click()
    expect(menu).to_be_hidden()


def test_a_list_is_filtered_while_typing(page: Page) -> None:
    page.locator("[data-filter]").fill("calen")
    assert page.locator("#things li:visible").all_inner_texts() == ["Google"]
    page.locator("[data-filter]").fill("zzz")
    assert page.locator("#things li:visible").all_inner_texts() == ["Nothing"]


def test_views_change_places(page: Page) -> None:
    page.get_by_role("button", name="B", exact=True).click()
    expect(page.get_by_text("Pane B")).to_be_visible()
    expect(page.get_by_text("Pane A")).to_be_hidden()


def test_an_address_is_copied(page: Page) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy", exact=True).click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == "https://app.apinita.example/connections/17/callback/"


def test_a_secret_is_shown_on_demand(page: Page) -> None:
    page.locator("[data-reveal]").click()
    assert page.locator("#id_secret").get_attribute("type") == "text"


@pytest.mark.parametrize("path", ["/parts/?bad", "/login/", "/nothing-here/"])
def test_no_page_scrolls_sideways(address: str, browser: Tabs, path: str) -> None:
    page = browser.page(lang="ru")
    page.goto(address + path)
    for width in (1440, 1000, 768, 375, 320):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    browser.complaints.clear()  # the 404 itself


def test_a_phone_has_the_menu_below_and_the_values_as_a_sheet(address: str, browser: Tabs) -> None:
    page = browser.page(lang="en", width=375)
    page.goto(f"{address}/parts/")
    page.locator(".tabbar summary").click()
    expect(page.locator(".tabbar").get_by_role("button", name="Sign out")).to_be_visible()
    page.keyboard.press("Escape")
    page.locator("[data-insert-open=id_summary]").click()
    box = page.locator("#picker").bounding_box()
    assert box is not None
    assert (box["x"], box["width"]) == (0, 375)


def test_without_scripts_fields_hold_their_text_and_menus_open(chromium: Any, address: str) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{address}/parts/")
    expect(page.locator("#id_summary")).to_be_visible()
    expect(page.locator("#id_start")).to_be_visible()
    page.locator(".nav__user").click()
    expect(page.locator(".nav").get_by_role("button", name="Sign out")).to_be_visible()
    context.close()
