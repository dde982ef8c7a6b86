"""What a repeat of a step may do to the world: RELIABILITY.md c.4."""

from enum import StrEnum


class Effect(StrEnum):
    PURE = "pure"  # computes only
    READ = "read"  # changes nothing: may be repeated
    KEYED = "keyed"  # a repeat is recognised, or leaves the same state
    ONCE = "once"  # a repeat acts a second time
