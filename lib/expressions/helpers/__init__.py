"""The helpers of expressions: importing this package fills the table."""

from lib.expressions.helpers import dates, encoding, lists, logic, numbers, patterns, text
from lib.expressions.helpers.helper import KINDS, TABLE, Helper

__all__ = ["HELPERS", "KINDS", "Helper", "dates", "encoding", "lists", "logic", "numbers", "patterns", "text"]

# In the order of the help: by kind, then as they are written down.
HELPERS: tuple[Helper, ...] = tuple(
    sorted({made.name: made for made in TABLE.values()}.values(), key=lambda made: list(KINDS).index(made.kind))
)
