"""From the steps of a sequence to two listeners: what moves matches on, and what opens them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rules.compile.firing import Firing
from rules.compile.framed import Compiler
from rules.compile.keys import Keys
from rules.compile.rule import CompiledRule, Condition
from rules.compile.triggers.sequence import Ending, InSequence, Moving, Taking
from rules.compile.variables import Names
from rules.kept_fields import kept_fields
from rules.model.rule import Rule
from rules.model.sequence import Sequence
from rules.nodes.kept_event import Keeper
from rules.nodes.matches import Matches
from rules.nodes.waiting import LAST
from streams.event import Event
from streams.state import Cell

if TYPE_CHECKING:
    from rules.step import Evaluation


@dataclass(frozen=True, slots=True, eq=False)
class Opening(Condition):
    """That of the first step, which is not asked of an event that is too old to open a match."""

    within: int

    def judge(self, evaluation: Evaluation, event: Event, key: str, cell: Cell) -> bool:
        return event.time + self.within >= evaluation.now(cell) and Condition.judge(self, evaluation, event, key, cell)


def names_at_last(rule: Rule, sequence: Sequence) -> Names:
    """Of the events that there are when a sequence is complete: those that were kept, and the last."""
    kept = zip(sequence.steps, kept_fields(rule), strict=True)
    return Names([step.name for step, each in kept if each is not None], sequence.steps[-1].name)


def made_sequence(
    rule: Rule, sequence: Sequence, rank: int, compiler: Compiler, keys: Keys, node: Matches, firing: Firing
) -> list[CompiledRule]:
    """First what moves matches on: an event opens one of its own after that."""
    title = f"rule {rule.name}"
    names = names_at_last(rule, sequence)
    trigger = InSequence(
        rule.name,
        node,
        LAST + rank,
        _takings(rule, sequence, compiler),
        compiler.lets(f"{title} let", rule.let, names) if rule.let else None,
        compiler.condition(f"{title} when", rule.when.node, rule.let, names) if rule.when is not None else None,
        firing,
    )
    opening = sequence.steps[0]
    moved = [type for step, each in sequence.listeners if step is not opening for type in each.on]
    if opening.times > 1:
        moved += opening.on
    when = None if opening.when is None else opening.when.node
    holds = None if when is None else compiler.condition(f"{title} {opening.name}", when, (), Names((), opening.name))
    moving = CompiledRule(
        name=rule.name,
        route=keys.route(rule.by),
        rank=rank,
        on=tuple(dict.fromkeys(moved)),
        cancels=(),
        lets=(),
        when=None,
        condition=Condition(rule.name, None, None),
        trigger=Moving(trigger),
        firing=firing,
        tables=compiler.tables,
        waits=node.id,
    )
    opens = CompiledRule(
        name=rule.name,
        route=moving.route,
        rank=rank,
        on=opening.on,
        cancels=(),
        lets=(),
        when=when,
        condition=Opening(rule.name, None, holds, sequence.within),
        trigger=trigger,
        firing=firing,
        tables=compiler.tables,
        own=opening.name,
    )
    return [moving, opens]


def _takings(rule: Rule, sequence: Sequence, compiler: Compiler) -> list[Taking]:
    takings: list[Taking] = []
    before: list[str] = []
    for step, kept in zip(sequence.steps, kept_fields(rule), strict=True):
        title = f"rule {rule.name} {step.name}"
        others = tuple(before)
        when, endings = None, []
        if step.when is not None:
            when = compiler.condition(title, step.when.node, (), Names(others, step.name))
        for each in step.nots:
            ends = None
            if each.when is not None:
                ends = compiler.condition(f"{title} not", each.when.node, (), Names(others))
            endings.append(Ending(each.on, ends))
        takings.append(Taking(step.on, when, step.times, tuple(endings), None if kept is None else Keeper(kept)))
        if kept is not None:
            before.append(step.name)
    return takings
