"""The command line: `python -m sandbox`, and `manage.py sandbox` through the same two functions."""

import argparse
import signal
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from sandbox.app import App
from sandbox.calendar.times import find_zone
from sandbox.server import Server
from sandbox.state import State
from sandbox.storage import Disk, StorageError
from sandbox.store import DEFAULT_CLIENT, Client, Settings, Store

DEFAULT_PORT = 8010
DEFAULT_DATA = Path("var/sandbox")


@dataclass(frozen=True)
class Options:
    """The parsed command line."""

    host: str
    port: int
    data: Path
    memory: bool
    token_lifetime: int
    rotation: bool
    redirect_uri: list[str]
    client_id: str
    client_secret: str
    time_zone: str
    demo: bool

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> "Options":
        return cls(**{field.name: given[field.name] for field in fields(cls)})


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (127.0.0.1)")
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help=f"port to listen on ({DEFAULT_PORT})")
    parser.add_argument("--data", type=Path, default=DEFAULT_DATA, help=f"folder of its data ({DEFAULT_DATA})")
    parser.add_argument("--memory", action="store_true", help="keep nothing: forget all at the end")
    parser.add_argument(
        "--token-lifetime", type=int, default=3599, metavar="S", help="seconds that an access token lives (3599)"
    )
    parser.add_argument("--rotation", action="store_true", help="each refresh gives a new refresh token")
    parser.add_argument(
        "--redirect-uri", action="append", default=[], metavar="URI", help="the only redirect URIs allowed (any)"
    )
    parser.add_argument("--client-id", default=DEFAULT_CLIENT.id, help=f"the app's id ({DEFAULT_CLIENT.id})")
    parser.add_argument("--client-secret", default=DEFAULT_CLIENT.secret, help=f"({DEFAULT_CLIENT.secret})")
    parser.add_argument("--time-zone", default="Europe/Moscow", help="zone of new calendars (Europe/Moscow)")
    parser.add_argument("--no-demo", dest="demo", action="store_false", help="begin with an empty calendar")


def run(options: Options) -> int:
    """Serve until SIGINT or SIGTERM. Gives the exit status; a failure to start is told in one sentence."""
    if find_zone(options.time_zone) is None:
        return complain(f"There is no time zone {options.time_zone}; write it as Europe/Moscow.")
    try:
        # The address first: a second sandbox must not touch the data of the first.
        server = Server(options.host, options.port)
    except (OSError, OverflowError) as failure:
        return complain(f"The sandbox cannot listen on {options.host}:{options.port}: {reason(failure)}.")
    try:
        state = make_state(options)
    except StorageError as failure:
        server.stop()
        return complain(str(failure))
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    server.start(App(state).respond)
    sys.stdout.write(f"Sandbox: {server.url}\n")
    sys.stdout.flush()
    stopped.wait()
    state.trouble.stop()
    server.stop()
    state.store.close()
    return 0


def make_state(options: Options) -> State:
    client = Client(options.client_id, options.client_secret, redirect_uris=tuple(options.redirect_uri))
    store = Store(
        disk=None if options.memory else Disk(options.data),
        clients={client.id: client},
        settings=Settings(token_lifetime=options.token_lifetime, rotation=options.rotation),
        time_zone=options.time_zone,
    )
    return State(store, is_demo=options.demo)


def reason(failure: Exception) -> str:
    return getattr(failure, "strerror", None) or str(failure)


def complain(sentence: str) -> int:
    sys.stderr.write(f"{sentence}\n")
    return 1


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m sandbox", description=__doc__)
    add_arguments(parser)
    return run(Options.of(vars(parser.parse_args(arguments))))
