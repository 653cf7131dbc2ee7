"""From what a Python rule declares to the parts that carry it out."""

from __future__ import annotations

from typing import Any

from rules.compile.action import Performer
from rules.compile.firing import Firing
from rules.compile.framed import Compiler
from rules.compile.keys import Keys
from rules.compile.rule import CompiledRule, Condition
from rules.compile.triggers.python import Calling
from rules.model.function import Function
from rules.model.rule import Rule
from rules.node_id import NodeIds, firing_definition
from rules.ruleset import RuleSet


def made_python(
    ruleset: RuleSet, rule: Rule, function: Function, rank: int, compiler: Compiler, keys: Keys, ids: NodeIds
) -> CompiledRule:
    state = ids.draw(state_definition(rule, function))
    condition = compiler.condition(f"rule {rule.name} when", rule.when.node, ()) if rule.when is not None else None
    performer = Performer(ruleset.name, rule.name, rule.shadow, (), lambda _: [], ruleset.versions)
    return CompiledRule(
        name=rule.name,
        route=keys.route(rule.by),
        rank=rank,
        on=rule.on,
        cancels=(),
        lets=(),
        when=rule.when.node if rule.when is not None else None,
        condition=Condition(rule.name, None, condition),
        trigger=Calling(ruleset.name, rule.name, rule.shadow, function, state, ruleset.versions),
        firing=Firing(rule.name, performer, None, None, 2 * rank),
        tables=compiler.tables,
    )


def state_definition(rule: Rule, function: Function) -> list[Any]:
    """All that the state depends on but the text of the function, which may be mended: then the version stays; where
    what is kept means something else, a new one begins anew."""
    shape = [[field.name, field.kind, field.default] for field in function.state]
    return ["python", rule.name, firing_definition(rule), shape, function.version]
