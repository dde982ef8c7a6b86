"""What a new step most likely means: its connection, the list that a loop goes through."""

from collections.abc import Mapping

from accounts.access import Actor
from actions import registry
from connections import access as connections_access
from lib.errors import Json
from scenarios import arranging
from scenarios.document import KEY, Document, parse
from scenarios.models import Scenario


def connection(actor: Actor, scenario: Scenario, action_key: str) -> str:
    """The connection that steps of the same module use here already, or the only one that fits."""
    if registry.get(action_key).connection != "required":
        return ""
    module = action_key.partition(".")[0]
    document = parse(scenario.document)
    used = [step.connection for _, step in document.walk() if step.action.partition(".")[0] == module]
    if any(used):
        return next(slug for slug in reversed(used) if slug)
    slugs = list(connections_access.visible(actor).exclude(status="new").values_list("slug", flat=True)[:2])
    return slugs[0] if len(slugs) == 1 else ""


def items(document: Document, samples: Mapping[str, Json], key: str) -> str:
    """The nearest list that a step sees, as a template; "" where no sample has one."""
    homes = dict(arranging.homes(document))
    before = [step for place in arranging.way_to(document, key) for step in homes[place.home][: place.position]]
    for seen in [*(step.key for step in reversed(before)), document.trigger.key]:
        path = list_in(samples.get(seen))
        if path is not None:
            return f"{{{{ {seen}{path} }}}}"
    return ""


def list_in(value: Json) -> str | None:
    """The path to the list that an answer is about: `.body.items`, `.body.orders`, `.body`. None without one."""
    for name in ("body", ""):
        inner = value.get(name) if name and isinstance(value, dict) else value
        path = f".{name}" if name else ""
        if isinstance(inner, list):
            return path
        names = [key for key, item in inner.items() if isinstance(item, list)] if isinstance(inner, dict) else []
        named = [key for key in sorted(names, key=lambda key: key != "items") if KEY.fullmatch(key)]
        if named:
            return f"{path}.{named[0]}"
    return None
