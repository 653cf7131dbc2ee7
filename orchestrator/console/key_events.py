"""The events of one key, newest first, from the log of its partition.

There is no index of keys: the partition is read backwards, and a call ends at a number of events found, or looked at.
It says how far it looked, so that the next goes on there. Blocks: call it in a thread.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import msgspec

from streams import rfc3339
from streams.event import CONTROL, DERIVED, FORWARDED, RESULT, Event, Forwarded
from streams.keys import partition_of
from streams.log import Log

MOST_LOOKED_AT: Final = 50_000
MOST_FOUND: Final = 50
_PAGE: Final = 5_000
_KINDS: Final = {DERIVED: "derived", RESULT: "result", CONTROL: "control"}
_forwarded = msgspec.json.Decoder(Forwarded).decode


class KeyEvents(NamedTuple):
    events: list[dict[str, Any]]
    """Newest first: `position`, `kind`, `id`, `source`, `type`, `subject`, `time`, `data`."""
    looked: int
    """How many events were looked at, of any key."""
    before: int | None
    """All from this offset on were looked at: ask for those before it. None where the log has no more."""
    since: int | None
    """The time of the oldest that was looked at, microseconds; None for none."""


def key_events(log: Log, key: str, before: int | None = None) -> KeyEvents:
    """Of the partition that owns the key, those at offsets below `before`. Raises LogError."""
    partition = partition_of(key, log.info.partitions)
    end = log.tail(partition) + 1 if before is None else before
    found: list[dict[str, Any]] = []
    looked = 0
    since: int | None = None
    while end > 1 and looked < MOST_LOOKED_AT:
        begin = max(0, end - 1 - _PAGE)
        batch = log.read(partition, begin, end - 1 - begin)
        for offset, event in zip(reversed(batch.offsets), reversed(batch.events), strict=True):
            if offset >= end:
                continue
            looked += 1
            since = event.time or since
            if event.key == key:
                found.append(_shown(log.info.generation, partition, offset, event))
                if len(found) >= MOST_FOUND:
                    return KeyEvents(found, looked, offset if offset > 1 else None, since)
        end = begin + 1
    return KeyEvents(found, looked, end if end > 1 else None, since)


def _shown(generation: int, partition: int, offset: int, event: Event) -> dict[str, Any]:
    kind = _KINDS.get(event.kind, "")
    if event.type == FORWARDED:
        event, kind = _forwarded(event.data).event, f"forwarded from partition {_forwarded(event.data).partition}"
    return {
        "position": f"{generation}.{partition}.{offset}",
        "kind": kind,
        "id": event.id,
        "source": event.source,
        "type": event.type,
        "subject": event.subject,
        "time": rfc3339.format(event.time) if rfc3339.MIN <= event.time <= rfc3339.MAX else None,
        "data": _data(event),
    }


def _data(event: Event) -> Any:
    """Decoded; the text itself where it is no JSON, as a poisoned event's may be."""
    try:
        return event.payload()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return bytes(event.data).decode("utf-8", "backslashreplace")
