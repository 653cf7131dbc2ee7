"""A compiled rule set, as agents drive it (`streams.processor.Processor`)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from operator import attrgetter
from typing import Final

from rules.nodes.waiting import Forgetful
from rules.ruleset import RuleSet
from rules.step import Evaluation, Plans, Waiter
from streams.event import TICK
from streams.log import Batch
from streams.processor import Step

_key: Final = attrgetter("key")


class RulesProcessor:
    """`rules.compile.compile_rules` makes it. One may serve many partitions, one thread at a time."""

    def __init__(
        self,
        ruleset: RuleSet,
        plans: Plans,
        waiters: Mapping[str, Waiter],
        projection_ids: dict[str, str],
        node_ids: dict[str, str],
    ) -> None:
        self.ruleset = ruleset
        self.digest = ruleset.digest
        self.lateness = ruleset.lateness
        """Microseconds."""
        self.projection_ids = projection_ids
        """Projection → the id under which its rows lie in `Cell.rows`."""
        self.projections: Mapping[str, str] = {id: name for name, id in projection_ids.items()}
        self.node_ids = node_ids
        """``rule `NAME`/deadline``, ``projection `NAME`/keep`` → the id under which that node's state lies in
        `Cell.nodes`."""
        self.plans = plans
        """Event type → what to do with it; made when it is first asked for."""
        self.waiters = waiters
        """Node id → what is called when the clock has passed its first entry."""
        self.keeps: Mapping[str, int] = {
            id: waiter.keeps for id, waiter in waiters.items() if isinstance(waiter, Forgetful)
        }

    def keys(self, batch: Batch) -> Iterable[str]:
        """The keys whose cells `step` needs; those with something due at a tick are the agent's to find."""
        return set(map(_key, batch.events)) if batch.events[0].type != TICK else ()

    def step(self, batch: Batch, step: Step) -> None:
        """A run of events, or one tick. See `streams.processor.Processor`."""
        evaluation = Evaluation(self, step)
        events, offsets = batch.events, batch.offsets
        if len(events) == 1 and events[0].type == TICK:
            evaluation.ticked(events[0], offsets[0], step)
        else:
            evaluation.run(events, offsets)
        if evaluation.late:
            evaluation.count("late", evaluation.late)
