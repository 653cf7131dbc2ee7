"""How many tokens a target may use in a minute and in a day. Pure: time is handed in, seconds.

What is under way counts as much as an attempt took of late, so that many at once do not use what only one could. Of one
process, and since its start.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Final

MINUTE: Final = 60.0
DAY: Final = 86_400.0
SLICES: Final = 60
"""Of a window, that are forgotten one by one."""
FIRST: Final = 1_000
"""Tokens that an attempt is taken to need before one has ended."""
SMOOTHING: Final = 0.2


@dataclass(slots=True)
class _Window:
    length: float
    limit: int
    slices: deque[tuple[float, int]] = field(default_factory=deque)
    """(when it began, tokens)."""
    used: int = 0

    def forget(self, now: float) -> None:
        while self.slices and self.slices[0][0] <= now - self.length:
            self.used -= self.slices.popleft()[1]

    def add(self, tokens: int, now: float) -> None:
        self.forget(now)
        self.used += tokens
        each = self.length / SLICES
        if self.slices and self.slices[-1][0] > now - each:
            began, before = self.slices.pop()
            self.slices.append((began, before + tokens))
        else:
            self.slices.append((now, tokens))

    def wait(self, needed: int, now: float) -> float:
        """Seconds until so many are free; of a need that is beyond the limit, until nothing is used."""
        self.forget(now)
        left = self.used + needed - self.limit
        for began, tokens in self.slices:
            if left <= 0:
                break
            left -= tokens
            until = began + self.length - now
            if left <= 0:
                return max(until, 0.0)
        else:
            if left > 0 and self.slices:
                return max(self.slices[-1][0] + self.length - now, 0.0)
        return 0.0


class Budget:
    def __init__(self, per_minute: int | None = None, per_day: int | None = None) -> None:
        self._windows = [
            _Window(length, limit) for length, limit in ((MINUTE, per_minute), (DAY, per_day)) if limit is not None
        ]
        self._mean = float(FIRST)
        self._known = False
        self._under_way = 0

    def wait(self, now: float) -> float:
        """Seconds until another attempt may begin; 0 for at once."""
        needed = int(self._mean * self._under_way) + 1
        wait = max((window.wait(needed, now) for window in self._windows), default=0.0)
        if wait == 0.0 and any(window.used + needed > window.limit for window in self._windows):
            return 1.0  # what is under way takes all: nobody knows for how long
        return wait

    def begin(self) -> None:
        self._under_way += 1

    def end(self, tokens: int, now: float) -> None:
        """Of an attempt that began; what it used."""
        self._under_way -= 1
        if not tokens:
            return
        self._mean = float(tokens) if not self._known else self._mean + SMOOTHING * (tokens - self._mean)
        self._known = True
        for window in self._windows:
            window.add(tokens, now)
