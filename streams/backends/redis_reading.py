"""The half of the log in Redis that reads events and outputs, the same for the log itself and for a snapshot of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from streams.backends.redis_entries import Stream, read_events, read_outputs
from streams.backends.redis_partitions import Partitions
from streams.event import Event
from streams.log import Batch, LogError
from streams.outputs import Output


class RedisReading(ABC):
    def __init__(self, partitions: Partitions) -> None:
        self._partitions = partitions

    @abstractmethod
    def tail(self, partition: int) -> int: ...

    @abstractmethod
    def _events(self, partition: int) -> Stream: ...

    @abstractmethod
    def _outputs(self, partition: int) -> Stream: ...

    def read(self, partition: int, after: int, limit: int) -> Batch:
        return read_events(self._events(partition), after, limit)

    def fetch(self, partition: int, offsets: Sequence[int]) -> list[Event]:
        found: dict[int, Event] = {}
        stream = self._events(partition)
        for offset in sorted(set(offsets)):
            if offset not in found:
                batch = read_events(stream, offset - 1, 1) if offset > 0 else Batch((), [])
                if not batch.events or batch.offsets[0] != offset:
                    raise LogError(
                        f"partition {partition} has no event at offset {offset}: its tail is {self.tail(partition)}"
                    )
                found.update(zip(batch.offsets, batch.events, strict=True))
        return [found[offset] for offset in offsets]

    def outputs(self, partition: int, after: int, limit: int) -> tuple[int, list[Output]]:
        return read_outputs(self._outputs(partition), after, limit)

    def document(self, digest: str) -> bytes | None:
        body: bytes | None = self._partitions.ask_log(("HGET", self._partitions.keys.documents, digest))
        return body
