"""The leases that run in one partition: which commands are with somebody, and when the first of them runs out.

A heap of deadlines, of which those that are over are skipped, and dropped when they are the most: one slow lease holds
back the rest. One thread, that of the partition's turns.
"""

from __future__ import annotations

from heapq import heappop, heappush
from typing import Final

from adapters.ledger import Entry
from streams.state import NEVER

FORGOTTEN: Final = 1_000
"""Leases that are over may stay in the heap, so many more than run."""


class Leases:
    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}
        self._deadlines: list[tuple[int, str]] = []

    def __contains__(self, id: str) -> bool:
        return id in self._entries

    def get(self, id: str) -> Entry | None:
        return self._entries.get(id)

    def hold(self, entry: Entry) -> None:
        """Until its deadline."""
        self._entries[entry.command.id] = entry
        heappush(self._deadlines, (entry.deadline, entry.command.id))
        if len(self._deadlines) > 2 * len(self._entries) + FORGOTTEN:
            self._deadlines = sorted(filter(self._runs, self._deadlines))

    def end(self, id: str) -> None:
        self._entries.pop(id, None)

    def run_out(self, now: int) -> list[Entry]:
        """Those whose time is over, the earliest first; each is told once."""
        found: list[Entry] = []
        while self.next <= now:
            found.append(self._entries.pop(heappop(self._deadlines)[1]))
        return found

    @property
    def next(self) -> int:
        """When the next runs out; NEVER if none runs."""
        heap = self._deadlines
        while heap and not self._runs(heap[0]):
            heappop(heap)
        return heap[0][0] if heap else NEVER

    def _runs(self, lease: tuple[int, str]) -> bool:
        """Whether it is neither answered nor, having been given back, replaced by a later one."""
        entry = self._entries.get(lease[1])
        return entry is not None and entry.deadline == lease[0]
