"""A sandbox per test, the steps signed in to it over real HTTP, and a service for answers that it does not give."""

from collections.abc import Iterator
from typing import Any

import pytest

from actions.base import Action, Context
from lib.errors import Json, UserError
from sandbox.testing import EVENTS_SCOPE, Sandbox
from tests.actions.client import PlainClient, context
from tests.actions.service import Service


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running


@pytest.fixture
def service() -> Iterator[Service]:
    with Service() as running:
        yield running


class Steps:
    """Performs steps against the sandbox as one attempt of one run."""

    def __init__(self, sandbox: Sandbox, scope: str = EVENTS_SCOPE) -> None:
        self.client = PlainClient(sandbox.api_base_url, sandbox.access_token(scope))

    def context(self, **changes: Any) -> Context:
        return context(self.client, **changes)

    def perform(self, action: type[Action], ctx: Context | None = None, **inputs: Any) -> Json:
        return action.clean(inputs).perform(ctx or self.context())

    def refusal(self, action: type[Action], ctx: Context | None = None, **inputs: Any) -> UserError:
        with pytest.raises(UserError) as caught:
            self.perform(action, ctx, **inputs)
        return caught.value


@pytest.fixture
def steps(sandbox: Sandbox) -> Steps:
    return Steps(sandbox)


@pytest.fixture
def odd(service: Service) -> Steps:
    """Steps against the service that a test tells what to answer."""
    steps = Steps.__new__(Steps)
    steps.client = PlainClient(service.url)
    return steps
