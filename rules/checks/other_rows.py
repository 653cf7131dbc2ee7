"""`name[key]`, which reads rows of other keys, where the projection has no `scope: everywhere`.

Without this check it would be the field of that name in the row of the rule's own key, which is never there.
"""

from __future__ import annotations

from collections.abc import Iterator

from rules import cel
from rules.cel.nodes import Comprehension, Index, Literal, Name
from rules.cel.types import Record
from rules.checks.context import Context
from rules.diagnostics import Diagnostic, shown
from rules.pointing import locate


def check(context: Context) -> Iterator[Diagnostic]:
    rows = context.environments.rows
    for position in context.positions:
        if position.error is not None:
            continue
        nodes = list(cel.walk(position.node))
        bound = {node.variable for node in nodes if isinstance(node, Comprehension)}
        for node in nodes:
            if not isinstance(node, Index) or not isinstance(node.operand, Name):
                continue
            name, row = node.operand.name, rows.get(node.operand.name)
            if not isinstance(row, Record) or name in bound or name not in position.environment:
                continue
            if isinstance(node.key, Literal) and node.key.value in row.fields:
                continue
            message = f"{shown(f'{name}[…]')} reads rows of other keys: the projection needs `scope: everywhere`"
            hint = f"{shown(f'{name}.field')} reads the row of the rule's own key; `by` says what that is"
            span = locate(position.text, node.start)
            yield context.at(span, node.end - node.start, "error", "other-key", message, hint)
