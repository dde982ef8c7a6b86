"""What a document may look like, and what is said of one that does not."""

from collections.abc import Mapping
from typing import Any

import pytest

from actions import registry
from lib.errors import Json
from scenarios import checking
from scenarios.checking import Surroundings
from scenarios.document import InvalidDocument, dump, next_key, parse
from scenarios.triggers import TRIGGERS


def known(key: str) -> Any:
    try:
        return registry.get(key)
    except registry.UnknownAction:
        return None


AROUND = Surroundings(action=known, triggers=TRIGGERS, connections={"google-main"})

WHOLE: dict[str, Json] = {
    "format": 1,
    "name": "Встречи → CRM",
    "variables": {"calendar": "primary"},
    "settings": {"timezone": "Europe/Moscow", "on_unknown": "repeat"},
    "trigger": {"key": "s1", "type": "webhook", "name": "Заявка с сайта", "inputs": {}},
    "steps": [
        {
            "key": "s2",
            "action": "google_calendar.list_events",
            "name": "События недели",
            "connection": "google-main",
            "inputs": {"calendar_id": "<< calendar >>", "order_by": ""},
        },
        {
            "key": "s5",
            "action": "http.request",
            "inputs": {
                "method": "POST",
                "url": "https://crm.example/",
                "fields": {"n": "{{ s2.body.items | length }}"},
            },
            "retry": {"attempts": 3, "delay_s": 5, "factor": 2, "max_delay_s": 3600},
            "on_error": {
                "steps": [{"key": "s6", "action": "data.set", "inputs": {"values": {"why": "{{ error.code }}"}}}]
            },
        },
        {
            "key": "s7",
            "action": "flow.branch",
            "inputs": {},
            "branches": [
                {
                    "name": "Есть события",
                    "when": "{{ s2.body.items | length > 0 }}",
                    "steps": [
                        {
                            "key": "s8",
                            "action": "flow.for_each",
                            "inputs": {"items": "{{ s2.body.items }}", "parallel": 4},
                            "steps": [
                                {
                                    "key": "s9",
                                    "action": "data.set",
                                    "inputs": {"values": {"n": "{{ index }} {{ item }}"}},
                                }
                            ],
                            "retry": {"attempts": 2, "delay_s": 1, "factor": 1, "max_delay_s": 5, "on": ["429", "5xx"]},
                        }
                    ],
                },
                {
                    "name": "Иначе",
                    "steps": [{"key": "s10", "action": "flow.delay", "inputs": {"seconds": 60}}],
                },
            ],
        },
    ],
    "on_error": {
        "steps": [
            {
                "key": "s11",
                "action": "flow.stop",
                "inputs": {"status": "failed", "message": "{{ error.code }} {{ run.id }}"},
            }
        ]
    },
}


def changed(path: str, value: Json) -> dict[str, Json]:
    """WHOLE with one place changed: `steps.0.key`."""
    import copy

    data: Any = copy.deepcopy(WHOLE)
    *way, last = path.split(".")
    place = data
    for name in way:
        place = place[int(name)] if isinstance(place, list) else place[name]
    place[int(last) if isinstance(place, list) else last] = value
    return dict(data)


def problems(data: Mapping[str, Json]) -> list[tuple[str, str]]:
    try:
        found = checking.problems(parse(data), AROUND)
    except InvalidDocument as error:
        found = error.problems
    return [(problem.path, str(problem.params.get("reason") or problem.code)) for problem in found]


