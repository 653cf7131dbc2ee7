"""`over`: which of a key's events a rule looks at together (RULES.md §3). Times are microseconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

AGGREGATES: Final = frozenset("count sum avg min max distinct first last".split())
MOST: Final = 10_000
"""Events that an exact window holds for a key, and values that `distinct` tells apart, where a rule says no `limit`."""
LARGEST: Final = 100_000
"""The highest `limit`."""


@dataclass(frozen=True, slots=True)
class Sliding:
    """`over: 10m`: exact, ends at the event."""

    span: int
    limit: int = MOST


@dataclass(frozen=True, slots=True)
class Last:
    """`over: {last: 100}`: the last events by arrival."""

    count: int


@dataclass(frozen=True, slots=True)
class Stepped:
    """`over: {sliding: 24h, step: 15m}`: one bucket a step."""

    span: int
    step: int
    limit: int = MOST


@dataclass(frozen=True, slots=True)
class Tumbling:
    size: int
    limit: int = MOST


@dataclass(frozen=True, slots=True)
class Session:
    gap: int
    limit: int = MOST


Window = Sliding | Last | Stepped | Tumbling | Session
