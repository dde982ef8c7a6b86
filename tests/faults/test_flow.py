"""Loops, limits, neighbours and cancellations under faults: what the engine promises of a run as a whole."""

import time
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.faults.test_workers import told
from tests.faults.trial import Trial, document, scaled, step
from tests.processes import wait_until

MANUAL = {"type": "manual"}
POINTS = (
    *("after_claim", "before_start_commit", "before_commit", "after_start_commit", "before_send", "after_send"),
    *("after_commit", "before_end_commit", "after_end_commit"),
)
QUEUED_S = """
SELECT extract(epoch FROM started_at - created_at)::float8 FROM scenarios_run
WHERE scenario_id = %s AND started_at IS NOT NULL
"""


def test_a_noisy_neighbour_delays_nobody(trial: Trial) -> None:
    """T33. One workspace has thousands of runs queued; another one's run begins within five seconds."""
    cluster = trial.cluster
    noisy = trial.scenario(trial.call("s2", "delay/0.3", "read"))
    neighbour = cluster.person("neighbour@example.com", "Neighbour")
    quiet = trial.scenario(trial.call("s2", "ok", "read"), owner=neighbour)
    noise, voice = trial.senders(noisy), trial.senders(quiet)
    for worker in cluster.workers:
        worker.freeze()
    noise.send_all(trial.keys(scaled(1500)), at_once=32)
    for worker in cluster.workers:
        worker.thaw()
    for _ in range(10):
        voice.send_all(trial.keys(1))
        time.sleep(0.2)
    left = cluster.unfinished([noisy])
    cluster.wait_all_ended(quiet, within_s=60)
    waited = [row[0] for row in cluster.rows(QUEUED_S, cluster.numbers_of(quiet))]
    trial.result.recovery_s = waited
    trial.settle(120)
    trial.check([*noise.accepted, *voice.accepted])
    trial.note(
        f"beside {left:,} runs of somebody else that still waited, a run began at most {max(waited):.1f} s after its "
        f"delivery, which took at most {voice.slowest_ms(1):.0f} ms."
    )
    assert left > 0, "there was no noise any more"
    assert max(waited) < 5
    assert voice.slowest_ms() < 1000


def test_a_run_that_is_cancelled_as_it_ends_has_one_end_and_no_step_after_it(trial: Trial) -> None:
    """T42. Cancelled at a random moment, many at once; then with a worker that dwells at each point of a step."""
    cluster = trial.cluster
    scenario = trial.scenario(
        trial.call("s2", "delay/0.1", "keyed"), trial.call("s3", "delay/0.1", "read"), trial.call("s4", "ok", "keyed"),
        trigger=MANUAL,
    )  # fmt: skip
    slow = trial.scenario(*(trial.call(f"s{n}", "delay/1", "keyed") for n in range(2, 7)), trigger=MANUAL)
    answers: Counter[int] = Counter()
    moments = [trial.rng.uniform(0, 0.5) for _ in range(scaled(100))]

    def start_and_cancel(after_s: float) -> None:
        run = trial.product.start(slow if after_s > 0.25 else scenario)
        time.sleep(after_s)
        answers[trial.product.post(f"runs/{run}/cancel/").status] += 1

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(start_and_cancel, moments))
    for point in POINTS:
        for worker in cluster.workers:
            cluster.arm(worker.name, f"{point}=sleep:0.3")
        start_and_cancel(trial.rng.uniform(0.05, 0.5))
    cluster.disarm()
    trial.result.faults += sum(answers.values())
    trial.settle(60)
    found = trial.check()
    assert set(answers) <= {200, 409}, answers
    for made in (scenario, slow):
        assert cluster.rows(STEPS_AFTER_THE_END, cluster.numbers_of(made)) == []
        assert cluster.rows(STEPS_AFTER_CANCEL, cluster.numbers_of(made)) == []
    trial.note(f"{found.statuses['cancelled']} were cancelled, {found.statuses['succeeded']} had ended before.")
    assert min(found.statuses["cancelled"], found.statuses["succeeded"]) > 0


