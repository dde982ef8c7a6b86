"""A newcomer builds a scenario by clicking, in Russian, and it runs; on a phone the panel is a page of its own."""

import http.server
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.utils import translation
from playwright.sync_api import Page, Route, expect

from accounts.models import User
from scenarios import editing, trying
from scenarios.models import Run, Scenario
from tests.browser import Tabs
from tests.people import actor_of, signed_in
from tests.processes import Live, wait_until


class Shop(http.server.ThreadingHTTPServer):
    """A service that keeps the JSON it is sent."""

    def __init__(self) -> None:
        self.orders: list[Any] = []
        super().__init__(("127.0.0.1", 0), Counter)
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/orders"


class Counter(http.server.BaseHTTPRequestHandler):
    server: Shop

    def do_POST(self) -> None:
        self.server.orders.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(201)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(b'{"id": 7}')

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def shop() -> Iterator[Shop]:
    server = Shop()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def anna(live: Live, alice: User) -> User:
    alice.language = "ru"
    alice.save()
    return alice


def open_as(user: User, live: Live, tabs: Tabs, *, width: int = 1440) -> Page:
    page = tabs.page(lang="ru", width=width)
    session = signed_in(user).cookies[settings.SESSION_COOKIE_NAME].value
    page.context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": session, "url": live.url}])
    return page


def word(text: str) -> str:
    with translation.override("ru"):
        return translation.gettext(text)


def test_a_scenario_is_built_by_clicking_and_runs(live: Live, anna: User, browser: Tabs, shop: Shop) -> None:
    page = open_as(anna, live, browser)
    page.goto(f"{live.url}/scenarios/")
    page.locator('a[href="/scenarios/new/"]').first.click()
    page.locator('#dialog [name="name"]').fill("Заявки")
    page.locator('#dialog [value="manual"]').check()
    page.locator("#dialog .btn--primary").click()
    expect(page.locator("h1")).to_have_text("Заявки")

    # A sample of the data, so that the fields show what they will give.
    page.locator('#panel a[href$="/sample/"]').click()
    page.locator('#dialog [name="body"]').fill('{"name": "Анна Ковалёва"}')
    page.locator("#dialog .btn--primary").click()
    expect(page.locator("#panel .st--ok")).to_be_visible()

    # A first step, with a value out of the list.
    page.locator(".adder__btn").first.click()
    page.locator('#dialog [value="data.set"]').click()
    expect(page.locator("#dialog")).to_be_hidden()
    expect(page.locator('#step-s2[aria-current="true"]')).to_be_visible()
    page.locator('[name="in-values.0.name"]').fill("title")
    page.locator("#id_in-values_0_value_text").click()
    page.keyboard.type("Заявка: {{")
    expect(page.locator("#picker")).to_be_visible()
    page.keyboard.type("ковал")  # by the value, not by the name
    page.keyboard.press("Enter")
    expect(page.locator("#id_in-values_after")).to_contain_text("Заявка: Анна Ковалёва")
    expect(page.locator('[name="in-values.1.name"]')).to_be_visible()  # room for one more
    page.locator('[formaction$="/steps/s2/test/"]').click()
    expect(page.locator("#test-output")).to_contain_text("Заявка: Анна Ковалёва")
    expect(page.locator("#step-s2 .step__state--ok")).to_be_visible()

    # A second one behind it, with the result of the first.
    page.locator(".adder__btn").nth(1).click()
    page.locator('#dialog [type="search"]').fill("http")
    expect(page.locator('#dialog [value="data.set"]')).to_be_hidden()
    page.locator('#dialog [value="http.request"]').click()
    expect(page.locator('#step-s3[aria-current="true"]')).to_be_visible()
    page.locator("#id_in-url_text").fill(shop.url)
    page.locator('[name="in-fields.0.name"]').fill("order")
    page.locator("#id_in-fields_0_value_text").click()
    page.keyboard.type("{{")
    page.keyboard.type("title")
    page.keyboard.press("Enter")
    expect(page.locator("#id_in-fields_after")).to_contain_text("Заявка: Анна Ковалёва")

    # The other card's panel and back: nothing is lost.
    page.locator("#step-s2 .step__link").click()
    expect(page.locator('#step-s2[aria-current="true"]')).to_be_visible()
    page.go_back()
    expect(page.locator("#id_in-url")).to_have_value(shop.url)

    page.get_by_role("button", name=word("Publish")).click()
    expect(page.locator("#toasts .toast--ok")).to_be_visible()
    expect(page.locator('#live-switch [role="switch"]')).to_be_visible()
    page.get_by_role("link", name=word("Run once")).click()
    page.locator("#dialog .btn--primary").click()
    page.wait_for_url("**/runs/*/")

    def run_ended() -> bool:
        return Run.objects.filter(status="succeeded").exists()

    wait_until(run_ended)
    assert shop.orders == [{"order": "Заявка: Анна Ковалёва"}]


