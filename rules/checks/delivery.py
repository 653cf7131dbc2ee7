"""What commands carry to delivery, and delivery does not act on yet: said, so that nobody relies on it."""

from __future__ import annotations

from collections.abc import Iterator

from rules.checks.context import Context
from rules.diagnostics import Diagnostic, shown
from rules.model.action import CommandAction, every


def check(context: Context) -> Iterator[Diagnostic]:
    for rule in context.ruleset.rules:
        for action in every(rule.then):
            if not isinstance(action, CommandAction):
                continue
            for name, span in (("order", action.order_span), ("fallback", action.fallback_span)):
                if span is not None:
                    message = f"{shown(name)} is kept with the command, and delivery does not act on it yet"
                    yield context.at(span, len(name), "warning", "not-delivered", message)
