"""Steps of a sequence that hide a projection."""

from __future__ import annotations

from collections.abc import Iterator

from rules.checks.context import Context
from rules.diagnostics import Diagnostic, shown


def check(context: Context) -> Iterator[Diagnostic]:
    for rule in context.ruleset.rules:
        for step in rule.sequence.steps if rule.sequence is not None else ():
            if step.name in context.ruleset.projections:
                message = f"the step {shown(step.name)} has the name of a projection"
                yield context.at(step.span, len(step.name), "error", "bad-name", message, "give one another name")
