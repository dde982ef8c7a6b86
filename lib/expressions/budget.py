"""How much one evaluation may cost, and what it may ask of the outside: the clock, the zone, the dice."""

from collections.abc import Callable
from datetime import UTC, datetime
from random import Random, SystemRandom

from lib.errors import Json
from lib.expressions.errors import ExpressionError

NODES = 200_000  # nodes of the syntax tree walked, items of lists passed
SIZE = 1_000_000  # bytes of the result as JSON, characters of a text
ITEMS = 100_000  # items of one list
DATA_DEPTH = 100  # lists and objects inside each other
NUMBER_BITS = 256
SOURCE = 20_000  # characters of all the expressions in one text
DEPTH = 60  # nodes of the syntax tree inside each other
TEXT_PER_NODE = 64  # characters of text worked through at the price of one node


def now() -> datetime:
    return datetime.now(UTC)


class Budget:
    """Counts down while an expression is evaluated; `ExpressionError` over_budget or too_large when it is spent."""

    left: int
    size: int
    clock: Callable[[], datetime]
    timezone: str
    random: Random

    def __init__(
        self,
        *,
        nodes: int = NODES,
        size: int = SIZE,
        clock: Callable[[], datetime] = now,
        timezone: str = "UTC",
        random: Random = SystemRandom(),  # noqa: B008 (it holds no state)
    ) -> None:
        self.left = nodes
        self.size = size
        self.clock = clock
        self.timezone = timezone
        self.random = random
        self.free: Json = None  # see `weigh_reference`

    def use(self, nodes: int = 1) -> None:
        self.left -= nodes
        if self.left < 0:
            raise ExpressionError("over_budget")

    def read(self, text: str) -> None:
        """Pay for a pass over a text."""
        self.use(len(text) // TEXT_PER_NODE + 1)

    def weigh(self, value: Json) -> None:
        """Count a value towards the size of the result."""
        self.size -= self.measure(value)
        if self.size < 0:
            raise too_large()

    def weigh_reference(self, value: Json) -> None:
        """Count a value that was only looked up.

        One list, object or text is free, the largest: it exists already, whatever its size. The others count, else
        each step could double the data of the one before.
        """
        if not isinstance(value, str | list | dict):
            return
        if self.free is None:
            self.free = value
            return
        size = self.size_of(value)
        if size is None or size > self.size:
            self.weigh(self.free)
            self.free = value
        else:
            self.size -= size

    def size_of(self, value: Json) -> int | None:
        try:
            return self.measure(value)
        except ExpressionError as error:
            if error.reason != "too_large":
                raise
            return None

    def measure(self, value: Json) -> int:
        """The size of a value as JSON in bytes, roughly; refuses what is too large or too deep for any further work."""
        if isinstance(value, str):
            return len(value)
        if not isinstance(value, list | dict):
            return 8
        size = nodes = depth = 0
        level = [value]
        while level:
            depth += 1
            inner: list[Json] = []
            for container in level:
                nodes += len(container)
                if isinstance(container, dict):
                    size += sum(map(len, container))
                for item in container.values() if isinstance(container, dict) else container:
                    if isinstance(item, str):
                        size += len(item) + 4
                    else:
                        size += 4
                        if isinstance(item, list | dict):
                            inner.append(item)
                if size > SIZE:
                    raise too_large()
            if depth > DATA_DEPTH:
                raise ExpressionError("too_deep")
            level = inner
        self.use(nodes // 4 + 1)
        return size


def too_large() -> ExpressionError:
    return ExpressionError("too_large", limit=SIZE)
