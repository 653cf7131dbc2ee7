"""Pauses between attempts at a server that is away: exponential, with full jitter, never longer than LONGEST.

Full jitter: AWS Architecture Blog, "Exponential Backoff And Jitter". Pure; chance is handed in.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

FIRST: Final = 0.2
"""Seconds: the longest of the first pause."""
LONGEST: Final = 10.0
SHORTEST: Final = 0.02


class Backoff:
    """`chance` draws from [0, 1)."""

    def __init__(self, chance: Callable[[], float]) -> None:
        self._chance = chance
        self._ceiling = FIRST

    def pause(self, at_least: float | None = None) -> float:
        """Seconds until the next attempt. `at_least`: what the server asked for; it is heeded up to LONGEST."""
        jittered = self._chance() * self._ceiling
        self._ceiling = min(self._ceiling * 2, LONGEST)
        return max(SHORTEST, jittered, min(at_least or 0.0, LONGEST))

    def over(self) -> None:
        """It answered: the next pause is the first again."""
        self._ceiling = FIRST
