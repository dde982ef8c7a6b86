"""What may be inserted into a field: results of the steps before, variables and facts of the run, functions.

Groups for `{% picker %}` (docs/ui.md), the nearest step first.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop, ngettext

from lib import expressions
from lib.errors import Json
from lib.rfc3339 import problem as date_problem
from scenarios import foreseeing
from scenarios.document import Step
from scenarios.pages import wording
from scenarios.pages.editor.step_inputs import as_text
from scenarios.pages.editor.workbench import Workbench, action_of, title_of
from scenarios.triggers import TRIGGERS

MOST_PICKS = 80  # of one step
DEEPEST = 4
LONGEST_SAMPLE = 60
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# Names of keys that results of many services share, for people.
LABELS = {
    "status": gettext_noop("Status"),
    "headers": gettext_noop("Headers"),
    "body": gettext_noop("Body"),
    "query": gettext_noop("URL parameters"),
    "method": gettext_noop("Method"),
    "content_type": gettext_noop("Content type"),
    "received_at": gettext_noop("Received at"),
    "scheduled_for": gettext_noop("Scheduled for"),
    "items": gettext_noop("Items"),
    "summary": gettext_noop("Title"),
    "description": gettext_noop("Description"),
    "location": gettext_noop("Place"),
    "start": gettext_noop("Start"),
    "end": gettext_noop("End"),
    "dateTime": gettext_noop("Date and time"),
    "timeZone": gettext_noop("Time zone"),
    "date": gettext_noop("Date"),
    "attendees": gettext_noop("Guests"),
    "organizer": gettext_noop("Organizer"),
    "creator": gettext_noop("Author"),
    "created": gettext_noop("Created"),
    "updated": gettext_noop("Changed"),
    "htmlLink": gettext_noop("Link"),
    "id": gettext_noop("ID"),
    "email": gettext_noop("E-mail"),
    "name": gettext_noop("Name"),
    "phone": gettext_noop("Phone"),
    "nextSyncToken": gettext_noop("Sync token"),
    "nextPageToken": gettext_noop("Next page"),
    "full_sync": gettext_noop("Read in full"),
}
HELPER_TABS = ("date", "text", "number", "list", "logic", "encoding", "pattern")
# What is inserted for a helper that is called by itself; the others are put behind a value.
CALLED = {
    "now": "now()",
    "timestamp": "timestamp()",
    "uuid": "uuid()",
    "random": "random(1, 100)",
    "range": "range(1, 4)",
    "date": "now() | date('%d.%m.%Y')",
    "date_modify": "now() | date_modify('+1 day')",
    "to_tz": "now() | to_tz('Europe/Moscow')",
    "rfc3339": "now() | rfc3339",
}


def groups(bench: Workbench, step: Step) -> list[dict[str, Any]]:
    found = [of_step(bench, one) for one in bench.before(step.key)]
    return [*of_inner(bench, step), *found, of_trigger(bench), *of_functions(), of_variables(bench, step)]


def of_inner(bench: Workbench, step: Step) -> Iterator[dict[str, Any]]:
    """On top: the current item of the loop around the step, and the error that it handles."""
    names = bench.names_at(step.key)
    if bench.is_handling(step.key):
        yield {
            "title": _("The error"),
            "key": "error",
            "number": "!",
            "kind": "err",
            "icon": "life-buoy",
            "picks": list(picks(names.get("error", {}), "error")),
        }
    loop = bench.loop_around(step.key)
    if loop is not None:
        yield of_item(bench, loop, names)


def of_item(bench: Workbench, loop: Step, names: Mapping[str, Json]) -> dict[str, Any]:
    has_item = "item" in names
    found = list(picks(names["item"], "item")) if has_item else []
    index = pick(_("Number in the list, from 0"), "index", names.get("index", ""), depth=0)
    count = len(foreseeing.items_of(loop, bench.names_at(loop.key)))
    return {
        "title": _("Current item"),
        "key": "item",
        "number": bench.numbers[loop.key],
        "kind": "loop",
        "icon": "repeat",
        "note": _("1 of {n}").format(n=count) if has_item else "",
        "picks": [pick(_("The whole item"), "item", names.get("item", ""), depth=0), *without_whole(found), index],
        "test_url": "" if has_item else bench.url_of(loop.key),
    }


def without_whole(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [one for one in found if one["expression"] != "item"]


def of_step(bench: Workbench, step: Step) -> dict[str, Any]:
    action = action_of(step)
    has_sample = bench.has_sample(step.key)
    result = bench.samples.get(step.key)
    return {
        "title": title_of(step),
        "key": step.key,
        "number": bench.numbers[step.key],
        "kind": action.kind if action else "err",
        "icon": action.icon if action else "box",
        "picks": list(picks(result, step.key)) if has_sample else [whole(step.key)],
        "test_url": "" if has_sample else bench.url_of(step.key),
    }


def of_trigger(bench: Workbench) -> dict[str, Any]:
    trigger = bench.document.trigger
    kind = TRIGGERS.get(trigger.type)
    return {
        "title": trigger.name or wording.trigger(bench.document),
        "key": trigger.key,
        "number": "",
        "kind": "trigger",
        "icon": kind.icon if kind else "zap",
        "picks": list(picks(bench.samples.get(trigger.key), trigger.key)),
    }


def of_functions() -> Iterator[dict[str, Any]]:
    for kind in HELPER_TABS:
        helpers = [helper for helper in expressions.HELPERS if helper.kind == kind]
        yield {
            "title": _(expressions.KINDS[kind]),
            "tab": "functions",
            "kind": "code",
            "icon": "sigma",
            "picks": [
                {
                    "label": helper.signature,
                    "expression": CALLED.get(helper.name, helper.example.strip("{} ")),
                    "type": "function",
                    "sample": short(as_text(helper.result)),
                    "help": _(helper.text),
                }
                for helper in helpers
            ],
        }


def of_variables(bench: Workbench, step: Step) -> dict[str, Any]:
    variables = [
        {"label": name, "expression": f"vars.{name}", "type": "variable", "sample": short(as_text(value))}
        for name, value in bench.document.variables.items()
    ]
    facts = [
        {"label": _("Number of the run"), "expression": "run.id", "type": "variable"},
        {"label": _("Key of the run, the same in retries"), "expression": "run.key", "type": "variable"},
        {"label": _("When the run began"), "expression": "run.started_at", "type": "variable"},
    ]
    if connection := bench.connections.get(step.connection):
        of_connection = (("name", _("Connection"), connection.name), ("account", _("Account"), connection.account))
        facts += [
            {"label": label, "expression": f"connection.{name}", "type": "variable", "sample": value}
            for name, label, value in of_connection
        ]
    return {
        "title": _("Variables and the run"),
        "tab": "variables",
        "kind": "code",
        "icon": "variable",
        "picks": [*variables, *facts],
    }


def picks(value: Json, key: str) -> Iterator[dict[str, Any]]:
    """The values inside a result, parents first; of a list the list itself and its first item."""
    found = list(inside(value, key, depth=0)) if isinstance(value, (dict, list)) and value else [whole(key, value)]
    yield from found[:MOST_PICKS]


def whole(key: str, value: Json = "") -> dict[str, Any]:
    return pick(_("The whole result"), key, value, depth=0)


def inside(value: Json, path: str, *, depth: int, owner: str = "") -> Iterator[dict[str, Any]]:
    """`owner` is the label of the value itself: «Начало: часовой пояс» says more than «Часовой пояс»."""
    if isinstance(value, dict):
        for name, inner in value.items():
            here = f"{path}.{name}" if NAME.fullmatch(name) else f"{path}[{quoted(name)}]"
            label = _(LABELS[name]) if name in LABELS else name
            yield from branch(f"{owner}: {uncapitalized(label)}" if owner else label, here, inner, depth=depth)
    elif isinstance(value, list) and value:
        yield from branch(_("The first"), f"{path}[0]", value[0], depth=depth)


def branch(label: str, path: str, value: Json, *, depth: int) -> Iterator[dict[str, Any]]:
    yield pick(label, path, value, depth=min(depth, 2))
    if depth < DEEPEST:
        # Only the last owner is named: «Первый: начало: часовой пояс» would be too long for a chip.
        owner = "" if path.endswith(".body") else label.rpartition(": ")[2]
        yield from inside(value, path, depth=depth + 1, owner=capitalized(owner))


def capitalized(label: str) -> str:
    return label[:1].upper() + label[1:]


def uncapitalized(label: str) -> str:
    """Abbreviations and names of keys stay as they are."""
    return (
        label
        if label[1:2].isupper() or label not in {_(word) for word in LABELS.values()}
        else label[:1].lower() + label[1:]
    )


def pick(label: str, expression: str, value: Json, *, depth: int) -> dict[str, Any]:
    return {
        "label": label,
        "expression": expression,
        "type": type_of(value),
        "sample": sample(value),
        "depth": depth,
    }


def type_of(value: Json) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, str):
        return "datetime" if date_problem(value) is None else "text"
    return {int: "number", float: "number", list: "list", dict: "object"}[type(value)]


def sample(value: Json) -> str:
    if isinstance(value, list):
        return ngettext("{n} item", "{n} items", len(value)).format(n=len(value))
    if isinstance(value, dict):
        return ngettext("{n} field", "{n} fields", len(value)).format(n=len(value))
    return short(as_text(value))


def short(text: str) -> str:
    return text if len(text) <= LONGEST_SAMPLE else f"{text[: LONGEST_SAMPLE - 1]}…"


def quoted(name: str) -> str:
    return "'" + name.replace("\\", "\\\\").replace("'", "\\'") + "'"
