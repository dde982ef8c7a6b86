"""PostgreSQL and Valkey that vanish, restart, slow down or fill up; junk in the queue; what health checks say."""

import base64
import json
import os
import signal
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from apinita.programs import CannotStart
from tests.acceptance.product import send
from tests.faults.cluster import WEBS, Cluster
from tests.faults.trial import Trial, scaled
from tests.processes import wait_until

CLAIMERS = "SELECT DISTINCT owner FROM faults.run_event WHERE new = 'running' AND at > to_timestamp(%s)"


def steady_load(trial: Trial, scenario: dict[str, object], *, per_s: float, stop: threading.Event) -> object:
    """Senders that deliver at a steady rate until they are told to stop."""
    senders = trial.senders(scenario)

    def sending() -> None:
        while not stop.is_set():
            senders.deliver(trial.keys(1), lambda key: None)
            stop.wait(4 / per_s)

    threads = [threading.Thread(target=sending, daemon=True) for _ in range(4)]
    for thread in threads:
        thread.start()
    return senders, threads


def test_a_flushed_valkey_costs_time_and_nothing_else(trial: Trial) -> None:
    """T9. FLUSHALL again and again while runs are queued and running."""
    scenario = trial.scenario(trial.call("s2", "delay/0.05", "keyed"), trial.call("s3", "ok", "once"))
    senders = trial.senders(scenario)
    with trial.meanwhile(lambda: senders.send_all(trial.keys(scaled(300)), at_once=8)) as load, \
            trial.cluster.valkey() as valkey:  # fmt: skip
        while load.is_alive():
            valkey.flushall()
            trial.result.faults += 1
            time.sleep(trial.rng.uniform(0.05, 0.2))
    trial.result.recovery_s.append(trial.settle(60))
    trial.check(senders.accepted)


def test_webhooks_and_runs_go_on_while_valkey_is_dead(trial: Trial) -> None:
    """T10. kill -9 without AOF, away for 6 s, back. Everything is accepted, and workers find the runs by themselves."""
    scenario = trial.scenario(trial.call("s2", "ok", "keyed"))
    stop = threading.Event()
    senders, threads = steady_load(trial, scenario, per_s=20, stop=stop)
    time.sleep(1)
    trial.cluster.end_server("valkey", signal.SIGKILL)
    trial.result.faults += 1
    time.sleep(6)
    number = trial.cluster.numbers_of(scenario)
    lag = trial.cluster.one(
        "SELECT max(extract(epoch FROM COALESCE(started_at, clock_timestamp()) - created_at))::float8"
        " FROM scenarios_run WHERE scenario_id = %s",
        number,
    )
    trial.cluster.start_server("valkey")
    back_at = time.monotonic()
    time.sleep(2)
    stop.set()
    for thread in threads:
        thread.join(30)
    trial.settle(30)
    trial.result.recovery_s.append(time.monotonic() - back_at)
    assert senders.refusals == {}
    assert senders.broken == 0
    trial.check(senders.accepted)
    trial.note(
        f"without Valkey: all {len(senders.accepted)} deliveries accepted, p99 {senders.slowest_ms():.0f} ms; "
        f"a run began at most {lag:.1f} s after its delivery."
    )
    assert senders.slowest_ms() < 1000
    assert lag < 10


def test_every_worker_claims_again_after_valkey_has_flapped(trial: Trial) -> None:
    """T11. Ten resets in five seconds on every connection to Valkey."""
    scenario = trial.scenario(trial.call("s2", "delay/0.2", "keyed"))
    senders = trial.senders(scenario)
    senders.send_all(trial.keys(20))
    for _ in range(10):
        trial.cluster.each_link("-valkey", "cut")
        trial.result.faults += 1
        time.sleep(0.5)
    calm_at = time.time()

    def all_claimed() -> bool:
        senders.send_all(trial.keys(30))
        owners = {row[0].split(":")[1] for row in trial.cluster.rows(CLAIMERS, calm_at)}
        return owners >= {str(worker.pid) for worker in trial.cluster.workers}

    wait_until(all_claimed, timeout_s=30)
    trial.result.recovery_s.append(time.time() - calm_at)
    trial.settle(30)
    trial.check(senders.accepted)


