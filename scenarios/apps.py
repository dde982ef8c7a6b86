"""Scenarios tell the packages below what only they know: who uses a connection, and what its return wakes."""

from django.apps import AppConfig


class ScenariosConfig(AppConfig):
    name = "scenarios"

    def ready(self) -> None:
        from accounts import usage as account_usage
        from connections import events, usage
        from scenarios import editing, running

        usage.lookups.append(editing.used_by)
        usage.waiting.append(running.waiting_for)
        events.authorized.append(running.wake_waiting)
        account_usage.counters.append(running.counted)
