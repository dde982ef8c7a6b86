"""The outside tester: a token, an HTTP client, and servers that the product has never seen."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from accounts.models import User
from tests.acceptance.http_server import Target
from tests.acceptance.odd_oauth import OddOAuth
from tests.acceptance.product import Product
from tests.acceptance.strict_calendar import StrictCalendar
from tests.people import token_of
from tests.processes import Live


@pytest.fixture
def product(live: Live, alice: User) -> Iterator[Product]:
    """The product as Alice's token sees it. In the end everything is switched off, so that the rows can go."""
    product = Product(live.url, token_of(alice))
    yield product
    live.web.ensure()
    live.worker.ensure()
    product.quiet()


@pytest.fixture
def as_person(live: Live, product: Product) -> Callable[[User], Product]:
    return lambda user: Product(live.url, token_of(user))


@pytest.fixture
def oauth() -> Iterator[OddOAuth]:
    with OddOAuth() as server:
        yield server


@pytest.fixture
def calendar(oauth: OddOAuth) -> Iterator[StrictCalendar]:
    """It believes the tokens of `oauth`, and a fixed one for connections without OAuth."""
    with StrictCalendar(lambda value: value == "Bearer fixed-token" or oauth.knows(value)) as server:
        yield server


@pytest.fixture
def target() -> Iterator[Target]:
    with Target() as server:
        yield server


@pytest.fixture
def google(product: Product, calendar: StrictCalendar) -> dict[str, Any]:
    """A connection to the strict calendar that needs no OAuth."""
    fields = {"type": "bearer", "name": "Календарь", "slug": "cal", "token": "fixed-token"}
    return product.connect(fields | {"api_base_url": calendar.base})
