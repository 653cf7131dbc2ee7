"""Parts of decision tables that do nothing: tables that nobody reads, inputs that no row looks at, outputs that no row
gives."""

from __future__ import annotations

from collections.abc import Iterator

from rules.checks.context import Context
from rules.diagnostics import Diagnostic, shown


def check(context: Context) -> Iterator[Diagnostic]:
    tables = [table for table in context.ruleset.tables.values() if table.rows]
    if not tables:
        return
    read = {name for position in context.positions for name in position.tables}
    for table in tables:
        if table.name not in read:
            message = f"no rule reads the table {shown(table.name)}"
            hint = f"{shown(f'let: {{{table.name}: tables.{table.name}}}')} reads it"
            yield context.at(table.span, len(table.name), "warning", "unused", message, hint)
        for place, expression in enumerate(table.inputs):
            if all(row.cells[place].operator == "-" for row in table.rows):
                message = f"no row looks at the input {shown(expression.text)}"
                yield context.at(expression.span, len(expression.text), "warning", "unused", message)
        for output, span in zip(table.outputs, table.output_spans, strict=True):
            if not any(output in row.outputs for row in table.rows):
                yield context.at(span, len(output), "warning", "unused", f"no row gives the output {shown(output)}")
