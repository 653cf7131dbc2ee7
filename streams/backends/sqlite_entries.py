"""Writing events: one row per run of events that one transaction appends to a partition.

A row is bounded (ENTRY_EVENTS, ENTRY_BYTES), so that one read, and one batch of an agent, stay bounded too; small
appends to the same partition are joined, so that a reader does not pay for each of them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Final, NamedTuple

from streams import event as events
from streams.backends.sqlite_schema import base
from streams.event import Event

ENTRY_EVENTS: Final = 1_000
ENTRY_BYTES: Final = 4 << 20


class Piece(NamedTuple):
    events: int
    body: bytes
    """JSON lines."""


def pieces(run: Sequence[Event]) -> list[Piece]:
    """Raises what msgspec raises for events that cannot be written as JSON."""
    made: list[Piece] = []
    for start in range(0, len(run), ENTRY_EVENTS):
        part = run[start : start + ENTRY_EVENTS]
        body = events.encode(part)
        if len(body) > ENTRY_BYTES and len(part) > 1:
            half = len(part) // 2
            made += pieces(part[:half])
            made += pieces(part[half:])
        else:
            made.append(Piece(len(part), body))
    return made


def store(db: sqlite3.Connection, partition: int, tail: int, found: Sequence[Piece]) -> int:
    """Writes the pieces after `tail`, neighbours joined as far as the bounds allow; answers the new tail."""
    start = 0
    while start < len(found):
        count, size = found[start].events, len(found[start].body)
        end = start + 1
        while (
            end < len(found)
            and count + found[end].events <= ENTRY_EVENTS
            and size + len(found[end].body) <= ENTRY_BYTES
        ):
            count += found[end].events
            size += len(found[end].body)
            end += 1
        tail += count
        body = found[start].body if end == start + 1 else b"".join([piece.body for piece in found[start:end]])
        db.execute("INSERT INTO entries (id, count, body) VALUES (?, ?, ?)", (base(partition) + tail, count, body))
        start = end
    return tail
