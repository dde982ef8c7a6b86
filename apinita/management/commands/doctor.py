"""Looks the installation over: one line for each thing that must be in order, and the remedy where it is not."""

import os
import sys
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import DatabaseError, InterfaceError

from accounts.keys import check_keyring
from apinita import embedded, health
from lib.errors import UserError, describe


class Problem(Exception):
    """What is wrong; `remedy` says what to do about it."""

    def __init__(self, text: str, remedy: str) -> None:
        super().__init__(text)
        self.remedy = remedy


class Command(BaseCommand):
    help = "Look the installation over and say what to do about each problem."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("only", nargs="*", metavar="NAME", help="check only this, for example: worker")

    def handle(self, *args: Any, only: list[str], **options: Any) -> None:
        problems = 0
        for name, check in checks():
            if only and name not in only:
                continue
            try:
                self.stdout.write(f"ok       {name}: {check()}")
            except Problem as problem:
                problems += 1
                self.stdout.write(self.style.ERROR(f"problem  {name}: {problem}"))
                self.stdout.write(f"         {problem.remedy}")
        sys.exit(1 if problems else 0)


def checks() -> Iterator[tuple[str, Callable[[], str]]]:
    """By name; each gives what it found, or raises Problem."""
    yield "Python", python
    yield "data folder", data_folder
    yield "secret keys", keys
    yield "database", database
    yield "migrations", migrations
    yield "keys of the database", keys_fit
    yield "broker", broker
    yield "worker", worker
    yield "address", address
    yield "private hosts", private_hosts


def python() -> str:
    return ".".join(map(str, sys.version_info[:3]))  # an older one does not come as far as here


def data_folder() -> str:
    folder = settings.DATA
    if not settings.EMBEDDED:
        return "not needed: DATABASE_URL is set"
    if not folder.is_dir():
        raise Problem(f"{folder} does not exist", "Start once with make run, or set APINITA_DATA.")
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        raise Problem(f"{folder} is not writable", "Give it to the user that runs APInita, or set APINITA_DATA.")
    return str(folder)


def keys() -> str:
    if not settings.HAS_KEYS:
        raise Problem(settings.KEYS_PROBLEM, "Set APINITA_SECRET_KEYS, or start once with make run.")
    return f"{len(settings.KEYRING.keys)}, {settings.KEYRING.writing_id} writes"


def database() -> str:
    if settings.EMBEDDED and not embedded.is_running(settings.DATA):
        raise Problem("the embedded PostgreSQL is not running", "Start it with make run.")
    try:
        health.database_answers()
    except (DatabaseError, InterfaceError) as error:
        raise Problem(" ".join(str(error).split()), "Check DATABASE_URL, and that the server runs.") from error
    return "embedded" if settings.EMBEDDED else "answers"


def migrations() -> str:
    if not health.holds(health.no_migration_waits):
        raise Problem("the tables are not up to date", "Run python manage.py migrate, or start with up.")
    return "all applied"


def keys_fit() -> str:
    try:
        check_keyring(settings.KEYRING)
    except UserError as error:
        words = describe(error.as_json())
        raise Problem(words["text"], words["hint"] or "Set APINITA_SECRET_KEYS to the earlier keys.") from error
    except (DatabaseError, InterfaceError) as error:
        raise Problem("could not be compared", "First see to the database and the migrations.") from error
    return "the same as before"


def broker() -> str:
    if not health.holds(health.broker_answers):
        remedy = "Start it with make run." if settings.EMBEDDED else "Check REDIS_URL, and that the server runs."
        raise Problem("does not answer", remedy)
    return "embedded" if settings.EMBEDDED else "answers"


def worker() -> str:
    if not health.holds(health.worker_is_seen):
        seconds = int(health.WORKER_SEEN_WITHIN.total_seconds())
        raise Problem(
            f"none was seen in the last {seconds} s",
            "Start one: make run, or celery -A apinita worker -P threads. If one runs, its log says why it is silent.",
        )
    return "seen just now"


def address() -> str:
    return str(settings.PUBLIC_URL)


def private_hosts() -> str:
    """An unreadable list would have stopped this command earlier."""
    return settings.ALLOWED_PRIVATE_HOSTS or "none may be reached"
