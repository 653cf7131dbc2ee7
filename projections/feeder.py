"""Brings query tables up to date behind the log.

The shell runs one in a thread of its own (`run`) and calls `notify` after commits. It follows the rows that the rules
and delivery commit in each partition, keeps of many changes of a row the last, and writes what a round found in all
partitions together, each with the position reached; only then it lets the log forget them. A crash at any place repeats
a part, and what is repeated is the same. When the log has forgotten what was not shown yet, or has lost events, the
partition is made anew from its state.

Where processes share the tables, the one that evaluates a partition feeds it. Two that do so for a moment, while it
changes hands, or beside a rebuild, find that the position was moved and go on from there.

It holds about one gathering of changes (`Bounds`) in memory, and one commit more. An error is reported, waited out and
tried again: the tables fall behind meanwhile, and `status` says so.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from projections.changes import row_changes
from projections.refill import refill
from projections.store import QueryStore, Write
from projections.table import DELIVERY, RULES, CommandDecoder, CommandRow
from streams.log import Feed, Log


@dataclass(frozen=True, slots=True)
class Bounds:
    """Times in seconds."""

    page_rows: int = 5_000
    """Rows asked from the log at once."""
    gather_rows: int = 50_000
    """Different rows gathered for one write of the store, and of one partition, about."""
    gather_bytes: int = 32 << 20
    pause: float = 0.05
    """Least time between two rounds, so that commits of a busy log are shown together. What comes alone is shown at
    once."""
    yielding: float = 2.0
    """While commits keep coming the feeder waits this many times as long as its last round took, so that whoever
    evaluates in this process has most of it…"""
    yielding_below: int = 100_000
    """…but not where more events than these are not shown: a backlog may not grow for as long as it lasts."""
    longest_pause: float = 1.0
    idle: float = 1.0
    """Longest wait without a `notify`: commits of another process are seen after that."""
    first_retry: float = 0.1
    last_retry: float = 5.0


BESIDE: Final = Bounds(page_rows=2_000, gather_rows=2_000, gather_bytes=4 << 20)
"""For tables on the server that commits go to, too: it does nothing else while it writes those of one partition, a few
milliseconds then."""


@dataclass(frozen=True, slots=True)
class FeederStatus:
    failure: str
    """Why the last round failed; "" if it did not."""
    failures: int
    """Rounds that failed since the last that did not."""
    refills: int
    """How often a partition was made anew because the log had forgotten commits."""


_Slot = tuple[int, str]
"""Partition and processor."""
_Rows = dict[str, tuple[bytes | None, int]]
"""Name → the last value and the position of its commit."""


class _Gathered(NamedTuple):
    slot: _Slot
    start: int
    end: int
    rows: _Rows
    size: int
    """Bytes that were read for it."""


class Feeder:
    """`commands` decodes delivery's rows; `failed` is called with each error, in the feeder's thread. `partitions` says
    which to feed, asked in each round: those may come and go. `apart`: the tables lie elsewhere than the log, so they
    show only what the log cannot lose any more. `monotonic` gives seconds, to see how long rounds take."""

    def __init__(
        self,
        log: Log,
        store: QueryStore,
        commands: CommandDecoder,
        *,
        partitions: Callable[[], Iterable[int]] | None = None,
        apart: bool = True,
        monotonic: Callable[[], float],
        failed: Callable[[Exception], None],
        bounds: Bounds | None = None,
    ) -> None:
        self._log = log
        self._store = store
        self._commands = commands
        self._partitions = partitions or (lambda: range(log.info.partitions))
        self._apart = apart
        self._forks = len(log.forks)
        self._monotonic = monotonic
        self._failed = failed
        self._bounds = bounds or Bounds()
        self._wake = threading.Event()
        self._positions: dict[_Slot, int] = {}
        self._behind = 0
        """Events that were evaluated when the last round began, and are not shown after it."""
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
            began = self._monotonic()
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
                stop.wait(self._pause(self._monotonic() - began))
            elif not self._wake.wait(self._bounds.idle):
                self._positions.clear()  # a failover may have taken back what was shown, and no event

    def _pause(self, took: float) -> float:
        if not self._wake.is_set() or self._behind >= self._bounds.yielding_below:
            return self._bounds.pause
        return max(self._bounds.pause, min(self._bounds.yielding * took, self._bounds.longest_pause))

    def catch_up(self) -> None:
        """Shows everything that is committed now; what is committed meanwhile is the next one's."""
        goals = dict(self._slots(set(self._partitions())))
        while self.round() and any(self._positions.get(slot, 0) < goal for slot, goal in goals.items()):
            pass

    def round(self, stop: threading.Event | None = None) -> bool:
        """Shows what there is, one gathering for each partition and processor; whether anything was. LogError and
        QueryStoreError may leave a part shown."""
        partitions = set(self._partitions())
        # Others feed what is not ours, and may have when it comes back.
        self._positions = {slot: at for slot, at in self._positions.items() if slot[0] in partitions}
        moved = self._after_forks(partitions)
        gathered: list[_Gathered] = []
        goals = dict(self._slots(partitions))
        for slot, position in goals.items():
            if stop is not None and stop.is_set():
                break
            start = self._positions.get(slot)
            if start is None:
                start = self._positions[slot] = self._store.position(*slot)
            if start == position or self._is_ahead(slot, start, position):
                continue
            found = self._gather(slot, start) if start < position else None
            if found is None:
                self._refill(slot)
                moved = True
            elif found.end > start:
                gathered.append(found)
            if (
                sum(len(each.rows) for each in gathered) >= self._bounds.gather_rows
                or sum(each.size for each in gathered) >= self._bounds.gather_bytes
            ):
                moved |= self._show(gathered)
                gathered = []
        moved |= self._show(gathered)
        self._behind = sum(
            max(0, position - self._positions.get(slot, 0)) for slot, position in goals.items() if slot[1] == RULES
        )
        return moved

    def _slots(self, partitions: set[int]) -> Iterator[tuple[_Slot, int]]:
        """With the positions that the log has."""
        for status in self._log.status():
            if status.partition in partitions:
                for processor in (RULES, DELIVERY):
                    yield (status.partition, processor), status.positions.get(processor, 0)

    def _after_forks(self, partitions: set[int]) -> bool:
        """What was shown of a partition that lost events may be lost, too: it is made anew."""
        forks = self._log.forks
        if len(forks) == self._forks:
            return False
        for partition in partitions.intersection(fork.partition for fork in forks[self._forks :]):
            for processor in (RULES, DELIVERY):
                self._refill((partition, processor))
        self._forks = len(forks)
        return True

    def _refill(self, slot: _Slot) -> None:
        refill(self._log, self._store, *slot, self._commands)
        self._status = FeederStatus(self._status.failure, self._status.failures, self._status.refills + 1)
        self._positions[slot] = self._store.position(*slot)

    def _is_ahead(self, slot: _Slot, start: int, position: int) -> bool:
        """Whether what is shown was committed after the log was asked for its position. What the log does not have at
        all is of one that was put back, or lost something: it is made anew."""
        return start > position and start <= self._log.position(*slot)

    def _gather(self, slot: _Slot, start: int) -> _Gathered | None:
        """From `start` on, within bounds. None if the log has forgotten some of it."""
        rows: _Rows = {}
        end, size = start, 0
        while len(rows) < self._bounds.gather_rows and size < self._bounds.gather_bytes:
            feeds: list[Feed] | None = self._log.feed(*slot, end, self._bounds.page_rows)
            if feeds is None:
                return None
            for feed in feeds:
                for change in feed.changes:
                    rows[change.name] = (change.value, feed.end)
                    size += len(change.name) + len(change.value or b"")
            if not feeds:
                break
            end = feeds[-1].end
        return _Gathered(slot, start, end, rows, size)

    def _show(self, gathered: Sequence[_Gathered]) -> bool:
        """Whether anything was shown, here or by others."""
        if not gathered:
            return False
        if self._apart:
            # What is shown follows from events that no power cut takes away: it would never be corrected.
            for partition in {each.slot[0] for each in gathered}:
                self._log.durable(partition)
        moved = False
        for each, done in zip(gathered, self._store.apply([self._write(each) for each in gathered]), strict=True):
            if done:
                self._positions[each.slot] = each.end
                self._log.forget(*each.slot, each.end)
                moved = True
            else:
                # Somebody else moved the position: go on from there. Or replaces what is shown: it is waited for.
                now = self._positions[each.slot] = self._store.position(*each.slot)
                moved |= now != each.start
        return moved

    def _write(self, gathered: _Gathered) -> Write:
        (partition, processor), start, end, rows, _ = gathered
        if processor != DELIVERY:
            cells = ((name, value, position) for name, (value, position) in rows.items())
            return Write(partition, processor, start, end, row_changes(self._store.tables, cells))
        shown: list[CommandRow] = []
        gone = [name for name, (value, _) in rows.items() if value is None]
        for name, (value, _) in rows.items():
            if value is not None and (command := self._commands(name, value)) is not None:
                shown.append(command)
        return Write(partition, processor, start, end, commands=shown, gone=gone)
