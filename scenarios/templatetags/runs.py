"""{% load runs %}: what pages of other packages show of runs."""

from typing import Any

from django import template
from django.template import Context

from accounts.roles import Role
from connections.models import Connection
from scenarios.models import Scenario

register = template.Library()


@register.inclusion_tag("runs/run_now.html", takes_context=True)
def run_now(context: Context, connection: Connection) -> dict[str, Any]:
    """Offers to run a scenario that waited for this connection: published, and never run so far."""
    scenario = never_run(connection) if context["request"].actor.may(Role.EDITOR) else None
    return {"scenario": scenario, "connection": connection, "csrf_token": context.get("csrf_token")}


def never_run(connection: Connection) -> Scenario | None:
    if connection.status != "connected":
        return None
    uses = {"steps": [{"connection": connection.slug}]}
    rows = Scenario.objects.filter(workspace_id=connection.workspace_id, deleted_at=None, runs=None)
    return rows.filter(published__document__contains=uses).order_by("-id").first()
