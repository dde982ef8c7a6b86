"""What starts a run, and what the run sees of it: webhook, schedule, by hand. `start` is the one way to a new run."""

import hashlib
import secrets
import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar
from urllib.parse import parse_qsl

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts import vault
from accounts.models import User
from actions.base import Action
from actions.fields import ChoiceField, JsonField, NumberField, TextField
from lib import safe_json, schedules
from lib.errors import InvalidInput, Json
from lib.ids import uuid7
from scenarios import hints, signatures
from scenarios.document import Document, parse
from scenarios.engine import ENGINE
from scenarios.leases import Claimed
from scenarios.models import Hook, Run, Scenario, Schedule, Version

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


class TriggerType(Action):
    """A trigger is declared like an action; what makes it fire stands in intake, scheduler and views."""

    kind = "trigger"
    sample: ClassVar[Json] = {"body": {}}


class Manual(TriggerType):
    key = "manual"
    title = _("By hand")
    help = _("The scenario runs when you press the button, or when a program asks for it.")
    icon = "mouse-pointer-click"


class Called(TriggerType):
    key = "scenario"
    title = _("Another scenario")
    help = _("The scenario runs when a step of another one calls it, and gives back its last step's result.")
    icon = "workflow"


class Webhook(TriggerType):
    key = "webhook"
    title = _("Webhook")
    help = _("The scenario runs each time a service sends a request to its address.")
    icon = "webhook"
    sample = {"method": "POST", "headers": {}, "query": {}, "body": {}, "content_type": "application/json"}

    methods = JsonField(_("Methods"), default=["POST"], advanced=True, help=_("Requests with another method get 405."))
    dedupe_header = TextField(
        _("Header with the delivery's number"),
        default="",
        advanced=True,
        help=_("A second delivery with the same number starts no second run. GitHub: X-GitHub-Delivery."),
    )
    dedupe_path = TextField(
        _("Where the delivery's number stands in the body"), default="", advanced=True, help=_("For example: event.id")
    )
    signature = JsonField(
        _("Signature"), default={"mode": "none"}, advanced=True, help=_("How a sender proves itself.")
    )

    def conflicts(self) -> dict[str, list[str]]:
        errors = signatures.problems(self.signature)
        unknown = [m for m in self.methods if m not in METHODS] if isinstance(self.methods, list) else [self.methods]
        if unknown or not self.methods:
            errors["methods"] = [str(_("Choose from: {there}.")).format(there=", ".join(METHODS))]
        return errors


class ScheduleTrigger(TriggerType):
    key = "schedule"
    title = _("Schedule")
    help = _("The scenario runs at certain times, or every so often.")
    icon = "clock"
    sample = {"scheduled_for": "2026-01-12T09:00:00Z", "body": {}}

    cron = TextField(_("Cron rule"), default="", help=_("Five fields, for example: 0 9 * * 1-5"))
    every_s = NumberField(_("Every … seconds"), default=None, least=1)
    daily = JsonField(_("At these times"), default=None)
    timezone = TextField(_("Time zone"), default="", help=_("The scenario's own where it is empty."))
    misfire = ChoiceField(
        _("After an outage"),
        default="latest",
        advanced=True,
        choices=[
            ("latest", _("Run once, for the latest missed time")),
            ("all", _("Run for each missed time")),
            ("skip", _("Skip what was missed")),
        ],
    )
    misfire_window_s = NumberField(_("How far back, in seconds"), default=86400, least=0, advanced=True)
    days = ChoiceField(
        _("On which days"),
        default="",
        advanced=True,
        choices=[
            ("", _("Every day")),
            ("working", _("Only on working days of Russia")),
            ("holidays", _("Only on days off of Russia")),
        ],
        help=_("With moved days off and working Saturdays. What falls on another day does not run."),
    )
    jitter_s = NumberField(
        _("Random delay, up to … seconds"),
        default=0,
        least=0,
        most=schedules.JITTER_MOST_S,
        advanced=True,
        help=_("Each run starts up to this much later, so that not all start at once."),
    )

    @classmethod
    def check(cls, inputs: Mapping[str, Json]) -> dict[str, list[str]]:
        try:
            schedules.parse(inputs, "UTC")
        except InvalidInput as error:
            return {name: [gettext(message) for message in messages] for name, messages in error.errors.items()}
        return super().check(inputs)


TRIGGERS: dict[str, type[TriggerType]] = {one.key: one for one in (Manual, Webhook, ScheduleTrigger, Called)}


def start(
    version: Version,
    *,
    trigger: str,
    given: Json = None,
    user: User | None = None,
    replay: Run | None = None,
    begun: bool = False,
) -> Run:
    """Store a new run, and hint at it once it is durable.

    `given` is the trigger's result; a replay takes that of the old run. `begun` says that steps will be copied into
    the run: its journal is looked at from the first claim on.
    """
    run_id = uuid7()
    scenario = version.scenario
    limit = Scenario.objects.values_list("max_concurrent", flat=True).get(pk=scenario.pk)
    run = Run.objects.create(
        id=run_id,
        workspace_id=scenario.workspace_id,
        scenario_id=version.scenario_id,
        version=version,
        trigger=replay.trigger if replay else trigger,
        input=replay.input if replay else given,
        delivery_id=replay.delivery_id if replay else None,
        key=replay.key if replay else run_id,
        replay_of=replay.id if replay else None,
        fence=1 if begun else 0,
        started_by=user,
        engine=least_engine(parse(version.document)),
        is_limited=limit > 0,
        **({"wake_at": None} if limit > 0 else {}),
    )
    transaction.on_commit(hints.shared().wake)
    return run


