"""Rows that do nothing: in a table that takes the first hit, those that rows before them cover, alone or together; in
one that collects, those that say again what another says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from rules import cel
from rules.cel.types import ANY
from rules.checks.context import Context, Position
from rules.diagnostics import Diagnostic
from rules.model.table import Row, Table
from rules.tables.grid import MOST_ROWS, Grid, Patience, covering

STEPS: Final = 500_000
MOST: Final = 20
"""Findings worth reading about one table."""


def check(context: Context) -> Iterator[Diagnostic]:
    for table, inputs in context.table_inputs:
        if table.hit == "collect":
            found = _repeated(context, table)
        elif len(table.rows) <= MOST_ROWS:
            others = [position.kind is ANY or _may_be_null(context, position) for position in inputs]
            found = _covered(context, table, Grid(table, [position.kind for position in inputs], others))
        else:
            continue
        for _, diagnostic in zip(range(MOST), found, strict=False):
            yield diagnostic


def _may_be_null(context: Context, position: Position) -> bool:
    """A field that is optional in a schema, or one of a row, which may have been folded of such a one."""
    path = cel.path(position.node)
    if path is None or len(path) < 2 or path[0] != "event":
        return path is not None and len(path) > 1
    if len(path) != 3 or path[1] != "data":
        return False
    schemas = context.environments.declared(position.events) or ()
    return any(path[2] in schema.fields and schema.fields[path[2]].optional for schema in schemas)


def _covered(context: Context, table: Table, grid: Grid) -> Iterator[Diagnostic]:
    patience = Patience(STEPS)
    for place, row in enumerate(table.rows):
        before = grid.before(place)
        columns = grid.of_row(place)
        if not all(columns):
            continue  # nothing fits: the types of its cells are reported
        if patience.lost(sum(map(len, grid.columns))):
            return
        if not before or grid.free(before, columns, patience) is not None:
            continue
        if patience.steps < 0:
            return
        alone = covering(columns, before)
        if alone:
            first = table.rows[grid.place(alone)]
            hint = f"the row in line {first.span.line} fits whenever this one does"
        else:
            hint = "whenever it fits, one of the rows before it does"
        yield _warn(context, row, "unreachable-row", "the row can never be reached", hint)


def _repeated(context: Context, table: Table) -> Iterator[Diagnostic]:
    seen: dict[tuple[object, ...], Row] = {}
    for row in table.rows:
        said = tuple((cell.operator, cell.includes, repr(cell.operands)) for cell in row.cells)
        first = seen.setdefault(said, row)
        if first is not row and first.outputs == row.outputs:
            message = f"the row stands twice: it is also in line {first.span.line}"
            yield _warn(context, row, "duplicate-row", message, "both would be in the list")


def _warn(context: Context, row: Row, code: str, message: str, hint: str) -> Diagnostic:
    return context.at(row.span, 1, "warning", code, message, hint)
