"""Events of the log for people: listed newest first, filtered, a bounded look at a time.

Each partition is read backwards in pages; of the newest events of all partitions the one with the latest time comes
first. Blocks: call it in a thread.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from orchestrator import places
from streams.event import CONTROL, Event
from streams.log import Log
from streams.position import Position

PAGE: Final = 500
"""Offsets read at once."""
MOST_LOOKED: Final = 50_000
"""Events that one list looks at."""
MOST_BYTES: Final = 8 << 20
"""Of the data and extensions of one list: the event that goes beyond is its last."""


@dataclass(frozen=True, slots=True)
class EventFilter:
    """All that are given must hold. Times in microseconds. Control events only where `type` names theirs."""

    partition: int | None = None
    type: str | None = None
    subject: str | None = None
    since: int | None = None
    until: int | None = None

    def takes(self, event: Event) -> bool:
        return (
            (event.type == self.type if self.type is not None else event.kind != CONTROL)
            and (self.subject is None or event.subject == self.subject)
            and (self.since is None or event.time >= self.since)
            and (self.until is None or event.time < self.until)
        )

    def partitions(self, log: Log) -> Sequence[int]:
        return range(log.info.partitions) if self.partition is None else [self.partition]


class Recorded(NamedTuple):
    position: Position
    event: Event


class EventsPage(NamedTuple):
    events: list[Recorded]
    next: str | None
    """The cursor of the next page; None after the last."""
    looked: int
    """Events looked at, those that the filter left out among them."""


def newest(log: Log, filter: EventFilter, limit: int, cursor: str | None = None) -> EventsPage:
    """A page may hold fewer than `limit`, or none, and have a next one: no more than MOST_LOOKED events are looked at,
    and about MOST_BYTES held. Raises LogError; PlaceError and LostPlace for the cursor."""
    if cursor is None:
        starts = {partition: log.tail(partition) for partition in filter.partitions(log)}
    else:
        asked = places.read(log, cursor)
        starts = {partition: offset for partition, offset in asked.items() if partition in filter.partitions(log)}
    left = dict(starts)
    """Partition → the offset up to which nothing was looked at."""
    generation = log.info.generation
    found: list[Recorded] = []
    looked = 0
    held = 0
    merged = heapq.merge(
        *(_backwards(log, partition, upto) for partition, upto in starts.items()),
        key=lambda each: (each[0].time, each[1], each[2]),
        reverse=True,
    )
    for event, partition, offset in merged:
        looked += 1
        left[partition] = offset - 1
        if filter.takes(event):
            found.append(Recorded(Position(generation, partition, offset), event))
            held += _size(event)
        if len(found) == limit or looked == MOST_LOOKED or held > MOST_BYTES:
            break
    more = {partition: offset for partition, offset in left.items() if offset > 0}
    return EventsPage(found, places.write(log, more) if more else None, looked)


def _size(event: Event) -> int:
    extensions = event.extensions or {}
    return len(event.data) + sum(len(value) for value in extensions.values() if isinstance(value, str))


def _backwards(log: Log, partition: int, upto: int) -> Iterator[tuple[Event, int, int]]:
    """(event, partition, offset), newest first."""
    while upto > 0:
        after = max(0, upto - PAGE)
        batch = log.read(partition, after, PAGE)
        pairs = [pair for pair in zip(batch.offsets, batch.events, strict=True) if pair[0] <= upto]
        for offset, event in reversed(pairs):
            yield event, partition, offset
        upto = after
