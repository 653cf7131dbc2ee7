"""How a rule fires, however it came to it: throttle, then all actions or none (RULES.md §6)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rules import cel
from rules.compile.action import Performer
from rules.compile.variables import Frame
from rules.nodes.throttle import Throttle

if TYPE_CHECKING:
    from rules.step import Evaluation, Waiter


class Firing:
    __slots__ = ("_performer", "_rule", "_throttle", "node_ids", "waiters")

    def __init__(self, rule: str, performer: Performer, throttle: Throttle | None) -> None:
        self._rule = rule
        self._performer = performer
        self._throttle = throttle
        self.waiters: Sequence[Waiter] = ()
        """Those of its nodes for which time makes something happen."""
        self.node_ids: dict[str, str] = {} if throttle is None else {"throttle": throttle.id}

    def fire(self, evaluation: Evaluation, frame: Frame, opening: Any, completing: Any) -> None:
        """All actions, or none: a payload that cannot be evaluated undoes the firing, and no throttle starts.

        `opening` and `completing` say in the ids of commands what caused them (`streams.digest.firing_id`); the time of
        the firing is the frame's `now`, its cause the frame's event."""
        throttle = self._throttle
        if throttle is not None and throttle.silent(frame.cell, frame.now):
            evaluation.count(f"throttled|{self._rule}")
            return
        try:
            done = self._performer.perform(evaluation, frame, opening, completing)
        except cel.CelEvaluationError as error:
            evaluation.not_evaluated(self._rule, error)
            return
        if not done:
            return
        evaluation.count(f"fired|{self._rule}")
        if throttle is not None:
            throttle.fired(frame.cell, frame.now)
            evaluation.dirty.add(frame.key)
