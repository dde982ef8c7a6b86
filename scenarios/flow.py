"""Steps that the engine executes itself: routers, loops, filters, delays, stops, calls of other scenarios.

They are declared like every action, for forms, checks and schemas; what they do stands in engine.py and calling.py.
"""

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from actions.base import Action
from actions.fields import ChoiceField, DateTimeField, Field, JsonField, NumberField, TextField
from actions.registry import Connector
from lib.errors import Json
from scenarios.document import BRANCH, FOR_EACH

FILTER = "flow.filter"
DELAY = "flow.delay"
STOP = "flow.stop"
SCENARIO = "flow.scenario"
MOST_PARALLEL = 16
LONGEST_DELAY_S = 366 * 86_400
FALSE_WORDS = frozenset({"", "false", "0", "no", "off", "none", "null"})


def is_true(value: Json) -> bool:
    """What counts as a fulfilled condition: as in Jinja, but the words for "no" are no as texts too."""
    return value.strip().lower() not in FALSE_WORDS if isinstance(value, str) else bool(value)


class ConditionField(Field[bool]):
    """An expression that gives true or false."""

    widget = "condition"
    blank = False

    def is_blank(self, value: Json) -> bool:
        return value is None

    def convert(self, value: Json) -> bool:
        return is_true(value)

    def value_schema(self) -> dict[str, Json]:
        return {"type": "boolean"}


class ScenarioField(TextField):
    """The id of another scenario of the workspace."""

    widget = "scenario"


class FlowAction(Action):
    kind = "logic"


class Router(FlowAction):
    key = BRANCH
    title = _("Router")
    help = _("Takes the first branch whose condition is true.")
    returns = _("The number and the name of the branch taken: branch, name.")
    icon = "split"


class ForEach(FlowAction):
    key = FOR_EACH
    title = _("For each")
    help = _("Does the steps inside for every item of a list.")
    returns = _("How many items there were, and the last step's result of each pass: count, results.")
    icon = "repeat"
    kind = "loop"

    items = JsonField(
        _("List"),
        example="{{ s2.body.items }}",
        help=_("Inside, the item is {{ item }} and its number, from 0, {{ index }}."),
    )
    parallel = NumberField(
        _("How many at a time"), default=1, least=1, most=MOST_PARALLEL, help=_("1: one after the other, in order.")
    )
    on_item_error = ChoiceField(
        _("If an item fails"),
        default="stop",
        choices=[("stop", _("Stop here")), ("continue", _("Go on with the next"))],
    )


class Filter(FlowAction):
    key = FILTER
    title = _("Filter")
    help = _("Goes on only if the condition is true. In a loop, it ends the pass; elsewhere the run, as succeeded.")
    returns = _("Whether it let through: passed.")
    icon = "filter"

    when = ConditionField(_("Condition"), example="{{ s2.body.items | length > 0 }}")


class Delay(FlowAction):
    key = DELAY
    title = _("Delay")
    help = _("Waits, for seconds or for months, and then goes on.")
    returns = _("The moment until which it waited: until.")
    icon = "hourglass"
    kind = "time"

    seconds = NumberField(_("Seconds"), default=None, least=0, most=LONGEST_DELAY_S, example=3600)
    until = DateTimeField(_("Until"), default="", help=_("A moment that has passed already is no delay."))

    def conflicts(self) -> dict[str, list[str]]:
        has_both = self.seconds is not None and self.until != ""
        if has_both or not self.given & {"seconds", "until"}:
            return {"seconds": [gettext("Fill in either the seconds or the moment.")]}
        return {}


class Stop(FlowAction):
    key = STOP
    title = _("Stop")
    help = _("Ends the run here.")
    returns = _("Nothing: the run has ended.")
    icon = "square"

    status = ChoiceField(
        _("How it ends"),
        default="succeeded",
        choices=[("succeeded", _("As succeeded")), ("failed", _("With an error"))],
    )
    message = TextField(_("Message"), default="", help=_("Stands on the run's page."), max_length=2000)


class CallScenario(FlowAction):
    key = SCENARIO
    title = _("Run a scenario")
    help = _("Starts another scenario with your data and waits for its end.")
    returns = _("The other run and how it ended: run, status, and the result of its last step.")
    icon = "workflow"

    scenario = ScenarioField(_("Scenario"), example="b7mq2xk4")
    payload = JsonField(_("Data"), default=None, help=_("What the other scenario sees as {{ trigger.body }}."))
    on_failure = ChoiceField(
        _("If it fails"),
        default="result",
        advanced=True,
        choices=[("result", _("Go on; status says so")), ("fail", _("This step fails too"))],
    )


CONNECTOR = Connector(
    key="flow",
    title=_("Flow"),
    help=_("Branches, loops, delays, and calls of other scenarios."),
    icon="split",
    kind="logic",
    actions=(Router, ForEach, Filter, Delay, Stop, CallScenario),
)
