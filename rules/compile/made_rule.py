"""From what a rule says to the parts that carry it out: condition, trigger, firing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final

from rules.aggregates import Aggregate, Aggregates
from rules.compile.action import Performer
from rules.compile.firing import Firing
from rules.compile.framed import Compiler
from rules.compile.keys import Keys
from rules.compile.limits import Limits
from rules.compile.made_python import made_python
from rules.compile.made_sequence import made_sequence, names_at_last
from rules.compile.rule import CompiledRule, Condition
from rules.compile.triggers.after import After
from rules.compile.triggers.over import over
from rules.compile.triggers.plain import Plain
from rules.compile.triggers.trigger import Trigger
from rules.compile.variables import NO_NAMES, Frame, Names
from rules.model.rule import Rule
from rules.node_id import (
    NodeIds,
    firing_definition,
    sequence_definition,
    settle_definition,
    throttle_definition,
    window_definition,
)
from rules.nodes.deadline import Deadline
from rules.nodes.matches import Matches
from rules.nodes.settling import Settling
from rules.nodes.throttle import Throttle
from rules.ruleset import RuleSet

START: Final = Names(("start",))

LetValues = Callable[[Frame], dict[str, Any]]


def made_rules(
    ruleset: RuleSet, rule: Rule, rank: int, compiler: Compiler, keys: Keys, ids: NodeIds, limits: Limits
) -> list[CompiledRule]:
    """More than one where a rule listens to different events in different ways. `rank` is the place in the order of
    firing, of all that waits for the rule: at one time the order of opening decides between a deadline and what
    settles."""
    if rule.function is not None:
        return [made_python(ruleset, rule, rule.function, rank, compiler, keys, ids)]
    if rule.sequence is None:
        return [_made_rule(ruleset, rule, rank, compiler, keys, ids)]
    node = Matches(ids.draw(sequence_definition(rule, rule.sequence)), rule.sequence.within, limits.matches)
    firing = _firing(ruleset, rule, rank, compiler, ids, names_at_last(rule, rule.sequence))
    return made_sequence(rule, rule.sequence, rank, compiler, keys, node, firing)


def _made_rule(ruleset: RuleSet, rule: Rule, rank: int, compiler: Compiler, keys: Keys, ids: NodeIds) -> CompiledRule:
    title = f"rule {rule.name}"
    let_values = compiler.lets(f"{title} let", rule.let) if rule.let else None
    condition = compiler.condition(f"{title} when", rule.when.node, rule.let) if rule.when is not None else None
    unless = rule.deadline.unless if rule.deadline is not None else None
    trigger: Trigger
    if rule.window is not None:
        trigger, firing = _over(ruleset, rule, rank, let_values, compiler, ids)
    elif rule.deadline is None:
        firing = _firing(ruleset, rule, rank, compiler, ids)
        trigger = Plain(let_values, firing)
    else:
        deadline = Deadline(ids.draw(firing_definition(rule)), rule.deadline.after, rule.deadline.pending)
        asked = unless.when if unless is not None else None
        unless_when = compiler.condition(f"{title} unless", asked.node, (), START) if asked is not None else None
        firing = _firing(ruleset, rule, rank, compiler, ids)
        trigger = After(deadline, rank, let_values, unless_when, firing)
    return CompiledRule(
        name=rule.name,
        route=keys.route(rule.by),
        rank=rank,
        on=rule.on,
        cancels=unless.on if unless is not None else (),
        lets=rule.let,
        when=rule.when.node if rule.when is not None else None,
        condition=Condition(rule.name, let_values, condition),
        trigger=trigger,
        firing=firing,
        tables=compiler.tables,
    )


def _over(
    ruleset: RuleSet, rule: Rule, rank: int, let_values: LetValues | None, compiler: Compiler, ids: NodeIds
) -> tuple[Trigger, Firing]:
    aggregates = Aggregates(rule)
    id = ids.draw(window_definition(rule, aggregates.kept()))
    firing = _firing(ruleset, replace(rule, then=aggregates.then), rank, compiler, ids, NO_NAMES, aggregates.found)
    return over(rule, id, rank, aggregates, let_values, firing, compiler), firing


def _firing(
    ruleset: RuleSet,
    rule: Rule,
    rank: int,
    compiler: Compiler,
    ids: NodeIds,
    names: Names = NO_NAMES,
    aggregates: Sequence[Aggregate] = (),
) -> Firing:
    settling, throttle = None, None
    if rule.settle is not None:
        settling = Settling(
            ids.draw(settle_definition(rule, [(each.function, each.argument) for each in aggregates])), rule.settle
        )
    if rule.once_within is not None:
        throttle = Throttle(ids.draw(throttle_definition(rule)), rule.once_within)
    render = compiler.actions(f"rule {rule.name} then", rule.then, rule.let, names, aggregates)
    performer = Performer(ruleset.name, rule.name, rule.shadow, rule.then, render, ruleset.versions)
    return Firing(rule.name, performer, settling, throttle, rank)
