"""kill -9 in the middle: what was done stays done, what may be repeated is, what may not is asked about."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from tests.acceptance.http_server import Reply, Seen, Target
from tests.acceptance.odd_oauth import OddOAuth
from tests.acceptance.product import Product, at_once, http, result_of, send, step, step_of, until
from tests.acceptance.strict_calendar import StrictCalendar
from tests.processes import Live, Worker, log_file

RECOVERY_S = 90  # a lease of 30 s, a sweep of 5 s, the lease of a renewal, and a machine that is busy
EVENT = {
    "calendar_id": "primary", "summary": "Одна", "start": "2026-01-01T10:00:00Z", "end": "2026-01-01T11:00:00Z",
}  # fmt: skip


class Gate:
    """A route that holds the first request until the test has done its worst."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.first = True

    def __call__(self, seen: Seen) -> Reply:
        if self.first:
            self.first = False
            self.entered.set()
            return Reply(200, b'{"late": true}', delay_s=15)
        return Reply(200, b'{"late": false}', {"Content-Type": "application/json"})


KINDS: dict[str, dict[str, Any]] = {
    "read": {"method": "GET"},
    "keyed": {"method": "POST", "format": "json", "fields": {"n": 1}, "idempotency_key": "auto"},
    "once": {"method": "POST", "format": "json", "fields": {"n": 1}},
    "once, repeat": {"method": "POST", "format": "json", "fields": {"n": 1}},
}


def test_a_worker_killed_in_the_middle_of_everything_at_once(
    product: Product, live: Live, target: Target, oauth: OddOAuth, calendar: StrictCalendar, google: dict[str, Any]
) -> None:
    """One kill for all kinds of steps: the wait for the leases is paid once."""
    gates = {kind: Gate() for kind in KINDS}
    runs = {}
    with second_worker(live) as second:
        for number, (kind, inputs) in enumerate(KINDS.items()):
            target.routes[f"/{number}"] = gates[kind]
            settings = {"settings": {"on_unknown": "repeat"}} if kind == "once, repeat" else {}
            scenario = product.scenario(
                http("s2", f"{target.url}/before/{number}", method="POST", format="json", fields={}),
                step("s3", "data.set", values={"u": "{{ uuid() }}"}),
                http("s4", f"{target.url}/{number}", headers={"X-U": "{{ s3.u }}"}, **inputs),
                http("s5", f"{target.url}/after/{number}"),
                **settings,
            )
            runs[kind] = product.start(scenario)
        adding = AddingSlowly(calendar)
        runs["insert"] = product.start(product.scenario(step("s2", "google_calendar.insert_event", "cal", **EVENT)))
        slug = product.connected(oauth)["slug"]
        renewing = product.scenario(http("s2", f"{oauth.url}/api/x", slug))
        oauth.expire_access()
        oauth.slow_refresh_s = 4
        runs["renewal"] = product.start(renewing)
        until(lambda: [seen for seen in oauth.seen if seen.path == "/o/refresh"], what="the renewal")
        assert all(gate.entered.wait(20) for gate in [*gates.values(), adding])
        live.worker.kill()
        second.kill()
    oauth.slow_refresh_s = 0
    live.worker.ensure()
    ended = {kind: product.ended(run, within_s=RECOVERY_S) for kind, run in runs.items()}
    assert {kind: run["status"] for kind, run in ended.items()} == {
        "read": "succeeded", "keyed": "succeeded", "once": "needs_review", "once, repeat": "succeeded",
        "insert": "succeeded", "renewal": "succeeded",
    }  # fmt: skip
    assert [len(target.of(f"/before/{number}")) for number in range(4)] == [1] * 4, "what was done is not done again"
    sent = {kind: target.of(f"/{number}") for number, kind in enumerate(KINDS)}
    assert {kind: len(seen) for kind, seen in sent.items()} == {"read": 2, "keyed": 2, "once": 1, "once, repeat": 2}
    assert len({seen.headers["idempotency-key"] for seen in sent["keyed"]}) == 1
    assert len({seen.headers["x-u"] for seen in sent["read"]}) == 1, "a recorded value is not computed anew"
    assert result_of(ended["read"], "s4")["body"] == {"late": False}
    assert list(calendar.calendars["primary"]) == [result_of(ended["insert"], "s2")["body"]["id"]], "one event"
    assert product.get(f"connections/{slug}/").json["status"] == "connected"
    assert (ended["once"]["error"]["code"], ended["once"]["error"]["path"]) == ("unknown_outcome", "s4")
    assert step_of(ended["once"], "s4")["status"] == "needs_review"
    assert target.of("/after/2") == []
    product.post(f"runs/{runs['once']}/resolve/", {"path": "s4", "as": "done"})
    product.reached(runs["once"], {"succeeded"})
    assert (len(target.of("/2")), len(target.of("/after/2"))) == (1, 1)