STEPS_AFTER_THE_END = """
SELECT step.run_id, step.path, step.new FROM faults.step_event step
JOIN (
    SELECT run_id, min(at) AS at FROM faults.run_event
    WHERE scenario_id = %s AND new IN ('succeeded', 'failed', 'cancelled') GROUP BY run_id
) ended ON ended.run_id = step.run_id AND step.at > ended.at
"""
# A worker hears of the wish with its next heartbeat, three seconds at most.
STEPS_AFTER_CANCEL = """
SELECT step.run_id, step.path FROM faults.step_event step JOIN scenarios_run run ON run.id = step.run_id
WHERE run.scenario_id = %s AND step.new = 'running' AND step.old IS NULL
    AND step.at > run.cancel_requested_at + interval '4 seconds'
"""


def test_one_run_at_a_time_stays_one_at_a_time_when_workers_die(trial: Trial) -> None:
    """T44. settings.max_concurrent_runs = 1; workers killed in the middle; the place is never lost."""
    cluster = trial.cluster
    name = uuid.uuid4().hex[:8]
    scenario = trial.scenario(
        trial.call("s2", f"ordered/{name}/0.1", "keyed"),
        trial.call("s3", f"ordered/{name}/0.1", "keyed"),
        settings={"max_concurrent_runs": 1},
    )
    senders = trial.senders(scenario)
    senders.send_all(trial.keys(scaled(24)), at_once=8)
    for _ in range(scaled(2)):
        held: list[Any] = []

        def somebody_runs() -> bool:
            held[:] = [worker for worker in cluster.workers if cluster.held_by(worker)]  # noqa: B023
            return bool(held)  # noqa: B023

        wait_until(somebody_runs, timeout_s=15, every_s=0.02)
        trial.kill(held[0])
        held[0].launch()
        time.sleep(0.3)  # its request comes to an end at the service
        cluster.end_leases_of_the_dead()
    trial.settle(90)
    trial.result.recovery_s = trial.recoveries()
    trial.check(senders.accepted)
    most = cluster.seen("SELECT max(at_once), count(*) FROM request WHERE path LIKE ?", f"/ordered/{name}/%")[0]
    assert most[0] == 1, f"{most[0]} were under way at once"
    order = cluster.rows(STARTED_IN_ORDER, cluster.numbers_of(scenario))
    trial.note(
        f"{most[1]} requests, never two at once; {'in' if order == sorted(order) else 'not in'} order of arrival."
    )


STARTED_IN_ORDER = "SELECT id FROM scenarios_run WHERE scenario_id = %s ORDER BY started_at"


def test_a_webhook_that_calls_itself_is_stopped(trial: Trial) -> None:
    """T45. Each request carries how deep it is; the runs are few, and the last one says why."""
    cluster = trial.cluster
    made = trial.product.create(step("s2", "data.set", values={"n": 1}), trigger={"type": "webhook", "inputs": {}})
    itself = step(
        "s2", "http.request", method="POST", url=cluster.hook(made), format="json", fields={"again": True},
        idempotency_key="auto",
    ) | {"retry": {"attempts": 1}}  # fmt: skip
    again = document(itself, trigger={"type": "webhook", "inputs": {}})
    revision = trial.product.get(f"scenarios/{made['id']}/").json["revision"]
    answer = trial.product.patch(f"scenarios/{made['id']}/", {"document": again, "revision": revision})
    assert answer.status == 200, answer
    for action in ("publish", "activate"):
        assert trial.product.post(f"scenarios/{made['id']}/{action}/").status in {200, 204}
    trial.scenarios.append(trial.product.get(f"scenarios/{made['id']}/").json)
    trial.senders(trial.scenarios[-1]).send_all(["loop"])
    time.sleep(2)
    trial.settle(60)
    time.sleep(1)
    found = trial.check(sends=False)
    errors = errors_of(trial, made)
    trial.result.faults += 1
    trial.note(f"a webhook that calls itself came to {found.runs} runs: {told(errors)}.")
    assert found.runs <= 70
    assert "loop_detected" in errors or "upstream_status" in errors, errors


