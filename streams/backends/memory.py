"""The log in memory: the plain, obviously right backend, which the conformance suite compares the others with.

Tests, `replay verify` and `memory://` use it. One lock guards everything; what is stored is handed out as it is (events
and changes are never changed after they were made), so nothing here may be mutated by callers. It is as durable as its
process. The feed is bounded in bytes; everything else grows with what is stored.
"""

from __future__ import annotations

import threading
import time
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from copy import copy

from streams.backends.limits import LogLimits
from streams.backends.requests import check_commit, check_sequences
from streams.event import Event
from streams.log import (
    Append,
    Appended,
    Batch,
    Code,
    Commit,
    Feed,
    Lease,
    Log,
    LogError,
    LogFull,
    LogInfo,
    PartitionStatus,
)
from streams.outputs import Output
from streams.state import NEVER, Change


class _Processor:
    """A processor's position, rows and feed in one partition."""

    def __init__(self) -> None:
        self.position = 0
        self.rows: dict[str, Change] = {}
        self.feed: deque[Feed] = deque()
        self.feed_bytes = 0
        self.forgotten = 0

    def apply(self, end: int, changes: Sequence[Change], feed_bytes: int) -> None:
        self.position = end
        for change in changes:
            if change.value is None:
                self.rows.pop(change.name, None)
            else:
                self.rows[change.name] = change
        self.feed.append(Feed(end, list(changes)))
        self.feed_bytes += _size(changes)
        while self.feed_bytes > feed_bytes:
            self.drop()

    def drop(self) -> None:
        end, changes = self.feed.popleft()
        self.feed_bytes -= _size(changes)
        self.forgotten = end

    def frozen(self) -> _Processor:
        twin = copy(self)
        twin.rows = dict(self.rows)
        twin.feed = deque(self.feed)
        return twin


class _Partition:
    def __init__(self) -> None:
        self.events: list[Event] = []
        self.outputs: list[Output] = []
        self.sequences: dict[str, int] = {}
        self.processors: dict[str, _Processor] = {}
        self.owner: str | None = None
        self.epoch = 0
        self.ttl = 0
        self.expires = 0
        self.committed_at = 0

    def frozen(self) -> _Partition:
        twin = copy(self)
        twin.events = list(self.events)
        twin.outputs = list(self.outputs)
        twin.sequences = dict(self.sequences)
        twin.processors = {name: processor.frozen() for name, processor in self.processors.items()}
        return twin