def test_on_a_phone_the_panel_is_a_page(live: Live, anna: User, browser: Tabs) -> None:
    steps = [
        {"key": "s2", "action": "data.set", "inputs": {"values": {"title": "{{ run.id }}", "long": "x" * 200}}},
        {
            "key": "s3",
            "action": "http.request",
            "inputs": {"method": "POST", "url": "https://api.example.com/v1/orders"},
        },
    ]
    trigger = {"key": "s1", "type": "schedule", "inputs": {"every_s": 900}}
    made = editing.create(actor_of(anna), {"name": "Очень длинное название " * 4, "trigger": trigger, "steps": steps})
    page = open_as(anna, live, browser, width=375)
    for end in ("", "trigger/", "steps/s2/", "steps/s3/", "add/?after=s2", "settings/", "run/"):
        page.goto(f"{live.url}/scenarios/{made.public_id}/{end}")
        assert page.evaluate("document.documentElement.scrollWidth") <= 375, end

    page.goto(f"{live.url}/scenarios/{made.public_id}/")
    expect(page.locator("#flow")).to_be_visible()
    expect(page.locator("#panel")).to_be_hidden()
    page.locator("#step-s3 .step__link").click()
    expect(page.locator("#panel-form")).to_be_visible()
    expect(page.locator("#flow")).to_be_hidden()
    page.locator("#panel .panel__head .only-mobile").click()
    expect(page.locator("#flow")).to_be_visible()
    page.goto(f"{live.url}/scenarios/")
    assert page.evaluate("document.documentElement.scrollWidth") <= 375


def test_two_people_on_one_step_lose_nothing_silently(live: Live, anna: User, browser: Tabs) -> None:
    document = {
        "name": "x",
        "trigger": {"key": "s1", "type": "manual", "inputs": {}},
        "steps": [{"key": "s2", "action": "data.set", "inputs": {"values": {"a": "1"}}}],
    }
    made = editing.create(actor_of(anna), document)
    first, second = open_as(anna, live, browser), open_as(anna, live, browser)
    for page in (first, second):
        page.goto(f"{live.url}/scenarios/{made.public_id}/steps/s2/")
    first.locator("#id_in-values_0_value_text").fill("first")
    expect(first.locator("#saved-note")).not_to_be_empty()
    second.locator("#id_in-values_0_value_text").fill("second")
    expect(second.locator('#toasts [data-toast-name="conflict"]')).to_be_visible()
    expect(second.locator("#id_in-values_0_value")).to_have_value("second")  # what was typed stays
    assert Scenario.objects.get().document["steps"][0]["inputs"] == {"values": {"a": "first"}}
    browser.complaints.clear()  # the browser itself complains of the 409


def test_a_router_a_loop_and_a_delay_are_built_by_clicking_and_run(
    live: Live, anna: User, browser: Tabs, shop: Shop
) -> None:
    trigger = {"key": "s1", "type": "manual", "inputs": {}}
    made = editing.create(actor_of(anna), {"name": "Заказы", "trigger": trigger, "steps": []}, draft=True)
    goods = {"goods": [{"name": "чашка"}, {"name": "чайник"}]}
    trying.keep_sample(made, "s1", {"body": goods})
    page = open_as(anna, live, browser)
    page.goto(f"{live.url}/scenarios/{made.public_id}/")

    def add(after: str, action: str, key: str) -> None:
        page.locator(f'.adder__btn[href$="?after={after}"]').click()
        page.locator(f'#dialog [value="{action}"]').click()
        expect(page.locator("#dialog")).to_be_hidden()
        expect(page.locator(f'#step-{key}[aria-current="true"]')).to_be_visible()

    # A router: the condition is an expression, with a value out of the list, judged on the sample at once.
    add("s1", "flow.branch", "s2")
    expect(page.locator("#lane-s2-0, #lane-s2-1")).to_have_count(2)
    page.locator('[name="branch.0.name"]').fill("Есть товары")
    page.locator("#id_branch_0_when").click()
    page.keyboard.type("{{")
    page.locator("#picker").get_by_role("option", name="goods").first.click()
    page.keyboard.type(" | length > 1")
    expect(page.locator("#id_branch_0_when")).to_have_value("s1.body.goods | length > 1")
    expect(page.locator("#id_branch_0_after")).to_contain_text(word("yes, with the sample"))
    expect(page.locator("#lane-s2-0 .lane__name")).to_have_text("Есть товары")
    page.locator('[formaction$="/steps/s2/test/"]').click()
    expect(page.locator("#test-output")).to_contain_text("Есть товары")

    # In its first branch a loop, that finds its list by itself, with a request and a pause in each pass.
    add("s2.branches[0].steps", "flow.for_each", "s3")
    expect(page.locator("#id_in-items")).to_have_value("{{ s1.body.goods }}")
    add("s3.steps", "http.request", "s4")
    page.locator("#id_in-url_text").fill(shop.url)
    page.locator('[name="in-fields.0.name"]').fill("order")
    page.locator("#id_in-fields_0_value_text").click()
    page.keyboard.type("{{")
    page.keyboard.type("чашка")
    page.keyboard.press("Enter")
    expect(page.locator("#id_in-fields_after")).to_contain_text("чашка")
    add("s4", "flow.delay", "s5")
    page.locator("#id_delay_amount_text").fill("1")
    page.locator('[name="delay.unit"]').select_option("1")
    with translation.override("ru"):
        second = translation.ngettext("{n} second", "{n} seconds", 1).format(n=1)
    expect(page.locator("#step-s5")).to_contain_text(second)

    # A folded branch stays folded when the track comes anew, but not over the step that is chosen.
    page.locator("#lane-s2-1-fold > summary").click()
    page.locator("#step-s2 .step__link").click()
    expect(page.locator('#step-s2[aria-current="true"]')).to_be_visible()
    expect(page.locator("#lane-s2-1-fold")).not_to_have_attribute("open", "")
    page.locator("#lane-s2-0-fold > summary").click()
    expect(page.locator("#step-s4")).to_be_hidden()
    page.go_back()
    expect(page.locator('#step-s5[aria-current="true"]')).to_be_visible()

    # To another place and back, without dragging.
    page.locator("#panel .panel__head [data-menu] summary").click()
    page.locator('#panel .panel__head a[href$="/steps/s5/move/"]').click()
    page.locator('#dialog [value="s2.branches[1].steps"]').click()
    expect(page.locator("#lane-s2-1 #step-s5")).to_be_visible()
    page.locator("#panel .panel__head [data-menu] summary").click()
    page.locator('#panel .panel__head a[href$="/steps/s5/move/"]').click()
    page.locator('#dialog [value="s4"]').click()
    expect(page.locator("#lane-s3-body #step-s5")).to_be_visible()

    page.get_by_role("button", name=word("Publish")).click()
    expect(page.locator("#toasts .toast--ok")).to_be_visible()
    page.get_by_role("link", name=word("Run once")).click()
    page.locator('#dialog [name="body"]').fill(json.dumps(goods))
    page.locator("#dialog .btn--primary").click()
    page.wait_for_url("**/runs/*/")

    def run_ended() -> bool:
        return Run.objects.filter(status="succeeded").exists()

    wait_until(run_ended, timeout_s=30)
    assert shop.orders == [{"order": "чашка"}, {"order": "чайник"}]


