"""The fingerprints of the last events of a partition: what a duplicate is recognised by.

At least `WINDOW` of the newest are remembered, in three open-addressed tables of 8 bytes a slot, at most half full: 16
bytes each, where a Python set takes 65. When the youngest table is full the oldest is dropped. They are state like any
other: rows `d<chunk>` of 512 fingerprints, written again and again in a ring, so that a commit writes what is new and
the rest of one chunk. One thread, the worker's.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from typing import Final

from streams.state import FINGERPRINTS, Change

WINDOW: Final = 500_000
CHUNK: Final = 512
CHUNKS: Final = WINDOW // CHUNK + 2
TABLES: Final = 3
FIRST_SLOTS: Final = 1 << 10
MOST_SLOTS: Final = 1 << 19
_NUMBER: Final = 8


class _Table:
    """A set of non-zero 63-bit numbers that grows up to MOST_SLOTS."""

    __slots__ = ("count", "mask", "slots")

    def __init__(self) -> None:
        self.slots = array("Q", bytes(_NUMBER * FIRST_SLOTS))
        self.mask = FIRST_SLOTS - 1
        self.count = 0

    def add(self, value: int) -> None:
        if self.count * 2 > self.mask:
            self._grow()
        _place(self.slots, self.mask, value)
        self.count += 1

    @property
    def full(self) -> bool:
        return self.count * 2 >= MOST_SLOTS

    def _grow(self) -> None:
        old = self.slots
        slots = array("Q", bytes(_NUMBER * len(old) * 4))
        mask = len(slots) - 1
        for value in old:
            if value:
                _place(slots, mask, value)
        self.slots, self.mask = slots, mask


def _place(slots: array[int], mask: int, value: int) -> None:
    place = value & mask
    while slots[place]:
        place = (place + 1) & mask
    slots[place] = value


class Fingerprints:
    """`remembered` is how many there ever were; it is kept in the partition's own row."""

    def __init__(self, remembered: int = 0, rows: Iterable[tuple[str, bytes]] = ()) -> None:
        self.remembered = remembered
        self._tables = [_Table()]
        self._chunk: array[int] = array("Q")
        for number, values in sorted((_unpacked(value) for _, value in rows), key=lambda pair: pair[0]):
            for value in values:
                self._add(value)
            if number == remembered // CHUNK:
                self._chunk = values

    def fresh(self, values: Iterable[int]) -> Iterator[bool]:
        """For each fingerprint of a run, whether it is met for the first time. Remembers nothing."""
        tables = [(table.slots, table.mask) for table in self._tables]
        seen: set[int] = set()
        for value in values:
            if not value:
                yield True
            elif value in seen or any(_holds(slots, mask, value) for slots, mask in tables):
                yield False
            else:
                seen.add(value)
                yield True

    def remember(self, values: Iterable[int]) -> list[Change]:
        """Remembers them, in order, and says what to commit."""
        changed: dict[int, bytes] = {}
        for value in values:
            self._add(value)
            self._chunk.append(value)
            number = self.remembered // CHUNK
            self.remembered += 1
            if len(self._chunk) == CHUNK:
                changed[number] = _packed(number, self._chunk)
                self._chunk = array("Q")
        if self._chunk:
            number = self.remembered // CHUNK
            changed[number] = _packed(number, self._chunk)
        return [Change(f"{FINGERPRINTS}{number % CHUNKS:06d}", value) for number, value in changed.items()]

    def _add(self, value: int) -> None:
        if self._tables[-1].full:
            self._tables = [*self._tables[1 - TABLES :], _Table()]
        self._tables[-1].add(value)


def _holds(slots: array[int], mask: int, value: int) -> bool:
    place = value & mask
    while found := slots[place]:
        if found == value:
            return True
        place = (place + 1) & mask
    return False


def _packed(number: int, values: array[int]) -> bytes:
    return number.to_bytes(_NUMBER, "little") + values.tobytes()


def _unpacked(row: bytes) -> tuple[int, array[int]]:
    values = array("Q")
    values.frombytes(row[_NUMBER:])
    return int.from_bytes(row[:_NUMBER], "little"), values
