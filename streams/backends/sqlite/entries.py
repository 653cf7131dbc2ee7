"""Writing events: one row per run of events that one transaction appends to a partition.

Small appends to the same partition are joined, as far as an entry's bounds allow, so that a reader does not pay for
each of them.
"""

from __future__ import annotations

import sqlite3
from bisect import bisect_right
from collections.abc import Sequence

from streams.backends.entries import ENTRY_BYTES, ENTRY_EVENTS, Piece, pieces
from streams.backends.limits import LogLimits
from streams.backends.sqlite import reads
from streams.backends.sqlite.room import room_to_lag
from streams.backends.sqlite.schema import base
from streams.log import Append, Appended


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


def append(
    db: sqlite3.Connection, appends: Sequence[Append], encoded: Sequence[list[Piece]], limits: LogLimits
) -> list[Appended]:
    """Within the transaction that is open; `encoded` are the pieces of each. Raises LogFull."""
    tails: dict[int, int] = {}
    new: dict[int, list[Piece]] = {}
    answers = []
    for request, body in zip(appends, encoded, strict=True):
        partition = request.partition
        if partition not in tails:
            tails[partition] = reads.tail(db, partition)
            new[partition] = []
        known = _count_known(db, request)
        stored = len(request.events) - known
        new[partition] += pieces(request.events[known:]) if known else body
        tails[partition] += stored
        answers.append(Appended(tails[partition] if stored else 0, stored, known))
    for partition, found in new.items():
        count = sum(piece.events for piece in found)
        if not all(each.follows for each in appends if each.partition == partition):
            room_to_lag(db, partition, tails[partition], limits)
        store(db, partition, tails[partition] - count, found)
    return answers


def _count_known(db: sqlite3.Connection, request: Append) -> int:
    """How many of its first events are there already; remembers the last sequence."""
    if not request.producer or not request.events:
        return 0
    known = bisect_right(request.sequences, reads.sequence(db, request.partition, request.producer))
    if known < len(request.sequences):
        db.execute(
            "INSERT OR REPLACE INTO producers VALUES (?, ?, ?)",
            (request.partition, request.producer, request.sequences[-1]),
        )
    return known
