"""From a rule set to the processor that the agent drives.

`compile_rules` is called when a rule set is activated, and by tools. It trusts what `rules.load` has checked: names
exist, types fit. Functions are generated when they are first needed, so a large rule set starts quickly.
"""

from __future__ import annotations

from rules.compile.action import Performer
from rules.compile.fold import Fold
from rules.compile.framed import Compiler
from rules.compile.keys import Keys
from rules.compile.listen import Listeners
from rules.compile.plan import Plans
from rules.compile.rows import Rows, record
from rules.compile.rule import CompiledRule
from rules.compile.schema import shape
from rules.model.projection import Projection
from rules.model.rule import Rule
from rules.node_id import NodeIds, firing_definition, projection_definition, throttle_definition
from rules.nodes.deadline import Deadline
from rules.nodes.throttle import Throttle
from rules.ruleset import RuleSet
from rules.step import RulesProcessor

__all__ = ["compile_rules"]


def compile_rules(ruleset: RuleSet) -> RulesProcessor:
    ids = NodeIds()
    projections = {
        each.name: Rows(ids.draw(projection_definition(each)), record(each)) for each in ruleset.projections.values()
    }
    compiler = Compiler(projections)
    keys = Keys(compiler)
    folds: dict[str, list[Fold]] = {}
    for projection in ruleset.projections.values():
        _folds(projection, projections[projection.name], compiler, keys, folds)
    enabled = [rule for rule in ruleset.rules if rule.enabled]
    ranks = {
        rule.name: rank for rank, rule in enumerate(sorted(enabled, key=lambda rule: (-rule.priority, rule.place)))
    }
    compiled = [_rule(ruleset, rule, ranks[rule.name], compiler, keys, ids) for rule in enabled]
    shapes = {schema.type: shape(schema) for schema in ruleset.schemas.values()}
    listeners = Listeners(folds, sorted(compiled, key=lambda rule: rule.rank), shapes)
    node_ids = {f"{rule.name}/deadline": rule.deadline.id for rule in compiled if rule.deadline is not None}
    node_ids |= {f"{rule.name}/throttle": rule.throttle.id for rule in compiled if rule.throttle is not None}
    return RulesProcessor(
        ruleset,
        Plans(listeners, keys, projections, ruleset.lateness),
        {rule.deadline.id: rule for rule in compiled if rule.deadline is not None},
        {name: rows.id for name, rows in projections.items()},
        node_ids,
    )


def _folds(projection: Projection, rows: Rows, compiler: Compiler, keys: Keys, folds: dict[str, list[Fold]]) -> None:
    title = f"projection {projection.name}"
    route = keys.route(projection.by)
    initial = compiler.values(f"{title} initial", projection.initial) if projection.initial else None
    deleting = compiler.values(f"{title} delete", ())
    folding = [(type, fields, compiler.values(f"{title} {type}", fields)) for type, fields in projection.fold]
    for type, fields, values in [*folding, *((type, (), deleting) for type in projection.delete)]:
        fold = Fold(
            projection=projection.name,
            id=rows.id,
            route=route,
            place=projection.place,
            fields=fields,
            values=values,
            initial=initial,
            record=rows.record,
            deletes=values is deleting,
        )
        folds.setdefault(type, []).append(fold)


def _rule(ruleset: RuleSet, rule: Rule, rank: int, compiler: Compiler, keys: Keys, ids: NodeIds) -> CompiledRule:
    title = f"rule {rule.name}"
    deadline = throttle = None
    unless = rule.deadline.unless if rule.deadline is not None else None
    if rule.deadline is not None:
        deadline = Deadline(ids.draw(firing_definition(rule)), rule.deadline.after, rule.deadline.pending)
    if rule.once_within is not None:
        throttle = Throttle(ids.draw(throttle_definition(rule)), rule.once_within)
    cancelling = unless.when if unless is not None else None
    return CompiledRule(
        name=rule.name,
        route=keys.route(rule.by),
        rank=rank,
        on=rule.on,
        lets=rule.let,
        when=rule.when.node if rule.when is not None else None,
        let_values=compiler.lets(f"{title} let", rule.let) if rule.let else None,
        condition=compiler.condition(f"{title} when", rule.when.node, rule.let) if rule.when is not None else None,
        deadline=deadline,
        unless=unless.on if unless is not None else (),
        unless_when=compiler.condition(f"{title} unless", cancelling.node) if cancelling is not None else None,
        throttle=throttle,
        performer=Performer(
            ruleset.name, rule.name, rule.shadow, rule.then, compiler.actions(f"{title} then", rule.then, rule.let)
        ),
    )
