"""Deploys in the middle of everything: all processes restarted in turn, and workers of two versions side by side."""

import os
import signal
import threading
import time
from collections.abc import Sequence

from tests.faults.cluster import Member
from tests.faults.trial import Trial, step
from tests.faults.zygote import Zygote
from tests.processes import wait_until

GONE_WITHIN_S = 32  # a worker lets a step come to its end: apinita/celery.py


def test_a_rolling_restart_of_everything_is_noticed_by_nobody(trial: Trial) -> None:
    """T31. SIGTERM in two waves, under load, with steps under way and runs that wait."""
    cluster = trial.cluster
    scenario = trial.scenario(
        trial.call("s2", "delay/0.5", "once"),
        step("s3", "flow.delay", seconds=2),
        trial.call("s4", "delay/0.5", "once"),
    )
    senders = trial.senders(scenario)
    over = threading.Event()

    def sending() -> None:
        while not over.is_set():
            senders.send_all(trial.keys(6), at_once=3)
            over.wait(0.3)

    with trial.meanwhile(sending):
        w1, w2, w3 = cluster.workers
        web1, web2 = cluster.webs
        for wave in ((w1, web1), (w2, w3, web2)):
            time.sleep(1)
            trial.result.recovery_s.append(restart(wave))
            trial.result.faults += len(wave)
        over.set()
    trial.settle(60)
    found = trial.check(senders.accepted)
    assert set(found.statuses) == {"succeeded"}, found.statuses
    assert senders.refusals == {}
    trial.note(
        f"{found.runs} runs with requests without a key went through a restart of all five processes; none was left "
        f"to a person, and no delivery was answered with an error."
    )


def restart(wave: Sequence[Member]) -> float:
    """In good order, as a deploy does; answers the seconds until all of them work again."""
    started = time.monotonic()
    for member in wave:
        os.kill(member.pid, signal.SIGTERM)
    for member in wave:
        assert member.process is not None
        member.process.wait(GONE_WITHIN_S)
    for member in wave:
        member.launch()
    for member in wave:
        member.ensure()
    return time.monotonic() - started


def test_a_worker_of_the_version_before_leaves_alone_what_it_cannot_execute(trial: Trial) -> None:
    """T31. It takes the runs that it knows; the others wait for a worker of this version."""
    cluster = trial.cluster
    new = trial.scenario(
        step("s2", "flow.filter", when="{{ true }}"), trial.call("s3", "ok", "once"), trigger={"type": "manual"}
    )
    old = trial.scenario(trial.call("s2", "ok", "once"), trigger={"type": "manual"})
    with Zygote(cluster) as zygote:
        for worker in cluster.workers:
            worker.freeze()
        zygote.fork(engine=1)
        runs = [(trial.product.start(old), trial.product.start(new)) for _ in range(5)]
        wait_until(lambda: cluster.unfinished([old]) == 0, timeout_s=15)
        time.sleep(1)
        assert cluster.unfinished([new]) == len(runs)
        for worker in cluster.workers:
            worker.thaw()
    trial.result.faults += 1
    trial.settle(30)
    assert set(trial.check().statuses) == {"succeeded"}
