"""Cells that compare with another kind of value than their input is, or than the other cells of their column."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from rules.cel.types import Type, family
from rules.cel.values import NULL, kind
from rules.checks.context import Context
from rules.diagnostics import Diagnostic, shown
from rules.model.source import Expression
from rules.model.table import Cell, Table


def check(context: Context) -> Iterator[Diagnostic]:
    for table, inputs in context.table_inputs:
        for place, known in enumerate(position.kind for position in inputs):
            cells = [row.cells[place] for row in table.rows]
            if family(known) is None:
                yield from _mixed(context, table, table.inputs[place], cells)
            else:
                yield from _unlike(context, table.inputs[place], known, cells)


def _unlike(context: Context, read: Expression, known: Type, cells: list[Cell]) -> Iterator[Diagnostic]:
    for cell in cells:
        others = [constant for constant in cell.operands if kind(constant) not in (family(known), NULL)]
        if not others:
            continue
        what = f"{shown(read.text)} is {known}"
        if cell.operator not in ("==", "!=", "in"):
            message = f"{what}, and {shown(cell.text)} orders {kind(others[0])}: the cell would always be in error"
            yield context.at(cell.span, len(cell.text), "error", "wrong-type", message)
        else:
            message = f"{what}, and never equal to {kind(others[0])}"
            hint = "the cell is always true" if cell.operator == "!=" else "the row can never fit"
            if cell.operator == "in":
                hint = "text is quoted in lists, numbers are not: `in ['a', 'b']`, `in [1, 2]`"
            yield context.at(cell.span, len(cell.text), "warning", "wrong-type", message, hint)


def _mixed(context: Context, table: Table, read: Expression, cells: list[Cell]) -> Iterator[Diagnostic]:
    """Nothing is known of the input: but it cannot be in order with values of two kinds."""
    ordering = [cell for cell in cells if cell.operator not in ("-", "==", "!=", "in")]
    kinds = Counter(kind(cell.operands[0]) for cell in ordering)
    if len(kinds) < 2:
        return
    mostly, _ = kinds.most_common(1)[0]
    for cell in ordering:
        other = kind(cell.operands[0])
        if other != mostly:
            message = f"{shown(cell.text)} orders {other}, and other cells of {shown(read.text)} {mostly}"
            hint = f"whatever comes, one of them makes table {shown(table.name)} an error"
            yield context.at(cell.span, len(cell.text), "warning", "mixed-types", message, hint)
