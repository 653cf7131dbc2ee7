"""A rule without `over`, `after` and `sequence`: each event that fits is a firing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from rules.compile.firing import Firing
from rules.compile.variables import UNDECODED, Frame
from streams.event import Event
from streams.state import Cell

if TYPE_CHECKING:
    from rules.step import Evaluation, Waiter


class Plain:
    waiters: Final[Sequence[Waiter]] = ()

    def __init__(self, let_values: Callable[[Frame], dict[str, Any]] | None, firing: Firing) -> None:
        self._let_values = let_values
        self._firing = firing
        self.node_ids: dict[str, str] = {}

    def meet(self, evaluation: Evaluation, event: Event, key: str, cell: Cell, data: Any = UNDECODED) -> None:
        frame = Frame(event, key, cell, event.time, evaluation.copies, data)
        if self._let_values is not None:
            frame.lets = self._let_values(frame)
        self._firing.fire(evaluation, frame, None, [event.source, event.id])
