"""The pages of the webhook ledger: what came, why it was refused, and delivering it once more."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from lib.ids import uuid7
from scenarios.models import Delivery, Run, Scenario
from scenarios.triggers import url_of
from tests.processes import wait_until
from tests.scenarios.making import document, made
from tests.scenarios.test_api_deliveries import delivery_of

pytestmark = pytest.mark.django_db
ClientOf = Callable[[User], Client]


@pytest.fixture
def scenario(alice: User) -> Scenario:
    return made(alice, document("webhook", name="Заявки"))


def ledger(scenario: Scenario, tail: str = "") -> str:
    return f"/scenarios/{scenario.public_id}/deliveries/{tail}"


def text_of(response: Any) -> str:
    assert response.status_code == 200
    return str(response.content.decode())


def test_an_empty_ledger_says_what_will_be_here(vera: User, scenario: Scenario, client_of: ClientOf) -> None:
    assert "No requests yet" in text_of(client_of(vera).get(ledger(scenario)))


def test_the_list_is_narrowed_by_verdict_and_turned_in_pages(
    alice: User, scenario: Scenario, client_of: ClientOf
) -> None:
    browser = client_of(alice)
    rows = sorted((delivery_of(scenario, run_id=uuid7()) for _ in range(53)), key=lambda row: row.id)
    wait_until(lambda: uuid7().int >> 80 > rows[-1].id.int >> 80)  # ids of one millisecond have no order
    refused = delivery_of(scenario, verdict="bad_signature", body=None)
    page = text_of(browser.get(ledger(scenario)))
    assert page.count('class="table__name"') == 50
    assert f"?before={rows[4].id.hex}" in page
    older = text_of(browser.get(ledger(scenario, f"?before={rows[4].id.hex}")))
    assert older.count('class="table__name"') == 4
    assert f"?after={rows[3].id.hex}" in older
    assert text_of(browser.get(ledger(scenario, f"?after={rows[3].id.hex}"))).count('class="table__name"') == 50
    narrowed = text_of(browser.get(ledger(scenario, "?verdict=bad_signature")))
    assert narrowed.count('class="table__name"') == 1
    assert ledger(scenario, f"{refused.id.hex}/") in narrowed
    assert "No such requests" in text_of(browser.get(ledger(scenario, "?verdict=too_large")))
    assert text_of(browser.get(ledger(scenario, "?verdict=nonsense&before=zz"))).count('class="table__name"') == 50


def test_the_list_takes_the_same_queries_however_long(alice: User, scenario: Scenario, client_of: ClientOf) -> None:
    browser = client_of(alice)
    delivery_of(scenario)
    browser.get(ledger(scenario))
    with CaptureQueriesContext(connection) as one:
        browser.get(ledger(scenario))
    for _ in range(9):
        delivery_of(scenario)
    with CaptureQueriesContext(connection) as ten:
        browser.get(ledger(scenario))
    assert len(one) == len(ten)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "It is stored, and started a run."),
        ({"verdict": "duplicate"}, "nothing was started a second time"),
        ({"verdict": "bad_signature", "body": None}, "The signature was missing or wrong."),
        ({"verdict": "too_large", "body": None, "size": 2_000_000}, "larger than 1 MB."),
        ({"verdict": "disabled", "body": None}, "The scenario was switched off."),
        ({"verdict": "over_limit", "body": None}, "Too many runs of this workspace were waiting."),
        ({"verdict": "over_limit", "body": None, "headers": {"x-apinita-depth": "9"}}, "5 runs had called one another"),
        ({"body": None, "headers": {}}, "The body is no longer kept."),
        ({"body": b""}, "Without a body."),
        ({"body": b"\xff\xfe\x00"}, "ff fe 00"),
        ({"body": b"{", "content_type": "application/json"}, '<pre class="codeblock delivery__text"'),
        ({"body": b'"\\ud800 \\u0000"'}, "delivery__text"),
        ({"content_type": "\N{RIGHT-TO-LEFT OVERRIDE}x"}, "\N{REPLACEMENT CHARACTER}x"),
    ],
)
def test_a_delivery_says_what_became_of_it(
    alice: User, scenario: Scenario, client_of: ClientOf, fields: dict[str, Any], said: str
) -> None:
    row = delivery_of(scenario, **fields)
    assert said in text_of(client_of(alice).get(ledger(scenario, f"{row.id.hex}/")))


def test_a_viewer_sees_what_is_masked_and_neither_bytes_nor_address(
    alice: User, vera: User, scenario: Scenario, client_of: ClientOf
) -> None:
    row = delivery_of(scenario, body=b'{"token": "ghp_' + b"a1" * 12 + b'"}')
    url = ledger(scenario, f"{row.id.hex}/")
    page = text_of(client_of(vera).get(url))
    assert "ghp_" not in page
    assert "hush-hush" not in page
    assert url_of(scenario) not in page
    assert "Deliver once more" not in page
    assert client_of(vera).get(f"{url}body/").status_code == 403
    assert client_of(vera).post(f"{url}redeliver/").status_code == 403
    assert url_of(scenario) in text_of(client_of(alice).get(url))
    assert client_of(alice).get(f"{url}body/").content.startswith(b'{"token": "ghp_')


def test_delivering_once_more_asks_first_and_leads_to_the_run(
    bob: User, scenario: Scenario, client_of: ClientOf
) -> None:
    row = delivery_of(scenario)
    url = ledger(scenario, f"{row.id.hex}/redeliver/")
    browser = client_of(bob)
    assert "Deliver this request once more?" in text_of(browser.get(url))
    assert Run.objects.count() == 0
    answer = browser.post(url)
    run = Run.objects.get()
    assert (answer.status_code, answer.headers["Location"]) == (302, f"/runs/{run.id.hex}/")
    copy = Delivery.objects.get(pk=run.delivery_id)
    assert ledger(scenario, f"{row.id.hex}/") in text_of(browser.get(ledger(scenario, f"{copy.id.hex}/")))


def test_what_is_not_kept_is_not_delivered(bob: User, scenario: Scenario, client_of: ClientOf) -> None:
    row = delivery_of(scenario, body=None)
    browser = client_of(bob)
    answer = browser.post(ledger(scenario, f"{row.id.hex}/redeliver/"), follow=True)
    assert "The body of this delivery is not kept." in text_of(answer)
    assert browser.get(ledger(scenario, f"{row.id.hex}/body/")).status_code == 404


def test_a_name_that_somebody_wrote_leads_nowhere(alice: User, scenario: Scenario, client_of: ClientOf) -> None:
    row = delivery_of(scenario, headers={"x-apinita-redelivery-of": uuid7().hex})
    assert "the first delivery" not in text_of(client_of(alice).get(ledger(scenario, f"{row.id.hex}/")))


@pytest.mark.parametrize("tail", ["", "{id}/", "{id}/body/", "{id}/redeliver/"])
def test_somebody_elses_ledger_is_not_there(
    alice: User, charlie: User, scenario: Scenario, client_of: ClientOf, tail: str
) -> None:
    row = delivery_of(scenario)
    assert client_of(charlie).get(ledger(scenario, tail.format(id=row.id.hex))).status_code == 404
    if tail:
        other = made(alice, document("webhook"))
        assert client_of(alice).get(ledger(other, tail.format(id=row.id.hex))).status_code == 404
        assert client_of(alice).get(ledger(scenario, tail.format(id="0"))).status_code == 404
