"""A time for each of many ids, the earliest first: when leases run out, when commands expire.

A heap whose entries are given up by name, and built anew when most are: one that stays long holds back the rest. One
thread, that of the partition's turns.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import Final

from streams.state import NEVER

FORGOTTEN: Final = 1_000
"""Entries given up may stay in the heap, so many more than those that stand."""


class Times:
    def __init__(self) -> None:
        self._times: dict[str, int] = {}
        self._heap: list[tuple[int, str]] = []

    def set(self, id: str, at: int) -> None:
        self._times[id] = at
        heappush(self._heap, (at, id))
        if len(self._heap) > 2 * len(self._times) + FORGOTTEN:
            self._heap = [(at, id) for id, at in self._times.items()]
            heapify(self._heap)

    def remove(self, id: str) -> None:
        self._times.pop(id, None)

    def passed(self, now: int) -> list[str]:
        """Ids whose time is `now` or before it, the earliest first; each is told once."""
        found: list[str] = []
        while self.next <= now:
            id = heappop(self._heap)[1]
            del self._times[id]
            found.append(id)
        return found

    @property
    def next(self) -> int:
        """NEVER if there is none."""
        heap = self._heap
        while heap and self._times.get(heap[0][1]) != heap[0][0]:
            heappop(heap)
        return heap[0][0] if heap else NEVER