class MemoryLog:
    """`now` is the wall clock in microseconds; leases expire by it."""

    def __init__(self, partitions: int, now: Callable[[], int], limits: LogLimits) -> None:
        self._info = LogInfo("memory", 1, partitions)
        self._now = now
        self._limits = limits
        self._changed = threading.Condition(threading.RLock())
        self._partitions = [_Partition() for _ in range(partitions)]
        self._documents: dict[str, bytes] = {}
        self._frozen = False

    @property
    def info(self) -> LogInfo:
        return self._info

    # -- events

    def append(self, appends: Sequence[Append]) -> list[Appended]:
        for request in appends:
            check_sequences(request)
        with self._changed:
            self._writable()
            for request in appends:
                if not request.follows:
                    self._room(request)
            answers = [self._append(request) for request in appends]
            self._changed.notify_all()
        return answers

    def _room(self, request: Append) -> None:
        used = self._processor(request.partition, self._limits.lag_of).position
        lag = len(self._partition(request.partition).events) + len(request.events) - used
        if lag > self._limits.max_lag_events:
            raise LogFull(
                f"partition {request.partition} would be {lag} events ahead of its {self._limits.lag_of}, the most "
                f"allowed is {self._limits.max_lag_events}: repeat when they caught up"
            )

    def _append(self, request: Append) -> Appended:
        partition = self._partition(request.partition)
        events = list(request.events)
        known = 0
        if request.producer and events:
            last = partition.sequences.get(request.producer, -1)
            known = bisect_right(request.sequences, last)
            events = events[known:]
            partition.sequences[request.producer] = max(last, request.sequences[-1])
        partition.events += events
        return Appended(len(partition.events) if events else 0, len(events), known)

    def read(self, partition: int, after: int, limit: int) -> Batch:
        with self._changed:
            events = self._partition(partition).events[after : after + max(limit, 1)]
        return Batch(range(after + 1, after + 1 + len(events)), events)

    def fetch(self, partition: int, offsets: Sequence[int]) -> list[Event]:
        with self._changed:
            events = self._partition(partition).events
            for offset in offsets:
                if not 0 < offset <= len(events):
                    raise LogError(f"partition {partition} has no event at offset {offset}: its tail is {len(events)}")
            return [events[offset - 1] for offset in offsets]

    def tail(self, partition: int) -> int:
        with self._changed:
            return len(self._partition(partition).events)

    def durable(self, partition: int) -> int:
        return self.tail(partition)

    def follow(self, tails: Mapping[int, int], timeout: float) -> set[int]:
        deadline = time.monotonic() + timeout
        with self._changed:
            while True:
                ready = {partition for partition, tail in tails.items() if self.tail(partition) > tail}
                left = deadline - time.monotonic()
                if ready or left <= 0 or self._frozen:
                    return ready
                self._changed.wait(left)

    # -- ownership

    def acquire(self, partition: int, owner: str, ttl: float) -> Lease | None:
        with self._changed:
            self._writable()
            held = self._partition(partition)
            if held.owner not in (None, owner) and held.expires > self._now():
                return None
            held.owner = owner
            held.epoch += 1
            held.ttl = int(ttl * 1e6)
            held.expires = self._now() + held.ttl
            return Lease(partition, owner, held.epoch)

    def renew(self, lease: Lease, ttl: float) -> bool:
        with self._changed:
            self._writable()
            if not self._holds(lease):
                return False
            held = self._partition(lease.partition)
            held.ttl = int(ttl * 1e6)
            held.expires = self._now() + held.ttl
            return True

    def release(self, lease: Lease) -> None:
        with self._changed:
            self._writable()
            if self._holds(lease):
                self._partition(lease.partition).owner = None

    def _holds(self, lease: Lease) -> bool:
        held = self._partition(lease.partition)
        return held.epoch == lease.epoch and held.owner == lease.owner

    # -- commits and what they wrote

    def commit(self, commit: Commit) -> Code:
        check_commit(commit)
        with self._changed:
            self._writable()
            partition = self._partition(commit.lease.partition)
            if not self._holds(commit.lease):
                return Code.FENCED
            processor = self._processor(commit.lease.partition, commit.processor)
            if processor.position == commit.end:
                return Code.DONE
            if processor.position != commit.start:
                return Code.MISMATCH
            partition.processors[commit.processor] = processor
            processor.apply(commit.end, commit.changes, self._limits.feed_bytes)
            partition.outputs += commit.outputs
            partition.events += commit.events
            partition.committed_at = self._now()
            partition.expires = partition.committed_at + partition.ttl
            self._changed.notify_all()
            return Code.COMMITTED

    def position(self, partition: int, processor: str) -> int:
        with self._changed:
            return self._processor(partition, processor).position

    def outputs(self, partition: int, after: int, limit: int) -> tuple[int, list[Output]]:
        with self._changed:
            found = self._partition(partition).outputs[after : after + max(limit, 1)]
        return (after + 1, found) if found else (0, [])

    def rows(self, partition: int, processor: str, names: Sequence[str]) -> dict[str, bytes]:
        with self._changed:
            rows = self._processor(partition, processor).rows
            return {name: _value(rows[name]) for name in names if name in rows}

    def scan(self, partition: int, processor: str, prefix: str, after: str, limit: int) -> list[tuple[str, bytes]]:
        with self._changed:
            rows = self._processor(partition, processor).rows
            names = sorted(name for name in rows if name > after and name.startswith(prefix))
            return [(name, _value(rows[name])) for name in names[:limit]]

    def due(self, partition: int, processor: str, after: tuple[int, str], limit: int) -> list[tuple[int, str]]:
        with self._changed:
            rows = self._processor(partition, processor).rows
            return sorted((row.due, name) for name, row in rows.items() if row.due < NEVER and (row.due, name) > after)[
                :limit
            ]

    def feed(self, partition: int, processor: str, after: int, limit: int) -> list[Feed] | None:
        with self._changed:
            source = self._processor(partition, processor)
            if after < source.forgotten:
                return None
            found: list[Feed] = []
            rows = 0
            for commit in source.feed:
                if rows >= limit:
                    break
                if commit.end > after:
                    found.append(commit)
                    rows += max(len(commit.changes), 1)
            return found

    def forget(self, partition: int, processor: str, upto: int) -> None:
        with self._changed:
            self._writable()
            source = self._processor(partition, processor)
            while source.feed and source.feed[0].end <= upto:
                source.drop()

    # -- documents

    def put_document(self, digest: str, body: bytes) -> None:
        with self._changed:
            self._writable()
            self._documents.setdefault(digest, body)

    def document(self, digest: str) -> bytes | None:
        with self._changed:
            return self._documents.get(digest)

    # -- looking

    def status(self) -> list[PartitionStatus]:
        with self._changed:
            now = self._now()
            return [
                PartitionStatus(
                    number,
                    partition.owner if partition.expires > now else None,
                    partition.epoch,
                    len(partition.events),
                    len(partition.outputs),
                    {name: processor.position for name, processor in partition.processors.items()},
                    partition.committed_at,
                )
                for number, partition in enumerate(self._partitions)
            ]

    def snapshot(self) -> AbstractContextManager[Log]:
        with self._changed:
            frozen = copy(self)
            frozen._changed = threading.Condition(threading.RLock())
            frozen._partitions = [partition.frozen() for partition in self._partitions]
            frozen._documents = dict(self._documents)
            frozen._frozen = True
        return nullcontext(frozen)

    def check(self) -> Iterator[str]:
        with self._changed:
            for number, partition in enumerate(self._partitions):
                position = self._processor(number, self._limits.lag_of).position
                if position > len(partition.events):
                    yield f"partition {number}: position {position} is beyond the tail {len(partition.events)}"

    def close(self) -> None:
        """Nothing to release: a closed log in memory is one that nobody refers to."""

    def _writable(self) -> None:
        if self._frozen:
            raise LogError("this is a snapshot of the log: it can only be read")

    def _partition(self, number: int) -> _Partition:
        if not 0 <= number < len(self._partitions):
            raise LogError(f"there is no partition {number}: this log has {len(self._partitions)}, counted from 0")
        return self._partitions[number]

    def _processor(self, partition: int, processor: str) -> _Processor:
        return self._partition(partition).processors.get(processor) or _Processor()


def _value(row: Change) -> bytes:
    assert row.value is not None
    return row.value


def _size(changes: Sequence[Change]) -> int:
    return sum(len(change.name) + len(change.value or b"") for change in changes)
