"""What is kept for how long: data goes before runs, what is under way keeps everything, and a kill does no harm."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from django.db import connections
from django.test import Client
from psycopg.conninfo import make_conninfo
from rest_framework.test import APIClient

from accounts.models import AuditEntry, User, Workspace
from lib.errors import UserError
from scenarios import payloads, retention, retrying
from scenarios.hot_sql import connect
from scenarios.models import DedupeKey, Delivery, KeptLonger, Payload, Run, Scenario, Schedule, Slot, StepRun
from scenarios.partitions import key_at
from tests.people import actor_of
from tests.processes import ROOT
from tests.scenarios.run_kit import run_of, scenario_of, step_of

pytestmark = pytest.mark.django_db(transaction=True)

API = "/api/v1/"
# A process for each line that it reads; it answers how each ended.
TIDY = """
import os, sys
import django; django.setup()
from scenarios import retention
from scenarios.hot_sql import connect
retention.BATCH, retention.ROWS = 3, 4
for _line in sys.stdin:
    child = os.fork()
    if not child:
        with connect() as connection:
            while retention.tidy(connection):
                pass
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


@pytest.fixture
def hot() -> Iterator[psycopg.Connection]:
    with contextlib.closing(connect()) as connection:
        yield connection


@pytest.fixture
def scenario(alice: User) -> Scenario:
    return scenario_of(alice)


def ago(days: float) -> datetime:
    return datetime.now(UTC) - timedelta(days=days)


def full_run(scenario: Scenario, days: float, status: str = "succeeded", **fields: Any) -> Run:
    """With a delivery, two steps and a large value."""
    delivery = delivery_of(scenario, days, verdict="accepted", body=b'{"n": 1}', headers={"x": "1"}, query="a=1")
    run = run_of(scenario, status, **{"at": ago(days), "delivery": delivery, "reply": {"status": 200}, **fields})
    Delivery.objects.filter(pk=delivery.pk).update(run_id=run.pk)
    step_of(run, "s2", effect="pure", inputs={"n": 1}, result={"n": 1}, exchange={"request": {}})
    step_of(run, "s3", inputs={"n": 1}, result={"_cut": {"bytes": 300_000, "start": "x"}}, error={"code": "x"})
    Payload.objects.create(run=run, path="s3", name="result", value='"large"')
    return run


def delivery_of(scenario: Scenario, days: float, **fields: Any) -> Delivery:
    given = {"id": uuid.UUID(int=key_at(ago(days)).int | uuid.uuid4().int >> 50), "headers": {}, "size": 0, **fields}
    return Delivery.objects.create(
        workspace_id=scenario.workspace_id, scenario=scenario, method="POST", received_at=ago(days), **given
    )


def drain(connection: psycopg.Connection) -> None:
    for _ in range(200):
        if not retention.tidy(connection):
            return
    raise AssertionError("it never comes to an end")


def is_whole(run: Run) -> bool:
    row = Run.objects.get(pk=run.pk)
    steps = list(row.steps.values_list("inputs", "result"))
    delivery = Delivery.objects.filter(pk=row.delivery_id or row.pk).first()
    return (
        row.input is not None
        and len(steps) == 2
        and all(None not in values for values in steps)
        and Payload.objects.filter(run_id=run.pk).count() == 1
        and (delivery is None or bytes(delivery.body or b"") == b'{"n": 1}')
    )


def is_bare(run: Run) -> bool:
    """The run and its steps are there, and nothing of what they took and gave."""
    row = Run.objects.get(pk=run.pk)
    values = set(row.steps.values_list("inputs", "result", "exchange"))
    delivery = Delivery.objects.filter(pk=row.delivery_id or row.pk).values_list("body", "headers", "query").first()
    return (
        (row.input, row.reply) == (None, None)
        and values == {(None, None, None)}
        and not Payload.objects.filter(run_id=run.pk).exists()
        and delivery == (None, {}, "")
    )


