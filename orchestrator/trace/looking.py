"""Finds events in the log by what is known of them. No index has ids: it looks, newest first, within bounds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from streams.event import FORWARDED, Event, Forwarded
from streams.log import Log
from streams.position import Position

MOST: Final = 2_000_000
"""Events that one question looks at: a few seconds."""
PAGE: Final = 2_000
NEAR: Final = 100_000
"""Events behind a command or a forward among which its result, or its arrival, is looked for."""
_forwarded: Final = msgspec.json.Decoder(Forwarded).decode


class Looking:
    """One question to the log. Counts what it looks at."""

    def __init__(self, log: Log, most: int = MOST) -> None:
        self.log = log
        self.most = most
        self.looked = 0

    @property
    def complete(self) -> bool:
        return self.looked < self.most

    def position(self, partition: int, offset: int) -> str:
        return str(Position(self.log.info.generation, partition, offset))

    def event(self, partition: int, offset: int) -> Event:
        """Raises LogError if it is not there."""
        self.looked += 1
        (found,) = self.log.fetch(partition, [offset])
        return found

    def newest(self, partitions: list[int], takes: Callable[[Event], bool], most: int) -> list[tuple[int, int, Event]]:
        """(partition, offset, event) of the newest that it takes, at most so many; a page of each partition in turn."""
        found: list[tuple[int, int, Event]] = []
        left = [(partition, self.log.tail(partition)) for partition in partitions]
        while left and len(found) < most and self.complete:
            more: list[tuple[int, int]] = []
            for partition, upto in left:
                if upto <= 0:
                    continue
                after = max(0, upto - PAGE)
                for offset, event in self._page(partition, after):
                    if offset <= upto and takes(event):
                        found.append((partition, offset, event))
                more.append((partition, after))
            left = more
        found.sort(key=lambda each: each[2].time, reverse=True)
        return found[:most]

    def behind(self, partition: int, after: int, takes: Callable[[Event], bool]) -> tuple[int, Event] | None:
        """The first one beyond an offset that it takes, if it is near."""
        until = self.looked + NEAR
        while self.complete and self.looked < until:
            page = list(self._page(partition, after))
            for offset, event in page:
                if takes(event):
                    return offset, event
            if not page:
                return None
            after = page[-1][0]
        return None

    def arrival(self, origin: int, offset: int, route: str, key: str, to: int) -> tuple[int, Event] | None:
        """Where a forwarded event arrived. What one partition forwards to another arrives in order: found by halving,
        then among the near ones."""

        def from_origin(event: Event) -> bool:
            return event.type == FORWARDED and _forwarded(event.data).partition == origin

        def it(event: Event) -> bool:
            if not from_origin(event) or event.key != key:
                return False
            found = _forwarded(event.data)
            return (found.offset, found.route) == (offset, route)

        low, high = 0, self.log.tail(to)
        while high - low > PAGE:
            middle = (low + high) // 2
            near = self.behind(to, middle, from_origin)
            if near is None or _forwarded(near[1].data).offset >= offset:
                high = middle
            else:
                low = middle
        return self.behind(to, low, it)

    def _page(self, partition: int, after: int) -> Iterator[tuple[int, Event]]:
        batch = self.log.read(partition, after, PAGE)
        self.looked += len(batch.events)
        return zip(batch.offsets, batch.events, strict=True)
