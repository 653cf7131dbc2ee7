"""Names by due time: set, moved and removed at the price of a dict, walked in order without sorting all of them again.

A sorted list holds every (due, name) that was set; an entry counts while it is the newest of its name. The index of due
times in memory (`due.py`) and the layers of newest rows (`backends/layer.py`) are made of it. One thread at a time
writes.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Iterable, Iterator, KeysView
from typing import Final

from streams.state import NEVER

FEW: Final = 64
"""Up to so many new entries are put in their places one by one; more are sorted in together."""


class DueList:
    def __init__(self) -> None:
        self._newest: dict[str, int] = {}
        self._sorted: list[tuple[int, str]] = []
        self._start = 0
        """What lies before it in the sorted list does not count any more."""
        self._new: list[tuple[int, str]] = []

    def __len__(self) -> int:
        return len(self._newest)

    def names(self) -> KeysView[str]:
        return self._newest.keys()

    def add(self, entries: Iterable[tuple[str, int]]) -> None:
        """Sets the due times of these names."""
        newest = self._newest
        for name, due in entries:
            if newest.get(name) != due:
                newest[name] = due
                self._new.append((due, name))

    def remove(self, names: Iterable[str]) -> None:
        """Names that are not there are passed over."""
        for name in names:
            self._newest.pop(name, None)

    def walk(self, after: tuple[int, str] | None = None) -> Iterator[tuple[int, str]]:
        """(due, name) in order, greater than `after`. The call itself is a write, going through what it returns is not:
        that may go on beside writes, and sees each of them or not yet."""
        self._settle()
        if after is None:
            self._pass_stale()
            return self._go(self._start, (-NEVER, ""))
        return self._go(bisect_right(self._sorted, after, lo=self._start), after)

    def _go(self, place: int, last: tuple[int, str]) -> Iterator[tuple[int, str]]:
        entries, newest = self._sorted, self._newest
        while place < len(entries):
            entry = entries[place]
            # An entry put in meanwhile moves the others on: what was seen before is passed over.
            if entry > last and newest.get(entry[1]) == entry[0]:
                last = entry
                yield entry
            place += 1

    def keep(self, count: int) -> tuple[int, str] | None:
        """Forgets all but the first `count`; the last one kept, if any was forgotten."""
        if len(self._newest) <= count:
            return None
        self._new = []
        self._start = 0
        self._sorted = sorted((due, name) for name, due in self._newest.items())[:count]
        self._newest = {name: due for due, name in self._sorted}
        return self._sorted[-1]

    def _settle(self) -> None:
        new, self._new = self._new, []
        if len(self._sorted) - self._start + len(new) > 2 * len(self._newest) + FEW:
            self._sorted = sorted((due, name) for name, due in self._newest.items())
            self._start = 0
        elif len(new) > FEW:
            self._sorted = sorted(self._sorted[self._start :] + new)
            self._start = 0
        else:
            for entry in new:
                insort(self._sorted, entry, lo=self._start)

    def _pass_stale(self) -> None:
        entries, newest = self._sorted, self._newest
        while self._start < len(entries):
            due, name = entries[self._start]
            if newest.get(name) == due:
                return
            self._start += 1
