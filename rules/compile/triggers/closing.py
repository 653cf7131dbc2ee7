"""Windows that close: tumbling ones and sessions (RULES.md §3). `having` is asked, and the rule fires, at the end.

Then `event` is the last event of the window and the `let` values are those of it, from the moment when the rule met it;
`now` is the end, rows are as they are then, and the command's cause is the event that arrived first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from rules import cel
from rules.aggregates import Aggregates
from rules.compile.firing import Firing
from rules.compile.triggers.looking import valued
from rules.compile.triggers.trigger import holds
from rules.compile.variables import UNDECODED, Frame
from rules.nodes.summary import SummariesView
from rules.nodes.waiting import Entry
from rules.nodes.window_closing import Closed, Met
from streams.event import Event
from streams.state import Cell

if TYPE_CHECKING:
    from rules.step import Evaluation, Waiter


class Closes(Protocol):
    """A node of windows that close."""

    @property
    def id(self) -> str: ...

    def enter(self, evaluation: Evaluation, waiter: Waiter, key: str, cell: Cell, met: Met, /) -> None: ...

    def take(self, cell: Cell, /) -> Closed: ...

    def so_far(self, entry: Entry, /) -> SummariesView: ...


class Closing:
    """Waits itself: `expire` closes the window of the key that ends first."""

    def __init__(
        self,
        rule: str,
        window: Closes,
        rank: int,
        arguments: Callable[[Frame], list[Any]],
        having: Callable[[Frame], bool] | None,
        aggregates: Aggregates,
        let_values: Callable[[Frame], dict[str, Any]] | None,
        firing: Firing,
    ) -> None:
        self.id = window.id
        self.rank = rank
        self.node_ids = {"window": window.id}
        self._rule = rule
        self.window = window
        self._arguments = arguments
        self._having = having
        self._found = aggregates.found
        self._let_values = let_values
        self._firing = firing

    @property
    def waiters(self) -> Sequence[Waiter]:
        return (self,)

    def meet(self, evaluation: Evaluation, event: Event, key: str, cell: Cell, data: Any = UNDECODED) -> None:
        frame = Frame(event, key, cell, event.time, evaluation.copies, data)
        # data that are no JSON are this event's fault, and must not come to light when the window closes
        _ = frame.data
        try:
            values = self._arguments(frame)
        except cel.CelEvaluationError as error:
            evaluation.not_evaluated(self._rule, error)
            return
        let = {} if self._let_values is None else self._let_values(frame)
        self.window.enter(evaluation, self, key, cell, Met(event, let, values))

    def expire(self, evaluation: Evaluation, key: str, cell: Cell) -> None:
        closed = self.window.take(cell)
        evaluation.rearm(cell)
        evaluation.dirty.add(key)
        # what nobody reads of it was not kept, and needs no newer version
        event = evaluation.current(closed.event) if closed.whole else closed.event
        frame = Frame(event, key, cell, closed.end, evaluation.copies)
        frame.cause = closed.cause
        frame.lets = closed.let
        frame.aggregates = valued(closed.view, self._found)
        if holds(evaluation, self._rule, self._having, frame):
            self._firing.fire(evaluation, frame, [closed.start, closed.end], None)
