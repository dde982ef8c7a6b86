"""Runs that a release has left in the middle are gone on with as that release would have (tests/scenarios/golden)."""

import json
from pathlib import Path
from typing import Any

import pytest

from scenarios.document import dump, parse
from tests.scenarios.golden.world import next_of

pytestmark = pytest.mark.django_db  # preparing a step gives the thread's connection back

FOLDER = Path(__file__).with_name("golden")
CASES = [(file.stem, case) for file in sorted(FOLDER.glob("*.json")) for case in json.loads(file.read_text())]


@pytest.mark.parametrize("case", [pytest.param(case, id=f"{theme}: {case['name']}") for theme, case in CASES])
def test_the_next_action_is_that_of_the_release_that_left_the_history(case: dict[str, Any]) -> None:
    assert json.loads(json.dumps(next_of(case))) == case["next"]


def test_the_histories_stand_in_all_kinds_of_places() -> None:
    assert len(CASES) >= 40
    assert len({case["name"] for _, case in CASES}) == len(CASES)
    entries = [entry for _, case in CASES for entry in case.get("journal", [])]
    assert {entry["status"] for entry in entries} == {"succeeded", "failed", "running", "waiting"}
    assert {entry["effect"] for entry in entries} == {"pure", "read", "keyed", "once"}
    actions = {step.action for _, case in CASES for _, step in parse(case["document"]).walk()}
    assert {action for action in actions if action.startswith("flow.")} == {
        "flow.branch", "flow.for_each", "flow.filter", "flow.delay", "flow.stop", "flow.scenario",
    }  # fmt: skip


def test_their_documents_still_mean_what_they_say() -> None:
    for _, case in CASES:
        document = parse(case["document"])
        assert parse(dump(document)) == document, case["name"]
