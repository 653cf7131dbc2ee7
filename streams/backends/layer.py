"""Newest rows in memory, ahead of a table on disk: what commits changed since the last flush.

Looked up by name at the price of a dict; walked by name or by due time without sorting everything again each time. One
thread applies commits; others may walk at the same time and see each change of a commit or not yet.
"""

from __future__ import annotations

import threading
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator, Sequence

from streams.state import NEVER, Change

_FEW = 64
"""Up to so many new due times are put in their places one by one; more are sorted in together."""


class Layer:
    def __init__(self) -> None:
        self.rows: dict[str, Change] = {}
        self._lock = threading.Lock()
        self._names: list[str] = []
        self._dues: list[tuple[int, str]] = []
        self._new_dues: list[tuple[int, str]] = []

    def __len__(self) -> int:
        return len(self.rows)

    def apply(self, changes: Sequence[Change]) -> None:
        dues = [(change.due, change.name) for change in changes if change.due < NEVER and change.value is not None]
        with self._lock:
            self.rows.update({change.name: change for change in changes})
            if dues:
                self._new_dues += dues

    def names(self, prefix: str, after: str) -> Iterator[str]:
        """Names, deleted rows included, that begin with `prefix` and are greater than `after`, by code point."""
        with self._lock:
            # A dict keeps the place of a name that is written again, so the new names are those at its end.
            if len(self._names) < len(self.rows):
                self._names = self._names + list(self.rows)[len(self._names) :]
                self._names.sort()
            names = self._names
        start = max(bisect_left(names, prefix), bisect_right(names, after))
        for place in range(start, len(names)):
            if not names[place].startswith(prefix):
                return
            yield names[place]

    def due(self, after: tuple[int, str]) -> Iterator[tuple[int, str]]:
        """(due, name) of rows with a due time, in order, greater than `after`."""
        with self._lock:
            self._settle()
            dues = self._dues
        rows = self.rows
        last = after
        for place in range(bisect_right(dues, after), len(dues)):
            entry = dues[place]
            row = rows[entry[1]]
            if entry != last and row.due == entry[0] and row.value is not None:
                last = entry
                yield entry

    def _settle(self) -> None:
        new, self._new_dues = self._new_dues, []
        if not new:
            return
        # Walkers go on over the list they have: a list that was handed out is never changed.
        if len(self._dues) + len(new) > 2 * len(self.rows) + _FEW:
            live = {(row.due, row.name) for row in self.rows.values() if row.due < NEVER and row.value is not None}
            self._dues = sorted(live)
        elif len(new) <= _FEW:
            self._dues = self._dues.copy()
            for entry in new:
                insort(self._dues, entry)
        else:
            self._dues = sorted(self._dues + new)