def least_engine(document: Document) -> int:
    """The least engine that can execute it: workers of an older release leave its runs to newer ones."""
    steps = [step for _, step in document.walk()]
    is_plain = not document.on_error and not any(step.action.startswith("flow.") for step in steps)
    return 1 if is_plain and not any(step.retry and step.retry.on for step in steps) else ENGINE


def names_of(run: Claimed, document: Document) -> dict[str, Json]:
    """The names that a run's expressions begin with (docs/format.md)."""
    result = delivered(run.delivery) if run.delivery else run.input
    facts = {"id": run.id.hex, "key": run.key.hex, "started_at": run.started_at, "scenario": run.scenario}
    return names(document, result, facts)


def names(document: Document, trigger: Json, run: Json) -> dict[str, Json]:
    variables = dict(document.variables)
    return {**variables, document.trigger.key: trigger, "trigger": trigger, "vars": variables, "run": run}


def delivered(delivery: tuple[Json, ...]) -> dict[str, Json]:
    """A webhook's result: {"method", "headers", "query", "body", "content_type", "received_at"} (docs/format.md)."""
    method, query, headers, content_type, body, received_at = delivery
    return {
        "method": method,
        "headers": headers,
        "query": pairs(parse_qsl(query, keep_blank_values=True)),
        "body": body_of(bytes(body or b""), content_type),
        "content_type": content_type,
        "received_at": stamp(received_at),
    }


def body_of(raw: bytes, content_type: str) -> Json:
    """Parsed JSON, an object for a form, null when empty, else text. The raw bytes stay in the delivery."""
    if not raw:
        return None
    kind = content_type.partition(";")[0].strip().lower()
    text = raw.decode(errors="replace")
    if kind == "application/x-www-form-urlencoded":
        return safe_json.storable(pairs(parse_qsl(text, keep_blank_values=True)))
    if kind in {"", "text/plain"} or kind.endswith(("/json", "+json")):
        try:
            return safe_json.loads(raw, lenient=True)
        except ValueError:
            pass  # it says JSON and is none: the scenario sees what came
    return safe_json.storable(text)


def pairs(items: list[tuple[str, str]]) -> dict[str, Json]:
    """A repeated name is a list."""
    found: dict[str, list[str]] = {}
    for name, value in items:
        found.setdefault(name, []).append(value)
    return {name: values[0] if len(values) == 1 else values for name, values in found.items()}


def stamp(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def url_of(scenario: Scenario) -> str:
    """The scenario's webhook address; made at the first asking."""
    hook = getattr(scenario, "hook", None) or make_hook(scenario)
    token = vault.open(
        bytes(hook.token), table="hook", column="token", row=scenario.pk, workspace=scenario.workspace_id
    )
    return f"{settings.PUBLIC_URL}/hooks/{token.decode()}/"


def make_hook(scenario: Scenario) -> Hook:
    token = secrets.token_urlsafe(32)
    sealed = vault.seal(token.encode(), table="hook", column="token", row=scenario.pk, workspace=scenario.workspace_id)
    hook, _made = Hook.objects.get_or_create(scenario=scenario, defaults={"digest": digest(token), "token": sealed})
    return hook


def digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def set_clock(scenario: Scenario, document: Document | None, *, now: datetime) -> None:
    """Make the scenario's schedule that of `document`, counted from now on; None stops it."""
    rule = rule_of(document, scenario.workspace.timezone) if document else None
    if document is None or rule is None:
        Schedule.objects.filter(scenario=scenario).update(next_at=None)
        return
    zone = document.trigger.inputs.get("timezone") or zone_of(document, scenario.workspace.timezone)
    stored = {**document.trigger.inputs, "timezone": str(zone)}
    old = Schedule.objects.filter(scenario=scenario).first()
    if old and old.next_at and old.rule == stored:
        return  # publishing a version with the same rule moves no clock
    Schedule.objects.update_or_create(
        scenario=scenario, defaults={"rule": stored, "anchor_at": now, "next_at": rule.next(now, now)}
    )


def rule_of(document: Document, timezone: str) -> schedules.Rule | None:
    if document.trigger.type != "schedule":
        return None
    return schedules.parse(document.trigger.inputs, zone_of(document, timezone))


def zone_of(document: Document, timezone: str) -> str:
    return document.settings.timezone or timezone


def run_id_of(text: str) -> uuid.UUID | None:
    """A run's id as it stands in addresses: 32 hex digits; dashes are forgiven."""
    try:
        return uuid.UUID(hex=text)
    except ValueError:
        return None
