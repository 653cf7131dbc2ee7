"""Types and patterns against the types of events."""

from __future__ import annotations

from typing import Final

from streams.event import RESERVED

MAX_TYPES: Final = 10_000
"""Types come from outside and may be any number: what is remembered of more is forgotten."""


def fits(pattern: str, type: str) -> bool:
    """Whether `on` says this type. Patterns are about business events; the engine's own are named in full."""
    if pattern == type:
        return True
    if type.startswith(RESERVED):
        return False
    return pattern == "*" or (pattern.endswith(".*") and type.startswith(pattern[:-1]))
