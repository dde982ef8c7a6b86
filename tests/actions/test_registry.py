"""Which actions there are, and what each of them has to have."""

import json
from pathlib import Path

import pytest
from django.utils import translation
from jsonschema import Draft202012Validator

from actions import registry
from actions.base import Action
from lib.errors import describe

PACKAGES = ("calendar_actions", "http_actions", "data_actions")
ICONS = Path(__file__).parent.parent.parent / "static" / "img" / "icons.svg"
WIDGETS = {
    "text",
    "textarea",
    "select",
    "datetime",
    "pairs",
    "switch",
    "number",
    "calendar",
    "secret",
    "condition",
    "scenario",
}

registry.load(PACKAGES)
ACTIONS = registry.actions()


def test_loading_again_changes_nothing() -> None:
    before = registry.actions()
    registry.load(PACKAGES)
    assert registry.actions() == before
    assert [connector.key for connector in registry.connectors()] == ["flow", "google_calendar", "http", "data"]


def test_a_key_is_taken_once() -> None:
    taken = registry.get("data.set")
    with pytest.raises(ValueError, match="registered twice: data"):
        registry.register(registry.Connector("another", "Another", "box", "code", (taken,)))


def test_an_unknown_action_is_named() -> None:
    with pytest.raises(registry.UnknownAction) as caught:
        registry.get("no.such")
    assert "no.such" in describe(caught.value.as_json())["text"]


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.key)
def test_each_action_can_be_shown(action: type[Action]) -> None:
    assert action.title
    assert action.help
    assert action.returns
    assert f'id="{action.icon}"' in ICONS.read_text()
    for name, field in action.fields.items():
        assert field.name == name
        assert field.label
        assert field.widget in WIDGETS
    Draft202012Validator.check_schema(action.schema())
    json.dumps(action.schema())


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.key)
def test_the_examples_of_each_action_pass_its_own_check(action: type[Action]) -> None:
    inputs = {name: field.example for name, field in action.fields.items() if field.example is not None}
    inputs |= {"url": "https://api.example.com"} if "url" in action.fields else {}
    assert action.check(inputs | ({"sync_token": ""} if "sync_token" in inputs else {})) == {}


def test_labels_are_translated_when_they_are_read() -> None:
    with translation.override("ru"):
        assert registry.get("data.set").schema()["title"]
