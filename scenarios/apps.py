"""What only scenarios know, told to the packages below: who uses a connection, what its return wakes, the sealed."""

from django.apps import AppConfig

from lib.errors import gettext_noop as _

AUDITED = {
    "scenario.create": _("Made a scenario"),
    "scenario.publish": _("Published a scenario"),
    "scenario.activate": _("Switched a scenario on"),
    "scenario.deactivate": _("Switched a scenario off"),
    "scenario.delete": _("Deleted a scenario"),
    "delivery.repeat": _("Delivered a webhook's request once more"),
    "run.cancel": _("Cancelled a run"),
    "run.retry": _("Repeated a run"),
    "run.resolve": _("Decided on a step whose outcome nobody knew"),
}

# Of the API's answers, by code.
STATUSES = {"body_not_kept": 409, "run_goes_on": 409, "no_such_step": 404, "data_not_kept": 409}


class ScenariosConfig(AppConfig):
    name = "scenarios"

    def ready(self) -> None:
        from accounts import api_errors, audit, keys
        from accounts import usage as account_usage
        from actions import registry
        from connections import events, rotation, usage
        from scenarios import editing, flow, running
        from scenarios.models import Hook, Scenario, Version

        registry.register(flow.CONNECTOR)
        usage.lookups.append(editing.used_by)
        usage.waiting.append(running.waiting_for)
        usage.held.append(running.held_by)
        events.authorized.append(running.wake_waiting)
        events.released.append(running.wake_held)
        account_usage.counters.append(running.counted)
        audit.name_actions(AUDITED)
        api_errors.STATUS_BY_CODE.update(STATUSES)
        keys.sealed_in(Hook, "token")
        keys.sealed_in(Scenario, "trigger_secrets")
        keys.sealed_in(Version, "trigger_secrets")
        rotation.register(
            rotation.Sealed(
                Hook, "token", lambda row: (row.scenario_id, row.scenario.workspace_id), "hook", ("scenario",)
            )
        )
        rotation.register(
            rotation.Sealed(Scenario, "trigger_secrets", lambda row: (row.pk, row.workspace_id), "scenario")
        )
        rotation.register(
            rotation.Sealed(
                Version,
                "trigger_secrets",
                lambda row: (row.scenario_id, row.scenario.workspace_id),
                "scenario",
                ("scenario",),
            )
        )
