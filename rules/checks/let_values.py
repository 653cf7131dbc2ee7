"""`let` values that hide a projection, or that nothing reads."""

from __future__ import annotations

from collections.abc import Iterator

from rules import cel
from rules.checks.context import Context
from rules.diagnostics import Diagnostic, Severity, shown
from rules.model.rule import Rule
from rules.model.source import Expression


def check(context: Context) -> Iterator[Diagnostic]:
    read: dict[str, set[str]] = {}
    for position in context.positions:
        if isinstance(position.owner, Rule) and position.owner.let:
            read.setdefault(position.owner.name, set()).update(cel.names(position.node))
    for rule in context.ruleset.rules:
        for name, expression in rule.let:
            if name in context.ruleset.projections:
                message = f"the `let` value {shown(name)} has the name of a projection"
                yield _at(context, expression, "error", "bad-name", message)
            elif name not in read.get(rule.name, ()):
                yield _at(context, expression, "warning", "unused", f"nothing reads the `let` value {shown(name)}")


def _at(context: Context, expression: Expression, severity: Severity, code: str, message: str) -> Diagnostic:
    length = len(expression.written.raw) if expression.written is not None else len(expression.text)
    return context.at(expression.span, length, severity, code, message)
