"""A scheduler as a process of its own, for tests: fires what is due until it is ended.

Its first fire can be held inside its transaction with APINITA_FAILPOINTS. Prints each fire that ended in an error.
"""

import contextlib
import os
import time

import django
import psycopg

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "apinita.settings")
django.setup()

from scenarios import scheduler  # noqa: E402
from scenarios.hot_sql import connect  # noqa: E402


def work() -> None:
    while True:
        try:
            with contextlib.closing(connect(application_name=f"scheduler-{os.getpid()}")) as connection:
                print("ready", flush=True)
                while True:
                    scheduler.fire(connection)
                    time.sleep(0.05)
        except psycopg.Error as error:
            print(type(error).__name__, flush=True)


if __name__ == "__main__":
    work()
