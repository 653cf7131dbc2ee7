"""Rules that say the same: everything that one of them does, the other does again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from rules.checks.context import Context
from rules.diagnostics import Diagnostic, shown
from rules.model.rule import Rule
from rules.plain import digest


def check(context: Context) -> Iterator[Diagnostic]:
    first: dict[bytes, Rule] = {}
    broken = {position.owner.name for position in context.positions if position.error is not None}
    for rule in context.ruleset.rules:
        if not rule.enabled or rule.name in broken:
            continue
        # what tells two rules apart for people, or only says which of them is first
        same = first.setdefault(digest(replace(rule, name="", description="", priority=0, place=0)), rule)
        if same is not rule:
            where = f"in line {same.span.line}"
            if same.span.file != rule.span.file:
                where = f"in {shown(same.span.file)}, line {same.span.line}"
            message = f"rule {shown(rule.name)} says the same as rule {shown(same.name)} {where}"
            hint = "both fire, so everything is done twice, under two ids: remove one"
            yield context.at(rule.span, len(rule.name), "warning", "same-rule", message, hint)
