"""Windows that are looked at on every event that fits: sliding, stepped, and the last so many (RULES.md §3)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from rules import cel
from rules.aggregates import Aggregate
from rules.compile.firing import Firing
from rules.compile.triggers.trigger import holds
from rules.compile.variables import UNDECODED, Frame
from streams.event import Event
from streams.state import Cell

if TYPE_CHECKING:
    from rules.step import Evaluation, Waiter


class View(Protocol):
    """What a window shows at one moment."""

    def value(self, function: str, argument: int | None, /) -> Any:
        """Of an aggregate. Raises CelEvaluationError where it has none."""
        ...


class LookedAt(Protocol):
    """A node that takes events in and shows what is in the window of each."""

    @property
    def id(self) -> str: ...

    def enter(self, evaluation: Evaluation, key: str, cell: Cell, time: int, values: list[Any], /) -> View | None:
        """None where the event is not looked at."""
        ...


class Looking:
    def __init__(
        self,
        rule: str,
        window: LookedAt,
        waiters: Sequence[Waiter],
        arguments: Callable[[Frame], list[Any]],
        having: Callable[[Frame], bool] | None,
        asked: Sequence[Aggregate],
        found: Sequence[Aggregate],
        let_values: Callable[[Frame], dict[str, Any]] | None,
        firing: Firing,
    ) -> None:
        """`asked` are the aggregates that `having` reads, `found` all of the rule, those first."""
        self.waiters = waiters
        self.node_ids = {"window": window.id}
        self._rule = rule
        self.window = window
        self._arguments = arguments
        self._having = having
        self._asked = asked
        self._others = found[len(asked) :]
        self._let_values = let_values
        self._firing = firing

    def meet(self, evaluation: Evaluation, event: Event, key: str, cell: Cell, data: Any = UNDECODED) -> None:
        frame = Frame(event, key, cell, event.time, evaluation.copies, data)
        try:
            view = self.entered(evaluation, frame)
        except cel.CelEvaluationError as error:
            evaluation.not_evaluated(self._rule, error)
            return
        if view is not None:
            self.look(evaluation, frame, view)

    def entered(self, evaluation: Evaluation, frame: Frame) -> View | None:
        """The event of the frame comes into the window: what that shows then. Raises CelEvaluationError where it does
        not enter."""
        return self.window.enter(evaluation, frame.key, frame.cell, frame.event.time, self._arguments(frame))

    def look(self, evaluation: Evaluation, frame: Frame, view: View) -> None:
        """Fires if `having` holds."""
        if self._let_values is not None:
            frame.lets = self._let_values(frame)
        frame.aggregates = valued(view, self._asked)
        if not holds(evaluation, self._rule, self._having, frame):
            return
        frame.aggregates |= valued(view, self._others)
        self._firing.fire(evaluation, frame, None, [frame.event.source, frame.event.id])


def valued(view: View, aggregates: Iterable[Aggregate]) -> dict[str, Any]:
    """Name → value, or the error in its place."""
    made: dict[str, Any] = {}
    for each in aggregates:
        try:
            made[each.name] = view.value(each.function, each.column)
        except cel.CelEvaluationError as error:
            made[each.name] = error.again()
    return made