def test_a_slow_or_full_valkey_holds_up_no_sender(trial: Trial) -> None:
    """T12. Two seconds of delay each way; then a Valkey that takes no more writes."""
    scenario = trial.scenario(trial.call("s2", "ok", "keyed"))
    senders = trial.senders(scenario)
    trial.cluster.each_link("-valkey", "delay", seconds=2)
    trial.result.faults += 1
    senders.send_all(trial.keys(60), at_once=4)
    slow_ms = senders.slowest_ms()
    trial.cluster.each_link("-valkey", "delay", seconds=0)
    with trial.cluster.valkey() as valkey:
        valkey.config_set("maxmemory", 1)
        trial.result.faults += 1
        try:
            senders.send_all(trial.keys(60), at_once=4)
            trial.settle(30)
        finally:
            valkey.config_set("maxmemory", 0)
    assert senders.refusals == {}
    trial.check(senders.accepted)
    trial.note(f"accepted within {slow_ms:.0f} ms (p99) beside a Valkey that takes 2 s each way.")
    assert senders.slowest_ms() < 1000


RESTARTS = {"fast": signal.SIGINT, "immediate": signal.SIGQUIT, "kill -9": signal.SIGKILL}


@pytest.mark.parametrize("how", RESTARTS)
def test_postgres_restarted_under_load_loses_nothing_that_was_accepted(trial: Trial, how: str) -> None:
    """T13. Away for two seconds; senders hear 503 while it is."""
    scenario = trial.scenario(
        trial.call("s2", "delay/0.1", "keyed"), trial.call("s3", "ok", "read"), trial.call("s4", "ok", "once")
    )
    senders = trial.senders(scenario)
    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(trial.cluster.is_well, [0, 1] * 8))  # each web server holds several connections
    with trial.meanwhile(lambda: senders.send_all(trial.keys(scaled(300)), at_once=8)):
        time.sleep(trial.rng.uniform(0.2, 0.5))
        trial.cluster.end_server("postgres", RESTARTS[how])
        trial.result.faults += 1
        time.sleep(2)
        start_postgres(trial.cluster)
        back_at = time.time()
        wait_until(lambda: trial.cluster.is_well(0) and trial.cluster.is_well(1), timeout_s=15)
        answered = time.time()
    trial.settle(60)
    trial.check(senders.accepted)
    first = trial.cluster.one(
        "SELECT extract(epoch FROM min(at))::float8 FROM faults.run_event"
        " WHERE new = 'running' AND at > to_timestamp(%s)",
        back_at,
    )
    trial.result.recovery_s += [first - back_at, answered - back_at]
    assert set(senders.refusals) <= {503}, senders.refusals
    assert max(trial.result.recovery_s) < 10
    trial.note(
        f"({how}) refused with 503 {senders.refusals.get(503, 0)} times, at most after "
        f"{senders.slowest_refusal_s:.1f} s; after it was back workers claimed again in {first - back_at:.1f} s, "
        f"both web servers took deliveries and answered the API in {answered - back_at:.1f} s."
    )


def test_deliveries_whose_commit_is_never_confirmed_are_neither_lost_nor_doubled(trial: Trial) -> None:
    """T18. The web servers' commits reach PostgreSQL; its answers are cut off, again and again."""
    scenario = trial.scenario(trial.call("s2", "ok", "once"))
    senders = trial.senders(scenario)

    def cut_off() -> int:
        return sum(web.text().count("ledger: the database is away") for web in trial.cluster.webs)

    before = cut_off()
    with trial.meanwhile(lambda: senders.send_all(trial.keys(scaled(600)), at_once=8)) as load:
        while load.is_alive() and trial.result.faults < scaled(12):
            time.sleep(trial.rng.uniform(0.05, 0.15))
            for name in WEBS:
                trial.cluster.link(f"{name}-pg", "deaf")
            time.sleep(trial.rng.uniform(0.02, 0.1))
            for name in WEBS:
                trial.cluster.link(f"{name}-pg", "pass")
            trial.result.faults += 1
    trial.settle(30)
    trial.check(senders.accepted)
    assert set(senders.refusals) <= {503}, senders.refusals
    trial.note(
        f"{cut_off() - before} commits without an answer, {senders.refusals.get(503, 0)} times 503; the slowest "
        f"delivery was accepted after {senders.slowest_ms(1):.0f} ms."
    )
    assert cut_off() > before


