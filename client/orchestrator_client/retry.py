"""How often and how long a call is repeated: full-jitter backoff, the server's Retry-After, and one limit for it all.

After attempt n the pause is drawn evenly from 0 to `first` · 2ⁿ, at most `most` (M. Brooker, "Exponential Backoff And
Jitter", 2015); clients that failed together do not come back together. Where the server says Retry-After, the pause is
that and up to `first` more.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from orchestrator_client.errors import ClientError


@dataclass(frozen=True, slots=True)
class Retry:
    """In seconds. Calls of the client end within about `within`, whatever happens; 0 is one attempt."""

    within: float = 60.0
    first: float = 0.1
    most: float = 10.0


ONCE: Final = Retry(within=0.0)


class Attempts:
    """Of one call."""

    def __init__(
        self,
        retry: Retry,
        monotonic: Callable[[], float] = time.monotonic,
        chance: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._retry = retry
        self._monotonic = monotonic
        self._chance = chance
        self._began = monotonic()
        self._failed = 0

    def timeout(self, usual: float) -> float:
        """How long the next attempt may take."""
        if not self._retry.within:
            return usual
        left = self._retry.within - (self._monotonic() - self._began)
        return min(usual, max(left, 0.1))

    def pause(self, error: ClientError) -> float:
        """Seconds to wait before the next attempt. Raises the error if there is no use or no time for one."""
        if not error.passing:
            raise error
        self._failed += 1
        ceiling = min(self._retry.most, self._retry.first * 2.0 ** min(self._failed, 30))
        pause = self._chance(0.0, ceiling)
        if error.retry_after is not None:
            pause = error.retry_after + self._chance(0.0, self._retry.first)
        passed = self._monotonic() - self._began
        if passed + pause > self._retry.within:
            if self._failed > 1:
                error.add_note(f"given up after {self._failed} attempts in {passed:.1f} s")
            raise error
        return pause

    def succeeded(self) -> None:
        """What comes now begins anew."""
        self._began = self._monotonic()
        self._failed = 0
