"""The description of the API: valid, public, and readable without scripts from elsewhere."""

import re

import pytest
from django.test import Client
from openapi_spec_validator import validate

from tests.browser import Tabs
from tests.processes import Live

pytestmark = pytest.mark.django_db


def test_the_document_is_valid_openapi_and_public(client: Client) -> None:
    answer = client.get("/api/v1/schema/")
    assert answer.status_code == 200
    assert answer["Content-Type"].startswith(("application/json", "application/vnd.oai.openapi+json"))
    document = answer.json()
    validate(document)
    assert document["openapi"].startswith("3.1")


def test_the_document_is_made_without_a_warning(capsys: pytest.CaptureFixture[str], client: Client) -> None:
    client.get("/api/v1/schema/")
    complaints = capsys.readouterr().err
    assert "Warning" not in complaints, complaints
    assert "Error" not in complaints, complaints


def test_the_page_lists_every_endpoint(client: Client) -> None:
    document = client.get("/api/v1/schema/").json()
    page = client.get("/api/docs/").content.decode()
    assert document["paths"]
    assert [path for path in document["paths"] if path not in page] == []


def test_the_page_loads_nothing_from_elsewhere(client: Client) -> None:
    answer = client.get("/api/docs/")
    sources = re.findall(r'(?:src|href)="([^"]+)"', answer.content.decode())
    assert [source for source in sources if not source.startswith(("/", "#"))] == []
    assert "script-src 'self'" in answer["Content-Security-Policy"]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("width", [375, 1440])
def test_the_page_fits_its_window(live: Live, browser: Tabs, width: int) -> None:
    page = browser.page(lang="en", width=width)
    page.goto(f"{live.url}/api/docs/")
    page.locator("summary").first.click()
    page.get_by_role("heading", name="Answers").first.wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
