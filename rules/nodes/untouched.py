"""`keep` of a projection: a row that nothing touched for that long on its key's clock goes (RULES.md §2).

The state is one entry, `[due, order, touched]`: the latest time of an event that was folded into the row, or of the
clock when it was, in microseconds. Its due time may be earlier than `touched + keep`, so that an event which touches
the row costs one comparison; the entry is then put off when the clock comes to it.
"""

from __future__ import annotations

from collections.abc import Callable

from rules.nodes.waiting import DUE, Entry
from streams.state import Cell

TOUCHED = 2


class Untouched:
    __slots__ = ("id", "keep")

    def __init__(self, id: str, keep: int) -> None:
        self.id = id
        self.keep = keep
        """Microseconds."""

    def touch(self, cell: Cell, time: int, order: Callable[[Cell], int]) -> Entry | None:
        """The entry, if it is new. `order` draws its place."""
        entries: list[Entry] | None = cell.nodes.get(self.id)
        if entries is not None:
            entries[0][TOUCHED] = max(entries[0][TOUCHED], time)
            return None
        entry: Entry = [time + self.keep, order(cell), time]
        cell.nodes[self.id] = [entry]
        return entry

    def gone(self, cell: Cell) -> None:
        """The row went for another reason."""
        cell.nodes.pop(self.id, None)

    def put_off(self, cell: Cell) -> Entry | None:
        """The entry with its new due time, if the row was touched since; else None, and it is taken out."""
        entry: Entry = cell.nodes[self.id][0]
        due = entry[TOUCHED] + self.keep
        if due <= entry[DUE]:
            del cell.nodes[self.id]
            return None
        entry[DUE] = due
        return entry
