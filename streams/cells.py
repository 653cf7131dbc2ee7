"""The cells of one partition that are in memory: read through when missing, bounded, encoded once a commit.

Before a step the worker asks what is `missing`, reads those rows and hands them to `fill`. It changes the cells of
`loaded` in place, hands the keys of those it changed to `changes`, commits, and then calls `committed`; or `discard`
when the batch failed and cells may be half changed. One thread, the agent's.

Two generations bound it. What is used moves to the *young* one. When both together are over capacity and the young
one has half of that, the *old* one, which nobody used since the last turn, is thrown away and young becomes old: no
list of uses to keep, nothing to do for a hit but one look-up in a dict.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Final, TypeAlias

import msgspec

from streams.log import LogDamaged
from streams.state import CELL, Cell, Change, decode_cell, encode_cell

BASE_BYTES: Final = 480
"""An empty cell, its key and its places in two dicts."""
GROWTH: Final = 7
"""Bytes in memory for one byte of an encoded cell: short texts and numbers in dicts are much larger decoded."""

_Rows: TypeAlias = Mapping[str, bytes]


class Cells:
    """`budget` is in bytes of memory, estimated from encoded sizes (for common cells within a factor of two). Two
    thirds of it are always used before anything is thrown away; one batch may come on top."""

    def __init__(self, partition: int, budget: int) -> None:
        self._partition = partition
        self._capacity = budget * 2 // 3
        self._young: dict[str, Cell] = {}
        self._young_sizes: dict[str, int] = {}
        self._young_total = 0
        self._old: dict[str, Cell] = {}
        self._old_sizes: dict[str, int] = {}
        self._old_total = 0

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    @property
    def bytes(self) -> int:
        """Estimated."""
        return len(self) * BASE_BYTES + (self._young_total + self._old_total) * GROWTH

    @property
    def loaded(self) -> dict[str, Cell]:
        """Holds the cells of all keys that were asked for, and others. It is good until `committed` or `discard`."""
        return self._young

    def missing(self, keys: Iterable[str]) -> set[str]:
        """Those that have to be filled before `loaded` has them all."""
        missing = set(keys).difference(self._young)
        if missing and self._old:
            missing.difference_update(self._revive(missing))
        return missing

    def _revive(self, keys: set[str]) -> Collection[str]:
        again = keys.intersection(self._old)
        for key in again:
            self._young[key] = self._old.pop(key)
            size = self._young_sizes[key] = self._old_sizes.pop(key)
            self._young_total += size
            self._old_total -= size
        return again

    def fill(self, keys: Collection[str], found: _Rows) -> None:
        """`found` are the rows of these keys; those that have none yet get an empty cell. Raises LogDamaged."""
        cells: dict[str, Cell] = {}
        for key in keys:
            value = found.get(CELL + key)
            if value is None:
                cells[key] = Cell()
                continue
            try:
                cells[key] = decode_cell(value)
            except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                raise LogDamaged(
                    f"partition {self._partition}: the state of key `{key}` cannot be read ({error}): stop, and "
                    "restore the log from a backup, or replay it"
                ) from error
        self._young.update(cells)
        for key in cells:
            size = self._young_sizes[key] = len(found.get(CELL + key, b""))
            self._young_total += size

    def changes(self, dirty: Collection[str]) -> list[Change]:
        """What to commit for these keys, which must have been loaded."""
        cells = [self._young[key] for key in dirty]
        values = list(map(encode_cell, cells))
        sizes = list(map(len, values))
        before = self._young_sizes
        self._young_total += sum(sizes) - sum(map(before.__getitem__, dirty))
        before.update(zip(dirty, sizes, strict=True))
        return [Change(CELL + key, value, cell.due) for key, value, cell in zip(dirty, values, cells, strict=True)]

    def committed(self) -> None:
        """The end of a batch: cells of earlier batches may go."""
        young = len(self._young) * BASE_BYTES + self._young_total * GROWTH
        if self.bytes > self._capacity and 2 * young > self._capacity:
            self._old, self._old_sizes, self._old_total = self._young, self._young_sizes, self._young_total
            self._young, self._young_sizes, self._young_total = {}, {}, 0

    def discard(self) -> None:
        """Forgets everything; what was committed is read again."""
        self._young, self._young_sizes, self._young_total = {}, {}, 0
        self._old, self._old_sizes, self._old_total = {}, {}, 0
