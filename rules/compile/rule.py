"""One rule, compiled: what it listens to, how it judges an event, and what follows from one that fits.

The fused functions decide `when` on their own where they can and call the trigger for the few events that fit;
everything they could not evaluate comes to `judge`. Holds no state: nodes keep theirs in the cell.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rules import cel
from rules.compile.firing import Firing
from rules.compile.framed import Decision, Named
from rules.compile.triggers.trigger import Trigger, holds
from rules.compile.variables import Frame
from streams.event import Event
from streams.state import Cell

if TYPE_CHECKING:
    from rules.step import Evaluation, Waiter


@dataclass(frozen=True, slots=True, eq=False)
class Condition:
    """`when`, after the `let` values that it may read."""

    rule: str
    let_values: Callable[[Frame], dict[str, Any]] | None
    holds: Callable[[Frame], bool] | None

    def judge(self, evaluation: Evaluation, event: Event, key: str, cell: Cell) -> bool:
        """Whether it holds, by exact evaluation. Where it cannot be evaluated that is counted, and False."""
        if self.holds is None:
            return True
        frame = Frame(event, key, cell, event.time, evaluation.copies)
        if self.let_values is not None:
            frame.lets = self.let_values(frame)
        return holds(evaluation, self.rule, self.holds, frame)


@dataclass(frozen=True, slots=True, eq=False)
class CompiledRule:
    name: str
    route: str
    rank: int
    """The place in the order of firing: priority, then file."""
    on: tuple[str, ...]
    """Types and patterns of the events that the trigger meets."""
    cancels: tuple[str, ...]
    """Those of the events that may cancel what the trigger has pending."""
    lets: Named
    when: cel.Node | None
    """What is asked of an event before the trigger meets it."""
    condition: Condition
    trigger: Trigger
    firing: Firing
    tables: Mapping[str, Decision]
    """Those of the rule set."""
    own: str = ""
    """Another name of `event` in `when`."""
    waits: str | None = None
    """Without a state of this node the event means nothing to the rule."""

    @property
    def waiters(self) -> Iterator[Waiter]:
        yield from self.trigger.waiters
        yield from self.firing.waiters

    @property
    def node_ids(self) -> dict[str, str]:
        """What each stateful node is called within the rule → the id under which its state lies in `Cell.nodes`."""
        return self.trigger.node_ids | self.firing.node_ids