def test_an_answer_to_a_panel_that_was_left_changes_nothing_in_the_next(live: Live, anna: User, browser: Tabs) -> None:
    steps = [{"key": key, "action": "data.set", "inputs": {"values": {"a": "1"}}} for key in ("s2", "s3")]
    trigger = {"key": "s1", "type": "manual", "inputs": {}}
    made = editing.create(actor_of(anna), {"name": "x", "trigger": trigger, "steps": steps})
    page = open_as(anna, live, browser)
    page.goto(f"{live.url}/scenarios/{made.public_id}/steps/s2/")
    held: list[Route] = []
    page.route(
        "**/steps/s2/", lambda route: held.append(route) if route.request.method == "POST" else route.continue_()
    )
    page.locator('[name="title"]').fill("Первый")
    wait_until(lambda: page.wait_for_timeout(50) or held)
    page.locator("#step-s3 .step__link").click()
    expect(page.locator('#step-s3[aria-current="true"]')).to_be_visible()
    base = page.locator("#panel-base").input_value()
    held[0].continue_()
    expect(page.locator("#step-s2")).to_contain_text("Первый")  # the track follows
    expect(page.locator('#flow .step[aria-current="true"]')).to_have_attribute("id", "step-s3")
    assert page.locator("#panel-base").input_value() == base


def test_a_deep_track_fits_a_phone(live: Live, anna: User, browser: Tabs) -> None:
    inner: dict[str, Any] = {
        "key": "s9",
        "action": "data.set",
        "name": "Самый внутренний " * 4,
        "inputs": {"values": {"a": "1"}},
    }
    for number in range(8, 1, -1):
        inner = (
            {"key": f"s{number}", "action": "flow.for_each", "inputs": {"items": "[1]"}, "steps": [inner]}
            if number % 2
            else {
                "key": f"s{number}",
                "action": "flow.branch",
                "inputs": {},
                "branches": [{"name": "Очень длинное название ветки", "when": "{{ trigger.body }}", "steps": [inner]}],
            }
        )
    trigger = {"key": "s1", "type": "manual", "inputs": {}}
    made = editing.create(actor_of(anna), {"name": "x", "trigger": trigger, "steps": [inner]}, draft=True)
    page = open_as(anna, live, browser, width=375)
    for end in ("", "steps/s2/", "steps/s3/", "steps/s9/", "steps/s9/move/", "add/?after=s3.steps"):
        page.goto(f"{live.url}/scenarios/{made.public_id}/{end}")
        assert page.evaluate("document.documentElement.scrollWidth") <= 375, end
    page.goto(f"{live.url}/scenarios/{made.public_id}/")
    expect(page.locator("#step-s4")).to_be_visible()
    expect(page.locator("#step-s9")).to_be_hidden()
