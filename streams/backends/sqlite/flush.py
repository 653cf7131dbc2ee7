"""Moves rows from memory to the tables: a frozen layer, sorted by name, in pieces between commits.

1. Names are sorted, and rows are written in that order, each piece in one transaction. Due times that changed on the
   way are noted in `moves` in the same transaction.
2. When all rows are written, the moved due times are sorted and written to `dues` in that order: written by name
   they would touch a page each.
3. The slot's `flushed` becomes the position the layer was frozen at, and `moves` is emptied, in one transaction.

A crash loses nothing: until step 3 the deltas win over the tables, for every name of the layer. What is left in `moves`
is applied when the slot is loaded again (`finish_moves`). Each piece is fenced by the epoch of its place, so that a
stale owner never overwrites what its successor flushed. Only the writer's connection is used, under the log's lock.
"""

from __future__ import annotations

import functools
import sqlite3
from collections.abc import Sequence
from typing import Final

import msgspec

from streams.backends.layer import Layer
from streams.log import Role
from streams.state import NEVER, Change

STATEMENT_ROWS: Final = 500
"""Rows a statement: one call into SQLite for all of them, because each call gives other threads the interpreter."""

SORT_AHEAD: Final = 2
"""Names sorted in the time that one row takes to be written, and fewer than that."""

OUTPACING: Final = 4
"""Writes for each row that commits add while a flush runs. A row of the flush costs three and a half at most: half of
one for sorting, its own, and two where its due time moved. So fewer rows gather than are flushed meanwhile."""

Move = tuple[int, int, str]
"""(due until now, new due, name)"""

_encoder = msgspec.msgpack.Encoder()
_moves = msgspec.msgpack.Decoder(list[Move])


@functools.lru_cache(maxsize=64)
def upsert_statement(size: int) -> str:
    places = ",".join(["(?,?,?,?)"] * size)
    return (
        f"INSERT INTO rows (slot, name, value, due) VALUES {places} "  # noqa: S608
        "ON CONFLICT (slot, name) DO UPDATE SET value = excluded.value, due = excluded.due"
    )


@functools.lru_cache(maxsize=64)
def old_dues_statement(size: int) -> str:
    return f"SELECT name, due FROM rows WHERE slot = ? AND name IN ({','.join('?' * size)}) AND due < {NEVER}"  # noqa: S608


class Flush:
    """The flush of one layer of one slot, up to the position it was frozen at."""

    def __init__(self, slot: int, place: tuple[int, Role], layer: Layer, upto: int) -> None:
        self.slot = slot
        self.place = place
        self.upto = upto
        self._rows = layer.rows
        self._names = list(layer.rows)
        self._sorted = 0
        self._written = 0
        self._has_dues: bool | None = None
        self._moves: list[Move] = []
        self._due_writes: list[tuple[int, str, bool]] | None = None
        self._due_written = 0

    def step(self, db: sqlite3.Connection, budget: int) -> bool:
        """Does about `budget` writes within the transaction that is open, or what takes as long; true when all is done.
        An object whose transaction is rolled back must be thrown away, and the slot loaded again."""
        if self._has_dues is None:
            row = db.execute("SELECT 1 FROM dues WHERE slot = ? LIMIT 1", (self.slot,)).fetchone()
            self._has_dues = row is not None
        if self._sorted < len(self._names):
            budget -= self._sort(SORT_AHEAD * budget) // SORT_AHEAD
            if self._sorted < len(self._names):
                return False
        if self._written < len(self._names):
            piece = [self._rows[name] for name in self._names[self._written : self._written + budget]]
            self._written += len(piece)
            self._write_rows(db, piece)
            budget -= len(piece)
            if self._written < len(self._names):
                return False
        if self._due_writes is None:
            self._due_writes = due_writes(self._moves)
        writes = self._due_writes[self._due_written : self._due_written + budget]
        self._due_written += len(writes)
        write_dues(db, self.slot, writes)
        if self._due_written < len(self._due_writes):
            return False
        db.execute("UPDATE slots SET flushed = ? WHERE slot = ?", (self.upto, self.slot))
        db.execute("DELETE FROM moves WHERE slot = ?", (self.slot,))
        return True

    def _sort(self, count: int) -> int:
        """Sorts so many more names, if there are, and says how many; the last call merges what is sorted, which is
        quick."""
        run = sorted(self._names[self._sorted : self._sorted + count])
        self._names[self._sorted : self._sorted + count] = run
        self._sorted += len(run)
        if self._sorted == len(self._names):
            self._names.sort()
        return len(run)

    def _write_rows(self, db: sqlite3.Connection, piece: Sequence[Change]) -> None:
        moves: list[Move] = []
        for start in range(0, len(piece), STATEMENT_ROWS):
            part = piece[start : start + STATEMENT_ROWS]
            moves += self._moved(db, part)
            gone = [(self.slot, change.name) for change in part if change.value is None]
            if gone:
                db.executemany("DELETE FROM rows WHERE slot = ? AND name = ?", gone)
                part = [change for change in part if change.value is not None]
            if part:
                values: list[object] = []
                for change in part:
                    values += (self.slot, change.name, change.value, change.due)
                db.execute(upsert_statement(len(part)), values)
        if moves:
            db.execute("INSERT INTO moves (slot, body) VALUES (?, ?)", (self.slot, _encoder.encode(moves)))
            self._moves += moves

    def _moved(self, db: sqlite3.Connection, part: Sequence[Change]) -> list[Move]:
        old: dict[str, int] = {}
        if self._has_dues:
            names = [change.name for change in part]
            old = dict(db.execute(old_dues_statement(len(names)), (self.slot, *names)).fetchall())
        return [
            (before, after, change.name)
            for change in part
            if (before := old.get(change.name, NEVER)) != (after := change.due if change.value is not None else NEVER)
        ]


def due_writes(moves: Sequence[Move]) -> list[tuple[int, str, bool]]:
    """(due, name, whether it is added) in the order of the table."""
    writes = [(before, name, False) for before, _, name in moves if before < NEVER]
    writes += [(after, name, True) for _, after, name in moves if after < NEVER]
    writes.sort()
    return writes


def write_dues(db: sqlite3.Connection, slot: int, writes: Sequence[tuple[int, str, bool]]) -> None:
    """Writing the same again changes nothing."""
    gone = [(slot, due, name) for due, name, added in writes if not added]
    db.executemany("DELETE FROM dues WHERE slot = ? AND due = ? AND name = ?", gone)
    new = [(due, name) for due, name, added in writes if added]
    for start in range(0, len(new), STATEMENT_ROWS):
        part = new[start : start + STATEMENT_ROWS]
        places = ",".join(["(?,?,?)"] * len(part))
        values: list[object] = []
        for entry in part:
            values += (slot, *entry)
        db.execute(f"INSERT OR IGNORE INTO dues (slot, due, name) VALUES {places}", values)  # noqa: S608


def finish_moves(db: sqlite3.Connection, slot: int) -> None:
    """Brings `dues` in line with `rows` after a flush that did not end."""
    bodies = db.execute("SELECT body FROM moves WHERE slot = ? ORDER BY id", (slot,)).fetchall()
    if bodies:
        write_dues(db, slot, due_writes([move for (body,) in bodies for move in _moves.decode(body)]))
        db.execute("DELETE FROM moves WHERE slot = ?", (slot,))
