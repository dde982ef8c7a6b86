"""Web servers that die around the commit, storms of duplicates, bursts: what was accepted is a run, exactly once."""

import time
from concurrent.futures import ThreadPoolExecutor

from tests.acceptance.product import send
from tests.faults.cluster import WEBS
from tests.faults.trial import Trial, scaled

DEDUPE = "SELECT id FROM scenarios_run WHERE scenario_id = %s"


def post(url: str, key: str) -> tuple[int, dict[str, object]]:
    """Status and body; 0 where the connection broke."""
    try:
        answer = send("POST", url, json={"n": key}, timeout=10)
    except OSError:
        return 0, {}
    return answer.status, answer.json or {}


def test_a_web_server_killed_after_the_commit_has_stored_the_run_and_a_resend_finds_it(trial: Trial) -> None:
    """T7. Between the commit and the answer; the sender sees a broken connection and sends to the other server."""
    cluster = trial.cluster
    scenario = trial.scenario(trial.call("s2", "ok", "keyed"))
    number = cluster.numbers_of(scenario)
    for count, key in enumerate(trial.keys(scaled(2))):
        victim, other = count % 2, 1 - count % 2
        for web in cluster.webs:
            web.ensure()
        before = {run for (run,) in cluster.rows(DEDUPE, number)}
        cluster.arm(WEBS[victim], f"after_store=kill:{cluster.folder}/struck-{key}")
        assert post(cluster.hook(scenario, victim), key)[0] == 0
        trial.result.faults += 1
        killed_at = time.monotonic()
        (stored,) = {run for (run,) in cluster.rows(DEDUPE, number)} - before
        status, said = post(cluster.hook(scenario, other), key)
        assert (status, said) == (200, {"run": stored.hex, "duplicate": True})
        trial.result.recovery_s.append(time.monotonic() - killed_at)
        cluster.disarm()
    trial.settle()
    trial.check()


def test_a_web_server_killed_before_the_commit_has_promised_nothing(trial: Trial) -> None:
    """T8. No run, and no 2xx; the resend is the first delivery."""
    cluster = trial.cluster
    scenario = trial.scenario(trial.call("s2", "ok", "keyed"))
    senders = [trial.senders(scenario, webs=[web]) for web in (0, 1)]
    for count, key in enumerate(trial.keys(scaled(2))):
        victim, other = count % 2, 1 - count % 2
        for web in cluster.webs:
            web.ensure()
        before = cluster.rows(DEDUPE, cluster.numbers_of(scenario))
        cluster.arm(WEBS[victim], f"before_store=kill:{cluster.folder}/struck-{key}")
        assert post(cluster.hook(scenario, victim), key)[0] == 0
        trial.result.faults += 1
        killed_at = time.monotonic()
        assert cluster.rows(DEDUPE, cluster.numbers_of(scenario)) == before
        senders[other].send_all([key])
        trial.result.recovery_s.append(time.monotonic() - killed_at)
        cluster.disarm()
    accepted = [one for sender in senders for one in sender.accepted]
    assert {one.status for one in accepted} == {202}
    trial.settle()
    trial.check(accepted)


def test_web_servers_killed_under_load_lose_nothing_that_they_accepted(trial: Trial) -> None:
    """T7, T8. Both servers in turn, at any moment; senders send again until they are told 2xx."""
    scenario = trial.scenario(trial.call("s2", "ok", "once"))
    senders = trial.senders(scenario)
    with trial.meanwhile(lambda: senders.send_all(trial.keys(scaled(600)), at_once=8)) as load:
        for web in trial.cluster.webs:
            time.sleep(trial.rng.uniform(0.2, 0.4))
            trial.result.faults += 1
            web.kill()
            killed_at = time.monotonic()
            web.ensure()
            trial.result.recovery_s.append(time.monotonic() - killed_at)
        load.join(60)
    trial.settle()
    trial.check(senders.accepted)
    trial.note(f"{senders.broken} connections broke, refusals: {senders.refusals or 'none'}.")


def test_one_delivery_sent_a_hundred_times_at_once_is_one_run(trial: Trial) -> None:
    """T39. The same delivery id, to both servers."""
    scenario = trial.scenario(trial.call("s2", "ok", "once"))
    storms = trial.keys(scaled(3))
    for key in storms:
        with ThreadPoolExecutor(100) as pool:
            answers = list(pool.map(lambda n: post(trial.cluster.hook(scenario, n % 2), key), range(100)))  # noqa: B023
        statuses = [status for status, _said in answers]
        assert set(statuses) <= {200, 202}, statuses
        assert statuses.count(202) == 1
        assert len({said["run"] for _status, said in answers}) == 1
        trial.result.faults += 99
    trial.settle()
    assert trial.check().runs == len(storms)


def test_a_burst_is_taken_or_refused_and_what_was_taken_runs(trial: Trial) -> None:
    """T40. 2,000 deliveries from 64 senders, as fast as they go, bodies from nothing to 64 KB."""
    scenario = trial.scenario(trial.call("s2", "ok", "read"))
    senders = trial.senders(scenario)
    padding = {key: trial.rng.choice([0, 10, 1_000, 64_000]) for key in trial.keys(2000)}
    started = time.monotonic()
    senders.send_all(list(padding), at_once=64, body=lambda key: {"x": "y" * padding[key]})
    took_s = time.monotonic() - started
    assert set(senders.refusals) <= {429}, senders.refusals
    assert senders.broken == 0
    ended_s = trial.settle(120)
    found = trial.check(senders.accepted)
    assert found.runs == 2000
    trial.note(
        f"2,000 deliveries taken in {took_s:.1f} s (p99 {senders.slowest_ms():.0f} ms); the last run ended "
        f"{ended_s:.1f} s after the last delivery."
    )
