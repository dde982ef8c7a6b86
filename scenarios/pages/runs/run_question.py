"""What is asked before a run is repeated: what is kept, what is sent again, and with which version."""

from dataclasses import dataclass
from functools import cached_property

from django.utils.translation import gettext_lazy as _

from scenarios.document import parse
from scenarios.models import Run, Version
from scenarios.pages.runs import run_words
from scenarios.pages.runs.run_steps import by_path, tree_of
from scenarios.paths import generic
from scenarios.retrying import Plan

# What doing a step again means (scenarios.retrying.ORDER), in words, with a kind of badge.
CONSEQUENCES = {
    "twice": ("warn", _("will be sent a second time")),
    "maybe_twice": ("warn", _("may have arrived; will be sent once more")),
    "starts": ("warn", _("the scenario will be started again")),
    "sent_again": ("line", _("was refused; will be sent again")),
    "recognised": ("line", _("the service recognises it by its key")),
    "reads": ("line", _("only reads")),
}


@dataclass(frozen=True)
class Repeated:
    title: str
    count: int
    kind: str
    words: str


def repeated(plan: Plan) -> list[Repeated]:
    return [Repeated(one.title, one.count, *map(str, CONSEQUENCES[one.consequence])) for one in plan.again]


@dataclass(frozen=True)
class RetryQuestion:
    """The dialog about one run. `start_at` and `version` as they stand in the address."""

    run: Run
    plan: Plan
    start_at: str
    version: str

    @property
    def is_whole(self) -> bool:
        return self.plan.start_at is None

    @cached_property
    def step(self) -> str:
        """The step that the repeat begins with, in words."""
        path = self.plan.start_at or ""
        node = by_path(tree_of(parse(self.run.version.document))).get(generic(path))
        words = (run_words.numbered(node.number, node.title) if node else path, run_words.in_pass(path))
        return ", ".join(filter(None, words))

    @property
    def repeated(self) -> list[Repeated]:
        return repeated(self.plan)

    @cached_property
    def current(self) -> Version | None:
        """The version in force, where it is another than the run's."""
        now = self.run.scenario.published_id
        if now is None or now == self.run.version_id:
            return None
        return Version.objects.only("number").filter(pk=now).first()
