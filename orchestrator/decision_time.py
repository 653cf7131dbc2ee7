"""How long it takes from the append of an event to the commit of what was decided of it.

Measured without a clock in the log and without work per event: of each partition that this process evaluates, one
append at a time is watched, from its call until a commit of the rules has passed its last event. Then the next one is.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class DecisionTime:
    """Called by those who append and by those who commit, each in threads of their own. `observe` is told seconds."""

    def __init__(self, observe: Callable[[float], None]) -> None:
        self._observe = observe
        self._lock = threading.Lock()
        self._done: dict[int, int] = {}
        """Of partitions that are evaluated here, the offset of the last commit that was seen."""
        self._watched: dict[int, tuple[int, float]] = {}
        """Partition → the last offset of an append, and when it was called."""

    def held(self, partition: int) -> None:
        """It is evaluated here from now on."""
        with self._lock:
            self._done[partition] = 0
            self._watched.pop(partition, None)

    def left(self, partition: int) -> None:
        with self._lock:
            self._done.pop(partition, None)
            self._watched.pop(partition, None)

    def appended(self, partition: int, offset: int, began: float) -> None:
        """`began` by time.perf_counter."""
        with self._lock:
            done = self._done.get(partition)
            if done is None or partition in self._watched:
                return
            if done < offset:
                self._watched[partition] = offset, began
                return
        # It was decided before its appender heard that it is stored.
        self._observe(time.perf_counter() - began)

    def committed(self, partition: int, end: int) -> None:
        with self._lock:
            if partition not in self._done:
                return
            self._done[partition] = end
            watched = self._watched.get(partition)
            if watched is None or watched[0] > end:
                return
            del self._watched[partition]
        self._observe(time.perf_counter() - watched[1])
