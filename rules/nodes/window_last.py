"""`over: {last: 100}`: the last events by arrival (RULES.md §3). No time ends it: a key keeps its window for good.

Its state is as that of a window that goes by time (`rules.nodes.window_elements`), or `[count]` where nothing but the
number is asked for. It never waits.
"""

from __future__ import annotations

from typing import Any

from rules.nodes.evaluating import Evaluating
from rules.nodes.exact_view import ExactView
from rules.nodes.window_elements import BEFORE, Elements
from streams.state import Cell


class _Number:
    """What shows a number of events alone."""

    __slots__ = ("_count",)

    def __init__(self, count: int) -> None:
        self._count = count

    def value(self, function: str, argument: int | None) -> int:
        return self._count


class LastWindow:
    def __init__(self, id: str, count: int, elements: Elements) -> None:
        self.id = id
        self._count = count
        self._elements = elements

    def enter(self, evaluation: Evaluating, key: str, cell: Cell, time: int, values: list[Any]) -> ExactView | _Number:
        evaluation.dirty.add(key)
        state = cell.nodes.get(self.id)
        if not values:
            held = 1 if state is None else min(state[0] + 1, self._count)
            cell.nodes[self.id] = [held]
            return _Number(held)
        if state is None:
            state = cell.nodes[self.id] = self._elements.empty(0, 0)
        self._elements.insert(state, values)
        total = self._elements.total(state)
        if total > self._count:
            self._elements.drop(state, total - self._count)
            total = self._count
        return ExactView(self._elements, state, state[BEFORE], total)
