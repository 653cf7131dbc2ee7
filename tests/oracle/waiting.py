"""What waits for a key: deadlines, windows that will close, firings that wait for quiet. And what a firing is."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from streams.event import Event
from tests.oracle.document import Projection, Rule


@dataclass(eq=False)
class Met:
    """An event that a rule met, as it was then."""

    event: Event
    lets: dict[str, Any]
    arguments: dict[str, Any]
    """Aggregate → the value of its argument."""
    number: int
    """The order of arrival."""


@dataclass(eq=False)
class Firing:
    rule: Rule
    key: str
    event: Event
    """What `event` is in its actions."""
    values: dict[str, Any]
    """`let` values, aggregates, steps."""
    at: int
    opening: Any
    completing: Any
    cause: str
    number: int = 0


@dataclass(eq=False)
class Waiting:
    rule: Rule
    key: str
    number: int
    """The order of opening."""

    @property
    def due(self) -> int:
        raise NotImplementedError

    @property
    def rank(self) -> tuple[float, int]:
        """The place among what is due at one time."""
        return -self.rule.priority, self.rule.place


@dataclass(eq=False)
class Kept:
    """A row that goes when nothing touches it: behind all that is due at that time."""

    projection: Projection
    key: str
    touched: int
    number: int = 0

    @property
    def due(self) -> int:
        return self.touched + self.projection.keep

    @property
    def rank(self) -> tuple[float, int]:
        return math.inf, 0


@dataclass(eq=False)
class Pending(Waiting):
    """A deadline that an event opened."""

    met: Met

    @property
    def due(self) -> int:
        assert self.rule.after is not None
        return self.met.event.time + self.rule.after


@dataclass(eq=False)
class Open(Waiting):
    """A tumbling window or a session with the events that it holds, by arrival."""

    held: list[Met] = field(default_factory=list)

    @property
    def first(self) -> int:
        return min(met.event.time for met in self.held)

    @property
    def last(self) -> int:
        return max(met.event.time for met in self.held)

    @property
    def start(self) -> int:
        assert self.rule.over is not None
        span = self.rule.over.span
        return self.first if self.rule.over.kind == "session" else self.first // span * span

    @property
    def due(self) -> int:
        assert self.rule.over is not None
        span = self.rule.over.span
        return (self.last if self.rule.over.kind == "session" else self.start) + span


@dataclass(eq=False)
class Quiet(Waiting):
    """Firings that followed each other closely: the last one waits until it was quiet."""

    firings: list[Firing] = field(default_factory=list)

    @property
    def last(self) -> Firing:
        return max(self.firings, key=lambda firing: (firing.at, firing.number))

    @property
    def due(self) -> int:
        assert self.rule.settle is not None
        return self.last.at + self.rule.settle


@dataclass(eq=False)
class Match:
    """A sequence under way."""

    rule: Rule
    key: str
    opening: Event
    step: int = 0
    """The step that it waits for, or of which it has some events."""
    count: int = 0
    """How many events of that step it has."""
    names: dict[str, Event] = field(default_factory=dict)
    reached: int = 0
    """The time of the newest event in it."""
