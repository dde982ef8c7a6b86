"""Which scenarios, runs and deliveries somebody may see. Every page, API call and task fetches through here."""

from django.db.models import QuerySet
from django.http import Http404

from accounts.access import Actor
from scenarios.models import Delivery, Run, Scenario
from scenarios.triggers import run_id_of


def scenarios(actor: Actor) -> QuerySet[Scenario]:
    return Scenario.objects.filter(workspace=actor.workspace, deleted_at=None).select_related("published", "workspace")


def scenario(actor: Actor, public_id: str) -> Scenario:
    """Raises Http404, for somebody else's too."""
    found = scenarios(actor).filter(public_id=public_id).first()
    if found is None:
        raise Http404
    return found


def runs(actor: Actor) -> QuerySet[Run]:
    return Run.objects.filter(workspace=actor.workspace).select_related("scenario", "version")


def run(actor: Actor, run_id: str) -> Run:
    """Raises Http404, for somebody else's too."""
    key = run_id_of(run_id)
    found = runs(actor).filter(pk=key).first() if key else None
    if found is None:
        raise Http404
    return found


def deliveries(actor: Actor) -> QuerySet[Delivery]:
    return Delivery.objects.filter(workspace=actor.workspace).select_related("scenario")


def delivery(actor: Actor, delivery_id: str) -> Delivery:
    """Raises Http404, for somebody else's too."""
    key = run_id_of(delivery_id)
    found = deliveries(actor).filter(pk=key).first() if key else None
    if found is None:
        raise Http404
    return found
