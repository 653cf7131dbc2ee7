"""`after`, `unless` and `pending`: an event that fits opens a deadline, which fires or is cancelled (RULES.md §4)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from rules import cel
from rules.compile.firing import Firing
from rules.compile.variables import UNDECODED, Frame
from rules.nodes.deadline import Deadline
from rules.nodes.kept_event import Met
from rules.nodes.waiting import DUE
from streams.event import Event
from streams.state import Cell

if TYPE_CHECKING:
    from rules.step import Evaluation, Waiter


class After:
    """Waits itself: `expire` fires the earliest pending deadline of the key."""

    def __init__(
        self,
        deadline: Deadline,
        rank: int,
        let_values: Callable[[Frame], dict[str, Any]] | None,
        unless_when: Callable[[Frame], bool] | None,
        firing: Firing,
    ) -> None:
        self.id = deadline.id
        self.rank = rank
        self.node_ids = {"deadline": deadline.id}
        self._deadline = deadline
        self._let_values = let_values
        self._unless_when = unless_when
        self._firing = firing

    @property
    def waiters(self) -> Sequence[Waiter]:
        return (self,)

    def meet(self, evaluation: Evaluation, event: Event, key: str, cell: Cell, data: Any = UNDECODED) -> None:
        frame = Frame(event, key, cell, event.time, evaluation.copies, data)
        if self._let_values is not None:
            frame.lets = self._let_values(frame)
        # data that are no JSON are this event's fault, and must not come to light when the deadline fires
        _ = frame.data
        entry = self._deadline.open(cell, event, frame.lets, evaluation.order)
        if entry is None:
            return
        if self._deadline.pending != "each":
            evaluation.rearm(cell)
        elif entry[DUE] < cell.due:
            cell.due = entry[DUE]
        evaluation.dirty.add(key)
        evaluation.opened(self, key, entry)

    def cancel(self, evaluation: Evaluation, event: Event, key: str, cell: Cell) -> None:
        asked: Callable[[Event], bool] | None = None
        if self._unless_when is not None:
            condition = self._unless_when
            frame = Frame(event, key, cell, event.time, evaluation.copies)

            def asked(opening: Event) -> bool:
                against = Frame(event, key, cell, event.time, evaluation.copies, frame.data)
                against.named = (Met(evaluation.current(opening)),)
                try:
                    return condition(against)
                except cel.CelEvaluationError:
                    return False

        if self._deadline.cancel(cell, event, asked):
            evaluation.rearm(cell)
            evaluation.dirty.add(key)

    def expire(self, evaluation: Evaluation, key: str, cell: Cell) -> None:
        due, opening, lets = self._deadline.take(cell)
        opening = evaluation.current(opening)
        evaluation.rearm(cell)
        evaluation.dirty.add(key)
        frame = Frame(opening, key, cell, due, evaluation.copies)
        frame.lets = lets
        self._firing.fire(evaluation, frame, [opening.source, opening.id], None)
