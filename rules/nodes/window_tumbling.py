"""`over: {tumbling: 1h}`: windows `[start, start + size)` aligned to the epoch, which fire at their end (RULES.md §3).

A window is closed once it has fired or its end is before the clock: an event that belongs only there is not counted.
"""

from __future__ import annotations

from typing import Any

from rules.nodes.evaluating import Evaluating
from rules.nodes.summary import Summaries
from rules.nodes.waiting import DUE
from rules.nodes.window_closing import ClosingWindow, Met
from streams.state import Cell


class TumblingWindow(ClosingWindow):
    def __init__(self, id: str, rule: str, size: int, summaries: Summaries, whole: bool) -> None:
        super().__init__(id, rule, summaries, whole)
        self._size = size
        """Microseconds."""

    def enter(self, evaluation: Evaluating, waiter: Any, key: str, cell: Cell, met: Met) -> None:
        start = met.event.time // self._size * self._size
        end = start + self._size
        for entry in cell.nodes.get(self.id, ()):
            if entry[DUE] == end:
                self._grow(evaluation, entry, met)
                evaluation.dirty.add(key)
                return
        if not evaluation.ended(end, cell):
            self._put(evaluation, waiter, key, cell, self._new(start, end, evaluation.order(cell), met))
            evaluation.dirty.add(key)
