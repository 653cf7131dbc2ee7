"""What is read from the SQLite file alone, without the overlay: events, outputs, feeds, positions, status.

Functions over a connection, called by the log with a borrowed one and by a snapshot with its own. Nothing here writes.
"""

from __future__ import annotations

import sqlite3
from typing import Final

import msgspec

from streams import event as events
from streams import outputs as outs
from streams.backends.sqlite.schema import SPAN, base
from streams.event import Event
from streams.log import AGENT, DELIVERY, Batch, Feed, LogDamaged, PartitionStatus
from streams.outputs import Output
from streams.state import decode_changes

READ_EVENTS: Final = "SELECT id, count, body FROM entries WHERE id > ? AND id < ? ORDER BY id"
READ_OUTPUTS: Final = "SELECT id, count, body FROM outputs WHERE id > ? AND id < ? ORDER BY id"
READ_DELTAS: Final = "SELECT id, body FROM deltas WHERE id > ? AND id < ? ORDER BY id"
TAIL: Final = "SELECT id FROM entries WHERE id > ? AND id < ? ORDER BY id DESC LIMIT 1"


def read(db: sqlite3.Connection, partition: int, after: int, limit: int) -> Batch:
    after = max(after, 0)
    first = base(partition)
    found: list[Event] = []
    last = after
    cursor = db.execute(READ_EVENTS, (first + after, first + SPAN))
    for key, count, body in cursor:
        decoded = _decode_entry(partition, key - first, count, body)
        if not found and key - first - count < after:
            decoded = decoded[after - (key - first) :]
        found += decoded
        last = key - first
        if len(found) >= limit:
            break
    cursor.close()
    return Batch(range(last - len(found) + 1, last + 1), found)


def _decode_entry(partition: int, last: int, count: int, body: bytes) -> list[Event]:
    decoded = events.decode(body)
    if len(decoded) != count:
        raise LogDamaged(
            f"partition {partition}: the entry of offsets {last - count + 1}…{last} holds {len(decoded)} lines, so "
            "offsets cannot be trusted: stop, and restore the file from a backup"
        )
    return decoded


def tail(db: sqlite3.Connection, partition: int) -> int:
    first = base(partition)
    row = db.execute(TAIL, (first, first + SPAN)).fetchone()
    return row[0] - first if row else 0


def outputs(db: sqlite3.Connection, partition: int, after: int, limit: int) -> tuple[int, list[Output]]:
    after = max(after, 0)
    first = base(partition)
    found: list[Output] = []
    number = 0
    cursor = db.execute(READ_OUTPUTS, (first + after, first + SPAN))
    for key, count, body in cursor:
        try:
            decoded = outs.decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise _unreadable(f"partition {partition}: outputs up to number {key - first}", error) from error
        begin = key - first - count + 1
        if not found:
            number = max(begin, after + 1)
            decoded = decoded[number - begin :]
        found += decoded
        if len(found) >= limit:
            break
    cursor.close()
    return (number, found) if found else (0, [])


def slot_of(db: sqlite3.Connection, partition: int, processor: str) -> tuple[int, int, int, int] | None:
    """(slot, position, flushed, forgotten) of a processor that has ever committed here."""
    row: tuple[int, int, int, int] | None = db.execute(
        "SELECT slot, position, flushed, forgotten FROM slots WHERE partition = ? AND processor = ?",
        (partition, processor),
    ).fetchone()
    return row


def position(db: sqlite3.Connection, partition: int, processor: str) -> int:
    row = slot_of(db, partition, processor)
    return row[1] if row else 0


def feed(db: sqlite3.Connection, partition: int, processor: str, after: int, limit: int) -> list[Feed] | None:
    """Needs a transaction around it, so that what is forgotten and what is there are of one moment."""
    row = slot_of(db, partition, processor)
    if row is None:
        return []
    slot, _, _, forgotten = row
    if after < forgotten:
        return None
    first = base(slot)
    found: list[Feed] = []
    rows = 0
    cursor = db.execute(READ_DELTAS, (first + after, first + SPAN))
    for key, body in cursor:
        commit = delta(partition, processor, key - first, body)
        found.append(commit)
        rows += max(len(commit.changes), 1)
        if rows >= limit:
            break
    cursor.close()
    return found


def delta(partition: int, processor: str, end: int, body: bytes) -> Feed:
    try:
        return Feed(end, decode_changes(body))
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise _unreadable(f"partition {partition}: {processor}'s commit to position {end}", error) from error


def _unreadable(what: str, error: Exception) -> LogDamaged:
    return LogDamaged(f"{what} cannot be read ({error}): stop, and restore the file from a backup")


def document(db: sqlite3.Connection, digest: str) -> bytes | None:
    row = db.execute("SELECT body FROM documents WHERE digest = ?", (digest,)).fetchone()
    return row[0] if row else None


def status(db: sqlite3.Connection, now: int) -> list[PartitionStatus]:
    """Needs a transaction around it."""
    positions: dict[int, dict[str, int]] = {}
    for partition, processor, at in db.execute("SELECT partition, processor, position FROM slots"):
        positions.setdefault(partition, {})[processor] = at
    owners: dict[tuple[int, str], tuple[str | None, int]] = {}
    for partition, role, owner, epoch, expires in db.execute(
        "SELECT partition, role, owner, epoch, expires FROM leases"
    ):
        owners[partition, role] = (owner if expires > now else None, epoch)
    nobody = (None, 0)
    return [
        PartitionStatus(
            partition,
            *owners.get((partition, AGENT), nobody),
            tail(db, partition),
            numbers,
            positions.get(partition, {}),
            committed_at,
            owners.get((partition, DELIVERY), nobody)[0],
        )
        for partition, numbers, committed_at in db.execute(
            "SELECT partition, outputs, committed_at FROM partitions ORDER BY partition"
        ).fetchall()
    ]


def sequence(db: sqlite3.Connection, partition: int, producer: str) -> int:
    row: tuple[int] | None = db.execute(
        "SELECT sequence FROM producers WHERE partition = ? AND producer = ?", (partition, producer)
    ).fetchone()
    return row[0] if row else -1


def last_output(db: sqlite3.Connection, partition: int) -> int:
    row: tuple[int] = db.execute("SELECT outputs FROM partitions WHERE partition = ?", (partition,)).fetchone()
    return row[0]
