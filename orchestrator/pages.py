"""Pages of the log that live streams share: what a filter takes of one is found, not searched for by each stream."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.history import EventFilter
from streams.event import Event
from streams.log import Batch


class Page:
    """Events of one partition, in order. Used on one event loop."""

    def __init__(self, batch: Batch) -> None:
        self.offsets: Sequence[int] = batch.offsets
        self.events: Sequence[Event] = batch.events
        self.bytes = sum(len(event.data) for event in batch.events)
        """Of data."""
        self._types: dict[str, list[int]] | None = None
        self._subjects: dict[str, list[int]] | None = None

    def taken(self, filter: EventFilter) -> list[tuple[int, Event]]:
        """(offset, event) of what it takes."""
        return [
            (self.offsets[place], self.events[place])
            for place in self._candidates(filter)
            if filter.takes(self.events[place])
        ]

    def _candidates(self, filter: EventFilter) -> Sequence[int]:
        if filter.subject is not None:
            if self._subjects is None:
                self._subjects = _places([event.subject for event in self.events])
            return self._subjects.get(filter.subject, ())
        if filter.type is not None:
            if self._types is None:
                self._types = _places([event.type for event in self.events])
            return self._types.get(filter.type, ())
        return range(len(self.events))


def _places(values: list[str]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for place, value in enumerate(values):
        found.setdefault(value, []).append(place)
    return found
