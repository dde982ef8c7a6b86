"""Values that get names."""

import json
from pathlib import Path

from actions.effects import Effect
from data_actions.values import SetValues
from tests.actions.client import context

REPLY = json.loads((Path(__file__).parent / "replies" / "data.set.json").read_text())


def test_the_values_are_the_result_with_their_types() -> None:
    assert SetValues.clean({"values": REPLY}).perform(context()) == REPLY


def test_values_are_needed_and_have_names() -> None:
    assert list(SetValues.check({})) == ["values"]
    assert list(SetValues.check({"values": {}})) == ["values"]
    assert list(SetValues.check({"values": "text"})) == ["values"]
    assert list(SetValues.check({"values": {" ": 1}})) == ["values. "]
    assert SetValues.check({"values": {"a": "{{ s1.body.a }}"}}) == {}
    assert SetValues.check({"values": "{{ s1.body }}"}) == {}


def test_it_computes_only() -> None:
    assert SetValues.effect is Effect.PURE
    assert SetValues.clean({"values": {"a": 1}}).preview(context()) is None
    assert SetValues.schema()["required"] == ["values"]
