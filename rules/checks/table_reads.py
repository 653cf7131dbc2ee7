"""`tables` by itself: there is nothing to read but one table, by its name."""

from __future__ import annotations

from collections.abc import Iterator

from rules import cel
from rules.cel.nodes import Has, Name, Select
from rules.checks.context import Context
from rules.diagnostics import Diagnostic
from rules.pointing import locate


def check(context: Context) -> Iterator[Diagnostic]:
    for position in context.positions:
        if position.error is not None or "" not in position.tables:
            continue
        nodes = list(cel.walk(position.node))
        selected = {id(node.operand) for node in nodes if isinstance(node, (Select, Has))}
        for node in nodes:
            if isinstance(node, Name) and node.name == "tables" and id(node) not in selected:
                span = locate(position.text, node.start)
                hint = "name the table behind a dot: `tables.risk`"
                message = "`tables` is no value: one table is read, by its name"
                yield context.at(span, len("tables"), "error", "expression", message, hint)
