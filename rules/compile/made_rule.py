"""From what a rule says to the parts that carry it out: condition, trigger, firing."""

from __future__ import annotations

from rules.compile.action import Performer
from rules.compile.firing import Firing
from rules.compile.framed import Compiler
from rules.compile.keys import Keys
from rules.compile.rule import CompiledRule, Condition
from rules.compile.triggers.after import After
from rules.compile.triggers.plain import Plain
from rules.compile.triggers.trigger import Trigger
from rules.model.rule import Rule
from rules.node_id import NodeIds, firing_definition, throttle_definition
from rules.nodes.deadline import Deadline
from rules.nodes.throttle import Throttle
from rules.ruleset import RuleSet


def made_rule(ruleset: RuleSet, rule: Rule, rank: int, compiler: Compiler, keys: Keys, ids: NodeIds) -> CompiledRule:
    """`rank` is the place in the order of firing. Nodes of a rule take two ranks among what is due: its trigger the
    second, so that what settled before it opens at the same time is out first."""
    title = f"rule {rule.name}"
    let_values = compiler.lets(f"{title} let", rule.let) if rule.let else None
    condition = compiler.condition(f"{title} when", rule.when.node, rule.let) if rule.when is not None else None
    unless = rule.deadline.unless if rule.deadline is not None else None
    trigger: Trigger
    if rule.deadline is None:
        firing = _firing(ruleset, rule, compiler, ids)
        trigger = Plain(let_values, firing)
    else:
        deadline = Deadline(ids.draw(firing_definition(rule)), rule.deadline.after, rule.deadline.pending)
        asked = unless.when if unless is not None else None
        unless_when = compiler.condition(f"{title} unless", asked.node) if asked is not None else None
        firing = _firing(ruleset, rule, compiler, ids)
        trigger = After(deadline, 2 * rank + 1, let_values, unless_when, firing)
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


def _firing(ruleset: RuleSet, rule: Rule, compiler: Compiler, ids: NodeIds) -> Firing:
    throttle = None
    if rule.once_within is not None:
        throttle = Throttle(ids.draw(throttle_definition(rule)), rule.once_within)
    render = compiler.actions(f"rule {rule.name} then", rule.then, rule.let)
    return Firing(
        rule.name,
        Performer(ruleset.name, rule.name, rule.shadow, rule.then, render, ruleset.versions),
        throttle,
    )
