"""Brings query tables up to date behind the log.

The shell runs one in a thread of its own (`run`) and calls `notify` after commits. It follows the rows that the rules
and delivery commit in each partition, keeps of many changes of a row the last, writes them sorted in one transaction
with the position reached, and only then lets the log forget them, where it is the only one that shows them. A crash at
any place repeats a part, and what is repeated is the same. When the log has forgotten what was not shown yet, or has
lost events, the partition is made anew from its state.

It holds at most one gathering of changes (`Bounds`) in memory. An error is reported, waited out and tried again: the
tables fall behind meanwhile, and `status` says so.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from projections.changes import row_changes
from projections.refill import refill
from projections.stores.sqlite import QueryStore
from projections.table import DELIVERY, RULES, CommandDecoder, CommandRow
from streams.log import Feed, Log


@dataclass(frozen=True, slots=True)
class Bounds:
    """Times in seconds."""

    page_rows: int = 5_000
    """Rows asked from the log at once."""
    gather_rows: int = 50_000
    """Different rows gathered for one transaction, about."""
    gather_bytes: int = 32 << 20
    pause: float = 0.05
    """Least time between two rounds, so that commits of a busy log are shown together. What comes alone is shown at
    once."""
    idle: float = 1.0
    """Longest wait without a `notify`: commits of another process are seen after that."""
    first_retry: float = 0.1
    last_retry: float = 5.0


@dataclass(frozen=True, slots=True)
class FeederStatus:
    failure: str
    """Why the last round failed; "" if it did not."""
    failures: int
    """Rounds that failed since the last that did not."""
    refills: int
    """How often a partition was made anew because the log had forgotten commits."""


class Feeder:
    """`commands` decodes delivery's rows; `failed` is called with each error, in the feeder's thread. Not `alone`:
    other processes show the same log in tables of their own, so it forgets by its own bound."""

    def __init__(
        self,
        log: Log,
        store: QueryStore,
        commands: CommandDecoder,
        *,
        partitions: Iterable[int] | None = None,
        alone: bool = True,
        failed: Callable[[Exception], None],
        bounds: Bounds | None = None,
    ) -> None:
        self._log = log
        self._store = store
        self._commands = commands
        self._partitions = tuple(range(log.info.partitions) if partitions is None else partitions)
        self._alone = alone
        self._forks = len(log.forks)
        self._failed = failed
        self._bounds = bounds or Bounds()
        self._wake = threading.Event()
        self._positions: dict[tuple[int, str], int] = {}
        self._status = FeederStatus("", 0, 0)

    @property
    def status(self) -> FeederStatus:
        return self._status

    def notify(self) -> None:
        """Something was committed. From any thread, and cheap."""
        self._wake.set()

    def run(self, stop: threading.Event) -> None:
        """Feeds until `stop` is set; call `notify` after setting it to be heard at once."""
        retry = self._bounds.first_retry
        while not stop.is_set():
            self._wake.clear()
            try:
                moved = self.round(stop)
            except Exception as error:
                self._positions.clear()
                self._status = FeederStatus(str(error), self._status.failures + 1, self._status.refills)
                self._failed(error)
                stop.wait(retry)
                retry = min(retry * 2, self._bounds.last_retry)
                continue
            retry = self._bounds.first_retry
            if self._status.failures:
                self._status = FeederStatus("", 0, self._status.refills)
            if moved:
                stop.wait(self._bounds.pause)
            else:
                self._wake.wait(self._bounds.idle)

    def round(self, stop: threading.Event | None = None) -> bool:
        """Shows what there is, one gathering for each partition and processor; whether anything was. LogError and
        QueryStoreError may leave a part shown."""
        moved = self._after_forks()
        for partition in self._partitions:
            for processor in (RULES, DELIVERY):
                if stop is not None and stop.is_set():
                    return moved
                moved |= self._advance(partition, processor)
        return moved

    def _after_forks(self) -> bool:
        """What was shown of a partition that lost events may be lost, too: it is made anew."""
        forks = self._log.forks
        if len(forks) == self._forks:
            return False
        for partition in {fork.partition for fork in forks[self._forks :]}.intersection(self._partitions):
            for processor in (RULES, DELIVERY):
                self._positions[partition, processor] = self._refilled(partition, processor)
        self._forks = len(forks)
        return True

    def _refilled(self, partition: int, processor: str) -> int:
        """The position it led to."""
        refill(self._log, self._store, partition, processor, self._commands)
        self._status = FeederStatus(self._status.failure, self._status.failures, self._status.refills + 1)
        return self._store.position(partition, processor)

    def catch_up(self) -> None:
        """Shows everything that is committed now."""
        while self.round():
            pass

    def _advance(self, partition: int, processor: str) -> bool:
        slot = (partition, processor)
        start = self._positions.get(slot)
        if start is None:
            start = self._positions[slot] = self._store.position(partition, processor)
        gathered = self._gather(partition, processor, start)
        if gathered is None:
            end = self._refilled(partition, processor)
        else:
            end, rows = gathered
            if end == start:
                return False
            # What is shown follows from events that no power cut takes away: it would never be corrected.
            self._log.durable(partition)
            if not self._apply(partition, processor, start, end, rows):
                # A rebuild moved the position: go on from where it left off.
                del self._positions[slot]
                return True
        self._positions[slot] = end
        if self._alone:
            self._log.forget(partition, processor, end)
        return True

    def _gather(self, partition: int, processor: str, start: int) -> tuple[int, _Rows] | None:
        """(position, name → the last value and the position of its commit) from `start` on, within bounds. None if the
        log has forgotten some of it."""
        rows: _Rows = {}
        end, size = start, 0
        while len(rows) < self._bounds.gather_rows and size < self._bounds.gather_bytes:
            feeds: list[Feed] | None = self._log.feed(partition, processor, end, self._bounds.page_rows)
            if feeds is None:
                return None
            for feed in feeds:
                for change in feed.changes:
                    rows[change.name] = (change.value, feed.end)
                    size += len(change.name) + len(change.value or b"")
            if not feeds:
                break
            end = feeds[-1].end
        return end, rows

    def _apply(self, partition: int, processor: str, start: int, end: int, rows: _Rows) -> bool:
        if processor != DELIVERY:
            cells = ((name, value, position) for name, (value, position) in rows.items())
            return self._store.apply(partition, processor, start, end, row_changes(self._store.tables, cells))
        shown: list[CommandRow] = []
        gone = [name for name, (value, _) in rows.items() if value is None]
        for name, (value, _) in rows.items():
            if value is not None and (command := self._commands(name, value)) is not None:
                shown.append(command)
        return self._store.apply(partition, processor, start, end, commands=shown, gone=gone)


_Rows = dict[str, tuple[bytes | None, int]]
