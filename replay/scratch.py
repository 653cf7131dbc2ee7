"""What a worker is given in place of the log when history is evaluated again: events are read from a snapshot, up to
the position that was committed, and everything it commits stays in memory, encoded.

Each replay of a partition makes one, in one thread, and throws it away. It cannot append, and there is nobody to fence:
a replay changes nothing. Memory: the encoded rows of the partition.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence

from streams.event import Event
from streams.log import Batch, Code, Commit, Log, LogInfo, PartitionStatus
from streams.outputs import Output
from streams.state import NEVER


class ScratchLog:
    """The part of the contract `streams.log.Log` that `streams.worker.Worker` uses. `committed` is given the outputs
    of each commit, in order."""

    def __init__(self, history: Log, partition: int, upto: int, committed: Callable[[Sequence[Output]], None]) -> None:
        self._history = history
        self._partition = partition
        self._upto = upto
        self._committed = committed
        self._at = 0
        self._rows: dict[str, dict[str, bytes]] = {}
        """First letter of a name → name → value, so that the few rows that are no cells are found among a million."""
        self._due: dict[str, int] = {}

    @property
    def info(self) -> LogInfo:
        return self._history.info

    # -- what a worker calls

    def read(self, partition: int, after: int, limit: int) -> Batch:
        batch = self._history.read(partition, after, limit)
        end = bisect_right(batch.offsets, self._upto)
        return batch if end == len(batch.offsets) else Batch(batch.offsets[:end], batch.events[:end])

    def fetch(self, partition: int, offsets: Sequence[int]) -> list[Event]:
        return self._history.fetch(partition, offsets)

    def position(self, partition: int, processor: str) -> int:
        return self._at

    def status(self) -> list[PartitionStatus]:
        return [PartitionStatus(self._partition, None, 0, self._upto, 0, {}, 0)]

    def rows(self, partition: int, processor: str, names: Sequence[str]) -> dict[str, bytes]:
        found: dict[str, bytes] = {}
        for name in names:
            value = self._rows.get(name[:1], {}).get(name)
            if value is not None:
                found[name] = value
        return found

    def scan(self, partition: int, processor: str, prefix: str, after: str, limit: int) -> list[tuple[str, bytes]]:
        rows = self._rows.get(prefix[:1], {})
        names = sorted(name for name in rows if name > after and name.startswith(prefix))
        return [(name, rows[name]) for name in names[:limit]]

    def due(self, partition: int, processor: str, after: tuple[int, str], limit: int) -> list[tuple[int, str]]:
        return sorted(pair for name, due in self._due.items() if (pair := (due, name)) > after)[:limit]

    def commit(self, commit: Commit) -> Code:
        for change in commit.changes:
            rows = self._rows.setdefault(change.name[:1], {})
            if change.value is None:
                rows.pop(change.name, None)
            else:
                rows[change.name] = change.value
            if change.value is not None and change.due < NEVER:
                self._due[change.name] = change.due
            else:
                self._due.pop(change.name, None)
        self._at = commit.end
        if commit.outputs:
            self._committed(commit.outputs)
        return Code.COMMITTED

    # -- what a replay came to

    @property
    def at(self) -> int:
        """The position: the last event that was evaluated."""
        return self._at

    def names(self) -> list[str]:
        """Of all rows, in order of code points."""
        return sorted(name for rows in self._rows.values() for name in rows)

    def value(self, name: str) -> bytes:
        return self._rows[name[:1]][name]

    def dues(self) -> list[tuple[int, str]]:
        """(due, name) of all rows with a due time, in that order."""
        return sorted((due, name) for name, due in self._due.items())
