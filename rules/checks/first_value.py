"""Fields that can never get a value: each fold of them reads the field itself, and nothing gives it a first one."""

from __future__ import annotations

from collections.abc import Iterator

from rules import cel
from rules.cel.nodes import Has
from rules.checks.context import Context
from rules.diagnostics import Diagnostic, shown
from rules.model.projection import Projection
from rules.model.source import Expression


def check(context: Context) -> Iterator[Diagnostic]:
    for projection in context.ruleset.projections.values():
        started = {name for name, _ in projection.initial}
        folds: dict[str, list[Expression]] = {}
        for _, named in projection.fold:
            for name, expression in named:
                folds.setdefault(name, []).append(expression)
        for name, expressions in folds.items():
            if name not in started and all(_needs(expression.node, name) for expression in expressions):
                yield _never(context, projection, name, expressions[0])


def _needs(node: cel.Node, field: str) -> bool:
    """Whether the value reads `row.field` and never asks for it. An asked one may be read where it is there."""
    path = ("row", field)
    asks = any(isinstance(each, Has) and each.field == field for each in cel.walk(node))
    return not asks and any(found[:2] == path for found in cel.paths(node))


def _never(context: Context, projection: Projection, name: str, expression: Expression) -> Diagnostic:
    message = f"{shown(name)} never gets a value: it is folded from itself, and has no first one"
    hint = f"give projection {shown(projection.name)} a first value: {shown(f'initial: {{{name}: 0}}')}"
    return context.at(expression.span, len(expression.text), "warning", "no-first-value", message, hint)
