"""`manage.py scenario`: what goes out comes in again, and what is wrong is said by its path."""

import io
import json
from pathlib import Path

import pytest
import yaml
from django.core.management import CommandError, call_command

from accounts.models import User, Workspace
from scenarios.models import Scenario
from tests.scenarios.making import document, made

pytestmark = pytest.mark.django_db


def said(*arguments: str) -> str:
    out = io.StringIO()
    call_command("scenario", *arguments, stdout=out, stderr=io.StringIO())
    return out.getvalue()


@pytest.mark.parametrize("kind", ["yaml", "json"])
def test_an_exported_scenario_can_be_imported_and_is_switched_off(alice: User, tmp_path: Path, kind: str) -> None:
    secret = {"mode": "header", "name": "X-Key", "secret": "s3cret!"}
    scenario = made(alice, document("webhook", signature=secret))
    exported = said("export", scenario.public_id, "--format", kind)
    assert "s3cret!" not in exported
    file = tmp_path / "one.txt"
    file.write_text(exported)
    new = Scenario.objects.get(public_id=said("import", str(file)).strip())
    assert (new.status, new.published, new.name) == ("draft", None, scenario.name)
    assert new.document["steps"] == scenario.document["steps"]


def test_validating_names_the_place(alice: User, tmp_path: Path) -> None:
    file = tmp_path / "one.yaml"
    file.write_text(yaml.safe_dump(document("manual", {"key": "s2", "action": "data.st", "inputs": {}})))
    with pytest.raises(CommandError, match=r"steps\[0\].action: .*data\.st"):
        said("validate", str(file))
    file.write_text(json.dumps(document()))
    assert said("validate", str(file)) == "ok\n"


@pytest.mark.parametrize("text", ["{", "a: [", "\x00"])
def test_a_file_that_is_neither_is_one_clear_sentence(alice: User, tmp_path: Path, text: str) -> None:
    file = tmp_path / "one.txt"
    file.write_text(text)
    with pytest.raises(CommandError, match="neither JSON nor YAML"):
        said("validate", str(file))


def test_the_workspace_must_be_clear(alice: User, other_workspace: Workspace) -> None:
    with pytest.raises(CommandError, match="--workspace"):
        said("export", "x")
    with pytest.raises(CommandError, match="no scenario x"):
        said("export", "x", "--workspace", "Школа")


def test_running_an_unpublished_scenario_says_what_to_do(alice: User, tmp_path: Path) -> None:
    file = tmp_path / "one.json"
    file.write_text(json.dumps(document()))
    public_id = said("import", str(file)).strip()
    with pytest.raises(CommandError, match="Publish it first"):
        said("run", public_id)
