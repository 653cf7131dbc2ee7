"""The reading half of the SQLite log, the same for the log itself and for a snapshot of it.

Whoever inherits says where a connection comes from and which layers lie over a slot's tables.
"""

from __future__ import annotations

import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple

from streams.backends.fetching import fetch
from streams.backends.limits import LogLimits
from streams.backends.sqlite import reads
from streams.backends.sqlite import rows as sqlite_rows
from streams.backends.sqlite.check import check
from streams.backends.sqlite.schema import translated
from streams.event import Event
from streams.log import Batch, Feed, Fork, LogError, LogInfo, PartitionStatus
from streams.outputs import Output


class View(NamedTuple):
    """A slot as it can be looked at: its tables through `db`, and the layers over them."""

    db: sqlite3.Connection
    slot: int
    layers: sqlite_rows.Layers


class SqliteReading(ABC):
    def __init__(self, path: Path, info: LogInfo, now: Callable[[], int], limits: LogLimits) -> None:
        self.path = path
        self._info = info
        self._now = now
        self._limits = limits

    @property
    def info(self) -> LogInfo:
        return self._info

    @property
    def forks(self) -> Sequence[Fork]:
        return ()

    def now(self) -> int:
        return self._now()

    def warnings(self) -> list[str]:
        return []

    @abstractmethod
    def _reading(self) -> AbstractContextManager[sqlite3.Connection]:
        """A connection for statements that each see what is committed."""

    @abstractmethod
    def _transaction(self) -> AbstractContextManager[sqlite3.Connection]:
        """A connection whose statements all see one moment."""

    @abstractmethod
    def _view(self, partition: int, processor: str) -> AbstractContextManager[View | None]:
        """None for a processor that has not committed in this partition."""

    def _known(self, partition: int) -> int:
        if not 0 <= partition < self._info.partitions:
            raise LogError(f"there is no partition {partition}: this log has {self._info.partitions}, counted from 0")
        return partition

    @translated
    def read(self, partition: int, after: int, limit: int) -> Batch:
        with self._reading() as db:
            return reads.read(db, self._known(partition), after, limit)

    @translated
    def fetch(self, partition: int, offsets: Sequence[int]) -> list[Event]:
        with self._reading() as db:
            return fetch(
                self._known(partition),
                offsets,
                lambda after: reads.read(db, partition, after, 1),
                lambda: reads.tail(db, partition),
            )

    @translated
    def tail(self, partition: int) -> int:
        with self._reading() as db:
            return reads.tail(db, self._known(partition))

    @translated
    def sequence(self, partition: int, producer: str) -> int:
        with self._reading() as db:
            return reads.sequence(db, self._known(partition), producer)

    @translated
    def position(self, partition: int, processor: str) -> int:
        with self._reading() as db:
            return reads.position(db, self._known(partition), processor)

    @translated
    def outputs(self, partition: int, after: int, limit: int) -> tuple[int, list[Output]]:
        with self._reading() as db:
            return reads.outputs(db, self._known(partition), after, limit)

    @translated
    def rows(self, partition: int, processor: str, names: Sequence[str]) -> dict[str, bytes]:
        with self._view(self._known(partition), processor) as view:
            return sqlite_rows.look_up(*view, names) if view else {}

    @translated
    def scan(self, partition: int, processor: str, prefix: str, after: str, limit: int) -> list[tuple[str, bytes]]:
        with self._view(self._known(partition), processor) as view:
            return sqlite_rows.scan(*view, prefix, after, limit) if view else []

    @translated
    def due(self, partition: int, processor: str, after: tuple[int, str], limit: int) -> list[tuple[int, str]]:
        with self._view(self._known(partition), processor) as view:
            return sqlite_rows.due(*view, after, limit) if view else []

    @translated
    def feed(self, partition: int, processor: str, after: int, limit: int) -> list[Feed] | None:
        with self._transaction() as db:
            return reads.feed(db, self._known(partition), processor, after, limit)

    @translated
    def document(self, digest: str) -> bytes | None:
        with self._reading() as db:
            return reads.document(db, digest)

    @translated
    def status(self) -> list[PartitionStatus]:
        with self._transaction() as db:
            return reads.status(db, self._now())

    def check(self) -> Iterator[str]:
        with self._transaction() as db:
            yield from check(db, self.path, self._info.partitions, self._limits.lag_of)
