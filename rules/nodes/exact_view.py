"""What an exact window shows at one moment: some of its elements, and what aggregates say of them."""

from __future__ import annotations

from typing import Any

from rules.nodes import exact_sum
from rules.nodes.kept import give
from rules.nodes.kept_column import different, greatest, least, sort
from rules.nodes.window_elements import SUMS, TALLIES, Elements, State


class ExactView:
    """The elements from `start` to `stop`, of which there is one at least; `start` is where the window looks from. Good
    until the window changes."""

    __slots__ = ("_elements", "_start", "_state", "_stop")

    def __init__(self, elements: Elements, state: State, start: int, stop: int) -> None:
        self._elements = elements
        self._state = state
        self._start = start
        self._stop = stop

    def value(self, function: str, argument: int | None) -> Any:
        """Of an aggregate. Raises CelEvaluationError where it has none."""
        if argument is None:
            return self._stop - self._start
        elements, state, start, stop = self._elements, self._state, self._start, self._stop
        column = argument + elements.timed
        match function:
            case "sum":
                return self._sum(column)
            case "avg":
                return self._mean(column)
            case "min":
                return give(elements.extreme(state, column, start, stop, least))
            case "max":
                return give(elements.extreme(state, column, start, stop, greatest))
            case "distinct":
                return self._distinct(column)
            case "first":
                return give(elements.column(state, column, start, start + 1)[0])
            case _:
                return give(elements.column(state, column, stop - 1, stop)[0])

    def _seen(self, column: int) -> list[Any]:
        return self._elements.column(self._state, column, self._start, self._stop)

    def _later(self, column: int) -> list[Any]:
        """The elements that lie behind: those of later times than the event at hand."""
        total = self._elements.total(self._state)
        return self._elements.column(self._state, column, self._stop, total) if self._stop < total else []

    def _sum(self, column: int) -> int | float:
        if self._state[SUMS] is None:
            return exact_sum.plain_total(self._seen(column))
        return exact_sum.total(*self._running(column))

    def _mean(self, column: int) -> int | float:
        if self._state[SUMS] is None:
            return exact_sum.plain_mean(self._seen(column))
        return exact_sum.total(*self._running(column), self._stop - self._start)

    def _running(self, column: int) -> tuple[list[Any], int]:
        at = 2 * self._elements.summed.index(column)
        sums: list[Any] = self._state[SUMS]
        later = self._later(column)
        if later:
            sums = sums[:]
            for value in later:
                exact_sum.put(sums, at, value, -1)
        return sums, at

    def _distinct(self, column: int) -> int:
        tallies = self._state[TALLIES]
        if tallies is None:
            return different(self._seen(column))
        tally: dict[str, int] = tallies[self._elements.tallied.index(column)]
        later: dict[str, int] = {}
        for value in self._later(column):
            name = sort(value)
            later[name] = later.get(name, 0) + 1
        return len(tally) - sum(tally[name] == count for name, count in later.items())
