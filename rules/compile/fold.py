"""One fold: what a projection makes of one type of event, evaluated outside the fused functions.

A fold is all or nothing: all values see the row before the event, and only when all are there the row changes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rules import cel
from rules.cel import types
from rules.compile.forgetting import Forgetting
from rules.compile.framed import Named
from rules.compile.variables import Frame
from streams.copies import NONE
from streams.event import Event
from streams.state import Cell

if TYPE_CHECKING:
    from rules.step import Evaluation


@dataclass(frozen=True, slots=True, eq=False)
class Fold:
    projection: str
    id: str
    """Under which the rows lie in cells."""
    route: str
    place: int
    fields: Named
    values: Callable[[Frame], dict[str, Any]]
    initial: Callable[[Frame], dict[str, Any]] | None
    record: types.Record
    """What is known of the row."""
    deletes: bool
    """The row goes; there are no fields then."""
    forgetting: Forgetting | None
    """Of a projection with `keep`."""
    everywhere: bool
    """Each change is copied to all partitions."""

    def new(self, event: Event, key: str, cell: Cell) -> dict[str, Any]:
        """The row before the first event. Raises CelEvaluationError."""
        return {} if self.initial is None else self.initial(Frame(event, key, cell, event.time, NONE))

    def slowly(self, evaluation: Evaluation, event: Event, key: str, cell: Cell) -> None:
        """The fold by exact evaluation. One that cannot be evaluated is counted, and changes nothing."""
        if self.deletes:
            self._delete(evaluation, event, key, cell)
            return
        try:
            row = cell.rows.get(self.id)
            if row is None:
                row = self.new(event, key, cell)
            frame = Frame(event, key, cell, event.time, NONE)
            frame.row = row
            values = self.values(frame)
        except cel.CelEvaluationError as error:
            evaluation.not_evaluated(f"projection {self.projection}", error)
            return
        row.update(values)
        cell.rows[self.id] = row
        if self.forgetting is not None:
            self.forgetting.touch(evaluation, key, cell, event.time)
        if self.everywhere:
            evaluation.copy(self.id, key, dict(row), event.time)
        evaluation.dirty.add(key)

    def _delete(self, evaluation: Evaluation, event: Event, key: str, cell: Cell) -> None:
        if cell.rows.pop(self.id, None) is None:
            return
        if self.forgetting is not None:
            self.forgetting.gone(evaluation, cell)
        if self.everywhere:
            evaluation.copy(self.id, key, None, event.time)
        evaluation.dirty.add(key)
