"""What a repeat of a step may do to the world: docs/decisions/unknown-outcomes.md."""

from enum import StrEnum


class Effect(StrEnum):
    PURE = "pure"  # computes only
    READ = "read"  # changes nothing: may be repeated
    KEYED = "keyed"  # a repeat is recognised, or leaves the same state
    ONCE = "once"  # a repeat acts a second time
