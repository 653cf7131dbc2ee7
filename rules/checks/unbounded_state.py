"""What is kept of every key that ever comes, and never let go, with what that costs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from rules.checks.context import Context
from rules.diagnostics import Diagnostic, shown
from rules.growth import THROTTLE, row_bytes
from rules.logic import term
from rules.model.rule import NEVER

_ONE_EVENT: Final = (("event", "id"), ("event", "time"))
"""Keys of which each event brings a new one."""


def check(context: Context) -> Iterator[Diagnostic]:
    for rule in context.ruleset.rules:
        if rule.once_within == NEVER:
            message = f"rule {shown(rule.name)} remembers every key for ever, in about {THROTTLE} bytes each"
            hint = "`keep: 400d` beside `once: true` bounds what is remembered"
            yield context.at(rule.span, len(rule.name), "warning", "unbounded", message, hint)
    for projection in context.ruleset.projections.values():
        by = projection.by
        if by is None or projection.by_types or projection.delete or projection.keep is not None:
            continue
        if term(by.node, {}) in _ONE_EVENT:
            row = row_bytes(projection)
            message = f"projection {shown(projection.name)} keeps a row of about {row} bytes for every event, for ever"
            hint = "`keep: 400d` lets rows go; a key that comes again, such as `event.subject`, makes fewer of them"
            yield context.at(by.span, len(by.text), "warning", "unbounded", message, hint)
