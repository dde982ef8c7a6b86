"""Decisions of a person about a run: each can be made once."""

import pytest

from accounts.models import User
from lib.errors import UserError
from scenarios import running
from scenarios.models import Run, StepRun
from tests.people import actor_of
from tests.scenarios.making import made

pytestmark = pytest.mark.django_db


@pytest.fixture
def doubtful(alice: User) -> Run:
    run = running.start_by_hand(actor_of(alice), made(alice), {})
    error = {"code": "unknown_outcome", "params": {}, "path": "s2"}
    StepRun.objects.create(run=run, path="s2", position=1, status="needs_review", fence=1, effect="once", error=error)
    Run.objects.filter(pk=run.pk).update(status="needs_review", error=error)
    run.refresh_from_db()
    return run


def test_a_doubtful_step_is_decided_once(alice: User, doubtful: Run) -> None:
    running.resolve(actor_of(alice), doubtful, path="s2", outcome="done")
    assert (doubtful.status, StepRun.objects.get(run=doubtful).status) == ("queued", "succeeded")
    with pytest.raises(UserError, match="not_under_review"):
        running.resolve(actor_of(alice), doubtful, path="s2", outcome="repeat")


def test_a_run_that_a_retry_took_over_is_not_decided_any_more(alice: User, doubtful: Run) -> None:
    running.retry(actor_of(alice), doubtful)
    with pytest.raises(UserError, match="not_under_review"):
        running.resolve(actor_of(alice), doubtful, path="s2", outcome="repeat")