def start_postgres(cluster: Cluster) -> None:
    """After a kill -9 its children may hold its memory for a moment longer: then once more, as a supervisor does."""
    for _ in range(20):
        try:
            cluster.start_server("postgres")
            return
        except CannotStart:
            time.sleep(0.5)
    raise AssertionError("PostgreSQL did not start again")


def test_junk_in_the_queue_is_dropped_and_the_workers_live(trial: Trial) -> None:
    """T50. Garbage, pickles, unknown tasks, wrong arguments, a message of another version."""
    scenario = trial.scenario(trial.call("s2", "ok", "keyed"))
    senders = trial.senders(scenario)
    pids = [worker.pid for worker in trial.cluster.workers]
    with trial.cluster.valkey() as valkey:
        for message in forged():
            for _ in range(5):
                valkey.lpush("engine", message)
                trial.result.faults += 1
        try:
            senders.send_all(trial.keys(60))
            trial.settle(30)
            wait_until(lambda: valkey.llen("engine") == 0, timeout_s=20)
        finally:
            valkey.delete("engine")  # or it would haunt the tests after this one
    trial.check(senders.accepted)
    assert [worker.pid for worker in trial.cluster.workers if worker.is_running()] == pids
    assert not PWNED.exists()


PWNED = Path(tempfile.gettempdir()) / f"apinita-faults-pwned-{os.getpid()}"


def forged() -> list[bytes]:
    def message(task: str, body: str, content_type: str = "application/json", **changes: object) -> bytes:
        headers = {"lang": "py", "task": task, "id": "forged", "argsrepr": "()", "kwargsrepr": "{}", "origin": "x"}
        properties = {
            "correlation_id": "forged",
            "delivery_mode": 2,
            "delivery_info": {"exchange": "", "routing_key": "engine"},
            "priority": 0,
            "body_encoding": "base64",
            "delivery_tag": os.urandom(8).hex(),
        }
        made = {"body": body, "content-encoding": "utf-8", "content-type": content_type, "headers": headers}
        return json.dumps(made | {"properties": properties} | changes).encode()

    nothing = "W1tdLCB7fSwge31d"  # [[], {}, {}]
    arguments = "W1s0Ml0sIHsieCI6IDF9LCB7fV0="  # [[42], {"x": 1}, {}]
    pickle = base64.b64encode(f"cposix\nsystem\n(S'touch {PWNED}'\ntR.".encode()).decode()
    return [
        b"",
        b"\x00\xff not json",
        b"[]",
        b"{}",
        b'{"body": 1}',
        message("os.system", nothing),
        message("scenarios.drain", arguments),
        message("scenarios.drain", pickle, "application/x-python-serialize"),
        message("scenarios.drain", "not base64 at all"),
        message("scenarios.drain", nothing, headers={}),
        message("scenarios.drain_v0", nothing),
    ]


def test_health_says_what_is_down_and_the_process_stays_alive(trial: Trial) -> None:
    """T55. `/healthz` stays 200; `/readyz` names the part that is away, and is well again after it."""
    cluster, url = trial.cluster, trial.cluster.url()

    def readyz() -> dict[str, str]:
        return dict(send("GET", f"{url}/readyz", timeout=20).json)

    def down() -> set[str]:
        assert send("GET", f"{url}/healthz", timeout=5).status == 200
        return {name for name, state in readyz().items() if state != "ok"}

    def within(seconds: float, wanted: Callable[[set[str]], bool]) -> float:
        started = time.monotonic()
        wait_until(lambda: wanted(down()), timeout_s=seconds)
        return time.monotonic() - started

    within(10, lambda found: not found)
    cluster.end_server("valkey", signal.SIGKILL)
    within(10, lambda found: found == {"broker"})
    cluster.start_server("valkey")
    trial.result.recovery_s.append(within(20, lambda found: not found))
    for worker in cluster.workers:
        worker.freeze()
    alarm_s = within(30, lambda found: found == {"worker"})
    for worker in cluster.workers:
        worker.thaw()
    trial.result.recovery_s.append(within(20, lambda found: not found))
    cluster.end_server("postgres", signal.SIGINT)
    within(30, lambda found: "database" in found)
    start_postgres(cluster)
    trial.result.recovery_s.append(within(30, lambda found: not found))
    trial.result.faults += 3
    trial.note(f"a worker that does nothing is noticed after {alarm_s:.0f} s.")
