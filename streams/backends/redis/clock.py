"""The log's clock as a process knows it: the server's time when it was last told, and what went by since.

The machine's own wall clock plays no part, so that it may jump. It never goes backwards: where a server is behind its
predecessor it stands still until that one's time is reached.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class LogClock:
    def __init__(self, given: Callable[[], int] | None = None) -> None:
        """`given`: the clock of a test, which then is the scripts' clock, too."""
        self._given = given
        self._lock = threading.Lock()
        self._ahead = 0
        """Microseconds that the server is ahead of time.monotonic."""
        self._last = 0

    def argument(self) -> str:
        """For scripts: empty when they are to ask their server."""
        return "" if self._given is None else str(self._given())

    def told(self, now: int) -> None:
        """A server just said what time it is."""
        with self._lock:
            self._ahead = now - time.monotonic_ns() // 1000

    def now(self) -> int:
        if self._given is not None:
            return self._given()
        with self._lock:
            self._last = max(self._last, time.monotonic_ns() // 1000 + self._ahead)
            return self._last
