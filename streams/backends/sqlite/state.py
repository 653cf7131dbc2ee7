"""The state that one process holds of the partitions it owns: newest rows, their flush, what feeds may forget.

Only who holds the partition in the processor's role has these; they are made from the deltas when first needed after
`acquire`, thrown away when the epoch turns out to be somebody else's or a transaction's end is unknown, and made again.
Everything here but the reading of `Slot.layers` happens under the log's lock, on the writer's connection.
"""

from __future__ import annotations

import sqlite3
from typing import Final

from streams.backends.layer import Layer
from streams.backends.limits import LogLimits
from streams.backends.sqlite import reads
from streams.backends.sqlite.flush import OUTPACING, Flush, finish_moves
from streams.backends.sqlite.leases import epoch as epoch_of
from streams.backends.sqlite.rows import Layers
from streams.backends.sqlite.schema import SPAN, base
from streams.log import Role, role_of
from streams.state import Change

TRIM_COMMITS: Final = 64
"""Deltas that nobody needs are deleted once in so many commits, at most TRIM_ROWS and TRIM_BYTES at a time."""
Place = tuple[int, Role]
"""What a lease is for: a partition, in a role."""
DELTA_BYTES: Final = 256
"""What a delta counts beside its body, so that many small ones are bounded, too."""
TRIM_ROWS: Final = 256
TRIM_BYTES: Final = 8 << 20


class Slot:
    """One processor of one partition."""

    def __init__(self, slot: int, partition: int, processor: str) -> None:
        self.slot = slot
        self.partition = partition
        self.processor = processor
        self.place: Place = (partition, role_of(processor))
        self.layers: Layers = (Layer(),)
        """Newest first; the second, if any, is being flushed. Replaced, never changed."""
        self.position = 0
        self.flushed = 0
        self.forgotten = 0
        """Deltas up to here are deleted."""
        self.read_upto = 0
        """The feed's reader is done up to here."""
        self.unflushed_bytes = 0
        """Of the commits in the newest layer."""
        self.kept_bytes = 0
        """Of all deltas."""
        self.commits = 0

    def apply(self, end: int, changes: list[Change], size: int) -> None:
        self.layers[0].apply(changes)
        self.position = end
        self.unflushed_bytes += size + DELTA_BYTES
        self.kept_bytes += size + DELTA_BYTES
        self.commits += 1


def load(db: sqlite3.Connection, partition: int, processor: str) -> Slot | None:
    """The slot as stored, made from its deltas; None if the processor never committed. Within a transaction."""
    stored = reads.slot_of(db, partition, processor)
    if stored is None:
        return None
    slot = Slot(stored[0], partition, processor)
    _, slot.position, slot.flushed, slot.forgotten = stored
    first = base(slot.slot)
    for key, body in db.execute(reads.READ_DELTAS, (first + slot.flushed, first + SPAN)):
        commit = reads.delta(partition, processor, key - first, body)
        slot.apply(commit.end, commit.changes, len(body))
    (older,) = db.execute(
        "SELECT coalesce(sum(length(body) + ?), 0) FROM deltas WHERE id > ? AND id <= ?",
        (DELTA_BYTES, first, first + slot.flushed),
    ).fetchone()
    slot.kept_bytes += older
    return slot


