"""When a failed delivery is tried again: exponential backoff with full jitter, never before the target's Retry-After.

Full jitter: AWS Architecture Blog, "Exponential Backoff And Jitter". Pure; chance is handed in.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

LONGEST_RETRY_AFTER: Final = 86_400.0
"""Seconds: a target may ask us to wait so long, and no longer."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Times in seconds. `attempts` and `elapsed` count from the first attempt, or from the first after a redrive."""

    initial: float = 1.0
    factor: float = 2.0
    max: float = 3_600.0
    attempts: int = 12
    elapsed: float = 86_400.0

    def ceiling(self, attempt: int) -> float:
        """The longest that backoff alone may wait after this attempt, counted from 1."""
        try:
            return min(self.max, self.initial * self.factor ** (attempt - 1))
        except OverflowError:
            return self.max

    def delay(self, attempt: int, retry_after: float | None, chance: Callable[[], float]) -> float:
        """Seconds to wait after this attempt. `chance` draws from [0, 1)."""
        jittered = chance() * self.ceiling(attempt)
        return max(jittered, min(retry_after or 0.0, LONGEST_RETRY_AFTER))

    def exhausted(self, attempt: int, elapsed: float, delay: float) -> str | None:
        """Why there is no further attempt after waiting `delay`, in words; None if there is one."""
        if attempt >= self.attempts:
            return f"gave up after {attempt} attempt{'s' if attempt > 1 else ''}"
        if elapsed + delay > self.elapsed:
            return f"gave up after {elapsed:,.0f} s: the next attempt would come later than {self.elapsed:,.0f} s"
        return None
