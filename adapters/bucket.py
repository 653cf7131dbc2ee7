"""A token bucket: so many commands in a time, and so many at once at most.

Between two moments `t` seconds apart no more than `burst` + `t` × limit / per are let through. Pure: time is handed in.
Source: the generic cell rate algorithm's equal, ITU-T I.371 annex A.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from streams.state import NEVER

SET_BACK: Final = 10_000_000
"""Microseconds. Whoever asks with an older time than somebody else gets nothing for the time between; with one that is
older than that, the clock was set back."""


@dataclass(frozen=True, slots=True)
class Rate:
    limit: int
    """Commands in…"""
    per: float
    """…so many seconds."""
    burst: float
    """At once, at most; at least 1."""


class Bucket:
    """`share`: of the whole rate, what this process may use; 0 to 1."""

    def __init__(self, rate: Rate) -> None:
        self._rate = rate
        self._share = 1.0
        self._tokens = rate.burst
        self._at = 0

    def use(self, share: float, now: int) -> None:
        if share != self._share:
            self._fill(now)
            self._share = share
            self._tokens = min(self._tokens, self._most)

    def room(self, now: int) -> int:
        """Commands that may go now."""
        self._fill(now)
        return int(self._tokens + 1e-9)

    def take(self, count: int) -> None:
        self._tokens -= count

    def put_back(self, count: int) -> None:
        """They were not sent."""
        self._tokens = min(self._most, self._tokens + count)

    def next_at(self, now: int) -> int:
        """When one more may go, microseconds."""
        self._fill(now)
        if self._tokens >= 1 or not self._share:
            return now if self._share else NEVER
        return now + int((1 - self._tokens) / self._speed * 1e6) + 1

    @property
    def _speed(self) -> float:
        """A second."""
        return self._rate.limit * self._share / self._rate.per

    @property
    def _most(self) -> float:
        """A process with a small share may still send one."""
        return max(1.0, self._rate.burst * self._share)

    def _fill(self, now: int) -> None:
        if now > self._at:
            passed = (now - self._at) / 1e6 if self._at else 0.0
            self._tokens = min(self._most, self._tokens + passed * self._speed)
            self._at = now
        elif now < self._at - SET_BACK:
            self._at = now
