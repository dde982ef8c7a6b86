"""The invariants: what must hold of runs, effects, slots and secrets, whatever was killed, cut or lost.

I1 what was accepted is a run · I2 each run has ended · I3, I7 once, and with one outcome · I4 a keyed step keeps its
key · I5 a `once` step is sent at most once · I6 what succeeded was really done · I8 one run per slot · I9 no secret in
logs, history or Valkey · I11 nothing is held in the end (design: the invariants of the fault plan, T0).
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.faults.client import Accepted
from tests.faults.cluster import Cluster

ENDED = ("succeeded", "failed", "cancelled", "needs_review")
RUNS = "SELECT id, status, trigger FROM scenarios_run WHERE scenario_id = ANY(%s)"
# From needs_review a person's decision leads on; every other end is final.
REOPENED = """
SELECT run_id, old, new FROM faults.run_event
WHERE scenario_id = ANY(%s) AND old IN ('succeeded', 'failed', 'cancelled') AND new <> old
"""
ENDS = """
SELECT run_id, count(*) FROM faults.run_event
WHERE scenario_id = ANY(%s) AND new IN ('succeeded', 'failed', 'cancelled') AND old IS DISTINCT FROM new
GROUP BY run_id HAVING count(*) > 1
"""
DONE_TWICE = """
SELECT run_id, path, count(*) FROM faults.step_event
WHERE run_id = ANY(%s) AND new = 'succeeded' AND old IS DISTINCT FROM 'succeeded'
GROUP BY run_id, path HAVING count(*) > 1
"""
UNDONE = "SELECT run_id, path, new FROM faults.step_event WHERE run_id = ANY(%s) AND old = 'succeeded' AND new <> old"
SUCCEEDED = "SELECT run_id, path, effect FROM scenarios_steprun WHERE run_id = ANY(%s) AND status = 'succeeded'"
EFFECTS = "SELECT run_id, path, effect FROM scenarios_steprun WHERE run_id = ANY(%s)"
SLOTS = """
SELECT slot.schedule_id, slot.slot_at, count(run.id) FROM scenarios_slot slot
LEFT JOIN scenarios_run run ON run.id = slot.run_id GROUP BY 1, 2 HAVING count(run.id) <> 1
"""
HELD = """
SELECT id, status FROM scenarios_run
WHERE status = 'running' OR (lease_until IS NOT NULL AND status <> 'running') OR (owner <> '' AND status <> 'running')
"""
TABLES = """
SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND n.nspname = 'public'
"""


@dataclass
class Findings:
    """What the checker found: the numbers of the report, and what broke an invariant."""

    runs: int = 0
    lost: int = 0
    doubled: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    sent_again: int = 0  # keyed requests that went out more than once, under the same key
    problems: list[str] = field(default_factory=list)

    def wrong(self, invariant: str, what: str, found: Sequence[Any]) -> None:
        if found:
            self.problems.append(f"{invariant}: {what}: {list(found)[:5]} ({len(found)} in all)")


@dataclass
class Sent:
    """What the provider saw of one step of one run (of one item of it)."""

    requests: int = 0
    effects: int = 0
    keys: set[str] = field(default_factory=set)


def check(
    cluster: Cluster,
    scenarios: Iterable[Mapping[str, Any]],
    accepted: Iterable[Accepted] = (),
    *,
    sends: bool = True,
    ended: bool = True,
) -> Findings:
    """All invariants over the runs of these scenarios. `sends`: their steps name themselves to the provider."""
    found = Findings()
    ids = [cluster.numbers_of(scenario) for scenario in scenarios]
    rows = cluster.rows(RUNS, ids)
    runs = {run_id.hex: status for run_id, status, _trigger in rows}
    found.runs, found.statuses = len(runs), Counter(runs.values())
    check_accepted(found, {run_id.hex for run_id, _status, trigger in rows if trigger == "webhook"}, list(accepted))
    if ended:
        found.wrong("I2", "runs go on", [run for run, status in runs.items() if status not in ENDED])
        found.wrong("I11", "held in the end", [row for row in cluster.rows(HELD) if row[0].hex in runs])
    twice = [*cluster.rows(ENDS, ids), *cluster.rows(REOPENED, ids)]
    uuids = list(runs)
    repeated = [*cluster.rows(DONE_TWICE, uuids), *cluster.rows(UNDONE, uuids)]
    found.doubled += len(twice) + len(repeated)
    found.wrong("I3", "runs that ended twice, or went on after their end", twice)
    found.wrong("I7", "steps with two results", repeated)
    if sends:
        check_sends(found, cluster, runs)
    slots = cluster.rows(SLOTS)
    found.doubled += len(slots)
    found.wrong("I8", "slots without exactly one run", slots)
    return found


def check_accepted(found: Findings, runs: set[str], accepted: list[Accepted]) -> None:
    lost = [one for one in accepted if one.run not in runs]
    found.lost = len(lost)
    found.wrong("I1", "accepted, and no run", lost)
    by_key: dict[str, set[str]] = defaultdict(set)
    for one in accepted:
        by_key[one.key].add(one.run)
    doubled = {key: names for key, names in by_key.items() if len(names) > 1}
    found.doubled += len(doubled)
    found.wrong("I1", "deliveries with two runs", list(doubled.items()))
    if accepted and len(runs) > len(by_key):
        found.doubled += len(runs) - len(by_key)
        found.problems.append(f"I1: {len(runs)} runs of {len(by_key)} deliveries")


def check_sends(found: Findings, cluster: Cluster, runs: Mapping[str, str]) -> None:
    sent = requests_of(cluster, set(runs))
    effects = {(run.hex, path): effect for run, path, effect in cluster.rows(EFFECTS, list(runs))}
    for (run, step, item), seen in sent.items():
        path = path_of(step, item)
        effect = effects.get((run, path), "")
        if effect == "once" and seen.effects > 1:
            found.doubled += 1
            found.problems.append(f"I5: {run} {path} was sent {seen.effects} times")
        if effect == "keyed" and len(seen.keys) > 1:
            found.doubled += 1
            found.problems.append(f"I4: {run} {path} had keys {seen.keys}")
        found.sent_again += effect == "keyed" and seen.requests > 1
    done = {(run, path_of(step, item)) for (run, step, item), seen in sent.items() if seen.effects}
    claimed = [
        (run.hex, path)
        for run, path, effect in cluster.rows(SUCCEEDED, list(runs))
        if effect in {"keyed", "once"} and (run.hex, path) not in done
    ]
    found.lost += len(claimed)
    found.wrong("I6", "succeeded, and never done", claimed)


def path_of(step: str, item: str) -> str:
    """Steps name their path up to the item: `s4[]/s5` and item 3 is `s4[3]/s5`."""
    return step.replace("[]", f"[{item}]") if item else step


def requests_of(cluster: Cluster, runs: set[str]) -> dict[tuple[str, str, str], Sent]:
    sent: dict[tuple[str, str, str], Sent] = defaultdict(Sent)
    for run, step, item, key, effect in cluster.seen("SELECT run, step, item, key, effect FROM request"):
        if run in runs:
            seen = sent[run, step, item]
            seen.requests += 1
            seen.effects += effect
            if key:
                seen.keys.add(key)
    return sent


def check_secrets(cluster: Cluster, canaries: Sequence[str]) -> list[str]:
    """I9: none of these strings in any log, any table, or Valkey."""
    places = []
    for path in cluster.folder.glob("log/*.log*"):
        text = path.read_bytes()
        places += [f"{path.name}" for canary in canaries if canary.encode() in text]
    for (table,) in cluster.rows(TABLES):
        for canary in canaries:
            found = cluster.one(
                f"SELECT count(*) FROM {table} t WHERE strpos(t::text, %s) > 0 OR strpos(t::text, %s) > 0",
                canary,
                canary.encode().hex(),
            )
            places += [f"table {table} ({found} rows)"] if found else []
    with cluster.valkey() as valkey:
        for key in valkey.scan_iter(count=1000):
            content = key + (valkey.dump(key) or b"")
            places += [f"Valkey {key!r}" for canary in canaries if canary.encode() in content]
    return places