def test_old_runs_lose_their_data_and_stay(hot: psycopg.Connection, scenario: Scenario) -> None:
    old, young = full_run(scenario, 15), full_run(scenario, 13)
    drain(hot)
    assert is_bare(old)
    assert is_whole(young)
    assert list(old.steps.values_list("path", "status", "took_ms").order_by("path")) == [
        ("s2", "succeeded", 120),
        ("s3", "succeeded", 120),
    ]
    assert old.steps.get(path="s3").error == {"code": "x"}, "what went wrong is still told"
    assert (retention.has_data(old), retention.has_data(young)) == (False, True)


def test_runs_go_with_their_steps_and_deliveries(hot: psycopg.Connection, scenario: Scenario) -> None:
    old, middle = full_run(scenario, 91), full_run(scenario, 89)
    drain(hot)
    assert list(Run.objects.values_list("pk", flat=True)) == [middle.pk]
    assert set(StepRun.objects.values_list("run_id", flat=True)) == {middle.pk}
    assert list(Delivery.objects.values_list("pk", flat=True)) == [middle.delivery_id]
    assert old.pk != middle.pk


@pytest.mark.parametrize("status", ["queued", "running", "waiting", "needs_review"])
def test_a_run_that_may_go_on_keeps_everything(hot: psycopg.Connection, scenario: Scenario, status: str) -> None:
    run = full_run(scenario, 60, status)
    drain(hot)
    assert is_whole(run)
    assert retention.has_data(run)


@pytest.mark.parametrize("status", ["queued", "running", "waiting"])
def test_a_run_under_way_is_never_deleted(hot: psycopg.Connection, scenario: Scenario, status: str) -> None:
    run = full_run(scenario, 400, status)
    drain(hot)
    assert is_whole(run)


def test_a_run_that_ended_late_keeps_its_data_as_long_as_others(hot: psycopg.Connection, scenario: Scenario) -> None:
    run = full_run(scenario, 40, "waiting")
    drain(hot)
    Run.objects.filter(pk=run.pk).update(status="failed", finished_at=ago(5))
    drain(hot)
    assert is_whole(run)
    Run.objects.filter(pk=run.pk).update(finished_at=ago(15))
    come_round(run)
    drain(hot)
    assert is_bare(run)
    assert not retention.has_data(run)
    assert not KeptLonger.objects.exists()


def come_round(run: Run) -> None:
    """As if hours had gone: the workspace has its turn again."""
    with connections["default"].cursor() as cursor:
        cursor.execute(
            "UPDATE scenarios_tidied SET until = until - interval '3 hours', announced = announced - interval '3 hours'"
            " WHERE workspace_id = %s",
            [run.workspace_id],
        )


def test_a_young_repeat_keeps_the_delivery_that_it_works_with(hot: psycopg.Connection, scenario: Scenario) -> None:
    old = full_run(scenario, 20)
    repeat = run_of(scenario, "waiting", at=ago(1), delivery=old.delivery, replay_of=old.pk)
    drain(hot)
    assert bytes(Delivery.objects.get(pk=old.delivery_id or old.pk).body or b"") == b'{"n": 1}'
    assert not old.steps.exclude(result=None).exists(), "the old run's own steps lose theirs"
    Run.objects.filter(pk=repeat.pk).update(status="succeeded", finished_at=ago(15))
    come_round(repeat)
    drain(hot)
    assert Delivery.objects.get(pk=old.delivery_id or old.pk).body is None


def test_workspaces_keep_for_as_long_as_they_say(
    hot: psycopg.Connection, scenario: Scenario, charlie: User, workspace: Workspace
) -> None:
    theirs = full_run(scenario_of(charlie), 20)
    ours = full_run(scenario, 20)
    Workspace.objects.filter(pk=workspace.pk).update(keep_runs_days=10, keep_data_days=3)
    Workspace.objects.exclude(pk=workspace.pk).update(keep_data_days=30)
    drain(hot)
    assert not Run.objects.filter(pk=ours.pk).exists()
    assert is_whole(theirs)


def test_a_shorter_time_takes_effect_on_what_is_there(
    hot: psycopg.Connection, scenario: Scenario, workspace: Workspace
) -> None:
    run = full_run(scenario, 10)
    drain(hot)
    assert is_whole(run)
    Workspace.objects.filter(pk=workspace.pk).update(keep_data_days=5)
    drain(hot)
    assert is_bare(run)


