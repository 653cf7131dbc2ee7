"""The circuit breaker of a target: closed, open, half-open.

It opens when, of the attempts of the last `window` seconds, the share that failed reaches `failures`, and closes again
when `probes` attempts in a row succeed after a pause. A pause that was in vain is followed by one twice as long. The
half-open state is one of time: what is open and whose pause is over. Pure: time is handed in, microseconds.
Source of the pattern: Nygard, Release It!, "Circuit Breaker".
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

import msgspec

SLICES: Final = 10
"""Of a window, that are forgotten one by one."""
MOST_DOUBLINGS: Final = 30


@dataclass(frozen=True, slots=True)
class BreakerPolicy:
    """Times in seconds."""

    failures: float = 0.5
    window: float = 60.0
    minimum: int = 10
    """Attempts in a window, below which it never opens."""
    pause: float = 30.0
    longest: float = 600.0
    """Pause, however often it was in vain."""
    probes: int = 1


class Switch(msgspec.Struct, array_like=True, frozen=True):
    """A change of a breaker, as it is stored. Times in microseconds."""

    open: bool
    at: int
    until: int = 0
    """When it is tried again."""
    pauses: int = 0
    """In a row, this one included."""
    reason: str = ""
    """Of the last attempt that failed."""
    since: int = 0
    """When the first of these pauses began."""


CLOSED: Final = Switch(False, 0)


class Breaker:
    def __init__(self, policy: BreakerPolicy) -> None:
        self._policy = policy
        self.switch = CLOSED
        self._slices: deque[list[int]] = deque()
        """[number of the slice, attempts, of them failed]…"""
        self._attempts = 0
        self._failures = 0
        """…and their sums."""
        self._proved = 0
        """Attempts that succeeded since the pause was over."""

    def restore(self, switch: Switch) -> None:
        """What is stored, unless something newer is known."""
        if switch.at > self.switch.at:
            self.switch, self._proved = switch, 0
            self._forget_all()

    def open(self, now: int) -> bool:
        """Whether nothing may be sent."""
        return self.switch.open and now < self.switch.until

    def half_open(self, now: int) -> bool:
        return self.switch.open and now >= self.switch.until

    @property
    def since(self) -> int:
        """Since when it is as it is: what was sent before is not answered for what it is now."""
        return self.switch.until if self.switch.open else self.switch.at

    @property
    def probes(self) -> int:
        """How many may be under way while it is half open."""
        return self._policy.probes - self._proved

    def record(self, failed: bool, reason: str, now: int) -> Switch | None:
        """What came of an attempt; the change that it makes. What was sent before it opened changes nothing."""
        if self.open(now):
            return None
        if self.half_open(now):
            if failed:
                return self._open(now, reason, self.switch.pauses + 1)
            self._proved += 1
            return self._close(now) if self._proved >= self._policy.probes else None
        self._count(failed, now)
        attempts, failures = self._attempts, self._failures
        if failed and attempts >= self._policy.minimum and failures >= self._policy.failures * attempts:
            return self._open(now, reason, 1)
        return None

    def _count(self, failed: bool, now: int) -> None:
        self._forget(now)
        number = self._number(now)
        if not self._slices or self._slices[-1][0] < number:
            self._slices.append([number, 0, 0])
        self._slices[-1][1] += 1
        self._slices[-1][2] += failed
        self._attempts += 1
        self._failures += failed

    def _forget(self, now: int) -> None:
        first = self._number(now) - SLICES + 1
        while self._slices and self._slices[0][0] < first:
            _, attempts, failures = self._slices.popleft()
            self._attempts -= attempts
            self._failures -= failures

    def _forget_all(self) -> None:
        self._slices.clear()
        self._attempts = self._failures = 0

    def _number(self, now: int) -> int:
        return now // max(1, int(self._policy.window * 1e6) // SLICES)

    def _open(self, now: int, reason: str, pauses: int) -> Switch:
        pause = min(self._policy.pause * 2.0 ** min(pauses - 1, MOST_DOUBLINGS), self._policy.longest)
        at = max(now, self.switch.at + 1)
        since = self.switch.since if pauses > 1 else at
        return self._turn(Switch(True, at, now + int(pause * 1e6), pauses, reason, since))

    def _close(self, now: int) -> Switch:
        return self._turn(Switch(False, max(now, self.switch.at + 1)))

    def _turn(self, switch: Switch) -> Switch:
        self.switch, self._proved = switch, 0
        self._forget_all()
        return switch
