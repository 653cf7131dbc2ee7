"""A target as delivery sees it: a name that commands are addressed to, how its adapter is made, and what it bears."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from adapters.adapter import Adapter
from adapters.alarm_board import AlarmPolicy
from adapters.gates import GatePolicy
from adapters.retry import RetryPolicy


@dataclass(frozen=True, slots=True)
class Target:
    name: str
    kind: str
    open: Callable[[], Adapter] | None = field(repr=False)
    """Makes the adapter, in the event loop that will use it; None where workers elsewhere deliver."""
    timeout: float = 15.0
    """Seconds that one attempt may take."""
    concurrency: int = 8
    """Attempts at once."""
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    alarm: AlarmPolicy | None = None
    """When people are told of it."""
    gate: GatePolicy = field(default_factory=GatePolicy)
    batch: int = 1
    """Commands in one attempt, at most; more than one only where the adapter is a `BatchAdapter`."""