def test_deliveries_without_a_run_go_and_repeated_ones_lose_their_bodies(
    hot: psycopg.Connection, scenario: Scenario
) -> None:
    refused = delivery_of(scenario, 20, verdict="bad_signature", headers={"x": "1"})
    recent = delivery_of(scenario, 2, verdict="bad_signature", headers={"x": "1"})
    repeated = delivery_of(scenario, 20, verdict="duplicate", body=b"again", headers={"x": "1"}, run_id=uuid.uuid4())
    drain(hot)
    assert set(Delivery.objects.values_list("pk", flat=True)) == {recent.pk, repeated.pk} != {refused.pk}
    assert Delivery.objects.get(pk=repeated.pk).body is None


def test_senders_numbers_and_fired_slots_are_forgotten(hot: psycopg.Connection, scenario: Scenario) -> None:
    for key, days in (("old", 8), ("new", 6)):
        DedupeKey.objects.create(scenario=scenario, key=key, run_id=uuid.uuid4(), created_at=ago(days))
    schedule = Schedule.objects.create(scenario=scenario, rule={}, anchor_at=ago(99))
    for days in (31, 29):
        Slot.objects.create(schedule=schedule, slot_at=ago(days), run_id=uuid.uuid4())
    drain(hot)
    assert list(DedupeKey.objects.values_list("key", flat=True)) == ["new"]
    assert Slot.objects.get().slot_at > ago(30)


def test_of_two_processes_one_tidies(hot: psycopg.Connection, scenario: Scenario) -> None:
    run = full_run(scenario, 20)
    with contextlib.closing(connect()) as other, other.transaction():
        other.execute("SELECT pg_advisory_xact_lock(%s)", (retention.TIDYING,))
        assert retention.tidy(hot) is False
        assert is_whole(run)
    drain(hot)
    assert is_bare(run)


def test_a_run_without_its_data_cannot_be_repeated(
    hot: psycopg.Connection, scenario: Scenario, alice: User, api: Callable[..., APIClient]
) -> None:
    run = full_run(scenario, 20, "failed")
    drain(hot)
    with pytest.raises(UserError) as refused:
        retrying.retry(actor_of(alice), run)
    assert refused.value.code == "data_not_kept"
    answer = api(alice).post(f"{API}runs/{run.id.hex}/retry/", {})
    assert (answer.status_code, answer.json()["code"]) == (409, "data_not_kept")
    shown = api(alice).get(f"{API}runs/{run.id.hex}/").json()
    assert (shown["data_kept"], shown["input"]) == (False, None)


@pytest.mark.parametrize("place", ["before_tidy_commit", "after_tidy_commit"])
def test_killed_at_any_point_it_goes_on_where_it_was(hot: psycopg.Connection, scenario: Scenario, place: str) -> None:
    """T47. Whatever still counts as kept is whole, after each kill."""
    old = [full_run(scenario, days) for days in (20, 19, 18, 17, 16.5, 16, 15.5)]
    ancient = [full_run(scenario, days) for days in (100, 99, 98, 97)]
    going = [full_run(scenario, days, "waiting") for days in (99.5, 18.5, 15.2)]
    young = [full_run(scenario, days) for days in (13, 1)]
    kills = 0
    with tidying(f"{place}=kill@2") as ended:
        while ended() == -signal.SIGKILL:
            kills += 1
            assert kills < 100
            assert all(is_whole(run) for run in [*going, *young])
            assert all(is_whole(run) for run in old if retention.has_data(run))
    assert kills > 3
    drain(hot)
    assert all(is_bare(run) for run in old)
    assert all(is_whole(run) for run in [*going, *young])
    assert not Run.objects.filter(pk__in=[run.pk for run in ancient]).exists()
    assert not StepRun.objects.filter(run_id__in=[run.pk for run in ancient]).exists()


