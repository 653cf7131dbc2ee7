"""How much work a job does."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Size:
    events: int
    """Of a round."""
    rounds: int
    keys: int
    """Of jobs over many keys."""
    requests: int
    """Of a round over HTTP."""
    seconds: float
    """That a load over time is offered for."""


FULL = Size(events=200_000, rounds=7, keys=1_000_000, requests=20_000, seconds=20.0)
QUICK = Size(events=50_000, rounds=3, keys=100_000, requests=4_000, seconds=4.0)
TINY = Size(events=200, rounds=1, keys=300, requests=40, seconds=0.3)
"""To see that a job runs: its figures mean nothing."""
