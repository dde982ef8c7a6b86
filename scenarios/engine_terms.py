"""The words of the engine: what it keeps in the journal, what it is handed in, how a run ends or waits."""

import uuid
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Protocol

from lib.errors import Json, UserError
from scenarios.document import Step

ENDED_STEPS = frozenset({"succeeded", "failed", "skipped"})
UNREAD: Any = type("Unread", (), {"__repr__": lambda self: "UNREAD"})()  # a result that is there, but was not loaded


@dataclass(frozen=True)
class Later:
    """Stands in a scope for a result that the journal has and nobody has needed yet."""

    path: str


@dataclass(frozen=True)
class Entry:
    """A step in the journal. `status` is one of STEP_STATUSES; `attempt` counts from 1.

    `resume_at`: a waiting step does not go on before (seconds since the epoch). Inputs of None leave those stored.
    """

    path: str
    position: int
    status: str
    effect: str
    attempt: int = 1
    inputs: Json = None
    exchange: Json = None
    result: Json = None
    error: dict[str, Json] | None = None
    started_at: float | None = None
    took_ms: int | None = None
    resume_at: float | None = None


@dataclass(frozen=True)
class Prepared:
    """A step about to be executed: its inputs as JSON, their effect, and the doing itself."""

    inputs: Json
    effect: str
    replies: bool
    perform: "Callable[[Attempt], Performed]"


@dataclass(frozen=True)
class Attempt:
    """One execution of one step. `repeated`: an earlier one may have reached the other side."""

    path: str
    number: int
    repeated: bool


@dataclass(frozen=True)
class Performed:
    """What a step gave: a result or an error, and what went over the wire (secrets masked).

    `put_back`: nothing was sent, for a reason that is ours alone; the step counts as not begun.
    """

    result: Json = None
    exchange: Json = None
    error: UserError | None = None
    put_back: bool = False


class Journal(Protocol):
    """The engine's memory. The writes raise when the run is no longer ours; all may be called by several threads."""

    def recall(self, path: str) -> Entry | None: ...

    def last_position(self) -> int:
        """The highest position that an entry has so far."""

    def values(self, paths: Iterable[str]) -> dict[str, Json]:
        """The results of ended steps."""

    def note(self, entry: Entry, *, reply: Json = None) -> None:
        """Keep it; durable with the next commit. `reply` answers the webhook's sender from then on."""

    def commit(self, entry: Entry) -> None:
        """Keep it, with all that was noted; durable when this returns."""


class Performer(Protocol):
    def prepare(self, step: Step, names: Mapping[str, Json], inputs: Json | None) -> Prepared:
        """Resolve and check the inputs; `inputs` are those of an earlier attempt. Raises UserError."""

    def values(self, step: Step, names: Mapping[str, Json]) -> dict[str, Json]:
        """The cleaned inputs of a flow step. Raises UserError."""

    def choose(self, step: Step, names: Mapping[str, Json]) -> int | None:
        """The number of the branch to take; None where no condition is true. Raises UserError."""

    def reads(self, step: Step) -> frozenset[str]:
        """The names that the step's expressions, and those of the steps inside it, may read."""


class Control(Protocol):
    def check(self, *, is_handling: bool = False) -> None:
        """Called before each step. Raises Cancelled, Expired, HandedOver, or what says that the run is not ours.

        `is_handling`: the run has failed already and its failure is being handled; no deadline holds.
        """

    def now(self) -> float:
        """Seconds since the epoch by the database's clock."""


class Calls(Protocol):
    """Runs of other scenarios that this one's steps start."""

    def start(self, run_id: uuid.UUID, path: str, *, scenario: str, payload: Json) -> None:
        """Start it unless it is there. Raises UserError too_deep, scenario_not_callable."""

    def outcome(self, run_id: uuid.UUID) -> "tuple[str, Json] | None":
        """("succeeded" | "failed" | "cancelled", its last step's result); None while it goes on or waits for a person.

        Raises LookupError where there is no such run.
        """


Spawn = Callable[[Callable[[], None]], "Future[None]"]


class Cancelled(Exception):
    """The person has asked for the run to be cancelled."""


class Expired(Exception):
    """The run took longer than it may."""


class HandedOver(Exception):
    """This process is about to stop; another one goes on from the journal."""


@dataclass(frozen=True)
class Ended:
    status: str
    error: dict[str, Json] | None = None


@dataclass(frozen=True)
class Waits:
    """The run goes on after `seconds`, or when what `waits_for` names has happened, whatever comes first.

    `is_wanted`: the wait belongs to what the run does (a delay, a person, another run): no deadline counts it.
    """

    seconds: float
    waits_for: str = ""
    error: dict[str, Json] | None = None
    is_wanted: bool = False


class Stopped(Exception):
    """Ends the walk with an outcome."""

    def __init__(self, outcome: Ended | Waits) -> None:
        super().__init__()
        self.outcome = outcome


class Failed(Exception):
    """A step failed and nothing handles it: what stands around it fails too."""

    def __init__(self, error: dict[str, Json]) -> None:
        super().__init__()
        self.error = error


class Filtered(Exception):
    """A filter let nothing through: the pass, or else the run, ends as succeeded."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path
