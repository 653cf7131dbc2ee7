"""The half of the log in Redis that reads events and outputs, the same for the log itself and for a snapshot of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

from streams.backends.fetching import fetch
from streams.backends.redis.entries import Shapes, Stream, read_events, read_outputs
from streams.backends.redis.nodes import Call, Reply
from streams.backends.redis.partitions import Partitions
from streams.event import Event
from streams.log import Batch
from streams.outputs import Output


class RedisReading(ABC):
    def __init__(self, partitions: Partitions) -> None:
        self._partitions = partitions
        self._shapes: Shapes = {}

    def _asking(self, partition: int) -> Callable[[Call], Reply]:
        return lambda call: self._partitions.ask(partition, call)

    @abstractmethod
    def tail(self, partition: int) -> int: ...

    @abstractmethod
    def _events(self, partition: int) -> Stream: ...

    @abstractmethod
    def _outputs(self, partition: int) -> Stream: ...

    def read(self, partition: int, after: int, limit: int) -> Batch:
        return read_events(self._events(partition), after, limit)

    def fetch(self, partition: int, offsets: Sequence[int]) -> list[Event]:
        stream = self._events(partition)
        return fetch(partition, offsets, lambda after: read_events(stream, after, 1), lambda: self.tail(partition))

    def outputs(self, partition: int, after: int, limit: int) -> tuple[int, list[Output]]:
        return read_outputs(self._outputs(partition), after, limit)

    def document(self, digest: str) -> bytes | None:
        body: bytes | None = self._partitions.ask_log(("HGET", self._partitions.keys.documents, digest))
        return body
