"""A frozen view of the SQLite log: one connection in one read transaction, its layers made from the deltas in it.

For verification beside a running server. One call at a time; a long-lived snapshot keeps the write-ahead log from being
taken over into the file, so it grows meanwhile.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from streams.backends.frozen import Frozen
from streams.backends.sqlite import reads
from streams.backends.sqlite.reading import SqliteReading, View
from streams.backends.sqlite.rows import Layers
from streams.backends.sqlite.schema import translated
from streams.backends.sqlite.state import load


class SqliteSnapshot(Frozen, SqliteReading):
    def __init__(self, source: SqliteReading, db: sqlite3.Connection) -> None:
        """`db` is in a read transaction; who opened it closes it."""
        super().__init__(source.path, source._info, source._now, source._limits)
        self._db = db
        self._lock = threading.RLock()
        self._slots: dict[tuple[int, str], tuple[int, Layers] | None] = {}

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            yield self._db

    _transaction = _reading

    @contextmanager
    def _view(self, partition: int, processor: str) -> Iterator[View | None]:
        with self._lock:
            if (partition, processor) not in self._slots:
                slot = load(self._db, partition, processor)
                self._slots[partition, processor] = (slot.slot, slot.layers) if slot else None
            found = self._slots[partition, processor]
            yield View(self._db, *found) if found else None

    def durable(self, partition: int) -> int:
        return self.tail(partition)

    @translated
    def follow(self, tails: Mapping[int, int], timeout: float) -> set[int]:
        """Answers at once: what is not there will not come."""
        with self._reading() as db:
            return {partition for partition, tail in tails.items() if reads.tail(db, partition) > tail}

    @translated
    def follow_outputs(self, numbers: Mapping[int, int], timeout: float) -> dict[int, int]:
        with self._reading() as db:
            last = {partition: reads.last_output(db, partition) for partition in numbers}
        return {partition: end for partition, end in last.items() if end > numbers[partition]}