class OwnedState:
    """Slots of the places this process owns, by the epoch it got for each."""

    def __init__(self, limits: LogLimits) -> None:
        self._limits = limits
        self._epochs: dict[Place, int] = {}
        self._slots: dict[tuple[int, str], Slot] = {}
        self._flush: Flush | None = None
        self._flushed: Slot | None = None

    def acquired(self, place: Place, epoch: int) -> None:
        """Nobody else committed if ours was the epoch before: then what is held stays right."""
        if self._epochs.get(place) != epoch - 1:
            self.lose(place)
        self._epochs[place] = epoch

    def lose(self, place: Place) -> None:
        """It is somebody else's now."""
        self.discard(place)
        self._epochs.pop(place, None)

    def discard(self, place: Place) -> None:
        """What is held may not be what is stored: it is loaded again when needed."""
        if self._flush is not None and self._flush.place == place:
            self._flush = self._flushed = None
        for key in [key for key, slot in self._slots.items() if slot.place == place]:
            del self._slots[key]

    def verify(self, db: sqlite3.Connection, place: Place) -> None:
        """After a refusal: the place is lost if its epoch is not the one we got."""
        if self._epochs.get(place) != epoch_of(db, *place):
            self.lose(place)

    def owns(self, place: Place) -> bool:
        return place in self._epochs

    def held(self, partition: int, processor: str) -> Slot | None:
        """The slot if it is loaded. May be called without the lock."""
        return self._slots.get((partition, processor))

    def slot(self, db: sqlite3.Connection, partition: int, processor: str) -> Slot | None:
        """The slot, loaded if need be, within the transaction that is open. None if there is nothing of it yet, or the
        place is no longer ours."""
        slot = self._slots.get((partition, processor))
        if slot is None:
            place: Place = (partition, role_of(processor))
            self.verify(db, place)
            slot = load(db, partition, processor) if self.owns(place) else None
            if slot is not None:
                finish_moves(db, slot.slot)
                self._slots[partition, processor] = slot
        return slot

    def add(self, slot: Slot) -> None:
        self._slots[slot.partition, slot.processor] = slot

    # -- between commits

    def pending(self, slot: Slot) -> bool:
        """Whether there is something to do after this commit of the slot."""
        slots = self._slots.values()
        if self._flush is None and (
            sum([len(one.layers[0].rows) for one in slots]) >= self._limits.overlay_rows
            or sum([one.unflushed_bytes for one in slots]) >= self._limits.overlay_bytes
        ):
            self._freeze(max(slots, key=lambda one: (one.unflushed_bytes, one.slot)))
        return self._flush is not None or slot.commits >= TRIM_COMMITS

    def _freeze(self, slot: Slot) -> None:
        self._flush = Flush(slot.slot, slot.place, slot.layers[0], slot.position)
        slot.layers = (Layer(), slot.layers[0])
        slot.unflushed_bytes = 0

    def work(self, db: sqlite3.Connection, slot: Slot, changed: int) -> None:
        """One piece of flushing and trimming, after a commit of so many rows, within a transaction of its own. When it
        is committed call `worked`, else `discard` for `flushing` and the slot's place."""
        flush = self._flush
        if flush is not None:
            self.verify(db, flush.place)
            if self.owns(flush.place) and flush.step(db, max(self._limits.flush_rows, OUTPACING * changed)):
                self._flushed = next(one for one in self._slots.values() if one.slot == flush.slot)
        if slot.commits >= TRIM_COMMITS and self.held(slot.partition, slot.processor) is slot:
            self._trim(db, slot)

    def worked(self) -> None:
        """Drops the layer that is in the tables now: not earlier, because others read them as committed."""
        if self._flushed is not None and self._flush is not None:
            self._flushed.layers = self._flushed.layers[:1]
            self._flushed.flushed = self._flush.upto
            self._flush = None
        self._flushed = None

    @property
    def flushing(self) -> Place | None:
        """Of the layer that is being flushed."""
        return self._flush.place if self._flush is not None else None

    def _trim(self, db: sqlite3.Connection, slot: Slot) -> None:
        excess = slot.kept_bytes - self._limits.feed_bytes // len(self._slots)
        upto = slot.flushed if excess > 0 else min(slot.flushed, slot.read_upto)
        first = base(slot.slot)
        last = slot.forgotten
        gone = 0
        for key, size in db.execute(
            "SELECT id, length(body) FROM deltas WHERE id > ? AND id <= ? ORDER BY id LIMIT ?",
            (first + slot.forgotten, first + upto, TRIM_ROWS),
        ).fetchall():
            if gone >= TRIM_BYTES or (gone >= excess and key - first > slot.read_upto):
                break
            last = key - first
            gone += size + DELTA_BYTES
        if last > slot.forgotten:
            db.execute("DELETE FROM deltas WHERE id > ? AND id <= ?", (first + slot.forgotten, first + last))
            db.execute("UPDATE slots SET forgotten = ? WHERE slot = ?", (last, slot.slot))
            slot.forgotten = last
            slot.kept_bytes -= gone
        else:
            slot.commits = 0
