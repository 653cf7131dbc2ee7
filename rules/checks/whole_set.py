"""What is odd about the set as a whole: no name, nothing enabled."""

from __future__ import annotations

from collections.abc import Iterator

from rules.checks.context import Context
from rules.diagnostics import Diagnostic
from rules.model.source import Span


def check(context: Context) -> Iterator[Diagnostic]:
    ruleset = context.ruleset
    if not ruleset.sources:
        return
    first = Span(next(iter(ruleset.sources)), 1, 1)
    if not ruleset.named:
        hint = "ids of commands are made of the name, so that giving one later changes all of them"
        yield context.at(first, 1, "warning", "no-name", "the rule set has no name: `ruleset: NAME`", hint)
    if ruleset.rules and not any(rule.enabled for rule in ruleset.rules):
        yield context.at(ruleset.rules[0].span, 1, "warning", "nothing-enabled", "no rule is enabled")
