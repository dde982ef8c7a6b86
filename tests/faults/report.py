"""Keeps what each fault test found, and makes docs/reliability.md of it: `python -m tests.faults.report`."""

import json
import os
import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
RESULTS = Path(os.environ.get("APINITA_FAULTS_RESULTS", ROOT / "var" / "faults"))
PAGE = ROOT / "docs" / "reliability.md"
HEAD = """\
# What breaks, and what then happens

This page is made by `make faults` from what its tests measured; nothing in it is typed in. Each test starts the real
product (two web servers, three workers, PostgreSQL, Valkey), puts load on it, breaks something, mends it, and then
compares four independent records: what senders were told, what a provider was asked, what the database's own triggers
noted, and what the product says of its runs.

- **Lost**: accepted deliveries without a run, and steps that say they succeeded and never reached the provider.
- **Doubled**: deliveries with two runs, runs or steps that ended twice, requests without an idempotency key that were
  sent twice, slots that fired twice, keyed requests whose key changed. A keyed request that is *sent again* under the
  same key is not doubled: that is what the key is for.
- **Needs review**: runs stopped because nobody can know whether a request without a key had its effect. A person
  decides; [why](decisions/unknown-outcomes.md).
- **Recovery**: from the fault until a run that it hit goes on elsewhere, or until the product answers again.
"""


@dataclass
class Result:
    """One test's line. Times in seconds."""

    test: str
    title: str
    fault: str = ""
    seed: int = 0
    runs: int = 0
    faults: int = 0
    lost: int = 0
    doubled: int = 0
    needs_review: int = 0
    sent_again: int = 0
    recovery_s: list[float] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    table: list[list[str]] = field(default_factory=list)  # where a worker died, kind of step, outcome, requests
    passed: bool = False
    took_s: float = 0
    at: str = ""

    def save(self) -> None:
        RESULTS.mkdir(parents=True, exist_ok=True)
        self.at = time.strftime("%Y-%m-%d", time.gmtime())
        (RESULTS / f"{self.title_slug()}.json").write_text(json.dumps(asdict(self), ensure_ascii=False, indent=1))

    def title_slug(self) -> str:
        return "".join(letter if letter.isalnum() else "-" for letter in f"{self.test}-{self.title}")[:120]


def saved() -> Iterator[Result]:
    for path in RESULTS.glob("*.json"):
        yield Result(**json.loads(path.read_text()))


def order(result: Result) -> tuple[int, str]:
    digits = "".join(letter for letter in result.test.split(",")[0] if letter.isdecimal())
    return int(digits or 0), result.title


def page(results: list[Result]) -> str:
    lines = [HEAD, "", "## Results", "", summary(results), ""]
    lines += ["| | What happens | Runs | Faults | Lost | Doubled | Needs review | Sent again | Recovery p50 / max |"]
    lines += ["|---|---|---:|---:|---:|---:|---:|---:|---|"]
    lines += [row(result) for result in results]
    noted = [result for result in results if result.notes]
    if noted:
        lines += ["", "## Measured besides", ""]
        lines += [f"- **{result.test}** {note}" for result in noted for note in result.notes]
    for result in results:
        if result.table:
            lines += ["", f"## {result.test}: where a worker dies, and what its step came to", ""]
            lines += ["| Killed | Kind of step | The run ended as | Requests sent |", "|---|---|---|---|"]
            lines += [f"| {point} | {kind} | {ended} | {sent} |" for point, kind, ended, sent in result.table]
    lines += ["", 'How to run them: `make faults`, or one: `make faults ARGS="-k T13"`.']
    lines += ["A failed test prints its seed; `APINITA_FAULTS_SEED=…` repeats its choices. `APINITA_FAULTS_SCALE=10` "]
    lines[-1] += "makes ten times as many runs and faults."
    return "\n".join(lines) + "\n"


def summary(results: list[Result]) -> str:
    runs, faults = sum(result.runs for result in results), sum(result.faults for result in results)
    lost, doubled = sum(result.lost for result in results), sum(result.doubled for result in results)
    failed = [result.test for result in results if not result.passed]
    text = f"{len(results)} tests, {runs:,} runs, {faults:,} faults: **{lost} lost, {doubled} doubled**."
    return text + (f" Failed: {', '.join(failed)}." if failed else "")


def row(result: Result) -> str:
    title = result.title if result.passed else f"**FAILED** {result.title}"
    counts = (result.runs, result.faults, result.lost, result.doubled, result.needs_review, result.sent_again)
    return f"| {result.test} | {title} | {' | '.join(f'{count:,}' for count in counts)} | {recovery(result)} |"


def recovery(result: Result) -> str:
    if not result.recovery_s:
        return ""
    return f"{statistics.median(result.recovery_s):.1f} s / {max(result.recovery_s):.1f} s"


if __name__ == "__main__":
    found = sorted(saved(), key=order)
    if not found:
        sys.exit("no results: run make faults")
    PAGE.write_text(page(found))
    print(f"{PAGE}: {summary(found)}")
