"""What is remembered for ever, for every key that ever comes."""

from __future__ import annotations

from collections.abc import Iterator

from rules.checks.context import Context
from rules.diagnostics import Diagnostic, shown
from rules.model.rule import NEVER


def check(context: Context) -> Iterator[Diagnostic]:
    for rule in context.ruleset.rules:
        if rule.once_within == NEVER:
            message = f"rule {shown(rule.name)} remembers every key for ever"
            hint = "`keep: 400d` beside `once: true` bounds what is remembered"
            yield context.at(rule.span, len(rule.name), "warning", "unbounded", message, hint)