@contextlib.contextmanager
def tidying(failpoints: str) -> Iterator[Callable[[], int]]:
    """Processes that tidy, one after the other: each call answers how the next one ended."""
    address = make_conninfo(os.environ["DATABASE_URL"], dbname=connections["default"].settings_dict["NAME"])
    env = {**os.environ, "DATABASE_URL": address, "APINITA_FAILPOINTS": failpoints}
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", TIDY], env=env, cwd=ROOT, **pipes) as process:
        orders, answers = process.stdin, process.stdout
        assert orders is not None
        assert answers is not None

        def ended() -> int:
            orders.write("\n")
            orders.flush()
            return int(answers.readline())

        yield ended
        orders.close()


def test_a_repeat_at_the_same_moment_gets_all_or_nothing(
    scenario: Scenario, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "BATCH", 2)
    monkeypatch.setattr(retention, "ROWS", 1)
    runs = [full_run(scenario, 16 - n / 10, "failed") for n in range(10)]
    problems: list[str] = []
    repeats: list[Run] = []

    def tidy() -> None:
        with contextlib.closing(connect()) as own:
            drain(own)

    def repeat() -> None:
        for run in reversed(runs):
            try:
                repeats.append(retrying.retry(actor_of(alice), run, start_at="s3"))
            except UserError as error:
                if error.code != "data_not_kept":
                    problems.append(error.code)
        connections.close_all()

    threads = [threading.Thread(target=tidy), threading.Thread(target=repeat)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not problems
    for new in repeats:
        assert new.steps.get(path="s2").result == {"n": 1}
        delivery = Delivery.objects.get(pk=new.delivery_id or new.pk)
        assert bytes(delivery.body or b"") == b'{"n": 1}'


def test_ten_thousand_passes_go_in_small_transactions(
    hot: psycopg.Connection, scenario: Scenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "ROWS", 50)
    run = full_run(scenario, 20)
    rows = [
        StepRun(run=run, path=f"s4[{n}]/s5", position=n, status="succeeded", fence=1, effect="read", result=n)
        for n in range(200)
    ]
    StepRun.objects.bulk_create(rows)
    with hot.transaction():
        assert retention._portion(hot)  # announced
    with hot.transaction():
        assert retention._portion(hot)
    assert 100 < run.steps.exclude(result=None).count() < 200
    assert not retention.has_data(run), "what has lost a part counts as lost"
    drain(hot)
    assert not run.steps.exclude(result=None).exists()
    assert payloads.open_value(run.pk, "s3", "result") is None


def test_an_owner_says_how_long_and_it_is_noted(client_of: Callable[[User], Client], alice: User) -> None:
    given = {"name": "Школа", "timezone": "Europe/Moscow", "keep_runs_days": "30", "keep_data_days": "7"}
    answer = client_of(alice).post("/settings/workspace/", given)
    assert answer.status_code == 302
    workspace = Workspace.objects.get(name="Школа")
    assert (workspace.keep_runs_days, workspace.keep_data_days) == (30, 7)
    assert AuditEntry.objects.get(action="workspace.changed").details == {"keep_runs_days": 30, "keep_data_days": 7}
    refused = client_of(alice).post("/settings/workspace/", {**given, "keep_data_days": "31"})
    assert refused.status_code == 422
    assert "The data cannot be kept longer than the runs." in refused.content.decode()


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"keep_data_days": 91}, "keep_data_days"),
        ({"keep_runs_days": 13}, "keep_data_days"),
        ({"keep_data_days": 0}, "keep_data_days"),
        ({"keep_runs_days": 9999}, "keep_runs_days"),
    ],
)
def test_the_api_refuses_what_makes_no_sense(
    api: Callable[..., APIClient], alice: User, given: Any, field: str
) -> None:
    answer = api(alice).patch(f"{API}workspace/", given)
    assert (answer.status_code, list(answer.json()["errors"])) == (400, [field])


def test_the_api_sets_how_long(api: Callable[..., APIClient], alice: User, bob: User) -> None:
    answer = api(alice).patch(f"{API}workspace/", {"keep_runs_days": 365, "keep_data_days": 60})
    assert (answer.json()["keep_runs_days"], answer.json()["keep_data_days"]) == (365, 60)
    assert api(bob).patch(f"{API}workspace/", {"keep_runs_days": 365}).status_code == 403
