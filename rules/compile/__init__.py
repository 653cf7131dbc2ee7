"""From a rule set to the processor that the agent drives.

`compile_rules` is called when a rule set is activated, and by tools. It trusts what `rules.load` has checked: names
exist, types fit. Functions are generated when they are first needed, so a large rule set starts quickly.
"""

from __future__ import annotations

from itertools import chain
from typing import NamedTuple

from rules.compile.fold import Fold
from rules.compile.forgetting import Forgetting
from rules.compile.framed import Compiler
from rules.compile.keys import Keys
from rules.compile.limits import LIMITS, Limits
from rules.compile.listen import Listeners
from rules.compile.made_rule import made_rules
from rules.compile.plan import Plans
from rules.compile.rows import Rows, record
from rules.compile.schema import shapes
from rules.compile.table import CompiledTable
from rules.compile.upcast import upcaster
from rules.model.projection import Projection
from rules.node_id import NodeIds, kept_definition, projection_definition
from rules.nodes.untouched import Untouched
from rules.nodes.waiting import LAST
from rules.processor import RulesProcessor
from rules.ruleset import RuleSet

__all__ = ["Compiled", "compile_rules", "compiled"]


class Compiled(NamedTuple):
    """A rule set with the parts that it was made of, for tools that look into it."""

    processor: RulesProcessor
    plans: Plans
    compiler: Compiler


def compile_rules(ruleset: RuleSet, limits: Limits = LIMITS) -> RulesProcessor:
    return compiled(ruleset, limits).processor


def compiled(ruleset: RuleSet, limits: Limits = LIMITS) -> Compiled:
    ids = NodeIds()
    projections = {
        each.name: Rows(ids.draw(projection_definition(each)), record(each), each.everywhere)
        for each in ruleset.projections.values()
    }
    compiler = Compiler(projections)
    compiler.tables = {table.name: CompiledTable(table, compiler) for table in ruleset.tables.values()}
    keys = Keys(compiler)
    folds: dict[str, list[Fold]] = {}
    forgetting: dict[str, Forgetting] = {}
    for projection in ruleset.projections.values():
        rows = projections[projection.name]
        if projection.keep is not None:
            untouched = Untouched(ids.draw(kept_definition(projection)), projection.keep)
            rank = 2 * LAST + projection.place
            forgetting[projection.name] = Forgetting(untouched, rows.id, rank, rows.everywhere)
        _folds(projection, rows, forgetting.get(projection.name), compiler, keys, folds)
    enabled = [rule for rule in ruleset.rules if rule.enabled]
    ranks = {
        rule.name: rank for rank, rule in enumerate(sorted(enabled, key=lambda rule: (-rule.priority, rule.place)))
    }
    rules = [
        made for rule in enabled for made in made_rules(ruleset, rule, ranks[rule.name], compiler, keys, ids, limits)
    ]
    upcasters = {type: upcaster(versions, compiler) for type, versions in ruleset.versions.items()}
    listeners = Listeners(folds, sorted(rules, key=lambda rule: rule.rank), shapes(ruleset.schemas.values()), upcasters)
    plans = Plans(listeners, keys, projections, ruleset.lateness)
    processor = RulesProcessor(
        ruleset,
        plans,
        {waiter.id: waiter for waiter in chain(forgetting.values(), *(rule.waiters for rule in rules))},
        {name: rows.id for name, rows in projections.items()},
        {f"rule `{rule.name}`/{node}": id for rule in rules for node, id in rule.node_ids.items()}
        | {f"projection `{name}`/keep": each.id for name, each in forgetting.items()},
    )
    return Compiled(processor, plans, compiler)


def _folds(
    projection: Projection,
    rows: Rows,
    forgetting: Forgetting | None,
    compiler: Compiler,
    keys: Keys,
    folds: dict[str, list[Fold]],
) -> None:
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
            forgetting=forgetting,
            everywhere=rows.everywhere,
        )
        folds.setdefault(type, []).append(fold)
