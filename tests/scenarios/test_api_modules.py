"""What the API says of itself: the modules with the schemas of their inputs, and the OpenAPI document."""

from io import StringIO

import pytest
from django.core.management import call_command
from jsonschema import Draft202012Validator

from actions import registry
from scenarios.triggers import TRIGGERS

API = "/api/v1/"


@pytest.fixture
def modules(api, vera):
    return {one["key"]: one for one in api(vera).get(f"{API}modules/").json()["results"]}


def test_every_trigger_and_action_is_listed(modules):
    assert {key for key, one in modules.items() if one["kind"] == "trigger"} == set(TRIGGERS)
    actions = {action.key for action in registry.actions()}
    assert {key for key, one in modules.items() if one["kind"] == "action"} == actions
    assert {"http.request", "data.set"} <= actions


def test_each_says_what_it_is_and_whether_it_takes_a_connection(modules):
    for key, one in modules.items():
        assert one["title"], key
        assert one["connection"] in {"none", "optional", "required"}, key
    assert {one["connection"] for one in modules.values()} == {"none", "optional", "required"}


def test_the_schemas_of_inputs_are_json_schema_2020_12(modules):
    for one in modules.values():
        Draft202012Validator.check_schema(one["inputs"])
        assert one["inputs"]["type"] == "object"


@pytest.mark.parametrize(
    ("key", "inputs", "is_valid"),
    [
        ("http.request", {"method": "POST", "url": "https://crm.example/", "headers": {"X-A": "b"}}, True),
        ("http.request", {"method": "POST", "url": "{{ trigger.body.url }}"}, True),
        ("http.request", {"url": 7}, False),
        ("http.request", {"url": "https://crm.example/", "nonsense": 1}, False),
        ("webhook", {"methods": ["GET", "POST"]}, True),
        ("schedule", {"every_s": 60}, True),
        ("manual", {}, True),
        ("manual", {"nonsense": 1}, False),
    ],
)
def test_the_schemas_tell_right_inputs_from_wrong_ones(modules, key, inputs, is_valid):
    assert Draft202012Validator(modules[key]["inputs"]).is_valid(inputs) is is_valid


def test_the_openapi_document_is_valid_and_without_warnings():
    call_command("spectacular", "--fail-on-warn", "--validate", stdout=StringIO())


def test_the_openapi_document_names_each_call_once(api):
    paths = api().get(f"{API}schema/").json()["paths"]
    names = [call["operationId"] for calls in paths.values() for call in calls.values() if "operationId" in call]
    assert len(names) == len(set(names))
    assert paths["/api/v1/runs/"]["get"]["operationId"] == "runs_list"
    assert paths["/api/v1/runs/{id}/"]["get"]["operationId"] == "runs_retrieve"
