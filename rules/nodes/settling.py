"""`settle`: firings that follow each other closely become one, when the key has been quiet (RULES.md §6).

The state is a list of entries `[due, order, first, …]` (`rules.nodes.waiting`): the times of the firings in an entry
lie between `first` and `due - quiet`, and behind `first` is what the caller gave for the last of them. Entries lie at
least `quiet` apart. A firing belongs to an entry if it is less than `quiet` before its first or after its last firing;
one that comes late may belong to two, which it makes one. Callers keep `Cell.due` right.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable
from operator import itemgetter
from typing import Any, Final

from rules.nodes.waiting import DUE, ORDER, Entry
from streams.state import Cell

FIRST, WHAT = 2, 3

_place: Final = itemgetter(DUE, ORDER)


class Settling:
    __slots__ = ("id", "quiet")

    def __init__(self, id: str, quiet: int) -> None:
        self.id = id
        self.quiet = quiet
        """Microseconds."""

    def put(self, cell: Cell, at: int, what: list[Any], order: Callable[[Cell], int]) -> Entry:
        """A firing at `at`: the entry that it is now in. `order` draws the place of one that is new; what joins keeps
        the place of the entry that opened first."""
        due = at + self.quiet
        entries: list[Entry] | None = cell.nodes.get(self.id)
        if entries is None:
            entry: Entry = [due, order(cell), at, *what]
            cell.nodes[self.id] = [entry]
            return entry
        near = [entry for entry in entries if entry[FIRST] - self.quiet < at < entry[DUE]]
        if not near:
            entry = [due, order(cell), at, *what]
        else:
            last = near[-1]
            entry = [max(due, last[DUE]), min(map(itemgetter(ORDER), near)), min(at, near[0][FIRST])]
            # of two firings at one time the newer is the last
            entry += what if due >= last[DUE] else last[WHAT:]
            entries[:] = [each for each in entries if each not in near]
        insort(entries, entry, key=_place)
        return entry

    def take(self, cell: Cell) -> tuple[int, list[Any]]:
        """Removes the first entry: its due time, and what was given for its last firing."""
        entries: list[Entry] = cell.nodes[self.id]
        entry = entries.pop(0)
        if not entries:
            del cell.nodes[self.id]
        return entry[DUE], entry[WHAT:]
