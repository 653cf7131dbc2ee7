"""What followed from an event for one rule."""

from __future__ import annotations

from typing import NamedTuple

from rules import cel
from rules.compile.firing import Firing
from rules.explain.explanation import Verdict
from rules.explain.state import silent_until, when
from rules.model.rule import NEVER, Rule
from rules.nodes.waiting import DUE, Entry
from streams.processor import Step
from streams.state import Cell


class Outcome(NamedTuple):
    verdict: Verdict
    reason: str
    takes: str | None = None
    """What it would take for the rule to fire."""


class Watch:
    """Made before the rule meets the event; tells afterwards what came of it."""

    def __init__(self, step: Step, rule: Rule, firing: Firing, cell: Cell) -> None:
        self._step = step
        self._rule = rule
        self._firing = firing
        self._cell = cell
        self._counts = dict(step.counts)
        self._quiet = silent_until(firing.node_ids, rule.once_within, cell)
        self._settling = self._waiting()

    @property
    def fired(self) -> bool:
        return self._more(f"fired|{self._rule.name}")

    def firing(self, fired: str) -> Outcome | None:
        """What became of a firing; None where there was none. `fired` is the reason of one that acted."""
        if self.fired:
            return Outcome("fired", fired)
        if self._more("looped"):
            return Outcome("looped", "the chain of derived events, commands and results is too long")
        if self._more(f"throttled|{self._rule.name}"):
            if self._quiet is None or self._quiet >= NEVER:
                return Outcome("silent", "it has fired for this key, and once is once")
            takes = f"a firing at {when(self._quiet)} or later"
            return Outcome("silent", "it has fired for this key not long ago", takes)
        joined = [entry for entry in self._waiting() if not any(entry is each for each in self._settling)]
        if joined:
            return Outcome("waits", f"settling, fires at {when(joined[-1][DUE])} if quiet")
        return None

    def failed(self) -> Outcome | None:
        if self._more(f"not_evaluated|{self._rule.name}"):
            return Outcome("not evaluated", self._step.reasons[self._rule.name])
        return None

    def _more(self, name: str) -> bool:
        return self._step.counts.get(name, 0) > self._counts.get(name, 0)

    def _waiting(self) -> list[Entry]:
        return [*self._cell.nodes.get(self._firing.id, ())]


def refused(condition: cel.Explanation, called: str = "when") -> Outcome | None:
    """Of a condition that is not true."""
    if condition.error is not None:
        return Outcome("not evaluated", condition.error.message)
    if condition.value is True:
        return None
    if condition.value is not False:
        return Outcome("not evaluated", f"`{called}` must be true or false")
    return Outcome("does not hold", f"`{called}` is false")
