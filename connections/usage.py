"""Who uses a connection. Scenarios register a look-up here, since this package may not import them."""

from collections.abc import Callable

from connections.models import Connection

lookups: list[Callable[[Connection], list[dict[str, str]]]] = []  # each gives [{"id": public id, "name": …}]
waiting: list[Callable[[Connection], int]] = []  # how many runs wait for the connection
held: list[Callable[[Connection], int]] = []  # how many wait because its service asks to wait


def users_of(connection: Connection) -> list[dict[str, str]]:
    return [user for lookup in lookups for user in lookup(connection)]


def waiting_runs(connection: Connection) -> int:
    return sum(count(connection) for count in waiting)


def held_runs(connection: Connection) -> int:
    return sum(count(connection) for count in held)
