"""Delivering once more: a new run from the bytes that were kept, with the version in force now."""

from django.db import transaction

from accounts import audit
from accounts.access import Actor
from accounts.roles import Role
from lib.errors import UserError
from scenarios import triggers
from scenarios.deliveries import REPEATS
from scenarios.models import Delivery, Run, Scenario


def redeliver(actor: Actor, delivery: Delivery) -> Run:
    """A run of its own: it repeats the event, not the run, so steps that write do so once more.

    The ledger gets a delivery of its own, too, that names the first one in its headers: each is kept as long as its
    run. No number of the sender's counts here: the repetition is wanted. Raises UserError `body_not_kept`,
    `not_published`, `not_found`.
    """
    actor.require(Role.EDITOR)
    scenario = Scenario.objects.select_related("published").filter(pk=delivery.scenario_id, deleted_at=None).first()
    if scenario is None:
        raise UserError("not_found")
    if scenario.published is None:
        raise UserError("not_published")
    with transaction.atomic():
        # Locked: retention must not take the bytes in the meantime.
        first = Delivery.objects.select_for_update(of=("self",)).filter(pk=delivery.pk).first()
        if first is None or first.body is None:
            raise UserError("body_not_kept")
        run = triggers.start(scenario.published, trigger="webhook", user=actor.user)
        copy = Delivery.objects.create(
            workspace_id=first.workspace_id,
            scenario_id=first.scenario_id,
            verdict="accepted",
            method=first.method,
            query=first.query,
            headers={**first.headers, REPEATS: first.pk.hex},
            content_type=first.content_type,
            body=first.body,
            size=first.size,
            source=first.source,
            run_id=run.pk,
        )
        Run.objects.filter(pk=run.pk).update(delivery_id=copy.pk)
        audit.record(actor, "delivery.repeat", first.pk.hex, run=run.pk.hex)
    return run
