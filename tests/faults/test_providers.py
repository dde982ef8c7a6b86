"""Services that fail, crawl, lie, or cannot be reached."""

import time
from collections import Counter
from typing import Any

from tests.faults.trial import Trial, scaled, step

LARGEST_GROWTH_MB = 64


def errors_of(trial: Trial, scenario: dict[str, Any]) -> Counter[str]:
    rows = trial.cluster.rows(
        "SELECT COALESCE(error ->> 'code', '') FROM scenarios_run WHERE scenario_id = %s",
        trial.cluster.numbers_of(scenario),
    )
    return Counter(code for (code,) in rows)


def by_status(trial: Trial, scenario: dict[str, Any]) -> Counter[str]:
    rows = trial.cluster.rows(
        "SELECT status FROM scenarios_run WHERE scenario_id = %s", trial.cluster.numbers_of(scenario)
    )
    return Counter(status for (status,) in rows)


def test_a_service_that_cannot_be_reached_holds_up_its_own_runs_only(trial: Trial) -> None:
    """T19. Its packets vanish for five seconds: what may be repeated is, what may have been done is asked about."""
    again = {"retry": {"attempts": 6, "delay_s": 1, "factor": 2}}
    waits = {
        kind: trial.scenario(trial.call("s2", "delay/1", kind, timeout_s=3, **again), trial.call("s3", "ok", "once"))
        for kind in ("read", "keyed")
    }
    asked = trial.scenario(trial.call("s2", "delay/3", "once", timeout_s=4))
    other = trial.scenario(step("s2", "data.set", values={"x": 1}))
    senders = {name: trial.senders(made) for name, made in (waits | {"once": asked, "other": other}).items()}
    for name in ("read", "keyed", "once"):
        senders[name].send_all(trial.keys(scaled(15)), at_once=15)
    time.sleep(1.5)  # all requests of the third kind are on their way
    trial.cluster.link("provider", "partition")
    trial.result.faults += 1
    senders["read"].send_all(trial.keys(5))
    started = time.monotonic()
    senders["other"].send_all(trial.keys(20))
    trial.cluster.wait_all_ended(other, within_s=10)
    beside_s = time.monotonic() - started
    time.sleep(max(0.0, 5 - beside_s))
    trial.cluster.link("provider", "pass")
    restored = time.monotonic()
    trial.settle(60)
    trial.result.recovery_s.append(time.monotonic() - restored)
    found = trial.check([one for sender in senders.values() for one in sender.accepted])
    assert {kind: set(by_status(trial, made)) for kind, made in waits.items()} == {
        kind: {"succeeded"} for kind in waits
    }
    assert set(by_status(trial, asked)) == {"needs_review"}
    assert found.statuses["needs_review"] == scaled(15)
    trial.note(f"meanwhile 20 runs of another scenario took {beside_s:.1f} s.")
    assert beside_s < 5


def test_a_service_that_fails_half_of_the_time_is_asked_again_with_the_same_key(trial: Trial) -> None:
    """T27. 500 and 429 with Retry-After, then 200. A 500 ends a step without a key: it is an answer."""
    again = {"retry": {"attempts": 4, "delay_s": 1, "factor": 1}}
    keyed = trial.scenario(trial.call("s2", "flap/2", "keyed", **again), trial.call("s3", "refuse/1", "once"))
    once = trial.scenario(trial.call("s2", "flap/1", "once"))
    hopeless = trial.scenario(trial.call("s2", "flap/9", "keyed", retry={"attempts": 2, "delay_s": 1}))
    accepted = []
    for made in (keyed, once, hopeless):
        senders = trial.senders(made)
        senders.send_all(trial.keys(scaled(20)), at_once=10)
        accepted += senders.accepted
        trial.result.faults += scaled(20)
    trial.settle(60)
    trial.check(accepted)
    assert by_status(trial, keyed) == Counter(succeeded=scaled(20))
    assert by_status(trial, once) == by_status(trial, hopeless) == Counter(failed=scaled(20))
    assert asked(trial, keyed, "s2") == Counter({3: scaled(20)})
    assert asked(trial, keyed, "s3") == Counter({2: scaled(20)})
    assert asked(trial, once, "s2") == Counter({1: scaled(20)})
    assert asked(trial, hopeless, "s2") == Counter({2: scaled(20)})


def test_a_lost_reply_is_repeated_where_a_key_makes_it_safe_and_else_asked_about(trial: Trial) -> None:
    """T27. The service has done it, and resets the connection instead of answering."""
    retry = {"retry": {"attempts": 3, "delay_s": 1, "factor": 1}}
    keyed = trial.scenario(trial.call("s2", "lost/1", "keyed", **retry))
    once = trial.scenario(trial.call("s2", "lost/1", "once"), trial.call("s3", "ok", "once"))
    accepted = []
    for made in (keyed, once):
        senders = trial.senders(made)
        senders.send_all(trial.keys(scaled(20)), at_once=10)
        accepted += senders.accepted
        trial.result.faults += scaled(20)
    trial.settle(30)
    trial.check(accepted)
    assert by_status(trial, keyed) == Counter(succeeded=scaled(20))
    assert by_status(trial, once) == Counter(needs_review=scaled(20))
    assert asked(trial, once, "s2") == Counter({1: scaled(20)})
    assert asked(trial, once, "s3") == Counter()


