"""The log in memory: the plain, obviously right backend, which the conformance suite compares the others with.

Tests, `replay verify` and `memory://` use it. One lock guards everything; what is stored is handed out as it is (events
and changes are never changed after they were made), so nothing here may be mutated by callers. It is as durable as its
process. The feed is bounded in bytes; everything else grows with what is stored.
"""

from __future__ import annotations

import threading
import time
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from copy import copy

from streams.backends.limits import LogLimits
from streams.backends.members import LocalMembers
from streams.backends.memory_partition import Partition, Processor, Right
from streams.backends.one_by_one import OneByOne
from streams.backends.requests import check_commit, check_sequences
from streams.event import Event
from streams.log import (
    AGENT,
    DELIVERY,
    Append,
    Appended,
    Batch,
    Beat,
    Code,
    Commit,
    Feed,
    Fork,
    Lease,
    Log,
    LogError,
    LogFull,
    LogInfo,
    PartitionStatus,
    Role,
)
from streams.outputs import Output
from streams.state import NEVER, Change


class MemoryLog(OneByOne):
    """`now` is the wall clock in microseconds; leases expire by it."""

    def __init__(self, partitions: int, now: Callable[[], int], limits: LogLimits) -> None:
        self._info = LogInfo("memory", 1, partitions)
        self._now = now
        self._limits = limits
        self._changed = threading.Condition(threading.RLock())
        self._partitions = [Partition() for _ in range(partitions)]
        self._documents: dict[str, bytes] = {}
        self._members = LocalMembers(now)
        self._frozen = False

    @property
    def info(self) -> LogInfo:
        return self._info

    @property
    def forks(self) -> Sequence[Fork]:
        return ()

    def now(self) -> int:
        return self._now()

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
        return set(self._follow(lambda partition: len(partition.events), tails, timeout))

    def follow_outputs(self, numbers: Mapping[int, int], timeout: float) -> dict[int, int]:
        return self._follow(lambda partition: len(partition.outputs), numbers, timeout)

    def _follow(self, count: Callable[[Partition], int], seen: Mapping[int, int], timeout: float) -> dict[int, int]:
        deadline = time.monotonic() + timeout
        with self._changed:
            while True:
                ready = {
                    number: last for number, upto in seen.items() if (last := count(self._partition(number))) > upto
                }
                left = deadline - time.monotonic()
                if ready or left <= 0 or self._frozen:
                    return ready
                self._changed.wait(left)

    def sequence(self, partition: int, producer: str) -> int:
        with self._changed:
            return self._partition(partition).sequences.get(producer, -1)

    # -- ownership

    def beat(self, member: str, role: Role, caught_up: Mapping[int, int], ttl: float) -> Beat:
        with self._changed:
            self._writable()
            return self._members.beat(member, role, caught_up, ttl)

    def leave(self, member: str, role: Role) -> None:
        with self._changed:
            self._writable()
            self._members.leave(member, role)

    def acquire(self, partition: int, owner: str, ttl: float, role: Role = AGENT) -> Lease | None:
        with self._changed:
            self._writable()
            right = self._partition(partition).rights[role]
            if right.owner not in (None, owner) and right.expires > self._now():
                return None
            right.owner = owner
            right.epoch += 1
            right.ttl = int(ttl * 1e6)
            right.extend(self._now())
            return Lease(partition, owner, right.epoch, role)

    def renew(self, lease: Lease, ttl: float) -> bool:
        with self._changed:
            self._writable()
            right = self._held(lease)
            if right is None:
                return False
            right.ttl = int(ttl * 1e6)
            right.extend(self._now())
            return True

    def release(self, lease: Lease) -> None:
        with self._changed:
            self._writable()
            right = self._held(lease)
            if right is not None:
                right.owner = None

    def _held(self, lease: Lease) -> Right | None:
        """None if it is somebody else's now."""
        right = self._partition(lease.partition).rights[lease.role]
        return right if right.epoch == lease.epoch and right.owner == lease.owner else None

    # -- commits and what they wrote

    def commit(self, commit: Commit) -> Code:
        check_commit(commit)
        with self._changed:
            self._writable()
            partition = self._partition(commit.lease.partition)
            right = self._held(commit.lease)
            if right is None:
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
            right.extend(partition.committed_at)
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
                    _owner(partition.rights[AGENT], now),
                    partition.rights[AGENT].epoch,
                    len(partition.events),
                    len(partition.outputs),
                    {name: processor.position for name, processor in partition.processors.items()},
                    partition.committed_at,
                    _owner(partition.rights[DELIVERY], now),
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

    def warnings(self) -> list[str]:
        return []

    def close(self) -> None:
        """Nothing to release: a closed log in memory is one that nobody refers to."""

    def _writable(self) -> None:
        if self._frozen:
            raise LogError("this is a snapshot of the log: it can only be read")

    def _partition(self, number: int) -> Partition:
        if not 0 <= number < len(self._partitions):
            raise LogError(f"there is no partition {number}: this log has {len(self._partitions)}, counted from 0")
        return self._partitions[number]

    def _processor(self, partition: int, processor: str) -> Processor:
        return self._partition(partition).processors.get(processor) or Processor()


def _owner(right: Right, now: int) -> str | None:
    return right.owner if right.expires > now else None


def _value(row: Change) -> bytes:
    assert row.value is not None
    return row.value
