"""What the steps that steer would do with the samples there are; nothing is executed.

Also what the steps inside them see: the loop's current item, the error that a handler gets.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.core.exceptions import ValidationError
from django.utils.translation import gettext

from lib import expressions
from lib.errors import Json, UserError, describe
from scenarios import arranging
from scenarios.document import BRANCH, FOR_EACH, Document, Step, parse
from scenarios.flow import DELAY, FILTER, SCENARIO, STOP, ForEach
from scenarios.models import Scenario
from scenarios.performing import StepPerformer

Names = Mapping[str, Json]
KINDS = {bool: "true/false", str: "a text", int: "a number", float: "a number", dict: "an object", type(None): "null"}
UNKNOWN: Json = object()


@dataclass(frozen=True)
class Around:
    """What a step that steers looks at besides its inputs. `known` holds the samples by key."""

    workspace_id: int
    performer: StepPerformer
    known: Names


def branch(around: Around, step: Step, names: Names) -> Json:
    number = around.performer.choose(step, names)
    return {"branch": number, "name": "" if number is None else step.branches[number].name}


def for_each(around: Around, step: Step, names: Names) -> Json:
    items = around.performer.values(step, names)["items"]
    if not isinstance(items, list):
        raise UserError("not_a_list", params={"field": "items", "got": KINDS[type(items)]})
    last = step.steps[-1].key if step.steps else ""
    return {"count": len(items), "results": [around.known[last]] if items and last in around.known else []}


def filtered(around: Around, step: Step, names: Names) -> Json:
    return {"passed": bool(around.performer.values(step, names)["when"])}


def delay(around: Around, step: Step, names: Names) -> Json:
    values = around.performer.values(step, names)
    if values["seconds"] is not None:
        until = datetime.now(UTC) + timedelta(seconds=values["seconds"])
        return {"until": until.isoformat(timespec="milliseconds").replace("+00:00", "Z")}
    if not values["until"]:
        raise UserError("no_delay", params={"field": "seconds"})
    return {"until": values["until"]}


def stop(around: Around, step: Step, names: Names) -> Json:
    values = around.performer.values(step, names)
    return {"status": values["status"], "message": values["message"]}


def call(around: Around, step: Step, names: Names) -> Json:
    """The result of the other scenario's last step is known where that one was tested."""
    wanted = around.performer.values(step, names)["scenario"]
    rows = Scenario.objects.filter(workspace_id=around.workspace_id, deleted_at=None, published__isnull=False)
    found = rows.filter(public_id=wanted).first()
    if found is None:
        raise UserError("scenario_not_callable", params={"name": wanted})
    steps = parse(found.document).steps
    result = found.samples.get(steps[-1].key) if steps else None
    return {"run": "", "status": "succeeded", "result": result}


STEERING: dict[str, Callable[[Around, Step, Names], Json]] = {
    BRANCH: branch,
    FOR_EACH: for_each,
    FILTER: filtered,
    DELAY: delay,
    STOP: stop,
    SCENARIO: call,
}


def with_inner_names(document: Document, names: Names, key: str) -> dict[str, Json]:
    """The names with those that the loops and handlers around a step add, as far as samples give them."""
    found = dict(names)
    for place in arranging.way_to(document, key):
        owner, part = place.home.owner, place.home.part
        if part == "on_error.steps":
            found["error"] = sample_error(owner)
        elif owner and part == "steps":
            items = items_of(arranging.step_of(document, owner), found)
            found |= {"item": items[0] if items else UNKNOWN, "index": 0 if items else UNKNOWN}
    return {name: value for name, value in found.items() if value is not UNKNOWN}


def items_of(loop: Step, names: Names) -> list[Json]:
    """What a loop would go through; nothing where that is not known yet."""
    known = {name: value for name, value in names.items() if value is not UNKNOWN}
    try:
        items = ForEach.items.convert(expressions.evaluate(loop.inputs.get("items"), known))
    except (UserError, ValidationError):
        return []
    return items if isinstance(items, list) else []


def sample_error(path: str) -> Json:
    """An error as handlers see it: a likely one."""
    told = describe({"code": "upstream_timeout", "params": {"host": "api.example.com", "seconds": 30}}, gettext)
    return {"code": told["code"], "text": told["text"], "params": told["params"], "path": path}