def test_a_whole_document_is_read_and_written_unchanged() -> None:
    assert problems(WHOLE) == []
    assert dump(parse(WHOLE)) == WHOLE
    assert [path for path, _ in parse(WHOLE).walk()] == [
        "steps[0]",
        "steps[1]",
        "steps[1].on_error.steps[0]",
        "steps[2]",
        "steps[2].branches[0].steps[0]",
        "steps[2].branches[0].steps[0].steps[0]",
        "steps[2].branches[1].steps[0]",
        "on_error.steps[0]",
    ]


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("trigger.whne", 1, ("trigger.whne", "unknown_key")),
        ("steps.0.inputz", {}, ("steps[0].inputz", "unknown_key")),
        ("steps.0.key", "S2", ("steps[0].key", "bad_key")),
        ("steps.0.key", "trigger", ("steps[0].key", "reserved_key")),
        ("steps.1.key", "s2", ("steps[1].key", "repeated_key")),
        ("steps.0.action", "google_calendar.lst_events", ("steps[0].action", "unknown_action")),
        ("steps.0.action", "flow.branch", ("steps[0].branches", "no_branches")),
        ("steps.0.branches", [], ("steps[0].branches", "unknown_key")),
        ("steps.2.branches.0.whne", 1, ("steps[2].branches[0].whne", "unknown_key")),
        ("steps.2.branches.0.when", [], ("steps[2].branches[0].when", "not_a_condition")),
        ("steps.2.branches.0.when", "{{ s8.body }}", ("steps[2].branches[0].when", "not_before")),
        ("steps.2.branches.0.when", None, ("steps[2].branches[1]", "never_reached")),
        (
            "steps.2.branches.1.steps.0.inputs.seconds",
            "{{ s9 }}",
            ("steps[2].branches[1].steps[0].inputs.seconds", "not_before"),
        ),
        ("steps.2.branches.0.steps.0.steps.0.kye", 5, ("steps[2].branches[0].steps[0].steps[0].kye", "unknown_key")),
        ("steps.0.inputs.calendar_id", "{{ item }}", ("steps[0].inputs.calendar_id", "not_before")),
        ("steps.0.retry", {"on": ["5x"]}, ("steps[0].retry.on[0]", "not_an_error")),
        ("on_error.steps.0.inputs.message", "{{ s2.body }}", ("on_error.steps[0].inputs.message", "not_before")),
        ("steps.0.connection", "nobody", ("steps[0].connection", "unknown_connection")),
        ("steps.0.connection", "", ("steps[0].connection", "connection_needed")),
        ("steps.0.inputs.order_by", "name", ("steps[0].inputs.order_by", "invalid_input")),
        ("steps.0.inputs.nothing", "x", ("steps[0].inputs.nothing", "invalid_input")),
        ("steps.0.inputs.calendar_id", "{{ s5.body }}", ("steps[0].inputs.calendar_id", "not_before")),
        ("steps.0.inputs.calendar_id", "{{ s2.body }}", ("steps[0].inputs.calendar_id", "not_before")),
        ("steps.0.inputs.calendar_id", "{{ s5.body | default('x') }}", ("steps[0].inputs.calendar_id", "not_before")),
        ("steps.0.inputs.calendar_id", "{{ nobody }}", ("steps[0].inputs.calendar_id", "not_before")),
        ("steps.0.inputs.calendar_id", "{{ error.code }}", ("steps[0].inputs.calendar_id", "not_before")),
        ("steps.0.inputs.calendar_id", "{{ 1 + }}", ("steps[0].inputs.calendar_id", "unfinished")),
        ("steps.1.retry.attempts", 0, ("steps[1].retry.attempts", "not_a_number")),
        ("steps.1.retry.attempts", 1.5, ("steps[1].retry.attempts", "not_a_number")),
        ("steps.1.on_error", "explode", ("steps[1].on_error", "not_one_of")),
        ("steps.1.on_error.steps.0.kay", 1, ("steps[1].on_error.steps[0].kay", "unknown_key")),
        ("steps.1", 5, ("steps[1]", "not_an_object")),
        ("steps", {}, ("steps", "not_a_list")),
        ("trigger.type", "moon", ("trigger.type", "unknown_trigger")),
        ("settings.timezone", "Moscow", ("settings.timezone", "unknown_timezone")),
        ("settings.on_unknown", "maybe", ("settings.on_unknown", "not_one_of")),
        ("variables.s2", 1, ("variables.s2", "reserved_key")),
        ("format", 2, ("format", "not_one_of")),
        ("trigger.inputs.methods", ["FETCH"], ("trigger.inputs.methods", "invalid_input")),
        ("trigger.inputs.signature", {"mode": "hmac"}, ("trigger.inputs.signature.secret", "invalid_input")),
    ],
)
def test_what_is_wrong_is_named_by_its_path(path: str, value: Json, expected: tuple[str, str]) -> None:
    assert expected in problems(changed(path, value))


def test_a_schedule_names_the_wrong_input() -> None:
    data = {"name": "x", "trigger": {"type": "schedule", "inputs": {"cron": "every day"}}, "steps": []}
    assert problems(data) == [("trigger.inputs.cron", "invalid_input")]


@pytest.mark.parametrize("data", [None, [], "text", 5, {}, {"trigger": None}, {"trigger": {"type": 5}, "steps": None}])
def test_anything_else_is_refused_without_a_crash(data: Json) -> None:
    with pytest.raises(InvalidDocument):
        parse(data)


def test_responding_needs_a_webhook() -> None:
    step = {"key": "s2", "action": "webhook.respond", "inputs": {}}
    assert problems({"name": "x", "trigger": {"type": "manual"}, "steps": [step]}) == [
        ("steps[0].action", "wrong_trigger")
    ]


def test_a_name_that_may_be_missing_is_no_problem() -> None:
    assert problems(changed("steps.0.inputs.calendar_id", "{{ nobody | default('primary') }}")) == []


def test_new_keys_are_counted_on() -> None:
    assert next_key(parse(WHOLE)) == "s12"
