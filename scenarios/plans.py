"""A published version made ready to run: parsed and compiled once per process."""

import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

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


def plan_of(document: Document) -> Plan:
    steps = [step for _, step in document.walk()]
    return Plan(document, {step.key: compiled(step) for step in steps}, any(replies(step) for step in steps))


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
