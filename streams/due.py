"""Which keys have something due, nearest first: the nearest part in memory, the rest on disk, found by `Log.due`.

The agent tells it what each commit changed, after the commit, and asks it when to tick and which keys a tick
concerns. It is empty when made and fills itself from the log, so a restart needs no replay. What is known in memory is
complete up to the *horizon*; beyond it the log is asked, when everything before is gone. One thread, the agent's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from streams.due_list import DueList
from streams.log import Log
from streams.state import CELL, DAWN, NEVER, Change

EVERYTHING: Final = (NEVER, "")
"""The horizon when nothing is on disk that is not in memory."""


class DueIndex:
    """`capacity` entries are read at a time; at most twice as many are kept."""

    def __init__(self, log: Log, partition: int, processor: str, capacity: int = 100_000) -> None:
        self._log = log
        self._partition = partition
        self._processor = processor
        self._capacity = capacity
        self._near = DueList()
        self._horizon = (DAWN - 1, "")

    def __len__(self) -> int:
        """Entries in memory."""
        return len(self._near)

    def committed(self, changes: Sequence[Change]) -> None:
        """What a commit changed. Of a name that comes twice the last one counts."""
        near, horizon = self._near, self._horizon
        newest = {change.name: change for change in changes}
        timed = {
            change.name: change.due
            for change in newest.values()
            if change.due < NEVER and change.value is not None and (change.due, change.name) <= horizon
        }
        near.remove((newest.keys() & near.names()) - timed.keys())
        near.add(timed.items())
        if len(near) > 2 * self._capacity:
            self._horizon = near.keep(self._capacity) or self._horizon

    def nearest(self) -> int:
        """The earliest due time, NEVER if there is none."""
        for due, _ in self._walk():
            return due
        return NEVER

    def before(self, time: int, limit: int) -> list[tuple[int, str]]:
        """(due, key) of what is due before this time, in order, at most `limit`. It stays until a commit moves it."""
        found: list[tuple[int, str]] = []
        for due, name in self._walk():
            if due >= time or len(found) >= limit:
                break
            found.append((due, name[len(CELL) :]))
        return found

    def _walk(self) -> Iterator[tuple[int, str]]:
        after = None
        while True:
            yield from self._near.walk(after)
            if self._horizon == EVERYTHING:
                return
            after = self._horizon
            self._read_on()

    def _read_on(self) -> None:
        found = self._log.due(self._partition, self._processor, self._horizon, self._capacity)
        self._near.add((name, due) for due, name in found if name.startswith(CELL))
        self._horizon = found[-1] if len(found) >= self._capacity else EVERYTHING
