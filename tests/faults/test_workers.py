"""Workers that are killed, stopped, cut off or poisoned in the middle of their runs."""

import threading
import time
import uuid
from collections import Counter
from typing import Any

from tests.faults.checker import check_secrets
from tests.faults.cluster import Cluster, Member
from tests.faults.trial import Trial, scaled, step
from tests.faults.zygote import Zygote
from tests.processes import wait_until

CANARY, SIGNED = "canary-bearer-7f3a9c", "canary-signature-41d0b2"
LEASE_S, SWEEP_S = 30, 2


def test_workers_killed_with_kill_9_under_load(trial: Trial) -> None:
    """T1. A random one every second or two, restarted at once, while webhooks and a schedule feed them."""
    cluster = trial.cluster
    secret = connection_with(trial, CANARY)
    signature = {"mode": "header", "name": "X-Signed-By", "secret": SIGNED}
    scenario = trial.scenario(
        trial.call("s2", "delay/0.1", "keyed"),
        trial.call("s3", "delay/0.1", "read") | {"connection": secret},
        trial.call("s4", "delay/0.2", "once"),
        step("s5", "data.set", values={"x": "{{ s4.body.id }}"}),
        trial.call("s6", "delay/0.1", "keyed"),
        trigger={"type": "webhook", "inputs": {"dedupe_path": "n", "signature": signature}},
    )
    clock = trial.scenario(trial.call("s2", "ok", "keyed"), trigger={"type": "schedule", "inputs": {"every_s": 60}})
    cluster.execute(
        "UPDATE scenarios_schedule SET next_at = clock_timestamp() WHERE scenario_id = %s", cluster.numbers_of(clock)
    )
    senders = trial.senders(scenario)
    senders.headers = {"X-Signed-By": SIGNED}
    over = threading.Event()

    def sending() -> None:
        while not over.is_set():
            senders.send_all(trial.keys(10), at_once=5)
            over.wait(0.3)

    with trial.meanwhile(sending):
        for _ in range(scaled(6)):
            time.sleep(trial.rng.uniform(0.5, 2))
            victim = trial.rng.choice(wait_until(lambda: at_work(cluster), timeout_s=30))
            trial.kill(victim)
            victim.launch()
        over.set()
    trial.settle(LEASE_S + 30)
    trial.result.recovery_s = trial.recoveries()
    trial.check(senders.accepted)
    assert max(trial.result.recovery_s, default=0) < LEASE_S + SWEEP_S + 8
    assert check_secrets(cluster, [CANARY, SIGNED, cluster.owner.token]) == []


def at_work(cluster: Cluster) -> list[Member]:
    return [worker for worker in cluster.workers if worker.is_running() and cluster.worker_beats(worker)]


def connection_with(trial: Trial, token: str) -> str:
    fields = {"type": "bearer", "name": "Canary", "slug": f"canary-{uuid.uuid4().hex[:6]}", "token": token}
    fields["api_base_url"] = trial.cluster.provider
    return str(trial.product.connect(fields)["slug"])


# Where a worker dies, by the failpoint that kills it there. The journal commits a step's start before it is sent, and
# its result with the next start, or with the run's end: the second commit of a run is that of the first result.
POINTS = {
    "after the claim": "after_claim=kill",
    "before its start is written": "before_start_commit=kill",
    "as its start is being committed": "before_commit=kill@1",
    "after its start is committed": "after_start_commit=kill",
    "before it is sent": "before_send=kill",
    "after it was answered": "after_send=kill",
    "as its result is being committed": "before_commit=kill@2",
    "after its result is committed": "after_commit=kill@2",
    "as the run's end is being committed": "before_end_commit=kill",
    "after the run's end is committed": "after_end_commit=kill",
}
# The statuses that a run with a step without a key may end with, and how often its provider may have been asked.
ONCE: dict[str, tuple[set[str], set[int]]] = {
    "after its start is committed": ({"needs_review"}, {0}),
    "before it is sent": ({"needs_review"}, {0}),
    "after it was answered": ({"needs_review"}, {1}),
    "as its result is being committed": ({"needs_review"}, {1}),
}
REPEATED = {"after it was answered", "as its result is being committed"}


def allowed(point: str, kind: str) -> tuple[set[str], set[int]]:
    if kind == "once":
        return ONCE.get(point, ({"succeeded"}, {1}))
    return {"succeeded"}, {2} if point in REPEATED else {1}


