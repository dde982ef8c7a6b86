"""Schedules: when they say they will fire, and that they do."""

import itertools
import time
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.acceptance.http_server import Target
from tests.acceptance.product import Product, document, http, step, until


def schedule(**inputs: Any) -> dict[str, Any]:
    return {"key": "s1", "type": "schedule", "inputs": inputs}


def next_fires(product: Product, **inputs: Any) -> list[datetime]:
    scenario = product.scenario(step("s2", "data.set", values={"x": 1}), trigger=schedule(**inputs))
    assert scenario["trigger"]["type"] == "schedule"
    texts = scenario["trigger"]["next"]
    assert len(texts) == 5
    moments = [datetime.fromisoformat(text) for text in texts]
    assert all(moment.utcoffset() == timedelta(0) for moment in moments), texts
    assert moments == sorted(set(moments))
    assert moments[0] > datetime.now(UTC) - timedelta(seconds=2)
    return moments


def test_an_interval_counts_from_the_activation(product: Product) -> None:
    moments = next_fires(product, every_s=3600)
    assert {later - sooner for sooner, later in itertools.pairwise(moments)} == {timedelta(hours=1)}
    assert timedelta(minutes=59) < moments[0] - datetime.now(UTC) <= timedelta(hours=1)


def test_a_daily_rule_is_read_in_its_zone(product: Product) -> None:
    moments = next_fires(product, daily={"at": ["09:00", "21:30"], "weekdays": [1, 3, 5]}, timezone="Asia/Tokyo")
    local = [moment.astimezone(ZoneInfo("Asia/Tokyo")) for moment in moments]
    assert {moment.strftime("%H:%M") for moment in local} == {"09:00", "21:30"}
    assert {moment.isoweekday() for moment in local} <= {1, 3, 5}


def test_a_cron_rule_is_read_in_the_zone_of_the_scenario(product: Product) -> None:
    scenario = product.scenario(
        trigger=schedule(cron="30 8 * * 1-5"), settings={"timezone": "Asia/Yekaterinburg"}, variables={}
    )
    local = [
        datetime.fromisoformat(text).astimezone(ZoneInfo("Asia/Yekaterinburg")) for text in scenario["trigger"]["next"]
    ]
    assert {moment.strftime("%H:%M") for moment in local} == {"08:30"}
    assert all(moment.isoweekday() <= 5 for moment in local)


def test_a_cron_rule_keeps_the_wall_clock_over_a_change_of_the_hour(product: Product) -> None:
    moments = next_fires(product, cron="0 9 1 3,4,10,11 *", timezone="Europe/Berlin")
    local = [moment.astimezone(ZoneInfo("Europe/Berlin")) for moment in moments]
    assert {moment.strftime("%H:%M") for moment in local} == {"09:00"}
    assert len({moment.utcoffset() for moment in local}) == 2


@pytest.mark.parametrize(
    ("inputs", "path"),
    [
        ({}, "trigger.inputs"),
        ({"cron": "0 9 * * *", "every_s": 60}, "trigger.inputs"),
        ({"cron": "0 9 * *"}, "trigger.inputs.cron"),
        ({"cron": "0 25 * * *"}, "trigger.inputs.cron"),
        ({"every_s": 0}, "trigger.inputs.every_s"),
        ({"every_s": "often"}, "trigger.inputs.every_s"),
        ({"daily": {"at": ["25:00"]}}, "trigger.inputs.daily"),
        ({"daily": {"at": ["09:00"], "weekdays": [8]}}, "trigger.inputs.daily"),
        ({"daily": {}}, "trigger.inputs.daily"),
        ({"every_s": 60, "timezone": "Mars/Olympus"}, "trigger.inputs.timezone"),
        ({"every_s": 60, "misfire": "perhaps"}, "trigger.inputs.misfire"),
    ],
)
def test_a_rule_that_is_wrong_is_refused_with_its_path(product: Product, inputs: dict[str, Any], path: str) -> None:
    answer = product.post("scenarios/", {"document": document(trigger=schedule(**inputs))})
    assert answer.status == 400, answer
    assert any(key.startswith(path) for key in answer.json["errors"]), answer


def test_a_schedule_fires_at_its_time_and_each_slot_once(product: Product, target: Target) -> None:
    scenario = product.scenario(
        http("s2", f"{target.url}/tick", query={"at": "{{ s1.scheduled_for }}", "body": "{{ s1.body | json_encode }}"}),
        trigger=schedule(every_s=2),
    )
    until(lambda: len(target.of("/tick")) >= 3, within_s=20)
    product.post(f"scenarios/{scenario['id']}/deactivate/")
    time.sleep(0.5)
    count = len(target.of("/tick"))
    slots = [datetime.fromisoformat(seen.query["at"]) for seen in target.of("/tick")]
    assert len(slots) == len(set(slots))
    assert {later - sooner for sooner, later in itertools.pairwise(slots)} == {timedelta(seconds=2)}
    for seen, slot in zip(target.of("/tick"), slots, strict=True):
        assert -0.1 <= seen.at - slot.timestamp() < 5, "not early, and at most 5 s late"
    time.sleep(3)
    assert len(target.of("/tick")) == count, "a paused scenario does not fire"
    assert {seen.query["body"] for seen in target.of("/tick")} == {"{}"}
