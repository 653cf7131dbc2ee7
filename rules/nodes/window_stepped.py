"""`over: {sliding: 24h, step: 15m}`: a sliding window of buckets, one a step (RULES.md §3 and §9).

Buckets are aligned to the epoch; the window of an event at t are those from ⌊(t − span)/step⌋ + 1 to ⌊t/step⌋, of
which those that the clock has left behind in the same way are forgotten. The state is `[[due, order], buckets, from,
total]`, each bucket `[number, summary]`, the oldest first; `total` is the count and the sums of those from number
`from` on, so that what they cost does not grow with the buckets. It waits until the newest at the last look would be
forgotten.
"""

from __future__ import annotations

from bisect import bisect_left
from operator import itemgetter
from typing import Any, Final

from rules.nodes.evaluating import Evaluating
from rules.nodes.summary import Summaries, SummariesView
from rules.nodes.waiting import DUE
from streams.state import Cell

BUCKETS, FROM, TOTAL = 1, 2, 3
_number: Final = itemgetter(0)


class SteppedWindow:
    """Waits itself. Times are microseconds."""

    def __init__(self, id: str, rank: int, rule: str, span: int, step: int, summaries: Summaries) -> None:
        self.id = id
        self.rank = rank
        self.keeps = span
        """The span."""
        self._step = step
        self._summaries = summaries
        self._capped = f"window_capped|{rule}"

    def enter(self, evaluation: Evaluating, key: str, cell: Cell, time: int, values: list[Any]) -> SummariesView | None:
        """None where the event's bucket is forgotten."""
        clock, span, step = evaluation.now(cell), self.keeps, self._step
        forgotten = (clock - span) // step
        number, first = time // step, (time - span) // step + 1
        if number <= forgotten:
            return None
        evaluation.dirty.add(key)
        state = cell.nodes.get(self.id)
        if state is None:
            due = self._due(number)
            state = cell.nodes[self.id] = [[due, evaluation.order(cell)], [], first, self._summaries.nothing()]
            if due < cell.due:
                cell.due = due
            evaluation.opened(self, key, state[0])
        buckets = state[BUCKETS]
        gone = bisect_left(buckets, forgotten + 1, key=_number)
        if gone:
            self._look_from(state, forgotten + 1)
            del buckets[:gone]
        place = bisect_left(buckets, number, key=_number)
        summary = self._summaries.of(time, values)
        if number >= state[FROM]:
            self._summaries.add_up(state[TOTAL], summary)
        if place < len(buckets) and buckets[place][0] == number:
            beyond = self._summaries.merge(buckets[place][1], summary)
            if beyond:
                evaluation.count(self._capped, beyond)
        else:
            buckets.insert(place, [number, summary])
        start = bisect_left(buckets, first, key=_number)
        total = None
        if place == len(buckets) - 1:
            self._look_from(state, first)
            total = state[TOTAL] if buckets[start][0] >= state[FROM] else None
        return SummariesView(self._summaries, [bucket[1] for bucket in buckets[start : place + 1]], total)

    def _look_from(self, state: list[Any], first: int) -> None:
        """Older buckets leave the total."""
        for number, summary in state[BUCKETS]:
            if number >= first:
                break
            if number >= state[FROM]:
                self._summaries.add_up(state[TOTAL], summary, -1)
        state[FROM] = max(first, state[FROM])

    def expire(self, evaluation: Evaluating, key: str, cell: Cell) -> None:
        state = cell.nodes[self.id]
        due = self._due(state[BUCKETS][-1][0])
        if due <= cell.due:
            del cell.nodes[self.id]
        else:
            state[0][DUE] = due
            evaluation.opened(self, key, state[0])
        evaluation.rearm(cell)
        evaluation.dirty.add(key)

    def _due(self, number: int) -> int:
        """When the clock forgets a bucket: at the first time whose ⌊(time − span)/step⌋ is its number."""
        return number * self._step + self.keeps
