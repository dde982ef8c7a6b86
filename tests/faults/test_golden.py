"""What the next version does with the journals that this one leaves behind."""

import json
import time

from scenarios.document import parse
from tests.faults.golden import FILE, SEED, next_of
from tests.faults.report import Result


def test_each_saved_journal_is_gone_on_with_as_it_was_when_it_was_saved() -> None:
    """T54. Runs in the middle, cut off after each of their commits: the same next action, whatever was changed."""
    started = time.monotonic()
    result = Result("T54", "each saved journal is gone on with as it was when it was saved", seed=SEED)
    changed = []
    for number, case in enumerate(json.loads(FILE.read_text())):
        document = parse(case["document"])
        for state in case["states"]:
            result.runs += 1
            result.faults += 1
            if (now := next_of(document, state["journal"])) != state["next"]:
                changed.append(f"document {number}: was {state['next']}, is {now}, after {state['journal']}")
    result.passed = not changed
    result.took_s = round(time.monotonic() - started, 1)
    result.save()
    assert not changed, f"{len(changed)} of {result.runs}; python -m tests.faults.golden records anew\n" + changed[0]
    assert result.runs >= 500
