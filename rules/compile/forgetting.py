"""Rows that go because nothing touched them: what a fold tells, and what happens when the time is over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rules.nodes.untouched import Untouched
from rules.nodes.waiting import DUE
from streams.state import Cell

if TYPE_CHECKING:
    from rules.step import Evaluation


class Forgetting:
    """Of one projection with `keep`. Waits itself."""

    __slots__ = ("_everywhere", "_rows", "_untouched", "id", "rank")

    def __init__(self, untouched: Untouched, rows: str, rank: int, everywhere: bool) -> None:
        """`rows` is the id under which the projection's rows lie; `rank` comes after those of all rules: what fires at
        the very time still reads the row."""
        self.id = untouched.id
        self.rank = rank
        self._rows = rows
        self._untouched = untouched
        self._everywhere = everywhere

    def touch(self, evaluation: Evaluation, key: str, cell: Cell, time: int) -> None:
        """An event of this time was folded into the row of the key, whose cell is committed in any case. A late one
        touches the row when it comes."""
        entry = self._untouched.touch(cell, max(time, evaluation.now(cell)), evaluation.order)
        if entry is not None:
            cell.due = min(cell.due, entry[DUE])
            evaluation.opened(self, key, entry)

    def gone(self, evaluation: Evaluation, cell: Cell) -> None:
        """The row of the key was deleted."""
        self._untouched.gone(cell)
        evaluation.rearm(cell)

    def expire(self, evaluation: Evaluation, key: str, cell: Cell) -> None:
        entry = self._untouched.put_off(cell)
        if entry is None:
            time = cell.due
            cell.rows.pop(self._rows, None)
            if self._everywhere:
                evaluation.copy(self._rows, key, None, time)
        else:
            evaluation.opened(self, key, entry)
        evaluation.rearm(cell)
        evaluation.dirty.add(key)
