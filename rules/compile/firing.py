"""How a rule fires, however it came to it: once it has settled, throttle, then all actions or none (RULES.md §6)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rules import cel
from rules.compile.action import Performer
from rules.compile.held import hold, release
from rules.compile.variables import Frame
from rules.nodes.settling import Settling
from rules.nodes.throttle import Throttle
from streams.state import Cell

if TYPE_CHECKING:
    from rules.step import Evaluation, Waiter


class Firing:
    """Waits itself, where it settles: `expire` does what the last of several firings would have done."""

    __slots__ = ("_performer", "_rule", "_settling", "_throttle", "id", "node_ids", "rank")

    def __init__(
        self, rule: str, performer: Performer, settling: Settling | None, throttle: Throttle | None, rank: int
    ) -> None:
        """`rank` is that of what settles."""
        self._rule = rule
        self._performer = performer
        self._settling = settling
        self._throttle = throttle
        self.rank = rank
        self.id = "" if settling is None else settling.id
        self.node_ids: dict[str, str] = {} if settling is None else {"settle": settling.id}
        if throttle is not None:
            self.node_ids["throttle"] = throttle.id

    @property
    def waiters(self) -> Sequence[Waiter]:
        """Those of its nodes for which time makes something happen."""
        return () if self._settling is None else (self,)

    def fire(self, evaluation: Evaluation, frame: Frame, opening: Any, completing: Any) -> None:
        """All actions, or none, at once or when the key has been quiet.

        `opening` and `completing` say in the ids of commands what caused them (`streams.digest.firing_id`); the time of
        the firing is the frame's `now`, its cause the frame's."""
        if self._settling is None:
            self._act(evaluation, frame, opening, completing)
            return
        cell = frame.cell
        entry = self._settling.put(cell, frame.now, hold(frame, opening, completing), evaluation.order)
        evaluation.rearm(cell)
        evaluation.dirty.add(frame.key)
        evaluation.opened(self, frame.key, entry)

    def expire(self, evaluation: Evaluation, key: str, cell: Cell) -> None:
        assert self._settling is not None
        due, held = self._settling.take(cell)
        evaluation.rearm(cell)
        evaluation.dirty.add(key)
        frame, opening, completing = release(evaluation, held, key, cell, due)
        self._act(evaluation, frame, opening, completing)

    def _act(self, evaluation: Evaluation, frame: Frame, opening: Any, completing: Any) -> None:
        """A payload that cannot be evaluated undoes the firing, and no throttle starts."""
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
