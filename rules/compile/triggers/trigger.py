"""What all triggers have in common."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from rules import cel
from rules.compile.schema import Shape
from rules.compile.variables import UNDECODED, Frame
from streams.event import Event
from streams.state import Cell

if TYPE_CHECKING:
    from rules.step import Evaluation, Waiter


class Trigger(Protocol):
    @property
    def waiters(self) -> Sequence[Waiter]:
        """Those of its nodes for which time makes something happen."""
        ...

    @property
    def node_ids(self) -> dict[str, str]:
        """What a node is called within its rule (`deadline`, …) → the id under which its state lies."""
        ...

    def meet(self, evaluation: Evaluation, event: Event, key: str, cell: Cell, data: Any = UNDECODED, /) -> None:
        """An event for which `when` holds. `data` is the event's, if it is decoded."""
        ...


@runtime_checkable
class Typed(Protocol):
    """A trigger that reads declared fields where they are decoded already."""

    def typed(self, shape: Shape, /) -> Callable[..., None] | None:
        """`meet` for `data` that are the struct of this shape; None where it reads more than is declared."""
        ...


def holds(evaluation: Evaluation, rule: str, condition: Callable[[Frame], bool] | None, frame: Frame) -> bool:
    """Whether a condition of a rule holds, if there is one. One that cannot be evaluated is counted, and False."""
    if condition is None:
        return True
    try:
        return condition(frame)
    except cel.CelEvaluationError as error:
        evaluation.not_evaluated(rule, error)
        return False
