"""`sequence`: the partial matches of a key (RULES.md §5).

The state is a list of entries `[due, order, step, count, reached, source, id, kept]` (`rules.nodes.waiting`), ordered
by the time at which they end, then by order of opening: the step that a match waits for and how many of its events it
has, the time of its newest event, source and id of the opening one, and what is kept of the events of complete steps,
in order of the steps of which something is read. Callers keep `Cell.due` right.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Collection
from operator import itemgetter
from typing import Final

from rules.nodes.waiting import DUE, ORDER, Entry
from streams.event import Event
from streams.state import Cell

STEP, COUNT, REACHED, SOURCE, ID, KEPT = range(2, 8)

_place: Final = itemgetter(DUE, ORDER)
order_of: Final = itemgetter(ORDER)


class Matches:
    __slots__ = ("id", "most", "within")

    def __init__(self, id: str, within: int, most: int) -> None:
        self.id = id
        self.within = within
        """Microseconds."""
        self.most = most
        """Matches of a key: beyond, the one that opened first is dropped."""

    def open(self, cell: Cell, event: Event, step: int, count: int, order: Callable[[Cell], int]) -> Entry:
        """A new match, with nothing kept. `order` draws its place."""
        entry: Entry = [event.time + self.within, order(cell), step, count, event.time, event.source, event.id, []]
        entries: list[Entry] | None = cell.nodes.get(self.id)
        if entries is None:
            cell.nodes[self.id] = [entry]
        else:
            insort(entries, entry, key=_place)
        return entry

    def capped(self, cell: Cell) -> bool:
        """Whether there were too many; then the one that opened first is out."""
        entries: list[Entry] = cell.nodes[self.id]
        if len(entries) <= self.most:
            return False
        entries.remove(min(entries, key=order_of))
        return True

    def end(self, cell: Cell, orders: Collection[int]) -> None:
        """Takes out the matches that opened at these places."""
        kept = [entry for entry in cell.nodes[self.id] if entry[ORDER] not in orders]
        if kept:
            cell.nodes[self.id] = kept
        else:
            del cell.nodes[self.id]

    def forget(self, cell: Cell) -> None:
        """Takes out those that the clock has passed: all that end when the first one does."""
        entries: list[Entry] = cell.nodes[self.id]
        first = entries[0][DUE]
        if entries[-1][DUE] == first:
            del cell.nodes[self.id]
        else:
            cell.nodes[self.id] = [entry for entry in entries if entry[DUE] > first]
