"""Scenarios from the command line: `manage.py scenario export|import|validate|run`."""

import json
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

import yaml
from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext

from accounts.access import Actor
from accounts.models import Workspace
from accounts.roles import Role
from lib import safe_json
from lib.errors import Json, UserError, describe
from scenarios import access, editing, running
from scenarios.checking import problems as problems_of
from scenarios.document import InvalidDocument, parse


class Command(BaseCommand):
    help = "Export, import, validate or run scenarios."

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        export = verbs.add_parser("export", help="print a scenario's draft as YAML or JSON; it holds no secret")
        export.add_argument("id")
        export.add_argument("--format", choices=["yaml", "json"], default="yaml")
        imported = verbs.add_parser(
            "import", help="make a scenario of a file (- is standard input); it is switched off"
        )
        imported.add_argument("file")
        validate = verbs.add_parser("validate", help="say what is wrong with a file; exit 1 where something is")
        validate.add_argument("file")
        run = verbs.add_parser("run", help="run the published version and print how it ended; exit 1 where it failed")
        run.add_argument("id")
        run.add_argument("--body", default="{}", help="JSON in the place of the trigger's body")
        run.add_argument("--wait", type=float, default=60, help="seconds to wait for the end")
        for verb in (export, imported, validate, run):
            verb.add_argument("--workspace", default="", help="its name; not needed where there is only one")

    def handle(self, *args: Any, **options: Any) -> None:
        actor = Actor(workspace_named(options["workspace"]), Role.OWNER, None)
        try:
            VERBS[options["verb"]](self, actor, options)
        except InvalidDocument as error:
            raise CommandError("\n".join(lines(error))) from None
        except UserError as error:
            told = describe(error.as_json(), gettext)
            raise CommandError(" ".join(filter(None, (told["text"], told["hint"])))) from None

    def export(self, actor: Actor, options: dict[str, Any]) -> None:
        document = found(actor, options["id"]).document
        if options["format"] == "json":
            self.stdout.write(json.dumps(document, ensure_ascii=False, indent=2))
        else:
            self.stdout.write(yaml.safe_dump(document, allow_unicode=True, sort_keys=False), ending="")

    def take_in(self, actor: Actor, options: dict[str, Any]) -> None:
        scenario = editing.create(actor, read(options["file"]), draft=True)
        self.stdout.write(scenario.public_id)
        for problem in editing.problems(scenario):
            self.stderr.write(line(problem.path, describe(problem.as_json(), gettext)["text"]))

    def validate(self, actor: Actor, options: dict[str, Any]) -> None:
        wrong = problems_of(parse(read(options["file"])), editing.surroundings(actor.workspace.pk))
        if wrong:
            raise InvalidDocument(wrong)
        self.stdout.write("ok")

    def run_once(self, actor: Actor, options: dict[str, Any]) -> None:
        try:
            body = safe_json.loads(options["body"])
        except ValueError as error:
            raise CommandError(f"--body is not JSON: {error}") from None
        run = running.start_by_hand(actor, found(actor, options["id"]), body)
        ended = running.wait(run, options["wait"])
        run.refresh_from_db()
        self.stdout.write(f"{run.id.hex} {run.status}")
        if not ended:
            raise CommandError(f"The run has not ended within {options['wait']:g} s; it goes on.")
        if run.error:
            told = describe(run.error, gettext)
            raise CommandError(f"{told['path']}: {told['text']} {told['hint']}".strip())


VERBS = {
    "export": Command.export,
    "import": Command.take_in,
    "validate": Command.validate,
    "run": Command.run_once,
}


def workspace_named(name: str) -> Workspace:
    rows = list(Workspace.objects.filter(name=name) if name else Workspace.objects.all()[:2])
    if len(rows) == 1:
        return rows[0]
    if name:
        raise CommandError(
            f"There is no workspace “{name}”." if not rows else f"Several workspaces are called “{name}”."
        )
    raise CommandError("Name the workspace with --workspace." if rows else "There is no workspace yet.")


def found(actor: Actor, public_id: str) -> Any:
    row = access.scenarios(actor).filter(public_id=public_id).first()
    if row is None:
        raise CommandError(f"There is no scenario {public_id} in this workspace.")
    return row


def read(file: str) -> Json:
    """JSON or YAML: the second reads the first."""
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text()
        return yaml.safe_load(text)
    except OSError as error:
        raise CommandError(f"{file} cannot be read: {error.strerror}.") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise CommandError(f"{file} is neither JSON nor YAML: {' '.join(str(error).split())}") from None


def lines(error: InvalidDocument) -> list[str]:
    words = editing.in_words(error, gettext)
    return [line(path, message) for path, messages in words.items() for message in messages]


def line(path: str, message: str) -> str:
    return f"{path or 'document'}: {message}"