def test_a_worker_killed_at_each_point_of_a_step_leaves_what_its_kind_promises(trial: Trial) -> None:
    """T2. Ten points × three kinds of steps; a worker dies there, others go on; nobody waits for the lease here."""
    cluster = trial.cluster
    for worker in cluster.workers:
        worker.kill()
    cells: dict[tuple[str, str], list[uuid.UUID]] = {}
    missing = []
    scenarios = {kind: cell_scenario(trial, kind) for kind in ("read", "keyed", "once")}
    with Zygote(cluster) as zygote:
        for point, failpoint in POINTS.items():
            for kind, scenario in scenarios.items():
                for _ in range(scaled(1)):
                    run = uuid.UUID(trial.product.start(scenario))
                    cells.setdefault((point, kind), []).append(run)
                    if not zygote.dies_of(failpoint):
                        missing.append(point)
                    trial.result.faults += 1
    cluster.mend()
    cluster.end_leases_of_the_dead()
    trial.settle(LEASE_S + 20)
    assert not missing, f"nobody died {sorted(set(missing))}"
    wrong = []
    for (point, kind), runs in cells.items():
        statuses, sends = outcomes(cluster, runs)
        may_end, may_send = allowed(point, kind)
        trial.result.table.append([point, kind, told(statuses), told(sends)])
        if set(statuses) - may_end or set(sends) - may_send:
            wrong.append(f"{point} × {kind}: {dict(statuses)}, asked {dict(sends)}")
    trial.check()
    assert not wrong, "\n".join(wrong)


def cell_scenario(trial: Trial, kind: str) -> dict[str, Any]:
    return trial.scenario(
        trial.call("s2", "ok", kind),
        step("s3", "data.set", values={"id": "{{ s2.body.id }}"}),
        trial.call("s4", "ok", "keyed"),
        trigger={"type": "manual"},
    )


def outcomes(cluster: Cluster, runs: list[uuid.UUID]) -> tuple[Counter[str], Counter[int]]:
    statuses = Counter(
        status for (status,) in cluster.rows("SELECT status FROM scenarios_run WHERE id = ANY(%s)", runs)
    )
    sends: Counter[int] = Counter()
    for run in runs:
        sends[cluster.seen("SELECT count(*) FROM request WHERE run = ? AND step = 's2'", run.hex)[0][0]] += 1
    return statuses, sends


def told(counts: Counter[Any]) -> str:
    return ", ".join(f"{name}" if len(counts) == 1 else f"{name} ({count})" for name, count in counts.items())


def test_a_stopped_and_a_partitioned_worker_write_nothing_once_others_have_taken_over(trial: Trial) -> None:
    """T3, T18. One is stopped for longer than its lease, one loses PostgreSQL but not the provider; a third goes on."""
    cluster = trial.cluster
    stopped, cut_off, _successor = cluster.workers
    scenario = trial.scenario(
        trial.call("s2", "delay/1", "keyed"),
        trial.call("s3", "delay/1", "once"),
        trial.call("s4", "delay/1", "keyed"),
        trial.call("s5", "ok", "once"),
    )
    senders = trial.senders(scenario)
    held: dict[str, list[tuple[uuid.UUID, int]]] = {}
    number = iter(range(1000))

    def both_have_some() -> bool:
        senders.send_all(trial.keys(10), at_once=10)
        next(number)
        held["stopped"], held["cut off"] = cluster.held_by(stopped), cluster.held_by(cut_off)
        return len(held["stopped"]) > 3 and len(held["cut off"]) > 3

    wait_until(both_have_some, timeout_s=15, every_s=0.3)
    time.sleep(1.2)  # into the second step, which may not be repeated
    stopped.freeze()
    cluster.link("w2-pg", "partition")
    broken_at = time.time()
    trial.result.faults += 2
    trial.killed = [(broken_at, cluster.held_by(stopped)), (broken_at, cluster.held_by(cut_off))]
    asked_before = len(trial.killed[0][1]) + len(trial.killed[1][1])
    assert asked_before > 0
    trial.settle(LEASE_S + 20)
    time.sleep(max(0.0, broken_at + LEASE_S + 4 - time.time()))
    before = written(cluster, scenario)
    stopped.thaw()
    cluster.link("w2-pg", "pass")
    time.sleep(3)
    assert written(cluster, scenario) == before, "a worker wrote after its lease"
    trial.result.recovery_s = trial.recoveries()
    senders.send_all(trial.keys(10))
    trial.settle(30)
    found = trial.check(senders.accepted)
    trial.note(f"{asked_before} runs were taken over; the two workers wrote nothing afterwards.")
    assert found.statuses["needs_review"] <= asked_before
    wait_until(lambda: cluster.worker_beats(cut_off), timeout_s=20)