def test_scenarios_that_call_each_other_end_at_the_depth_limit(trial: Trial) -> None:
    """T45. One calls itself by flow.scenario: five deep, then `too_deep`, which those above see as a result."""
    made = trial.product.create(step("s2", "data.set", values={"n": 1}), trigger={"type": "scenario", "inputs": {}})
    calls = step("s2", "flow.scenario", scenario=made["id"], payload={"n": 1})
    revision = trial.product.get(f"scenarios/{made['id']}/").json["revision"]
    answer = trial.product.patch(
        f"scenarios/{made['id']}/",
        {"document": document(calls, trigger={"type": "scenario", "inputs": {}}), "revision": revision},
    )
    assert answer.status == 200, answer
    for action in ("publish", "activate"):
        assert trial.product.post(f"scenarios/{made['id']}/{action}/").status in {200, 204}
    scenario = trial.product.get(f"scenarios/{made['id']}/").json
    trial.scenarios.append(scenario)
    run = trial.product.start(scenario)
    trial.settle(60)
    found = trial.check(sends=False)
    trial.result.faults += 1
    told = str(trial.product.get(f"runs/{run}/").json["steps"][0]["result"])
    assert found.runs == 6
    assert found.statuses["failed"] == 1
    assert "too_deep" in told
    trial.note(
        "a scenario that calls itself came to 6 runs; the innermost failed with `too_deep`, the outer ones see it."
    )


def errors_of(trial: Trial, scenario: dict[str, Any]) -> Counter[str]:
    rows = trial.cluster.rows(
        "SELECT COALESCE(error ->> 'code', status) FROM scenarios_run WHERE scenario_id = %s",
        trial.cluster.numbers_of(scenario),
    )
    return Counter(code for (code,) in rows)


def test_a_loop_over_thousands_of_items_goes_on_where_its_worker_died(trial: Trial) -> None:
    """T46. Killed twice in the middle; what was done is not done again, what was under way keeps its key."""
    cluster = trial.cluster
    count = scaled(2000)
    loop: dict[str, Any] = step("s2", "flow.for_each", items="{{ trigger.body.items }}", parallel=8)
    loop["steps"] = [trial.call("s3", "ok", "keyed", at="s2[]/s3", item="{{ index }}")]
    after = step("s4", "data.set", values={"count": "{{ s2.count }}"})
    scenario = trial.scenario(loop, after)
    senders = trial.senders(scenario)
    senders.send_all(trial.keys(1), body=lambda key: {"items": list(range(count))})
    run = senders.accepted[0].run
    for share in (0.3, 0.6):
        wait_until(lambda: items_done(trial, run) >= count * share, timeout_s=60)  # noqa: B023
        victim = next(worker for worker in cluster.workers if cluster.held_by(worker))
        trial.kill(victim)
        victim.launch()
        cluster.end_leases_of_the_dead()
    began = time.monotonic()
    trial.settle(120)
    trial.result.recovery_s = trial.recoveries()
    trial.check(senders.accepted)
    told = trial.product.get(f"runs/{run}/").json
    assert told["status"] == "succeeded", told["error"]
    assert items_done(trial, run) == count
    sent = cluster.seen("SELECT count(*) FROM request WHERE run = ?", run)[0][0]
    trial.note(
        f"{count:,} items, {sent - count} requests sent a second time; it ended {time.monotonic() - began:.1f} s later."
    )
    assert sent - count <= 2 * 8 * 2


def items_done(trial: Trial, run: str) -> int:
    return int(trial.cluster.seen("SELECT count(DISTINCT item) FROM request WHERE run = ? AND effect = 1", run)[0][0])
