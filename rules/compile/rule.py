"""One rule, compiled: how it judges an event, what it does when it meets one that fits, and how it fires.

The fused functions decide `when` on their own where they can and call `meet` for the few events that fit; everything
they could not evaluate comes to `judge`. Holds no state: nodes keep theirs in the cell.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rules import cel
from rules.compile.action import Performer
from rules.compile.framed import Named
from rules.compile.variables import UNDECODED, Frame
from rules.nodes.deadline import DUE, Deadline
from rules.nodes.throttle import Throttle
from streams.event import Event
from streams.state import Cell

if TYPE_CHECKING:
    from rules.step import Evaluation


@dataclass(frozen=True, slots=True, eq=False)
class CompiledRule:
    name: str
    route: str
    rank: int
    """The place in the order of firing: priority, then file."""
    on: tuple[str, ...]
    lets: Named
    when: cel.Node | None
    let_values: Callable[[Frame], dict[str, Any]] | None
    condition: Callable[[Frame], bool] | None
    deadline: Deadline | None
    unless: tuple[str, ...]
    unless_when: Callable[[Frame], bool] | None
    throttle: Throttle | None
    performer: Performer

    def judge(self, evaluation: Evaluation, event: Event, key: str, cell: Cell) -> bool:
        """Whether `when` holds, by exact evaluation. Where it cannot be evaluated that is counted, and False."""
        if self.condition is None:
            return True
        frame = Frame(event, key, cell, event.time)
        if self.let_values is not None:
            frame.lets = self.let_values(frame)
        try:
            return self.condition(frame)
        except cel.CelEvaluationError as error:
            evaluation.not_evaluated(self.name, error)
            return False

    def meet(self, evaluation: Evaluation, event: Event, key: str, cell: Cell, data: Any = UNDECODED) -> None:
        """An event for which `when` holds: opens a deadline, or fires. `data` is the event's, if it is decoded."""
        frame = Frame(event, key, cell, event.time, data)
        if self.let_values is not None:
            frame.lets = self.let_values(frame)
        if self.deadline is None:
            self._fire(evaluation, frame, None, [event.source, event.id])
            return
        # data that are no JSON are this event's fault, and must not come to light when the deadline fires
        _ = frame.data
        entry = self.deadline.open(cell, event, frame.lets)
        if entry is None:
            return
        if self.deadline.pending != "each":
            evaluation.settle(cell)
        elif entry[DUE] < cell.due:
            cell.due = entry[DUE]
        evaluation.dirty.add(key)
        evaluation.opened(self, key, entry)

    def cancel(self, evaluation: Evaluation, event: Event, key: str, cell: Cell) -> None:
        """An event of a type in `unless`, for a key that has deadlines of this rule pending."""
        assert self.deadline is not None
        asked: Callable[[Event], bool] | None = None
        if self.unless_when is not None:
            condition = self.unless_when
            frame = Frame(event, key, cell, event.time)

            def asked(opening: Event) -> bool:
                against = Frame(event, key, cell, event.time, frame.data)
                against.start = opening
                try:
                    return condition(against)
                except cel.CelEvaluationError:
                    return False

        if self.deadline.cancel(cell, event, asked):
            evaluation.settle(cell)
            evaluation.dirty.add(key)

    def expire(self, evaluation: Evaluation, key: str, cell: Cell) -> None:
        """Fires the earliest pending deadline of the key."""
        assert self.deadline is not None
        due, opening, lets = self.deadline.take(cell)
        evaluation.settle(cell)
        evaluation.dirty.add(key)
        frame = Frame(opening, key, cell, due)
        frame.lets = lets
        self._fire(evaluation, frame, [opening.source, opening.id], None)

    def _fire(self, evaluation: Evaluation, frame: Frame, opening: Any, completing: Any) -> None:
        """All actions, or none: a payload that cannot be evaluated undoes the firing, and no throttle starts."""
        throttle = self.throttle
        if throttle is not None and throttle.silent(frame.cell, frame.now):
            evaluation.count(f"throttled|{self.name}")
            return
        try:
            done = self.performer.perform(evaluation, frame, opening, completing)
        except cel.CelEvaluationError as error:
            evaluation.not_evaluated(self.name, error)
            return
        if not done:
            return
        evaluation.count(f"fired|{self.name}")
        if throttle is not None:
            throttle.fired(frame.cell, frame.now)
            evaluation.dirty.add(frame.key)
