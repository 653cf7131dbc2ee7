"""`over: 10m`: the exact sliding window that ends at the event (RULES.md §3 and §9).

It keeps what is later than clock − span, and shows an event at t what lies in (t − span, t]. So an event out of order
sees what was there at its time, as far as that is still kept. Its state waits until its newest
event at the last look would be forgotten: a key that is not seen again keeps no window.
"""

from __future__ import annotations

from typing import Any

from rules.nodes.evaluating import Evaluating
from rules.nodes.exact_view import ExactView
from rules.nodes.waiting import DUE
from rules.nodes.window_elements import BEFORE, FIRST, Elements, State
from streams.state import Cell


class SlidingWindow:
    """Waits itself. `limit` is how many events it holds: beyond it the oldest leave, and that is counted."""

    def __init__(self, id: str, rank: int, rule: str, span: int, limit: int, elements: Elements) -> None:
        self.id = id
        self.rank = rank
        self.span = span
        """Microseconds."""
        self.keeps = span
        self.limit = limit
        self.elements = elements
        self._capped = f"window_capped|{rule}"

    def enter(self, evaluation: Evaluating, key: str, cell: Cell, time: int, values: list[Any]) -> ExactView | None:
        """None where the event is too old to be looked at, or so old that the limit leaves nothing to look at."""
        clock, span, elements = evaluation.now(cell), self.span, self.elements
        if time <= clock - span:
            return None
        state = cell.nodes.get(self.id)
        if state is None:
            state = self.opened(evaluation, key, cell, time)
        else:
            evaluation.dirty.add(key)
        forgotten = elements.upto(state, clock - span)
        if forgotten:
            elements.drop(state, forgotten)
        elements.insert(state, [time, *values])
        total = elements.total(state)
        if total > self.limit:
            elements.drop(state, total - self.limit)
            evaluation.count(self._capped, total - self.limit)
            total = self.limit
        begin = max(time, clock) - span
        if begin > clock - span or state[BEFORE]:
            elements.look_from(state, elements.upto(state, begin))
        start, stop = state[BEFORE], total
        if time < state[FIRST][-1]:
            stop = elements.upto(state, time)
        return ExactView(elements, state, start, stop) if start < stop else None

    def opened(self, evaluation: Evaluating, key: str, cell: Cell, time: int) -> State:
        """A new state, without elements, that waits for an event at `time`."""
        due = time + self.span
        state = cell.nodes[self.id] = self.elements.empty(due, evaluation.order(cell))
        if due < cell.due:
            cell.due = due
        evaluation.dirty.add(key)
        evaluation.opened(self, key, state[0])
        return state

    def expire(self, evaluation: Evaluating, key: str, cell: Cell) -> None:
        nodes = cell.nodes
        state = nodes[self.id]
        due = state[FIRST][-1] + self.span
        if due <= cell.due:
            del nodes[self.id]
        else:
            state[0][DUE] = due
            evaluation.opened(self, key, state[0])
        evaluation.rearm(cell)
        evaluation.dirty.add(key)
