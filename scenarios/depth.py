"""How many runs stand above a webhook's delivery: runs that send to our own webhooks count themselves in a header."""

from collections.abc import Mapping

from connections.ownhost import DEPTH
from lib.errors import Json

HEADER = DEPTH.lower()
MOST_DEPTH = 5  # runs that start one another through their webhooks
LONGEST_DEPTH = 4  # digits


def depth_of(headers: Mapping[str, Json]) -> int:
    """As our own HTTP client says it (connections.ownhost); 0 for what is no such number."""
    text = str(headers.get(HEADER, ""))
    if not text.isascii() or not text.isdecimal():
        return 0
    return int(text) if len(text) <= LONGEST_DEPTH else MOST_DEPTH + 1
