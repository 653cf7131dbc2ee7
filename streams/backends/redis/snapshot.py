"""A frozen view of the log in Redis: each partition as of the moment when it was looked at first.

Then its rows are copied into memory (`copy.py`), with positions and counts of the same moment; events and outputs
stay where they are and are read up to what was counted. One call at a time for a partition.
"""

from __future__ import annotations

import threading
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from streams.backends.frozen import Frozen
from streams.backends.redis.check import check
from streams.backends.redis.copy import Copy, Rows, copy_rows
from streams.backends.redis.entries import Stream
from streams.backends.redis.partitions import Partitions
from streams.backends.redis.reading import RedisReading
from streams.log import Feed, Fork, LogError, LogInfo, PartitionStatus


class _Sorted(NamedTuple):
    names: list[str]
    dues: list[tuple[int, str]]


class RedisSnapshot(Frozen, RedisReading):
    def __init__(
        self,
        partitions: Partitions,
        info: LogInfo,
        forks: Sequence[Fork],
        now: Callable[[], int],
        lag_of: str,
    ) -> None:
        super().__init__(partitions)
        self.info = info
        self.forks = forks
        self._now = now()
        self._lag_of = lag_of
        self._lock = threading.RLock()
        self._copies: dict[int, Copy] = {}
        self._sorted: dict[tuple[int, str], _Sorted] = {}

    def now(self) -> int:
        return self._now

    def _copy(self, partition: int) -> Copy:
        self._partitions[partition]
        with self._lock:
            copy = self._copies.get(partition)
            if copy is None:
                copy = self._copies[partition] = copy_rows(self._partitions, partition, lambda *_: True, True)
            return copy

    def _rows(self, partition: int, processor: str) -> Rows:
        return self._copy(partition).rows.get(processor) or Rows({}, {})

    def _in_order(self, partition: int, processor: str) -> _Sorted:
        rows = self._rows(partition, processor)
        with self._lock:
            found = self._sorted.get((partition, processor))
            if found is None:
                dues = sorted((due, name) for name, due in rows.dues.items())
                found = self._sorted[partition, processor] = _Sorted(sorted(rows.values), dues)
            return found

    # -- events and outputs

    def _events(self, partition: int) -> Stream:
        return self._upto(self._partitions[partition].log, "offsets", partition, self.tail(partition))

    def _outputs(self, partition: int) -> Stream:
        number = self._copy(partition).head.number("outputs")
        return self._upto(self._partitions[partition].out, "numbers", partition, number)

    def _upto(self, key: str, what: str, partition: int, upto: int) -> Stream:
        return Stream(key, what, self._asking(partition), self._shapes, upto)

    def tail(self, partition: int) -> int:
        return self._copy(partition).head.number("tail")

    def durable(self, partition: int) -> int:
        return self.tail(partition)

    def follow(self, tails: Mapping[int, int], timeout: float) -> set[int]:
        """Answers at once: what is not there will not come."""
        return {partition for partition, tail in tails.items() if self.tail(partition) > tail}

    def follow_outputs(self, numbers: Mapping[int, int], timeout: float) -> dict[int, int]:
        last = {partition: self._copy(partition).head.number("outputs") for partition in numbers}
        return {partition: end for partition, end in last.items() if end > numbers[partition]}

    def sequence(self, partition: int, producer: str) -> int:
        raise LogError("sequences are not part of a snapshot: ask the log")

    # -- rows

    def position(self, partition: int, processor: str) -> int:
        return self._copy(partition).head.number(f"pos:{processor}")

    def rows(self, partition: int, processor: str, names: Sequence[str]) -> dict[str, bytes]:
        values = self._rows(partition, processor).values
        return {name: values[name] for name in names if name in values}

    def scan(self, partition: int, processor: str, prefix: str, after: str, limit: int) -> list[tuple[str, bytes]]:
        values = self._rows(partition, processor).values
        names = self._in_order(partition, processor).names
        found: list[tuple[str, bytes]] = []
        place = max(bisect_right(names, after), bisect_left(names, prefix))
        for name in names[place : place + limit]:
            if not name.startswith(prefix):
                break
            found.append((name, values[name]))
        return found

    def due(self, partition: int, processor: str, after: tuple[int, str], limit: int) -> list[tuple[int, str]]:
        dues = self._in_order(partition, processor).dues
        begin = bisect_right(dues, after)
        return dues[begin : begin + limit]

    def feed(self, partition: int, processor: str, after: int, limit: int) -> list[Feed] | None:
        """Only what comes after a position is kept, and after a snapshot's there is nothing."""
        return [] if after >= self.position(partition, processor) else None

    # -- looking

    def status(self) -> list[PartitionStatus]:
        """Freezes all partitions."""
        return [self._copy(number).head.status(number, self._now) for number in range(self.info.partitions)]

    def check(self) -> Iterator[str]:
        for number in range(self.info.partitions):
            yield from check(self._partitions, number, self._copy(number).head, self._lag_of)

    def warnings(self) -> list[str]:
        return []
