"""The command line: Django's, with one sentence where a traceback would only say that something is not set up."""

import sys


def run(argv: list[str]) -> None:
    from apinita import environment

    environment.uses_pool = False
    try:
        from django.conf import settings
        from django.core.management import execute_from_command_line
        from django.db import OperationalError

        try:
            execute_from_command_line(argv)
        except OperationalError as error:
            sys.exit(database_is_away(str(error), embedded=settings.EMBEDDED))
    except environment.BadSetting as error:
        sys.exit(str(error))


def database_is_away(reason: str, *, embedded: bool) -> str:
    from apinita.embedded import is_running
    from apinita.environment import data_folder

    if embedded and not is_running(data_folder()):
        return f"APInita is not running with the data folder {data_folder()}; start it with make run."
    return f"The database does not answer: {' '.join(reason.split())}"
