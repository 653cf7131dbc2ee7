"""What is wrong with a SQLite log, in words: the file itself, the numbering, and whether what is stored can be read."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from streams import event as events
from streams import outputs as outs
from streams.backends.sqlite import reads
from streams.backends.sqlite.schema import SPAN, base, translate
from streams.log import LogError


def check(db: sqlite3.Connection, path: Path, partitions: int, lag_of: str) -> Iterator[str]:
    """Reads everything. Needs a transaction around it."""
    try:
        for (text,) in db.execute("PRAGMA quick_check"):
            if text != "ok":
                yield f"{path}: {text}"
        for partition in range(partitions):
            yield from _numbering(db, "entries", reads.READ_EVENTS, "events", partition, _count_events)
            yield from _numbering(db, "outputs", reads.READ_OUTPUTS, "outputs", partition, _count_outputs)
            yield from _last_output(db, partition)
            position, tail = reads.position(db, partition, lag_of), reads.tail(db, partition)
            if position > tail:
                yield f"partition {partition}: the position of {lag_of} is {position}, beyond the tail {tail}"
        yield from _deltas(db)
    except sqlite3.Error as error:
        yield str(translate(error, path))


def _numbering(
    db: sqlite3.Connection, table: str, statement: str, what: str, partition: int, counted: Callable[[bytes], int]
) -> Iterator[str]:
    first = base(partition)
    expected = 1
    for key, count, body in db.execute(statement, (first, first + SPAN)):
        last = key - first
        if last - count + 1 != expected:
            yield f"partition {partition}: {what} {expected}…{last - count} are missing, or {table} {key} is wrong"
        try:
            found = counted(body)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            yield f"partition {partition}: {what} {last - count + 1}…{last} cannot be read: {error}"
        else:
            if found != count:
                yield f"partition {partition}: of {what} {last - count + 1}…{last} only {found} can be read"
        expected = last + 1


def _count_events(body: bytes) -> int:
    return sum(event.type != events.UNDECODABLE for event in events.decode(body))


def _count_outputs(body: bytes) -> int:
    return len(outs.decode(body))


def _last_output(db: sqlite3.Connection, partition: int) -> Iterator[str]:
    first = base(partition)
    (last,) = db.execute("SELECT max(id) FROM outputs WHERE id > ? AND id < ?", (first, first + SPAN)).fetchone()
    (counted,) = db.execute("SELECT outputs FROM partitions WHERE partition = ?", (partition,)).fetchone()
    stored = last - first if last is not None else 0
    if counted != stored:
        yield f"partition {partition}: {counted} outputs were committed, the last one stored is {stored}"


def _deltas(db: sqlite3.Connection) -> Iterator[str]:
    for slot, partition, processor, position, flushed, forgotten in db.execute(
        "SELECT slot, partition, processor, position, flushed, forgotten FROM slots"
    ):
        if not forgotten <= flushed <= position:
            yield (
                f"partition {partition}: {processor} is at {position}, flushed up to {flushed}, "
                f"forgot up to {forgotten}: these must not decrease in this order"
            )
        first = base(slot)
        last = flushed
        for key, body in db.execute(reads.READ_DELTAS, (first, first + SPAN)):
            last = key - first
            try:
                reads.delta(partition, processor, last, body)
            except LogError as error:
                yield str(error)
        if max(last, flushed) != position:
            yield f"partition {partition}: {processor} is at {position}, its last commit stored led to {last}"