def written(cluster: Cluster, scenario: dict[str, Any]) -> list[Any]:
    number = cluster.numbers_of(scenario)
    return [
        cluster.one("SELECT count(*) FROM faults.run_event WHERE scenario_id = %s", number),
        cluster.one(
            "SELECT count(*) FROM faults.step_event WHERE run_id IN"
            " (SELECT id FROM scenarios_run WHERE scenario_id = %s)",
            number,
        ),
    ]


def test_a_run_that_takes_down_its_worker_is_stopped_after_four_and_its_scenario_paused(trial: Trial) -> None:
    """T5. Whoever executes it is killed, as for lack of memory; the runs beside it are not its victims."""
    cluster = trial.cluster
    poison = trial.scenario(trial.call("s2", "gate/poison", "read"), trigger={"type": "manual"})
    healthy = trial.scenario(
        trial.call("s2", "ok", "read"), trial.call("s3", "delay/0.2", "keyed"), trial.call("s4", "ok", "read")
    )
    senders = trial.senders(healthy)
    run = uuid.UUID(trial.product.start(poison))
    for attempt in range(1, 5):
        senders.send_all(trial.keys(10))
        wait_until(lambda: len(asked_by(cluster, run)) >= attempt, timeout_s=30)  # noqa: B023
        victim = owner_of(cluster, run)
        trial.kill(victim)
        victim.ensure()
        cluster.end_leases_of_the_dead()
    trial.settle(40)
    (status, error), *_ = cluster.rows("SELECT status, error FROM scenarios_run WHERE id = %s", run)
    assert (status, error["code"], error["params"]["attempts"]) == ("failed", "poison", 4)
    assert len(asked_by(cluster, run)) == 4
    assert trial.product.get(f"scenarios/{poison['id']}/").json["status"] == "paused"
    assert trial.product.get(f"scenarios/{healthy['id']}/").json["status"] == "active"
    found = trial.check(senders.accepted and [])
    assert found.statuses == Counter(succeeded=40, failed=1)


def asked_by(cluster: Cluster, run: uuid.UUID) -> list[Any]:
    return cluster.seen("SELECT at FROM request WHERE run = ?", run.hex)


def owner_of(cluster: Cluster, run: uuid.UUID) -> Member:
    owner = cluster.one("SELECT owner FROM scenarios_run WHERE id = %s", run)
    return next(worker for worker in cluster.workers if f":{worker.pid}:" in owner)


SLOTS = (
    "SELECT slot_at, run_id FROM scenarios_slot slot JOIN scenarios_schedule schedule ON schedule.id = slot.schedule_id"
)


def test_a_scheduler_killed_around_its_commit_fires_each_slot_once(trial: Trial) -> None:
    """T23. Before the commit the slot fires again, after it it does not; several schedulers share the work."""
    cluster = trial.cluster
    scenario = trial.scenario(trial.call("s2", "ok", "keyed"), trigger={"type": "schedule", "inputs": {"every_s": 60}})
    number = cluster.numbers_of(scenario)
    with Zygote(cluster) as zygote:
        for worker in cluster.workers:
            worker.freeze()
        for point in ("before_fire_commit", "after_fire_commit") * scaled(2):
            fired = len(slots(cluster, number))
            cluster.execute(MAKE_DUE, number)
            assert zygote.dies_of(f"{point}=kill"), point
            trial.result.faults += 1
            assert len(slots(cluster, number)) == fired + (point == "after_fire_commit")
            others = [zygote.fork() for _ in range(2)]
            wait_until(lambda: len(slots(cluster, number)) == fired + 1, timeout_s=10)  # noqa: B023
            time.sleep(0.7)  # another tick of each
            assert len(slots(cluster, number)) == fired + 1
            for pid in others:
                zygote.kill(pid)
        for worker in cluster.workers:
            worker.thaw()
    cluster.end_leases_of_the_dead()
    trial.settle(30)
    found = trial.check()
    assert found.runs == len(slots(cluster, number)) == 2 * scaled(2)


MAKE_DUE = "UPDATE scenarios_schedule SET next_at = clock_timestamp() - interval '1 second' WHERE scenario_id = %s"


def slots(cluster: Cluster, number: int) -> list[Any]:
    return cluster.rows(f"{SLOTS} WHERE schedule.scenario_id = %s", number)
