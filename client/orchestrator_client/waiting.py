"""Events that wait to be sent, in order and bounded: what a publisher asks of where it keeps them.

`Queue` keeps them in memory; `Spool` in files.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import islice
from typing import Final, Protocol

from orchestrator_client.errors import QueueFull, Refusal

MOST: Final = 10_000
"""Events that wait in memory."""


class Waiting(Protocol):
    """Safe from any thread; one reader."""

    def put(self, events: Sequence[bytes]) -> None:
        """All or none. Raises QueueFull."""
        ...

    def peek(self, most: int, most_bytes: int) -> list[bytes]:
        """The first of them, at most so many and about so many bytes; one at least, if there is one."""
        ...

    def done(self, count: int) -> None:
        """The first so many are taken care of."""
        ...

    def refused(self, refusal: Refusal) -> None:
        """The server will never take one of the first. It is `done` afterwards."""
        ...

    def __len__(self) -> int: ...


class Queue:
    """In memory: what waits is lost with the process."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._events: deque[bytes] = deque()

    def put(self, events: Sequence[bytes]) -> None:
        if self._events and len(self._events) + len(events) > self._most:
            raise QueueFull(f"{len(self._events):,} events wait to be sent, and there is room for {self._most:,}")
        self._events.extend(events)

    def peek(self, most: int, most_bytes: int) -> list[bytes]:
        found: list[bytes] = []
        size = 0
        for event in islice(self._events, most):
            size += len(event)
            if found and size > most_bytes:
                break
            found.append(event)
        return found

    def done(self, count: int) -> None:
        for _ in range(count):
            self._events.popleft()

    def refused(self, refusal: Refusal) -> None:
        """Nothing to keep it in: the publisher tells of it."""

    def __len__(self) -> int:
        return len(self._events)
