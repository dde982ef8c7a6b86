"""One cluster for all fault tests, mended between them; each test's findings go into the report.

These tests run only where APINITA_FAULTS is set, as `make faults` does: the plain suite leaves them alone.
"""

import os
import random
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.faults.cluster import Cluster
from tests.faults.report import Result
from tests.faults.trial import Trial

if not os.environ.get("APINITA_FAULTS"):
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    made = Cluster()
    try:
        made.start()
        yield made
    finally:
        made.stop()


@pytest.fixture
def trial(cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[Trial]:
    """A whole cluster and a seed; whatever the test breaks is mended after it."""
    seed = int(os.environ.get("APINITA_FAULTS_SEED") or random.SystemRandom().randrange(1_000_000))
    numbers = numbers_of(request.function)
    title = request.node.name.removeprefix("test_").replace("_", " ")
    result = Result(numbers, title, seed=seed)
    print(f"\n{numbers}: {title} (seed {seed})")
    cluster.mend()
    started = time.monotonic()
    trial = Trial(cluster, result, random.Random(seed))
    yield trial
    result.took_s = round(time.monotonic() - started, 1)
    result.passed = bool(getattr(request.node, "passed", False))
    result.save()
    cluster.disarm()
    cluster.mend()
    for scenario in trial.scenarios:
        trial.product.post(f"scenarios/{scenario['id']}/deactivate/")


def numbers_of(function: Any) -> str:
    """ "T7, T8" of a docstring that begins with them."""
    return (function.__doc__ or "").partition(".")[0]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """`-k T13` chooses by the number."""
    for item in items:
        item.extra_keyword_matches.update(numbers_of(getattr(item, "function", None)).split(", "))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[Any]) -> Any:
    """The fixture hears whether the test passed; a failed one shows what the processes said last."""
    report = yield
    if report.when == "call":
        item.passed = report.passed  # type: ignore[attr-defined]
        cluster = getattr(item, "funcargs", {}).get("cluster")
        if report.failed and cluster is None and "trial" in getattr(item, "funcargs", {}):
            cluster = item.funcargs["trial"].cluster  # type: ignore[attr-defined]
        if report.failed and cluster is not None:
            for name, member in cluster.members.items():
                report.sections.append((f"{name} log", member.text()[-3000:]))
    return report
