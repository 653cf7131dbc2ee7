"""Newest rows in memory, ahead of a table on disk: what commits changed since the last flush.

Looked up by name at the price of a dict; walked by name or by due time without sorting everything again each time. One
thread applies commits; others may walk at the same time and see each change of a commit or not yet.
"""

from __future__ import annotations

import threading
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence

from streams.due_list import DueList
from streams.state import NEVER, Change


class Layer:
    def __init__(self) -> None:
        self.rows: dict[str, Change] = {}
        self._lock = threading.Lock()
        self._names: list[str] = []
        self._dues = DueList()

    def __len__(self) -> int:
        return len(self.rows)

    def apply(self, changes: Sequence[Change]) -> None:
        newest = {change.name: change for change in changes}
        timed = {
            change.name: change.due for change in newest.values() if change.due < NEVER and change.value is not None
        }
        with self._lock:
            self.rows.update(newest)
            if self._dues:
                self._dues.remove((newest.keys() & self._dues.names()) - timed.keys())
            if timed:
                self._dues.add(timed.items())

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
            return self._dues.walk(after)
