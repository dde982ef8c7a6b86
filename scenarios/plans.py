"""A published version made ready to run: parsed and compiled once per process."""

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from actions import registry
from lib import expressions
from scenarios.document import Document, Step, parse
from scenarios.models import Version

MOST_KEPT = 1000


@dataclass(frozen=True)
class Plan:
    document: Document
    inputs: Mapping[str, Mapping[str, expressions.Compiled]]  # step key → input → compiled template
    replies: bool  # whether a step answers the webhook's sender
    conditions: Mapping[str, Sequence[expressions.Compiled | None]] = field(default_factory=dict)  # of each router
    reads: Mapping[str, frozenset[str]] = field(default_factory=dict)  # step key → names read in it and inside it


def plan_of(document: Document) -> Plan:
    steps = [step for _, step in document.walk()]
    inputs = {step.key: compiled(step) for step in steps}
    conditions = {step.key: compiled_conditions(step) for step in steps if step.branches}
    reads: dict[str, frozenset[str]] = {}
    for step in reversed(steps):  # those inside come after the one around them
        own = [*inputs[step.key].values(), *filter(None, conditions.get(step.key, ()))]
        inner = [reads[one.key] for _place, held in step.inner() for one in held]
        reads[step.key] = frozenset().union(*(one.references for one in own), *inner)
    return Plan(document, inputs, any(replies(step) for step in steps), conditions, reads)


def compiled_conditions(step: Step) -> list[expressions.Compiled | None]:
    return [None if branch.when is None else expressions.compile_value(branch.when) for branch in step.branches]


def compiled(step: Step) -> dict[str, expressions.Compiled]:
    return {name: expressions.compile_value(value) for name, value in step.inputs.items()}


def replies(step: Step) -> bool:
    return bool(registry.get(step.action).replies)


class Plans:
    """The plans of the versions used last. Versions never change, so nothing here grows stale."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.kept: OrderedDict[int, Plan] = OrderedDict()

    def get(self, version_id: int) -> Plan:
        """Raises LookupError where the version is gone."""
        with self.lock:
            plan = self.kept.get(version_id)
            if plan is not None:
                self.kept.move_to_end(version_id)
                return plan
        document = Version.objects.filter(pk=version_id).values_list("document", flat=True).first()
        if document is None:
            raise LookupError(f"version {version_id} is gone")
        plan = plan_of(parse(document))
        with self.lock:
            self.kept[version_id] = plan
            while len(self.kept) > MOST_KEPT:
                self.kept.popitem(last=False)
        return plan
