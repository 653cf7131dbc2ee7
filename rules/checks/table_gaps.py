"""Inputs that no row covers, in a table that takes the first hit: one example of them.

A table that collects adds up what applies, so no row is an answer there as good as any."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from rules import cel
from rules.checks.context import Context
from rules.diagnostics import Diagnostic, shown
from rules.model.table import CellConstant, Table
from rules.tables.grid import MOST_ROWS, Grid, Patience, Piece

STEPS: Final = 500_000
_HINT: Final = "then it says nothing: an empty map. A last row whose cells are all `-` catches what no other row does"


def check(context: Context) -> Iterator[Diagnostic]:
    for table, inputs in context.table_inputs:
        if table.hit == "collect" or len(table.rows) > MOST_ROWS:
            continue
        # of an input of which nothing is known, what cells speak of is taken for what can come
        grid = Grid(table, [position.kind for position in inputs], [False] * len(inputs))
        place = grid.free(grid.before(len(table.rows)), grid.columns, Patience(STEPS))
        if place is not None:
            message = f"no row of table {shown(table.name)} covers {_said(table, grid, place)}"
            yield context.at(table.span, len(table.name), "warning", "uncovered", message, _HINT)


def _said(table: Table, grid: Grid, place: list[Piece]) -> str:
    said = [
        f"{shown(read.text)} = {shown(_written(piece.value))}"
        for read, piece, column in zip(table.inputs, place, grid.columns, strict=False)
        if len(column) > 1
    ]
    return " with ".join(said) or "anything at all"


def _written(value: CellConstant) -> str:
    if isinstance(value, str):
        return f"'{value}'"
    if isinstance(value, (datetime, timedelta)):
        return f"{'timestamp' if isinstance(value, datetime) else 'duration'}('{cel.text(value)}')"
    return cel.inline(value)
