"""The checker itself: each invariant is broken on purpose, and must be found broken."""

import uuid

from tests.faults.checker import check, check_secrets
from tests.faults.client import Accepted
from tests.faults.trial import Trial, step
from tests.faults.zygote import Zygote


def test_the_checker_finds_what_is_lost_doubled_or_told(trial: Trial) -> None:
    """T0. A request sent twice, a run that vanished, one that ended twice, a result written over, a secret kept."""
    cluster = trial.cluster
    scenario = trial.scenario(
        trial.call("s2", "ok", "once"), step("s3", "data.set", values={"x": 1}), settings={"on_unknown": "repeat"}
    )
    senders = trial.senders(scenario)
    for worker in cluster.workers:
        worker.freeze()
    with Zygote(cluster) as zygote:
        senders.send_all(trial.keys(1))
        assert zygote.dies_of("after_send=kill")
    for worker in cluster.workers:
        worker.thaw()
    cluster.end_leases_of_the_dead()
    senders.send_all(trial.keys(3))
    trial.settle(30)
    _twice, ended, undone, kept = (uuid.UUID(one.run) for one in senders.accepted)

    def found(*more: Accepted) -> str:
        return "\n".join(check(cluster, [scenario], [*senders.accepted, *more]).problems)

    assert found().startswith("I5: ")
    assert found().count("\n") == 0
    cluster.execute("UPDATE scenarios_run SET status = 'failed' WHERE id = %s", ended)
    cluster.execute("UPDATE scenarios_steprun SET status = 'running' WHERE run_id = %s AND path = 's2'", undone)
    cluster.execute("UPDATE scenarios_steprun SET status = 'succeeded' WHERE run_id = %s AND path = 's2'", undone)
    cluster.execute("UPDATE scenarios_run SET owner = 'somebody' WHERE id = %s", kept)
    lost = Accepted("elsewhere", uuid.uuid4().hex, 202, 1.0, duplicate=False)
    problems = found(lost)
    assert [name for name in ("I1", "I3", "I5", "I7", "I11") if f"{name}: " not in problems] == []
    assert check_secrets(cluster, ["never-written-anywhere"]) == []
    with cluster.log("w1").open("a") as log:
        log.write("a-secret-told\n")
    assert check_secrets(cluster, ["a-secret-told"]) == ["w1.log"]
    cluster.execute("UPDATE scenarios_run SET owner = '' WHERE id = %s", kept)
    trial.result.runs = 4
