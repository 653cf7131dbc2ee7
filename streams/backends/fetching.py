"""Events by their offsets, for logs that are read an entry at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from streams.event import Event
from streams.log import Batch, LogError


def fetch(partition: int, offsets: Sequence[int], read: Callable[[int], Batch], tail: Callable[[], int]) -> list[Event]:
    """In the order asked for. `read` answers the entry with the first event after an offset. Raises LogError for an
    offset at which there is no event."""
    found: dict[int, Event] = {}
    for offset in sorted(set(offsets)):
        if offset not in found:
            batch = read(offset - 1) if offset > 0 else Batch((), [])
            if not batch.events or batch.offsets[0] != offset:
                raise LogError(f"partition {partition} has no event at offset {offset}: its tail is {tail()}")
            found.update(zip(batch.offsets, batch.events, strict=True))
    return [found[offset] for offset in offsets]
