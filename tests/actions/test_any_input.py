"""Whatever a document or an expression gives, an action cleans it or says what is wrong; it never breaks."""

import contextlib
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from actions import registry
from actions.base import Action
from lib.errors import InvalidInput, UserError
from tests.actions.client import context

registry.load(("calendar_actions", "http_actions", "data_actions"))

TELLING = st.sampled_from(
    [
        "", " ", "{{ x }}", "<< x >>", "{% if x %}a{% endif %}", "<<", "primary", "2026-11-25T10:15:00+03:00", "json",
        "startTime", "POST", "https://api.example.com/a?b=c", "a@x.example", "4xx,5xx", "Europe/Moscow", "a\r\nb: c",
        "\0", "true", "auto", "RRULE:FREQ=DAILY",
    ]
)  # fmt: skip
SINGLE = st.one_of(TELLING, st.text(max_size=8), st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False))
ANY = st.recursive(
    SINGLE,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.parametrize("action", registry.actions(), ids=lambda action: action.key)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_no_input_breaks_an_action(action: type[Action], data: st.DataObject) -> None:
    inputs: dict[str, Any] = data.draw(
        st.fixed_dictionaries({}, optional=dict.fromkeys([*action.fields, "no_such_input"], ANY))
    )
    problems = action.check(inputs)
    assert all(isinstance(message, str) and message for messages in problems.values() for message in messages)
    try:
        cleaned = action.clean(inputs)
    except InvalidInput:
        return
    assert problems == {}, "what runs must not be refused in a draft"
    assert cleaned.effect_of()
    with contextlib.suppress(UserError):
        request = cleaned.preview(context())
        assert request is None or request.encoded().url.startswith("http")


@pytest.mark.parametrize("action", registry.actions(), ids=lambda action: action.key)
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_what_the_schema_refuses_the_check_refuses(action: type[Action], data: st.DataObject) -> None:
    """For names and requiredness: values may be written more freely ("5", 1.0, a missing one as null)."""
    names = data.draw(st.sets(st.sampled_from([*action.fields, "no_such_input"])))
    inputs = {name: field.example or "{{ x }}" for name, field in action.fields.items() if name in names}
    inputs |= {"no_such_input": 1} if "no_such_input" in names else {}
    refused = [
        error for error in Draft202012Validator(action.schema()).iter_errors(inputs) if error.validator != "anyOf"
    ]
    if refused:
        assert action.check(inputs)