class AddingSlowly:
    """The calendar keeps the event at once, but the answer takes so long that the worker dies first."""

    def __init__(self, calendar: StrictCalendar) -> None:
        self.entered = threading.Event()
        self.real = calendar.answer
        calendar.answer = self.answer  # type: ignore[method-assign]

    def answer(self, seen: Seen) -> Reply:
        answer = self.real(seen)
        if seen.method == "POST" and not self.entered.is_set():
            answer.delay_s = 15
            self.entered.set()
        return answer


@contextmanager
def second_worker(live: Live) -> Iterator[Worker]:
    command = [part.replace("test-", "test-second-") for part in live.worker.command]
    worker = Worker(command, log_file("second"), env=live.worker.env)
    worker.ensure()
    try:
        yield worker
    finally:
        worker.stop()


def test_webhooks_are_taken_while_there_is_no_worker_and_run_when_there_is(
    product: Product, live: Live, target: Target
) -> None:
    scenario = product.scenario(
        http("s2", f"{target.url}/x", query={"n": "{{ s1.body.n }}"}), trigger={"type": "webhook", "inputs": {}}
    )
    live.worker.kill()
    url = scenario["trigger"]["url"]
    answers = at_once(20, lambda n: send("POST", url, json={"n": n}))
    assert {answer.status for answer in answers} == {202}
    ready = send("GET", f"{product.url}/healthz")
    assert ready.status == 200
    assert target.seen == []
    live.worker.ensure()
    for answer in answers:
        assert product.ended(answer.json["run"])["status"] == "succeeded"
    assert sorted(int(seen.query["n"]) for seen in target.seen) == list(range(20))


def test_a_web_server_killed_under_load_loses_nothing_that_it_accepted(
    product: Product, live: Live, target: Target
) -> None:
    scenario = product.scenario(
        http("s2", f"{target.url}/x", query={"n": "{{ s1.body.n }}"}),
        trigger={"type": "webhook", "inputs": {"dedupe_path": "n"}},
    )
    url = scenario["trigger"]["url"]
    killing = threading.Event()

    def deliver(sender: int) -> list[tuple[int, str]]:
        """As real senders do: again until it is taken."""
        taken = []
        for number in range(sender * 100, sender * 100 + 25):
            if number % 100 == 8:
                killing.set()
            for _ in range(300):
                try:
                    answer = send("POST", url, json={"n": number}, timeout=5)
                except OSError:
                    time.sleep(0.1)
                    continue
                if answer.status in {200, 202}:
                    taken.append((number, answer.json["run"]))
                    break
        return taken

    with ThreadPoolExecutor(4) as pool:
        senders = [pool.submit(deliver, number) for number in range(4)]
        assert killing.wait(20)
        live.web.kill()
        live.web.ensure()  # in this thread: the server ends with the thread that started it
        taken = dict(pair for sender in senders for pair in sender.result())
    assert len(taken) == 100
    for run in taken.values():
        assert product.ended(run)["status"] == "succeeded"
    assert sorted(int(seen.query["n"]) for seen in target.seen) == sorted(taken)


def test_two_workers_share_the_work_and_do_nothing_twice(product: Product, live: Live, target: Target) -> None:
    with second_worker(live):
        steps = [http(f"s{n}", f"{target.url}/{n}", query={"r": "{{ run.id }}"}) for n in range(2, 6)]
        scenario = product.scenario(*steps)
        runs = at_once(40, lambda n: product.start(scenario))
        for run in runs:
            assert product.ended(run)["status"] == "succeeded"
    for number in range(2, 6):
        assert sorted(seen.query["r"] for seen in target.of(f"/{number}")) == sorted(runs)
