"""Many events as one: what the aggregates of a rule say of them, which grows with another event, or with another
summary.

A summary lies in a cell as `[count, sums, extremes, values, first, last]`: exact sums (`rules.nodes.exact_sum`),
least and greatest of each compared column, a dict with the different values of each column of `distinct`, and the
first and the last event by time, as `[time, values…]`. What no aggregate needs is None. An error stands in the place
of an extreme of values of several kinds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rules.cel.errors import CelEvaluationError
from rules.nodes import exact_sum
from rules.nodes.kept import give, keep
from rules.nodes.kept_column import greatest, least, sort

COUNT, SUMS, EXTREMES, VALUES, FIRST, LAST = range(6)

Summary = list[Any]


class Summaries:
    """How events of one window are summed up: the columns that are added up, compared, told apart, and of which the
    first or the last are asked. `limit` is how many values are told apart; others are not counted."""

    def __init__(
        self,
        summed: tuple[int, ...],
        compared: tuple[int, ...],
        tallied: tuple[int, ...],
        ends: tuple[bool, bool],
        limit: int,
    ) -> None:
        self.summed = summed
        self.compared = compared
        self.tallied = tallied
        self.limit = limit
        self._first, self._last = ends

    def of(self, time: int, values: list[Any]) -> Summary:
        """Of one event."""
        sums: list[Any] = [0, 0] * len(self.summed)
        for place, column in enumerate(self.summed):
            exact_sum.put(sums, 2 * place, values[column])
        return [
            1,
            sums or None,
            [values[column] for column in self.compared for _ in range(2)] or None,
            [{sort(values[column]): True} for column in self.tallied] or None,
            [time, *values] if self._first else None,
            [time, *values] if self._last else None,
        ]

    def merge(self, into: Summary, other: Summary) -> int:
        """Adds another summary, whose events arrived later where they are of the same time. How many values of
        `distinct` were beyond the limit."""
        into[COUNT] += other[COUNT]
        for place in range(len(self.summed)):
            exact_sum.merge(into[SUMS], 2 * place, other[SUMS])
        for place in range(0, 2 * len(self.compared), 2):
            for at, pick in ((place, least), (place + 1, greatest)):
                into[EXTREMES][at] = _picked(into[EXTREMES][at], other[EXTREMES][at], pick)
        beyond = 0
        for place in range(len(self.tallied)):
            held, more = into[VALUES][place], other[VALUES][place]
            for value in more:
                if value in held:
                    continue
                if len(held) < self.limit:
                    held[value] = True
                else:
                    beyond += 1
        if self._first and other[FIRST][0] < into[FIRST][0]:
            into[FIRST] = other[FIRST]
        if self._last and other[LAST][0] >= into[LAST][0]:
            into[LAST] = other[LAST]
        return beyond

    def add_up(self, total: Summary, other: Summary, sign: int = 1) -> None:
        """Count and sums of another summary come to these, or with sign -1 leave them."""
        total[COUNT] += sign * other[COUNT]
        for place in range(0, 2 * len(self.summed), 2):
            exact_sum.merge(total[SUMS], place, other[SUMS], sign)

    def nothing(self) -> Summary:
        """What `add_up` begins with."""
        return [0, [0, 0] * len(self.summed)]


class SummariesView:
    """What aggregates say of several summaries, of which each begins before the next. `total` is their count and sums,
    if somebody knows them, as a summary."""

    __slots__ = ("_parts", "_summaries", "_total")

    def __init__(self, summaries: Summaries, parts: list[Summary], total: Summary | None = None) -> None:
        self._summaries = summaries
        self._parts = parts
        self._total = parts if total is None else [total]

    def value(self, function: str, argument: int | None) -> Any:
        """Of an aggregate. Raises CelEvaluationError where it has none."""
        known, parts = self._summaries, self._parts
        if argument is None:
            return sum(part[COUNT] for part in self._total)
        match function:
            case "sum" | "avg":
                at = 2 * known.summed.index(argument)
                sums = [0, 0]
                for part in self._total:
                    exact_sum.merge(sums, 0, part[SUMS][at : at + 2])
                return exact_sum.total(sums, 0, self.value("count", None) if function == "avg" else 1)
            case "min" | "max":
                at = 2 * known.compared.index(argument) + (function == "max")
                held = [part[EXTREMES][at] for part in parts]
                for each in held:
                    if each.__class__ is dict and "$error" in each:
                        raise give(each)
                return give((greatest if function == "max" else least)(held))
            case "distinct":
                at = known.tallied.index(argument)
                return len(set().union(*(part[VALUES][at] for part in parts)))
            case "first":
                return give(parts[0][FIRST][1 + argument])
            case _:
                return give(parts[-1][LAST][1 + argument])


def _picked(one: Any, other: Any, pick: Callable[[list[Any]], Any]) -> Any:
    for each in (one, other):
        if each.__class__ is dict and "$error" in each:
            return each
    try:
        return pick([one, other])
    except CelEvaluationError as error:
        return keep(error)