def asked(trial: Trial, scenario: dict[str, Any], key: str) -> Counter[int]:
    """How many requests → how many runs of a scenario sent so many for a step."""
    runs = trial.cluster.rows("SELECT id FROM scenarios_run WHERE scenario_id = %s", trial.cluster.numbers_of(scenario))
    ours = {run.hex for (run,) in runs}
    seen = trial.cluster.seen("SELECT run, count(*) FROM request WHERE step = ? GROUP BY run", key)
    return Counter(count for run, count in seen if run in ours)


def test_a_service_that_sends_a_byte_a_second_is_given_up_at_the_deadline(trial: Trial) -> None:
    """T28. Also one that ends in the middle of its headers: never a success with nothing in it."""
    no_retry = {"retry": {"attempts": 1}}
    loris = {
        kind: trial.scenario(trial.call("s2", "loris", kind, timeout_s=3, **no_retry), trigger={"type": "manual"})
        for kind in ("read", "once")
    }
    torn = {
        kind: trial.scenario(trial.call("s2", f"hostile/{kind}", "read", **no_retry), trigger={"type": "manual"})
        for kind in ("half-headers", "short", "short-chunk", "garbage")
    }
    runs = {name: trial.product.start(made) for name, made in (loris | torn).items()}
    trial.settle(30)
    trial.result.faults += len(runs)
    trial.check()
    ended = {name: trial.product.get(f"runs/{run}/").json for name, run in runs.items()}
    assert (ended["read"]["status"], ended["read"]["error"]["code"]) == ("failed", "upstream_timeout")
    assert (ended["once"]["status"], ended["once"]["error"]["code"]) == ("needs_review", "unknown_outcome")
    for name in loris:
        took_s = ended[name]["steps"][0]["took_ms"] / 1000
        assert 2.5 < took_s < 4.5, f"{name} took {took_s} s"
    codes = {name: (ended[name]["status"], ended[name]["error"]["code"]) for name in torn}
    assert set(codes.values()) <= {("failed", "upstream_invalid"), ("failed", "upstream_unreachable")}, codes


KEPT = ("nul", "surrogate", "nan", "deep", "not-utf8", "cp1251", "liar", "not-json", "empty")
REFUSED = ("bomb", "double-bomb", "headers")


def test_an_answer_that_is_hostile_is_kept_or_named_and_the_request_never_sent_twice(trial: Trial) -> None:
    """T29, T30. NUL, lone surrogates, NaN, 10,000 levels, wrong encodings: done is done. Bombs are not unpacked."""
    cluster = trial.cluster
    made = {
        kind: trial.scenario(
            trial.call("s2", f"hostile/{kind}", "once"),
            trial.call("s3", "ok", "read"),
            trigger={"type": "manual"},
        )
        for kind in (*KEPT, *REFUSED)
    }
    before = [forget_peak(worker.pid) for worker in cluster.workers]
    runs = {kind: trial.product.start(scenario) for kind, scenario in made.items()}
    trial.settle(60)
    trial.result.faults += len(runs)
    after = [memory_mb(worker.pid, "VmHWM") for worker in cluster.workers]
    grown = max(most - first for most, first in zip(after, before, strict=True))
    trial.check()
    ended = {kind: trial.product.get(f"runs/{run}/").json for kind, run in runs.items()}
    shown = {kind: (run["status"], (run["error"] or {}).get("code")) for kind, run in ended.items()}
    assert {kind: shown[kind] for kind in KEPT} == dict.fromkeys(KEPT, ("succeeded", None)), shown
    assert {shown[kind][0] for kind in REFUSED} <= {"failed", "needs_review"}, shown
    assert all(asked(trial, made[kind], "s2") == Counter({1: 1}) for kind in made)
    assert grown < LARGEST_GROWTH_MB, f"a worker grew by {grown:.0f} MB"
    trial.note(f"the worker that met the bombs grew by {max(grown, 0):.0f} MB at its peak.")


def memory_mb(pid: int, which: str = "VmRSS") -> float:
    with open(f"/proc/{pid}/status") as status:
        line = next(line for line in status if line.startswith(which))
    return int(line.split()[1]) / 1024


def forget_peak(pid: int) -> float:
    """Start measuring the peak anew (proc(5), clear_refs); answers the memory in use now."""
    with open(f"/proc/{pid}/clear_refs", "w") as orders:
        orders.write("5")
    return memory_mb(pid)
